// A task's panel: its fields, what it answers as they change, what the answer rests on, and how to ask from a program.

import { answerOf } from "./answers.js";
import { ask, events } from "./api.js";
import { Asking } from "./asking.js";
import { Boxes } from "./boxes.js";
import { bodyOf, codeOf } from "./code.js";
import { button, card, element, say } from "./dom.js";
import { Explaining } from "./explain.js";
import { PictureField, TextField } from "./fields.js";
import { pictureOf } from "./picture.js";

const TITLES = { image: "Picture", second_image: "Second picture", text: "Text", text_pair: "Second text" };

/** What makes a panel of it: `name` and `task` as /info has them, `kept` the values that all tasks share. */
export class TaskPanel {
  constructor({ name, task, base, can, limits, kept }) {
    Object.assign(this, { name, task, base, limits, kept, before: new Map() });
    this.fields = {};
    const changed = () => this.changed();
    for (const { name: field, type, meaning } of task.inputs) {
      const told = { name: field, title: TITLES[field] || field, meaning: [`the ${(TITLES[field] || "").toLowerCase()}`, "the text"].includes(meaning) ? "" : meaning, limits, changed };
      if (type === "image") this.fields[field] = new PictureField(told);
      else if (type === "boxes") this.boxes = new Boxes("What it may choose from", changed);
      else this.fields[field] = new TextField({ ...told, rows: 3 });
    }
    if (task.streams) this.prefix = new TextField({ name: "prefix", title: "It begins with", meaning: "may stay empty", changed, rows: 1 });
    this.asking = new Asking((signal) => this.work(signal), { failed: (error) => this.fail(error), busy: (yes) => this.busy(yes) });
    this.live = element("input", { type: "checkbox", checked: true, onchange: () => this.live.checked && changed() });
    this.run = button(task.streams ? "Write a caption" : "Ask", () => this.asking.now(), { class: "primary" });
    this.stopping = button("Stop", () => this.asking.stop(), { hidden: true });
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    this.answer = element("div", { class: "answer" });
    this.code = codeOf(() => this.question());
    this.explaining = can.attributions ? new Explaining({ base, task: name, labels: task.labels, example: () => this.explained(), fields: this.fields }) : null;
    this.element = this.laidOut(task);
    this.recall();
  }

