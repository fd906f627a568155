// Boxes on a picture, drawn with a pointer or by keyboard. Kept as shares of the picture's sides, given in its pixels.

import { button, element, fresh, say } from "./dom.js";

const LEAST = 0.02; // share of a side
const STEP = 0.02; // by which a key moves
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const within = (value, most) => Math.min(Math.max(value, 0), most);

export class Boxes {
  constructor(meaning, changed) {
    this.changed = changed;
    this.list = []; // [left, upper, width, height] in shares
    this.layer = element("div", { class: "boxes", onpointerdown: (event) => this.begin(event) });
    this.help = fresh("boxes");
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    this.clearing = button("Remove all", () => this.set([]));
    this.element = element("div", { class: "field", role: "group", "aria-label": "boxes", "data-field": "boxes" },
      element("p", { class: "label" }, "Boxes"), element("p", { class: "note", id: this.help },
        `${meaning}. Drag on the picture to draw one. By keyboard: add one, then arrows move it, Shift with arrows resizes it, Delete removes it.`),
      element("div", { class: "row" }, button("Add a box", () => this.add([0.3, 0.3, 0.4, 0.4], true)), this.clearing), this.note);
    this.draw();
  }

  /** In pixels of a picture, as the server takes them. */
  pixels(picture) {
    return this.list.map(([left, upper, width, height]) =>
      [left * picture.width, upper * picture.height, width * picture.width, height * picture.height].map((value) => Math.round(value * 100) / 100));
  }

  setPixels(boxes, picture) {
    this.set(boxes.map(([left, upper, width, height]) => [left / picture.width, upper / picture.height, width / picture.width, height / picture.height]));
  }

  set(list) {
    this.list = list;
    this.draw();
    this.changed();
  }

  add(box, focused) {
    this.list.push(box);
    this.draw();
    if (focused) this.layer.lastElementChild.focus();
    this.changed();
  }

  /** Show which box an answer means; null for none. */
  choose(number) {
    [...this.layer.children].forEach((one, place) => one.classList.toggle("chosen", place === number));
  }

  draw() {
    const focused = [...this.layer.children].indexOf(document.activeElement);
    this.layer.replaceChildren(...this.list.map((_, place) => this.drawn(place)));
    this.clearing.hidden = !this.list.length;
    if (focused >= 0 && this.list.length) this.layer.children[Math.min(focused, this.list.length - 1)].focus();
  }

  drawn(place) {
    const [left, upper, width, height] = this.list[place];
    const words = [`left ${left}`, `top ${upper}`, `width ${width}`, `height ${height}`].map((part) => part.replace(/[\d.e-]+$/, (share) => `${Math.round(share * 100)} %`));
    const box = element("div", {
      class: `box c${place % 10}`, tabindex: 0, role: "group", "aria-roledescription": "box", "aria-describedby": this.help,
      "aria-label": `box ${place + 1}: ${words.join(", ")}`, onkeydown: (event) => this.key(event, place),
    }, element("span", { class: "tag" }, place + 1), element("span", { class: "grip" }));
    Object.assign(box.style, { left: `${left * 100}%`, top: `${upper * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
    return box;
  }

  key(event, place) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      say(`box ${place + 1} is removed`);
      this.set(this.list.filter((_, other) => other !== place));
    } else if (KEYS[event.key]) {
      event.preventDefault();
      this.change(place, this.list[place], KEYS[event.key], event.shiftKey);
      say(this.layer.children[place].getAttribute("aria-label"));
      this.changed();
    }
  }

  /** Move a box from where it was, or its lower right corner. */
  change(place, [left, upper, width, height], [right, down], resized) {
    this.list[place] = resized
      ? [left, upper, Math.max(LEAST, within(width + right, 1 - left)), Math.max(LEAST, within(height + down, 1 - upper))]
      : [within(left + right, 1 - width), within(upper + down, 1 - height), width, height];
    this.draw();
  }

  /** A pointer goes down: on a box it moves it, on a box's corner resizes it, elsewhere draws a new one. */
  begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const area = this.layer.getBoundingClientRect();
    const at = (moved) => [within((moved.clientX - area.left) / area.width, 1), within((moved.clientY - area.top) / area.height, 1)];
    const [x, y] = at(event);
    const found = event.target.closest(".box");
    const fresh = !found;
    const resized = fresh || event.target.classList.contains("grip");
    const place = fresh ? this.list.push([x, y, 0, 0]) - 1 : [...this.layer.children].indexOf(found);
    const before = this.list[place];
    const move = (moved) => {
      const [here, there] = at(moved);
      if (fresh) this.list[place] = [Math.min(x, here), Math.min(y, there), Math.abs(here - x), Math.abs(there - y)];
      else this.change(place, before, [here - x, there - y], resized);
      this.draw();
    };
    const end = () => {
      removeEventListener("pointermove", move);
      const tooSmall = this.list[place][2] < LEAST || this.list[place][3] < LEAST;
      if (fresh && tooSmall) this.list.splice(place, 1); // a click, not a box
      this.draw();
      this.layer.children[place]?.focus();
      if (!(fresh && tooSmall)) this.changed();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
  }
}
