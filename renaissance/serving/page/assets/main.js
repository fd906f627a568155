// The page: which model, which of its tasks and abilities, the server's state, and the token where it asks for one.

import { ask, keepToken, told } from "./api.js";
import { ModelCard } from "./card.js";
import { button, element } from "./dom.js";
import { SearchPanel } from "./search.js";
import { SimilarityPanel } from "./similarity.js";
import { TaskPanel } from "./task.js";
import { ZeroShotPanel } from "./zeroshot.js";

const ABILITIES = { zeroshot: ZeroShotPanel, search: SearchPanel, embed: SimilarityPanel };
const PAUSE = 10; // seconds between looks at the server's state
const place = (id) => document.getElementById(id);

const kept = {}; // pictures and texts, which tasks share
let panel = null;
let models = [];
let shown = null; // what the server said of the model that is shown
let newest = 0; // number of the newest choice of a model: what comes of an older one is dropped

/** Ask what there is, and show it; again when a token was given. */
async function start() {
  try {
    ({ models } = await ask("models"));
    place("token").replaceChildren();
    await showModel();
  } catch (error) {
    fault(error);
  }
}

/** The model and the tab that the address names. */
function chosen() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { model: given.get("model"), tab: given.get("tab") };
}

/** Show the model and the tab that the address names; until it is there nothing of another one is. */
async function showModel() {
  const number = (newest += 1);
  const wanted = chosen();
  const name = models.includes(wanted.model) ? wanted.model : models[0];
  const base = models.length > 1 ? `models/${encodeURIComponent(name)}/` : "";
  panel?.close();
  panel = shown = null;
  place("tabs").replaceChildren();
  place("work").replaceChildren(element("p", { class: "note empty" }, "asking the server …"));
  let info;
  try {
    info = await ask(`${base}info`);
  } catch (error) {
    if (number !== newest) return;
    throw error;
  }
  if (number !== newest) return;
  shown = { base, name, said: JSON.stringify(info) };
  document.title = `${info.name} – Renaissance`;
  const select = element("select", { "aria-label": "model", onchange: () => { remember(select.value, null); showModel().catch(fault); } },
    models.map((one) => element("option", { value: one, selected: one === name }, one)));
  const focused = place("models").contains(document.activeElement);
  place("models").replaceChildren(models.length > 1 ? select : element("span", { class: "model-name" }, name));
  if (focused) select.focus();
  const tabs = tabsOf({ base, info, can: info.can, limits: info.limits, kept });
  const tab = tabs.find(({ id }) => id === wanted.tab);
  showTabs(tabs, tab || tabs[0]);
  if (wanted.model && wanted.model !== name) notice(`There is no model “${wanted.model}” here. This is “${name}”.`);
  else notice(wanted.tab && !tab ? `The model “${name}” has no “${wanted.tab}”. This is “${tabs[0].title}”.` : "");
}

/** What there is to ask of a model, and what to know: `{id, title, open}`, with in `open` what makes the panel. */
function tabsOf(model) {
  return [
    ...Object.entries(model.info.tasks).map(([id, task]) => ({ id, title: task.meaning, open: () => new TaskPanel({ ...model, name: id, task }) })),
    ...Object.entries(ABILITIES).filter(([ability]) => model.can[ability]).map(([id, Panel]) => ({ id: `can-${id}`, title: Panel.title, open: () => new Panel(model) })),
    { id: "about", title: "About the model", open: () => new ModelCard(model) },
  ];
}

function showTabs(tabs, first) {
  const keys = { ArrowRight: 1, ArrowLeft: -1 };
  place("tabs").replaceChildren(...tabs.map((tab, at) => button(tab.title, () => openTab(tab), {
    id: `tab-${tab.id}`, role: "tab", "aria-controls": "work",
    onkeydown: (event) => { if (keys[event.key]) openTab(tabs.at((at + keys[event.key]) % tabs.length), true); },
  })));
  openTab(first);
}

function openTab(tab, focused) {
  panel?.close();
  panel = tab.open();
  place("work").replaceChildren(panel.element);
  place("work").setAttribute("aria-labelledby", `tab-${tab.id}`);
  for (const one of place("tabs").children) {
    const here = one.id === `tab-${tab.id}`;
    one.setAttribute("aria-selected", String(here));
    one.tabIndex = here ? 0 : -1;
    if (here && focused) one.focus();
    if (here) place("tabs").scrollLeft = one.offsetLeft - place("tabs").clientWidth / 3;
  }
  shown.tab = tab.id;
  remember(shown.name, tab.id);
  notice("");
}

/** Something that is to be known of what is shown. */
function notice(words) {
  place("notice").textContent = words;
  place("notice").hidden = !words;
}

function remember(model, tab) {
  const words = new URLSearchParams({ model, ...(tab ? { tab } : {}) });
  history.replaceState(null, "", `#${words}`);
}

function fault(error) {
  panel?.close();
  panel = null;
  const again = error.status === 401 ? null : button("Try again", start); // the token is asked for
  place("work").replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message, " ", again));
}

const STATES = { 0: ["gone", "does not answer"], 200: ["ready", "ready"], 401: ["locked", "token needed"], 503: ["busy", "busy"] };

/** What the last answer says of the server. */
told.addEventListener("answer", ({ detail: { status } }) => {
  const [name, words] = STATES[status] || STATES[200]; // a question that was refused is no fault of the server's
  place("state").className = `state ${name}`;
  place("state").textContent = words;
  if (status === 401 && !place("token").firstChild) askToken();
});

function askToken() {
  const field = element("input", { id: "token-field", type: "password", autocomplete: "off" });
  const send = (event) => {
    event.preventDefault();
    keepToken(field.value.trim());
    place("token").replaceChildren();
    start();
  };
  place("token").replaceChildren(element("form", { class: "card token", onsubmit: send },
    element("label", { for: "token-field", class: "label" }, "The server's token"), element("div", { class: "row" }, field, element("button", { class: "primary" }, "Use it")),
    element("p", { class: "note" }, "Kept in this tab until it is closed.")));
  field.focus();
}

async function watch() {
  for (;;) {
    await new Promise((done) => setTimeout(done, PAUSE * 1000));
    if (document.visibilityState !== "visible" || place("state").classList.contains("locked")) continue;
    await ask("ready").then(stillThere).catch(() => null);
  }
}

/** Whether the server still has the model that is shown, and not been started again with another one. */
async function stillThere() {
  const before = shown;
  if (!before) return;
  const info = await ask(`${before.base}info`).catch((error) => {
    if (error.status !== 404) throw error;
  });
  if (JSON.stringify(info) === before.said || shown !== before) return;
  await start();
  notice("The server has been started again, with another model. What is asked now is asked of this one.");
}

// A file that is dropped beside a field would replace the page. A text is the browser's to drop.
for (const name of ["dragover", "drop"]) {
  addEventListener(name, (event) => {
    if (event.defaultPrevented || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    if (name === "drop" && event.dataTransfer.files.length) panel?.paste(event.dataTransfer.files[0]);
  });
}
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
  const writing = event.target.closest?.("textarea, input") && event.clipboardData.getData("text/plain"); // a table's cells come as both
  if (!file || !panel || writing) return;
  event.preventDefault();
  panel.paste(file);
});
// An address that was pasted or gone back to, with another model behind #; or the link to the question, which is none.
addEventListener("hashchange", () => {
  if (chosen().model !== null) showModel().catch(fault);
  else if (shown) remember(shown.name, shown.tab);
});
start();
watch();
