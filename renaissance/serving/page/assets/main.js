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

/** Ask what there is, and show it; again when a token was given. */
async function start() {
  const wrong = (error) => place("work").replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message, " ", error.status === 401 ? null : button("Try again", start)));
  try {
    ({ models } = await ask("models"));
    place("token").replaceChildren();
    await showModel(chosen().model);
  } catch (error) {
    wrong(error);
  }
}

/** The model and the tab that the address names. */
function chosen() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { model: models.includes(given.get("model")) ? given.get("model") : models[0], tab: given.get("tab") };
}

async function showModel(name) {
  const base = models.length > 1 ? `models/${encodeURIComponent(name)}/` : "";
  const info = await ask(`${base}info`);
  document.title = `${info.name} – Renaissance`;
  const select = element("select", { "aria-label": "model", onchange: () => { remember(select.value, null); showModel(select.value).catch((error) => fault(error)); } },
    models.map((one) => element("option", { value: one, selected: one === name }, one)));
  place("models").replaceChildren(models.length > 1 ? select : element("span", { class: "model-name" }, name));
  const told = { base, info, can: info.can, limits: info.limits, kept };
  const tabs = [
    ...Object.entries(info.tasks).map(([id, task]) => ({ id, title: task.meaning, open: () => new TaskPanel({ ...told, name: id, task }) })),
    ...Object.entries(ABILITIES).filter(([ability]) => info.can[ability]).map(([id, Panel]) => ({ id: `can-${id}`, title: Panel.title, open: () => new Panel(told) })),
    { id: "about", title: "About the model", open: () => new ModelCard(told) },
  ];
  const open = (tab, focused) => {
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
    remember(name, tab.id);
  };
  const keys = { ArrowRight: 1, ArrowLeft: -1 };
  place("tabs").replaceChildren(...tabs.map((tab, at) => button(tab.title, () => open(tab), {
    id: `tab-${tab.id}`, role: "tab", "aria-controls": "work",
    onkeydown: (event) => { if (keys[event.key]) open(tabs.at((at + keys[event.key]) % tabs.length), true); },
  })));
  open(tabs.find((tab) => tab.id === chosen().tab) || tabs[0]);
}

function remember(model, tab) {
  const words = new URLSearchParams({ model, ...(tab ? { tab } : {}) });
  history.replaceState(null, "", `#${words}`);
}

function fault(error) {
  place("work").replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message));
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
    if (document.visibilityState === "visible" && !place("state").classList.contains("locked")) await ask("ready").catch(() => null);
  }
}

// A picture that is dropped beside a field would replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
  if (!file || !panel) return;
  event.preventDefault();
  panel.paste(file);
});
start();
watch();
