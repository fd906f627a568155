// What every part of the page makes elements with. All texts go in as texts, never as HTML.

export const { element } = Elements; // of elements.js, which all pages of Renaissance share

let made = 0;

/** A name for an element's id that no other has. */
export const fresh = (word) => `${word}-${(made += 1)}`;

/** Tell a screen reader, once what is said no longer changes. */
export function say(text) {
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { document.getElementById("said").textContent = text; }, 250);
}

/** A share of 1 in percent, never as certain as it is not; a dash for what is no number. */
export function percent(share) {
  if (typeof share !== "number") return "–";
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return `${(share * 100).toFixed(1)} %`;
}

/** A number of things with its word: 1 picture, 2 pictures. */
export const counted = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** A size in bytes for people. */
export const bytes = (number) => (number < 1e6 ? `${Math.max(1, Math.round(number / 1e3))} kB` : `${(number / 1e6).toFixed(1)} MB`);

export const button = (text, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, text);

/** A part of the page with a heading, in a frame. */
export const card = (title, attributes, ...children) =>
  element("section", { ...attributes, class: `card ${attributes.class || ""}` }, title ? element("h2", {}, title) : null, ...children);

/** Put a text on the clipboard, also where the page came over plain HTTP and the browser has none to offer; whether it is there. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = element("textarea", { class: "unseen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus({ preventScroll: true });
    return done;
  }
}
