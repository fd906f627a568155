// A panel for something that a model can do beside its tasks: fields on one side, what comes out on the other.

import { ask } from "./api.js";
import { Asking } from "./asking.js";
import { bodyOf, codeOf } from "./code.js";
import { button, card, element, say } from "./dom.js";

/** The lines of a text that say something. */
export const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** What is given to it are the parts of `build(changed)`; `parts()` gives a question or null, `show(answer)` elements. */
export class AbilityPanel {
  constructor({ base, info, limits, kept }) {
    Object.assign(this, { base, limits, kept });
    this.reads = new Set(Object.values(info.tasks).flatMap((task) => task.inputs.map((input) => input.type)));
    this.asking = new Asking((signal) => this.work(signal), { failed: (error) => this.fail(error), busy: (yes) => this.answer.setAttribute("aria-busy", String(yes)) });
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    this.answer = element("div", { class: "answer" });
    queueMicrotask(() => this.changed()); // when what extends this has its own fields
  }

  get element() {
    this.laid ||= this.laidOut();
    return this.laid;
  }

  laidOut() {
    this.code = codeOf(() => {
      const parts = this.parts();
      return { path: this.base + this.path, parts, listed: false, lacking: parts ? "" : this.lacks };
    });
    this.fields = this.build(() => this.changed());
    return element("div", { class: "workbench" },
      card("", { "aria-label": "question" }, this.fields.map((field) => field.element), element("div", { class: "row actions" }, button("Ask", () => this.asking.now(), { class: "primary" }))),
      card("Answer", {}, this.note, this.answer, this.code.element));
  }

  changed() {
    if (this.asking.closed) return;
    this.asking.stop();
    this.note.hidden = true;
    this.code.refresh();
    if (this.parts()) {
      this.answer.classList.add("stale");
      this.asking.soon();
    } else this.answer.replaceChildren(element("p", { class: "note empty" }, this.lacks));
  }

  async work(signal) {
    const parts = this.parts();
    if (!parts) throw new Error(this.lacks);
    const { shown, words } = await this.show(await ask(this.base + this.path, await bodyOf({ parts }), signal), signal);
    if (signal.aborted) return;
    this.note.hidden = true;
    this.answer.classList.remove("stale");
    this.answer.replaceChildren(...shown);
    say(words);
  }

  fail(error) {
    const field = this.fields.find((one) => one.name === error.field);
    field?.fail(error.message);
    this.answer.replaceChildren();
    const member = error.example === null ? "" : ` ${error.example + 1}`;
    this.note.textContent = `${error.field ? `${error.field}${member}: ` : ""}${error.message}${error.wait ? ` Try again in ${error.wait} s.` : ""}`;
    this.note.hidden = false;
  }

  paste(file) {
    this.fields.find((field) => field.image || field.take)?.take(file);
  }

  close() {
    this.asking.close();
  }
}