  laidOut(task) {
    const picture = this.fields.image;
    if (this.boxes && picture) picture.stage.append(this.boxes.layer);
    const example = button("Fill in an example", () => this.fillIn(task.example));
    const keys = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.asking.now(); };
    return element("div", { class: "workbench", onkeydown: keys },
      card("", { "aria-label": "question" }, Object.values(this.fields).map((field) => field.element), this.boxes?.element, this.prefix?.element,
        element("div", { class: "row actions" }, this.run, this.stopping, example, element("label", { class: "control" }, this.live, "as I type"))),
      card("Answer", {}, this.note, this.answer, this.explaining?.element, this.code.element));
  }

  /** Values that were given to another task. */
  recall() {
    for (const [name, field] of Object.entries(this.fields)) {
      const value = this.kept[name];
      if (value) field.set(value, true);
    }
    this.changed();
  }

  async fillIn(example) {
    const values = await Promise.all(Object.entries(this.fields).map(async ([name, field]) => (field instanceof PictureField ? pictureOf(example[name], "example", this.limits) : example[name] || "")));
    Object.values(this.fields).forEach((field, place) => field.set(values[place], true));
    if (this.boxes) this.boxes.setPixels(example.boxes || [], this.fields.image.value);
    this.changed();
    if (!this.live.checked) this.asking.now();
  }

  parts() {
    const parts = {};
    for (const [name, field] of Object.entries(this.fields)) parts[name] = field.value;
    if (this.boxes) parts.boxes = this.fields.image.value?.seen ? this.boxes.pixels(this.fields.image.value) : [];
    if (this.prefix?.value) parts.prefix = this.prefix.value;
    return parts;
  }

  /** What an explanation is asked of: it is of the caption without a beginning. */
  explained() {
    if (this.prefix?.value) throw new Error("What a caption rests on can be told of a whole one only: leave out how it begins.");
    return this.parts();
  }

  question() {
    const parts = Object.fromEntries(Object.entries(this.parts()).filter(([, value]) => value !== null));
    return { path: this.task.streams ? `${this.base}caption` : `${this.base}predict?task=${encodeURIComponent(this.name)}`, parts, listed: !this.task.streams, streams: this.task.streams, lacking: this.lacking() };
  }

  /** What is still to be given, in words; empty where all is there. */
  lacking() {
    const picture = this.fields.image?.value;
    if (this.boxes && picture && !picture.seen) return "This browser cannot show the picture, to draw boxes on it: give a PNG or JPEG file.";
    const named = Object.entries(this.parts()).filter(([name, value]) => !value || (Array.isArray(value) ? !value.length : !String(value).trim()) ).map(([name]) => (TITLES[name] || name).toLowerCase());
    return named.length ? `Give the ${named.join(" and the ")}.` : "";
  }

  changed() {
    if (this.asking.closed) return;
    for (const [name, field] of Object.entries(this.fields)) this.kept[name] = field.value;
    this.explaining?.forget();
    this.code.refresh();
    const lacking = this.lacking();
    this.asking.stop();
    this.showFault(null);
    this.boxes?.fail("");
    this.boxes?.choose(null);
    this.answer.classList.add("stale");
    if (lacking) this.answer.replaceChildren(element("p", { class: "note empty" }, lacking));
    else if (this.live.checked) this.asking.soon();
    else this.answer.replaceChildren(element("p", { class: "note empty" }, `Press “${this.run.textContent}” for the answer.`));
  }

  async work(signal) {
    const lacking = this.lacking();
    if (lacking) throw new Error(lacking);
    const question = this.question();
    const body = await bodyOf(question);
    if (this.task.streams) await this.write(question.path, body, signal);
    else this.show((await ask(question.path, body, signal)).result[0][this.name]);
  }

  show(answer) {
    const { shown, words, box = null } = answerOf(answer, this.before);
    this.showFault(null);
    this.answer.replaceChildren(...shown);
    this.boxes?.choose(box);
    say(words);
  }

  async write(path, body, signal) {
    const text = element("p", { class: "caption writing", dir: "auto" }, this.prefix.value);
    this.answer.replaceChildren(text);
    this.answer.classList.remove("stale");
    const written = () => text.classList.remove("writing");
    signal.addEventListener("abort", () => {
      written();
      text.after(element("p", { class: "note" }, "Stopped here: this is not the whole caption."));
    });
    for await (const { event, data } of events(path, body, "done", signal)) {
      if (event === "error") throw new Error(data.message);
      if (event === "token") text.textContent = text.dataset.begun ? text.textContent + data.text : data.text;
      text.dataset.begun = "yes";
      if (event === "done") text.textContent = data.caption;
    }
    written();
    if (!text.textContent) this.answer.replaceChildren(element("p", { class: "note empty" }, "The model wrote nothing: its caption is empty."));
    say(text.textContent || "an empty caption");
  }

  busy(yes) {
    this.answer.setAttribute("aria-busy", String(yes));
    this.answer.classList.toggle("stale", yes && !this.task.streams);
    this.stopping.hidden = !yes || !this.task.streams;
  }

  fail(error) {
    const field = this.fields[error.field] || (error.field === "boxes" && this.boxes) || (error.field === "prefix" && this.prefix);
    this.answer.replaceChildren();
    this.boxes?.choose(null);
    if (field) field.fail(error.message);
    this.showFault(error, field);
  }

  showFault(error, field) {
    const wait = error?.wait ? ` Try again in ${error.wait} s.` : "";
    this.note.textContent = error ? `${field ? `${TITLES[error.field] || error.field}: ` : ""}${error.message}${wait}` : "";
    this.note.hidden = !error;
  }

  close() {
    this.asking.close();
    this.explaining?.asking.close();
  }

  /** Where a pasted picture goes: the field that one is in, or the first that has none, otherwise the first. */
  paste(file) {
    const pictures = Object.values(this.fields).filter((field) => field instanceof PictureField);
    const here = pictures.find((field) => field.element.contains(document.activeElement));
    (here || pictures.find((field) => !field.value) || pictures[0])?.take(file);
  }
}
