// What an answer rests on: the patches of the pictures as a heat map over them, the words tinted. By occlusion orange
// speaks for the answer and blue against it; by attention the stronger, the more is looked at.

import { ask } from "./api.js";
import { Asking } from "./asking.js";
import { bodyOf } from "./code.js";
import { button, element, fresh } from "./dom.js";

const FOR = [255, 106, 0];
const AGAINST = [0, 110, 255];
const TINT = 60; // percent of the colour behind the strongest word, so that it stays readable

export class Explaining {
  /** `example()` gives the present parts, `fields` the fields by name; `labels` may be null. */
  constructor({ base, task, example, fields, labels }) {
    Object.assign(this, { base, task, example, fields });
    this.word = null;
    this.found = null;
    this.asking = new Asking((signal) => this.work(signal), { failed: (error) => this.fail(`${error.field ? `${error.field}: ` : ""}${error.message}${error.wait ? ` Try again in ${error.wait} s.` : ""}`), busy: (yes) => this.element.setAttribute("aria-busy", String(yes)) });
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    const start = (method) => button(method === "occlusion" ? "Hide each part" : "Where it looks", () => { this.word = null; this.start(method); }, { "aria-pressed": "false", "data-method": method });
    this.buttons = ["occlusion", "attention"].map(start);
    const target = fresh("target");
    this.target = element("select", { id: target, onchange: () => this.start("occlusion") }, element("option", { value: "" }, "the answer"), (labels || []).map((label) => element("option", { value: label }, label)));
    this.opacity = element("input", { type: "range", min: 0, max: 100, value: 65, oninput: () => this.fade() });
    this.result = element("div", { class: "explained-words", hidden: true });
    this.element = element("section", { class: "explaining" }, element("h3", {}, "What does it rest on?"),
      element("div", { class: "row" }, this.buttons, labels && labels.length ? element("label", { class: "control", for: target }, "for", this.target) : null), this.note, this.result);
  }

  start(method) {
    this.method = method;
    for (const one of this.buttons) one.setAttribute("aria-pressed", String(one.dataset.method === method));
    this.asking.now();
  }

  /** Something has changed: what is shown is no longer true. */
  forget() {
    this.asking.stop();
    this.fail("");
    this.word = null;
    this.result.hidden = true;
    for (const one of this.buttons) one.setAttribute("aria-pressed", "false");
    for (const field of Object.values(this.fields)) if (field.heat) field.heat.hidden = true;
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
  }

  async work(signal) {
    this.fail("");
    const body = { example: await bodyOf({ parts: this.example() }), task: this.task, method: this.method };
    if (this.method === "attention" && this.word !== null) body.word = this.word;
    if (this.method === "occlusion" && this.target.value) body.target = this.target.value;
    this.result.replaceChildren(element("p", { class: "note" }, "looking …"));
    this.result.hidden = false;
    try {
      this.show(await ask(`${this.base}attributions`, body, signal));
    } catch (error) {
      this.result.hidden = true;
      throw error;
    }
  }

  show(found) {
    const grids = Object.values(found.patches).flat(2);
    const most = Math.max(...grids.map(Math.abs), 0) || 1;
    const mostWords = Math.max(...found.words.map((word) => Math.abs(word.value)), 0) || 1;
    for (const [name, field] of Object.entries(this.fields)) if (field.heat) this.drawHeat(field, found.patches[name], found.regions[name], most);
    const attends = found.method === "attention";
    const about = attends
      ? `Attention${this.word === null ? "" : ` of “${found.words[this.word]?.text}”`}: where the model looks. Choose a word to see its own.`
      : `What “${found.target}” loses when each part is hidden, in ${found.unit}.`;
    this.result.replaceChildren(element("p", { class: "note", role: "status" }, about), ...this.texts(found, mostWords, attends), ...(grids.length ? [this.legend("picture", most, attends)] : []), ...(found.words.length ? [this.legend("words", mostWords, attends)] : []),
      grids.length ? element("label", { class: "control" }, "strength of the overlay", this.opacity) : "", ...found.notes.map((note) => element("p", { class: "note" }, note)));
    this.fade();
  }

  /** The texts with their words tinted; places in them are counted in whole characters, as the server does. */
  texts(found, most, attends) {
    const byField = Map.groupBy ? Map.groupBy(found.words.map((word, index) => ({ ...word, index })), (word) => word.field) : grouped(found.words);
    return [...byField].map(([name, words]) => {
      const text = Array.from(this.fields[name] ? this.fields[name].value : words.map((word) => word.text).join(" "));
      const known = Boolean(this.fields[name]);
      const pieces = [];
      let at = 0;
      for (const word of words) {
        pieces.push(known ? text.slice(at, word.start).join("") : " ", this.chip(word, most, attends));
        at = word.end;
      }
      return element("p", { class: "chips", dir: "auto", "aria-label": `words of ${name}` }, pieces, known ? text.slice(at).join("") : "");
    });
  }

  chip(word, most, attends) {
    const told = { title: word.value.toFixed(4), "data-value": word.value };
    const chip = attends
      ? button(word.text, () => { this.word = word.index; this.asking.now(); }, { ...told, class: "chip", "aria-pressed": String(this.word === word.index) })
      : element("span", { ...told, class: "chip" }, word.text);
    chip.style.background = `color-mix(in srgb, var(${word.value >= 0 ? "--for" : "--against"}) ${Math.round((Math.abs(word.value) / most) * TINT)}%, transparent)`;
    return chip;
  }

  /** What the strongest colour stands for; pictures and words have scales of their own. */
  legend(what, most, attends) {
    const end = (text) => element("span", {}, text);
    const amount = most.toPrecision(2);
    return element("div", { class: "heat-legend" }, end(what), attends ? end("0") : end(`against: −${amount}`), element("span", { class: `ramp ${attends ? "one" : "two"}`, "aria-hidden": "true" }), end(attends ? amount : `for: +${amount}`));
  }

  drawHeat(field, grid, region, most) {
    field.heat.hidden = !grid || !field.value?.seen;
    if (field.heat.hidden) return;
    const rows = grid.length, columns = grid[0].length;
    Object.assign(field.heat, { width: columns, height: rows });
    const pencil = field.heat.getContext("2d");
    const pixels = pencil.createImageData(columns, rows);
    grid.flat().forEach((value, place) => {
      pixels.data.set([...(value >= 0 ? FOR : AGAINST), Math.round((255 * Math.abs(value)) / most)], 4 * place);
    });
    pencil.putImageData(pixels, 0, 0);
    const { width, height } = field.value;
    const [left, upper, wide, high] = region || [0, 0, width, height];
    Object.assign(field.heat.style, { left: `${(100 * left) / width}%`, top: `${(100 * upper) / height}%`, width: `${(100 * wide) / width}%`, height: `${(100 * high) / height}%` });
  }

  fade() {
    for (const field of Object.values(this.fields)) if (field.heat) field.heat.style.opacity = this.opacity.value / 100;
  }
}

function grouped(words) {
  const found = new Map();
  words.forEach((word, index) => found.set(word.field, [...(found.get(word.field) || []), { ...word, index }]));
  return found;
}
