// Boxes on a picture, drawn with a pointer or by keyboard. Kept as shares of the picture's sides, given in its pixels.

import { button, element, fresh, say } from "./dom.js";

const LEAST = 0.02; // share of a side
const STEP = 0.02; // by which a key moves
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const within = (value, most) => Math.min(Math.max(value, 0), most);

export class Boxes {
  constructor(meaning, changed) {
    this.changed = changed;
    this.list = []; // [left, upper, width, height] in shares; never changed in place
    this.chosen = null; // the place of the box that the answer means
    this.layer = element("div", { class: "boxes", onpointerdown: (event) => this.begin(event) });
    this.help = fresh("boxes");
    this.note = element("p", { class: "wrong", role: "alert", hidden: true });
    this.adding = button("Add a box", () => this.add([0.3, 0.3, 0.4, 0.4]));
    this.removing = element("div", { class: "row" });
    this.element = element("div", { class: "field", role: "group", "aria-label": "boxes", "data-field": "boxes" },
      element("p", { class: "label" }, "Boxes"), element("p", { class: "note", id: this.help },
        `${meaning}. Drag on the picture to draw one. By keyboard: add one, then arrows move it, Shift with arrows resizes it, Delete removes it.`),
      element("div", { class: "row" }, this.adding, this.removing), this.note);
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

  add(box) {
    this.set([...this.list, box]);
    this.layer.lastElementChild.focus();
  }

  remove(place) {
    say(`box ${place + 1} is removed`);
    this.set(this.list.filter((_, other) => other !== place));
  }

  /** Show which box an answer means; null for none. */
  choose(number) {
    this.chosen = number;
    [...this.layer.children].forEach((one, place) => one.classList.toggle("chosen", place === number));
  }

  /** Show the boxes, or those that there will be when a drag ends. */
  draw(list = this.list) {
    const focused = [...this.layer.children].indexOf(document.activeElement);
    this.layer.replaceChildren(...list.map((box, place) => this.drawn(box, place)));
    if (focused >= 0 && list.length) this.layer.children[Math.min(focused, list.length - 1)].focus();
    if (this.removing.children.length === this.list.length + (this.list.length > 1)) return;
    const freed = (what) => () => { what(); this.adding.focus(); }; // the button that was pressed is gone
    this.removing.replaceChildren(...this.list.map((_, place) => button(`Remove ${place + 1}`, freed(() => this.remove(place)), { "aria-label": `remove box ${place + 1}` })),
      ...(this.list.length > 1 ? [button("Remove all", freed(() => this.set([])))] : []));
  }

  drawn([left, upper, width, height], place) {
    const words = Object.entries({ left, top: upper, width, height }).map(([name, share]) => `${name} ${Math.round(share * 100)} %`);
    const box = element("div", {
      class: `box c${place % 10} ${place === this.chosen ? "chosen" : ""}`, tabindex: 0, role: "group", "aria-roledescription": "box", "aria-describedby": this.help,
      "aria-label": `box ${place + 1}: ${words.join(", ")}`, onkeydown: (event) => this.key(event, place),
    }, element("span", { class: "tag" }, place + 1), element("span", { class: "grip" }));
    Object.assign(box.style, { left: `${left * 100}%`, top: `${upper * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
    return box;
  }

  key(event, place) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove(place);
    } else if (KEYS[event.key]) {
      event.preventDefault();
      this.set(this.replaced(place, moved(this.list[place], KEYS[event.key], event.shiftKey)));
      say(this.layer.children[place].getAttribute("aria-label"));
    }
  }

  replaced(place, box) {
    return [...this.list.slice(0, place), box, ...this.list.slice(place + 1)];
  }

  /**
   * A pointer goes down: on a box it moves it, on a box's corner resizes it, elsewhere draws a new one. Nothing counts
   * until it goes up: what is asked meanwhile is asked of the boxes as they were.
   */
  begin(event) {
    if (event.button !== 0 || this.dragging) return; // a second finger draws no box of its own
    event.preventDefault();
    this.dragging = true;
    this.layer.setPointerCapture(event.pointerId); // what a finger touched is drawn anew, and would hear no more of it
    const at = (pointer) => {
      const area = this.layer.getBoundingClientRect();
      return [within((pointer.clientX - area.left) / area.width, 1), within((pointer.clientY - area.top) / area.height, 1)];
    };
    const [x, y] = at(event);
    const found = event.target.closest(".box");
    const place = found ? [...this.layer.children].indexOf(found) : this.list.length;
    const resized = event.target.classList.contains("grip");
    const [list, before] = [this.list, this.list[place]];
    let now = before;
    const move = (pointer) => {
      if (pointer.pointerId !== event.pointerId) return;
      const [here, there] = at(pointer);
      now = found ? moved(before, [here - x, there - y], resized) : [Math.min(x, here), Math.min(y, there), Math.abs(here - x), Math.abs(there - y)];
      this.draw(this.replaced(place, now));
    };
    const end = (pointer) => {
      if (pointer.pointerId !== event.pointerId) return;
      this.dragging = false;
      listening.abort();
      const large = now && now[2] >= LEAST && now[3] >= LEAST; // a click is no box
      if (pointer.type === "pointerup" && large && now !== before && this.list === list) this.set(this.replaced(place, now));
      else this.draw();
      this.layer.children[place]?.focus({ preventScroll: true });
    };
    const listening = new AbortController();
    addEventListener("pointermove", move, { signal: listening.signal });
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, end, { signal: listening.signal });
  }

  fail(message) {
    this.note.textContent = message;
    this.note.hidden = !message;
  }
}

/** A box moved from where it was, or its lower right corner. */
function moved([left, upper, width, height], [right, down], resized) {
  return resized
    ? [left, upper, Math.max(LEAST, within(width + right, 1 - left)), Math.max(LEAST, within(height + down, 1 - upper))]
    : [within(left + right, 1 - width), within(upper + down, 1 - height), width, height];
}
