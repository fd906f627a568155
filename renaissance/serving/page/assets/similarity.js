// How alike texts and pictures are to a model: the cosine of each pair of their vectors, as a matrix.

import { AbilityPanel, lines } from "./ability.js";
import { button, element, fresh } from "./dom.js";
import { TextField } from "./fields.js";
import { readPicture } from "./picture.js";
import { samples } from "./samples.js";

const MOST = 12; // of texts, and of pictures

export class SimilarityPanel extends AbilityPanel {
  static title = "Similarity";
  path = "embed";
  lacks = "Give at least two texts or pictures.";

  build(changed) {
    this.texts = new TextField({ name: "texts", title: "Texts", meaning: `one a line, up to ${MOST}`, rows: 5, changed });
    this.texts.set("a red circle above a blue square\na large green triangle\na small black cross in the top left corner");
    this.images = new PicturesField(this.limits, changed, this.reads.has("text") ? 2 : 4);
    return [...(this.reads.has("text") ? [this.texts] : []), ...(this.reads.has("image") ? [this.images] : [])];
  }

  parts() {
    const texts = this.reads.has("text") ? lines(this.texts.value).slice(0, MOST) : [];
    const images = this.reads.has("image") ? this.images.value : [];
    return texts.length + images.length > 1 ? { ...(texts.length ? { texts } : {}), ...(images.length ? { images } : {}) } : null;
  }

  show({ space, texts, images }) {
    const given = this.parts() || {};
    const items = [
      ...texts.map((vector, place) => ({ kind: "text", vector, head: () => element("span", { class: "matrix-text", dir: "auto" }, given.texts?.[place] ?? "") })),
      ...images.map((vector, place) => ({ kind: "image", vector, head: () => element("img", { src: given.images?.[place]?.url ?? "", alt: `picture ${place + 1}` }) })),
    ];
    const row = (item) => element("tr", {}, element("th", { scope: "row" }, item.head()), items.map((other) => cell(item, other, space)));
    const head = element("tr", {}, element("td", {}), items.map((item) => element("th", { scope: "col" }, item.head())));
    const note = space === "joint" ? "Cosines in the joint space of texts and pictures." : "Cosines of pooled vectors. Texts and pictures have spaces of their own here, so that only the same kind can be compared.";
    return { shown: [element("div", { class: "wide", tabindex: 0 }, element("table", { class: "matrix" }, element("thead", {}, head), element("tbody", {}, items.map(row)))), element("p", { class: "note" }, note)], words: `a matrix of ${items.length} by ${items.length}` };
  }
}

function cell(item, other, space) {
  if (space !== "joint" && item.kind !== other.kind) return element("td", { class: "number" }, "–");
  const value = cosine(item.vector, other.vector);
  const made = element("td", { class: "number", "data-value": value }, value.toFixed(2));
  made.style.background = `color-mix(in srgb, var(${value >= 0 ? "--for" : "--against"}) ${Math.round(Math.abs(value) * 55)}%, transparent)`;
  return made;
}

function cosine(one, other) {
  const product = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
  return product(one, other) / Math.sqrt(product(one, one) * product(other, other) || 1);
}

/** Several pictures. */
class PicturesField {
  constructor(limits, changed, begun) {
    Object.assign(this, { name: "images", limits, changed, value: [] });
    const id = fresh("pictures");
    this.input = element("input", { id, type: "file", accept: "image/*", multiple: true, class: "unseen", onchange: (event) => this.takeAll([...event.target.files]) });
    this.list = element("div", { class: "samples" });
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    this.offered = element("div", { class: "samples", role: "group", "aria-label": "sample pictures" });
    this.element = element("div", { class: "field picture", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); this.takeAll([...event.dataTransfer.files]); } },
      element("p", { class: "label" }, "Pictures", element("span", { class: "meaning" }, `up to ${MOST}; press one to take it out`)), this.input,
      this.list, element("label", { class: "drop small", for: id }, "Drop pictures here, or choose files"), this.note, this.offered);
    samples().then((all) => {
      this.offered.append(...all.map(({ title, picture }) => button(element("img", { src: picture.url, alt: "" }), () => this.add(picture), { title, "aria-label": `add ${title}` })));
      all.slice(0, begun).forEach(({ picture }) => this.add(picture));
    });
  }

  async takeAll(files) {
    this.input.value = "";
    for (const file of files) await this.take(file);
  }

  async take(file) {
    try {
      this.add(await readPicture(file, this.limits));
    } catch (error) {
      this.fail(error.message);
    }
  }

  add(picture) {
    if (this.value.includes(picture)) return;
    if (this.value.length >= MOST) return this.fail(`There are ${MOST} pictures, no more can be compared: press one to take it out.`);
    this.fail("");
    this.value = [...this.value, picture];
    this.draw();
  }

  draw() {
    this.list.replaceChildren(...this.value.map((picture, place) => button(element("img", { src: picture.url, alt: "" }), () => {
      this.value = this.value.filter((other) => other !== picture);
      this.draw();
    }, { class: "taken", "aria-label": `take out picture ${place + 1}: ${picture.name}` })));
    this.changed();
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
  }
}
