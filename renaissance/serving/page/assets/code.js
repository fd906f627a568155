// The present question as a command of curl and as JSON, to copy into a terminal or a program.

import { keptToken } from "./api.js";
import { button, copy, element, say } from "./dom.js";
import { Picture } from "./picture.js";

const LONGEST = 120; // characters of a text in what is shown; what is copied is whole
const TOLD = 2000; // milliseconds that a button says what came of it
const TOKEN = "RENAISSANCE_SERVE_TOKEN"; // as the server's own variable is called

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const addressOf = (path) => new URL(path, document.baseURI).href;

/**
 * A part of the page that shows how a question is asked. `question()` gives `{path, parts, listed, streams, lacking}` as
 * of now, with in `lacking` what is still to be given.
 */
export function codeOf(question) {
  const parts = element("div", {});
  let newest = 0;
  const refresh = async () => {
    const number = (newest += 1);
    if (!details.open) return;
    const asked = question();
    const shown = asked.lacking ? [element("p", { class: "note empty" }, asked.lacking)] : shownOf(asked, JSON.stringify(await bodyOf(asked, true), null, 2));
    if (number === newest) parts.replaceChildren(...shown); // large pictures take longer than small ones
  };
  const details = element("details", { class: "code-panel", ontoggle: refresh }, element("summary", {}, "Ask from a program"), parts,
    element("p", { class: "note" }, "All addresses: ", element("a", { href: "docs" }, "docs")));
  return { element: details, refresh };
}

function shownOf(asked, json) {
  const command = commandOf(asked);
  const part = (title, code, whole) => [
    element("div", { class: "row" }, element("h3", {}, title), copying(`Copy ${title}`, whole)), element("pre", { class: "code", tabindex: 0 }, code)];
  return [...part("curl", command, () => command), ...needed(asked), ...part("JSON", json, async () => JSON.stringify(await bodyOf(asked))),
    element("p", { class: "note" }, "For ", element("code", {}, `POST ${addressOf(asked.path)}`), ", as application/json.")];
}

function copying(title, text) {
  const made = button(title, async () => {
    made.textContent = (await copy(await text())) ? "Copied" : "Cannot be copied here: mark it by hand";
    say(made.textContent);
    setTimeout(() => { made.textContent = title; }, TOLD);
  });
  return made;
}

/** What the command needs beside itself: files in its folder, and the token. */
function needed({ parts }) {
  const links = [...namesOf(parts)].flatMap(([picture, name], place) => [place ? ", " : "", element("a", { href: picture.url, download: name }, name)]);
  return [
    links.length ? element("p", { class: "note" }, "curl reads pictures from the folder that it is called in. Save there what is not there as it is: ", links, ".") : null,
    keptToken() ? element("p", { class: "note" }, "The server's token goes into the variable ", element("code", {}, TOKEN), ".") : null,
  ].filter(Boolean);
}

/** A question as JSON: the parts by name, pictures in base64; `short` cuts these to what can be looked at. */
export async function bodyOf({ parts, listed }, short = false) {
  const plain = async (value) => {
    if (Array.isArray(value)) return Promise.all(value.map(plain));
    if (!(value instanceof Picture)) return value;
    const text = await value.base64();
    return short && text.length > LONGEST ? `${text.slice(0, 40)}… (${text.length.toLocaleString("en")} characters)` : text;
  };
  const body = {};
  for (const [name, value] of Object.entries(parts)) body[name] = await plain(value);
  return listed ? [body] : body;
}

/** File names of the pictures: two that are not the same never share one. */
function namesOf(parts) {
  const names = new Map();
  for (const picture of Object.values(parts).flat().filter((value) => value instanceof Picture)) {
    if (names.has(picture)) continue;
    let name = picture.name;
    for (let number = 2; [...names.values()].includes(name); number += 1) name = picture.name.replace(/(\.\w+)?$/, `-${number}$1`);
    names.set(picture, name);
  }
  return names;
}

function commandOf({ path, parts, streams }) {
  const names = namesOf(parts);
  const part = (name, value) => (value instanceof Picture
    ? `-F ${quoted(`${name}=@"${names.get(value).replace(/["\\]/g, "\\$&")}"`)}`
    : `--form-string ${quoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)}`);
  const each = (name, value) => (Array.isArray(value) && name !== "boxes" ? value : [value]).map((one) => part(name, one));
  const head = `curl ${streams ? "-N " : ""}${quoted(addressOf(path))}`;
  return [head, ...(keptToken() ? [`-H "Authorization: Bearer $${TOKEN}"`] : []), ...Object.entries(parts).flatMap(([name, value]) => each(name, value))].join(" \\\n  ");
}
