// Shows what a task answers, by the form of the answer rather than by the task: a plug-in's answers have a form too.

import { button, element, percent } from "./dom.js";

const SHOWN = 8; // bars; more are behind a button

/** Bars, ranked: rows of `{label, value, number?}`, values from 0 to 1. `before` are the widths that they grow from. */
export function bars(rows, { before = new Map(), ranked = true } = {}) {
  const sorted = ranked ? [...rows].sort((one, other) => other.value - one.value) : rows;
  const best = Math.max(...rows.map((row) => row.value));
  const list = element("ol", { class: "bars" }, sorted.map((row, place) => bar(row, row.value === best, before, place >= SHOWN)));
  if (sorted.length <= SHOWN) return [list];
  const more = button(`Show all ${sorted.length}`, () => {
    list.querySelectorAll("[hidden]").forEach((one) => { one.hidden = false; });
    more.remove();
  });
  return [list, more];
}

function bar({ label, value, number, swatch }, best, before, hidden) {
  const fill = element("div", { class: "fill" });
  const from = before.get(label) ?? 0;
  before.set(label, value);
  fill.style.width = `${from * 100}%`;
  requestAnimationFrame(() => requestAnimationFrame(() => { fill.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`; }));
  return element("li", { class: best ? "best" : "", hidden, "data-label": label, "data-value": value, title: String(value) },
    element("span", { class: "bar-label", dir: "auto" }, swatch === undefined ? null : element("span", { class: `box-swatch c${swatch % 10}` }), label),
    element("span", { class: "track", "aria-hidden": "true" }, fill), element("span", { class: "bar-number" }, number ?? percent(value)));
}

/** An answer as elements, and in words for who cannot see them: `{shown, words}`. */
export function answerOf(answer, before) {
  const form = FORMS.find(([fits]) => fits(answer));
  return form ? form[1](answer, before) : plain(answer);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const verdict = (text, detail) => element("p", { class: "verdict" }, element("strong", { dir: "auto" }, text), detail ? element("span", {}, detail) : null);

const FORMS = [
  [(answer) => isObject(answer.probabilities), classes],
  [(answer) => Array.isArray(answer.probabilities), boxes],
  [(answer) => Array.isArray(answer.words), masks],
  [(answer) => typeof answer.match === "number", match],
  [(answer) => typeof answer.similarity === "number", similarity],
  [(answer) => typeof answer.score === "number", score],
  [(answer) => typeof answer.caption === "string", ({ caption }) => ({ shown: [element("p", { class: "caption", dir: "auto" }, caption)], words: caption })],
];

function classes({ answer, probabilities }, before) {
  const value = probabilities[answer];
  const rows = Object.entries(probabilities).map(([label, share]) => ({ label, value: share }));
  return { shown: [verdict(answer, percent(value)), ...bars(rows, { before })], words: `${answer}, ${percent(value)}` };
}

function boxes({ answer, probabilities }, before) {
  const rows = probabilities.map((value, place) => ({ label: `box ${place + 1}`, value, swatch: place }));
  const words = `box ${answer + 1}`;
  return { shown: [verdict(words, percent(probabilities[answer])), ...bars(rows, { before })], words, box: answer };
}

function masks({ text, words }, before) {
  if (!words.length) return { shown: [element("p", { class: "note" }, "The text has no [MASK]: put one where a word is to be named.")], words: "no mask" };
  const each = words.map((candidates, place) => {
    const rows = candidates.map(({ word, probability }) => ({ label: word, value: probability }));
    const own = before.get(place) || new Map();
    before.set(place, own);
    return element("div", {}, words.length > 1 ? element("h3", {}, `[MASK] ${place + 1}`) : null, ...bars(rows, { before: own }));
  });
  return { shown: [element("p", { class: "caption", dir: "auto" }, text), ...each], words: text };
}

function match({ match: value }, before) {
  const words = value >= 0.5 ? "They belong together" : "They do not belong together";
  const rows = [{ label: "match", value }, { label: "no match", value: 1 - value }];
  return { shown: [verdict(words, percent(Math.max(value, 1 - value))), ...bars(rows, { before, ranked: false })], words: `${words}, ${percent(Math.max(value, 1 - value))}` };
}

function similarity({ similarity: value, probability }) {
  const scale = element("div", { class: "scale", "data-value": value }, element("span", { class: "scale-mark" }));
  scale.firstChild.style.left = `${(value + 1) * 50}%`;
  const shown = [verdict(value.toFixed(3), "similarity of picture and text"), scale,
    element("p", { class: "scale-ends", "aria-hidden": "true" }, ["−1", "0", "1"].map((end) => element("span", {}, end)))];
  if (typeof probability === "number") shown.push(...bars([{ label: "they belong together", value: probability }]));
  return { shown, words: `similarity ${value.toFixed(3)}` };
}

function score({ score: value }) {
  const note = "The higher, the better picture and text go together; compare it with other texts or pictures.";
  return { shown: [verdict(value.toFixed(3), "score"), element("p", { class: "note" }, note)], words: `score ${value.toFixed(3)}` };
}

/** An answer of a form that is not known here. */
function plain(answer) {
  const text = JSON.stringify(answer, null, 2);
  return { shown: [element("pre", { class: "code", tabindex: 0 }, text)], words: text.slice(0, 200) };
}
