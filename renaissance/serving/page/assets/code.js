// The present question as a command of curl and as JSON, to copy into a terminal or a program.

import { button, copy, element, say } from "./dom.js";
import { Picture } from "./picture.js";

const LONGEST = 120; // characters of a text in what is shown; what is copied is whole

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A part of the page that shows how a question is asked; `question()` gives `{path, parts, listed}` as of now. */
export function codeOf(question) {
  const curl = element("pre", { class: "code", tabindex: 0 });
  const json = element("pre", { class: "code", tabindex: 0 });
  const refresh = async () => {
    if (!details.open) return;
    const asked = question();
    curl.textContent = commandOf(asked);
    json.textContent = JSON.stringify(await bodyOf(asked, true), null, 2);
  };
  const kept = (text) => () => text().then(copy).then(() => say("copied"));
  const details = element("details", { class: "code-panel", ontoggle: refresh }, element("summary", {}, "Ask from a program"),
    element("div", { class: "row" }, element("h3", {}, "curl"), button("Copy curl", kept(async () => commandOf(question())))), curl,
    element("div", { class: "row" }, element("h3", {}, "JSON"), button("Copy JSON", kept(async () => JSON.stringify(await bodyOf(question(), false))))), json,
    element("p", { class: "note" }, "All addresses: ", element("a", { href: "docs" }, "docs")));
  return { element: details, refresh };
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

function commandOf({ path, parts }) {
  const lines = [`curl ${quoted(new URL(path, document.baseURI).href)}`];
  if (sessionToken()) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(parts)) {
    const each = Array.isArray(value) && name !== "boxes" ? value : [value];
    for (const one of each) lines.push(one instanceof Picture ? `-F ${quoted(`${name}=@"${one.name.replace(/["\\]/g, "\\$&")}"`)}` : `--form-string ${quoted(`${name}=${typeof one === "string" ? one : JSON.stringify(one)}`)}`);
  }
  return lines.join(" \\\n  ");
}

function sessionToken() {
  try { return sessionStorage.getItem("renaissance-token"); } catch { return null; }
}
