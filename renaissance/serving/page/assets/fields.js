// The fields of a question: a picture that is dropped, pasted, chosen or taken, and a text.

import { button, bytes, element, fresh } from "./dom.js";
import { readPicture } from "./picture.js";
import { samples } from "./samples.js";

const MASK = "[MASK]";

/** A field for a picture. `changed()` is called when there is another one, or none. */
export class PictureField {
  constructor({ name, title, meaning, limits, changed }) {
    Object.assign(this, { name, limits, changed, value: null, newest: 0 });
    const id = fresh("picture");
    const file = (attributes) => element("input", { type: "file", accept: "image/*", class: "unseen", onchange: (event) => this.take(event.target.files[0]), ...attributes });
    this.input = file({ id, "aria-describedby": `${id}-note` });
    this.camera = file({ capture: "environment", "aria-label": `take a photo: ${title}` });
    this.note = element("p", { class: "wrong", role: "alert", id: `${id}-note`, hidden: true });
    this.image = element("img", { alt: `the chosen picture: ${title}` });
    this.heat = element("canvas", { class: "heat", hidden: true, "aria-hidden": "true" });
    this.stage = element("div", { class: "stage" }, this.image, this.heat);
    this.about = element("p", { class: "note" });
    this.filled = element("div", { class: "filled", hidden: true }, this.stage,
      element("div", { class: "row" }, button("Another", () => this.input.click()), button("Remove", () => this.remove()), this.about));
    this.empty = element("label", { class: "drop", for: id },
      element("span", { class: "drop-words" }, "Drop a picture here, paste one, or ", element("span", { class: "chosen-word" }, "choose a file")));
    this.photo = element("label", { class: "photo" }, "Take a photo", this.camera);
    this.samples = element("div", { class: "samples", role: "group", "aria-label": `sample pictures: ${title}` });
    this.element = element("div", {
      class: "field picture", "data-field": name, ondragover: (event) => this.over(event, true), ondragleave: (event) => this.over(event, false), ondrop: (event) => this.over(event, false, true),
    }, element("p", { class: "label" }, title, meaning ? element("span", { class: "meaning" }, meaning) : null),
    this.input, this.empty, this.filled, this.photo, this.note, this.samples);
    this.offerSamples();
  }

  async offerSamples() {
    for (const { title, picture } of await samples()) {
      this.samples.append(button(element("img", { src: picture.url, alt: "" }), () => this.set(picture), { title, "aria-label": title }));
    }
  }

  over(event, inside, dropped = false) {
    event.preventDefault();
    this.element.classList.toggle("over", inside);
    if (dropped) this.take(event.dataTransfer.files[0] || null);
  }

  /** Take a file as the picture, or say why not. Of several that are being read the newest counts. */
  async take(file) {
    if (file === undefined) return; // the choice was given up
    if (file === null) return this.fail("What was dropped is no file: save the picture first, or copy and paste it.");
    this.input.value = this.camera.value = ""; // so that the same file can be chosen again
    const number = (this.newest += 1);
    this.element.setAttribute("aria-busy", "true");
    const picture = await readPicture(file, this.limits).catch((error) => error);
    if (number !== this.newest) return;
    this.element.removeAttribute("aria-busy");
    if (picture instanceof Error) this.fail(`${picture.message}${this.value ? " The picture before it is still here." : ""}`);
    else this.set(picture);
  }

  set(picture, quietly = false) {
    this.newest += 1; // what is still being read comes too late
    this.element.removeAttribute("aria-busy");
    this.value = picture;
    this.fail("");
    this.heat.hidden = true;
    this.stage.classList.remove("explained");
    this.empty.hidden = Boolean(picture);
    this.filled.hidden = !picture;
    if (picture) {
      this.image.src = picture.url;
      this.stage.hidden = !picture.seen;
      this.stage.classList.toggle("tiny", picture.seen && Math.max(picture.width, picture.height) < 320);
      const size = picture.seen ? `${picture.width} × ${picture.height}, ` : "";
      this.about.replaceChildren(element("a", { href: picture.url, download: picture.name }, picture.name), ` ${size}${bytes(picture.blob.size)}${picture.note ? `, ${picture.note}` : ""}`);
    }
    if (!quietly) this.changed();
  }

  remove() {
    this.set(null);
    this.input.focus();
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
    this.input.setAttribute("aria-invalid", String(Boolean(message)));
  }
}

/** A field for a text; with a button that puts the mask token where the cursor is, if the meaning tells of one. */
export class TextField {
  constructor({ name, title, meaning, changed, rows = 2, placeholder = "" }) {
    this.name = name;
    const id = fresh("text");
    this.area = element("textarea", { id, rows, placeholder, dir: "auto", spellcheck: "false", "aria-describedby": `${id}-note`, oninput: () => { this.fail(""); changed(); } });
    this.note = element("p", { class: "wrong", role: "alert", id: `${id}-note`, hidden: true });
    const masks = (meaning || "").includes(MASK);
    const mask = button(MASK, () => this.putMask(changed), { class: "mask", title: "put it where the cursor is", "aria-label": "insert the mask token" });
    this.element = element("div", { class: "field", "data-field": name },
      element("div", { class: "row" }, element("label", { class: "label", for: id }, title, meaning ? element("span", { class: "meaning" }, meaning) : null), masks ? mask : null),
      this.area, this.note);
  }

  get value() {
    return this.area.value;
  }

  set(text) {
    this.area.value = text;
    this.fail("");
  }

  putMask(changed) {
    const { selectionStart, selectionEnd } = this.area;
    this.area.setRangeText(MASK, selectionStart, selectionEnd, "end");
    this.area.focus();
    changed();
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
    this.area.setAttribute("aria-invalid", String(Boolean(message)));
  }
}
