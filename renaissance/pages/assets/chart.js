// One chart: the curves of one metric as SVG, with a crosshair that tells all values at a place (mouse, finger, arrow
// keys).
//
// A curve: { label, colour (0 to 9), dash (0 to 2), kind ("line", "pale" or "mark"), x: [], y: [], raw: [] or null,
// low: [], high: [], count: [] of a band, or null }. Values that are no numbers break the line.
"use strict";

class Chart {
  static MARGIN = { left: 56, right: 26, top: 10, bottom: 34 };
  static HEIGHT = 250;
  static MARKED = 40; // points up to which each is marked

  /** @param title what the curves show; @param words what the axis below is, such as "optimiser step" */
  constructor(title) {
    const { element, drawn } = Elements;
    this.title = title;
    this.curves = [];
    this.log = false;
    this.axis = "step";
    this.place = null; // of the crosshair, as a value of the axis
    this.svg = drawn("svg", { class: "plot", tabindex: 0, role: "group", "aria-roledescription": "chart",
      "aria-label": `${title}: arrow keys tell the values` });
    this.tip = element("div", { class: "tip", hidden: true });
    this.spoken = element("div", { class: "unseen", "aria-live": "polite" });
    this.box = element("figure", { class: "chart" }, element("figcaption", {}, title),
      element("div", { class: "canvas" }, this.svg, this.tip), this.spoken);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", (event) => event.pointerType === "touch" || this.leave()); // a finger has to be lifted to read
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("blur", () => this.leave());
    new ResizeObserver(() => this.svg.clientWidth !== this.width && this.draw()).observe(this.svg);
  }

  /** Show these curves. */
  show(curves, { axis, words, log }) {
    Object.assign(this, { curves, axis, words, log });
    this.draw();
  }

  draw() {
    const { drawn } = Elements;
    this.width = this.svg.clientWidth;
    if (!this.width) return; // not on the page yet
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${Chart.HEIGHT}`);
    if (!this.measure()) {
      this.svg.append(drawn("text", { x: this.width / 2, y: Chart.HEIGHT / 2, class: "empty" },
        this.log ? "nothing above 0 to draw" : "nothing to draw"));
      return;
    }
    this.drawAxes();
    for (const curve of this.curves) if (curve.low) this.drawBand(curve);
    for (const curve of this.curves) if (curve.raw) this.drawLine(curve, curve.raw, "raw");
    for (const curve of this.curves) this.drawLine(curve, curve.y, curve.kind);
    this.cross = drawn("g", { class: "cross" });
    this.svg.append(this.cross);
    if (this.place !== null) this.tell(this.place);
  }

  /** Find the ranges of both axes; false where there is nothing to draw. */
  measure() {
    const shown = (value) => Number.isFinite(value) && (!this.log || value > 0);
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const curve of this.curves) {
      for (const values of [curve.y, curve.raw, curve.low, curve.high]) {
        if (!values) continue;
        values.forEach((value, number) => {
          const place = curve.x[number];
          if (!shown(value) || !Number.isFinite(place)) return;
          if (value < low) low = value;
          if (value > high) high = value;
          if (place < left) left = place;
          if (place > right) right = place;
        });
      }
    }
    if (left > right) return false;
    if (left === right) [left, right] = [left - 1, right + 1];
    const room = this.log ? Math.sqrt(high / low) || 1 : (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
    const range = this.log ? (low === high ? [low / 2, high * 2] : [low / room ** 0.1, high * room ** 0.1]) : [low - room, high + room];
    const { left: l, right: r, top: t, bottom: b } = Chart.MARGIN;
    this.x = Numbers.scale([left, right], [l, this.width - r], false);
    this.y = Numbers.scale(range, [Chart.HEIGHT - b, t], this.log);
    this.ranges = { x: [left, right], y: range };
    return true;
  }

  drawAxes() {
    const { drawn } = Elements;
    const { left, right, top, bottom } = Chart.MARGIN;
    const base = Chart.HEIGHT - bottom, end = this.width - right;
    const group = drawn("g", { class: "axes" });
    const rows = (this.log ? Numbers.logTicks : Numbers.ticks)(...this.ranges.y, 5);
    for (const tick of rows) {
      const y = this.y(tick);
      group.append(drawn("line", { x1: left, x2: end, y1: y, y2: y }),
        drawn("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, Numbers.text(tick)));
    }
    for (const tick of Numbers.ticks(...this.ranges.x, Math.max(2, this.width / 110))) {
      const x = this.x(tick);
      group.append(drawn("line", { x1: x, x2: x, y1: top, y2: base }),
        drawn("text", { x, y: base + 15, "text-anchor": "middle" }, Numbers.text(tick)));
    }
    group.append(drawn("text", { x: (left + end) / 2, y: Chart.HEIGHT - 3, "text-anchor": "middle", class: "words" }, this.words));
    this.svg.append(group);
  }

  drawLine(curve, values, kind) {
    const { drawn } = Elements;
    const colours = `c${curve.colour} d${curve.dash}`;
    const places = this.places(curve.x, values);
    const points = places.filter((place) => place !== null);
    if (kind !== "mark") {
      let path = "", pen = "M";
      for (const place of places) {
        if (place === null) pen = "M";
        else {
          path += `${pen}${place[0].toFixed(1)},${place[1].toFixed(1)}`;
          pen = "L";
        }
      }
      this.svg.append(drawn("path", { class: `curve ${kind} ${colours}`, d: path }));
    }
    if (kind === "mark" || (kind === "line" && points.length <= Chart.MARKED) || points.length === 1) {
      const shape = kind === "mark" ? (x, y) => drawn("path", { class: `star ${colours}`, d: `M${x},${y - 6}l5,6l-5,6l-5,-6z` })
        : (x, y) => drawn("circle", { class: `dot ${colours}`, cx: x, cy: y, r: 2.6 });
      for (const [x, y] of points) this.svg.append(shape(x, y));
    }
  }

  /** Where points lie on the drawing, null for what cannot be drawn; of many in a column, the lowest and the highest. */
  places(x, values) {
    const shown = (number) => Number.isFinite(values[number]) && Number.isFinite(x[number]) && (!this.log || values[number] > 0);
    const all = x.map((place, number) => (shown(number) ? [this.x(place), this.y(values[number])] : null));
    if (all.length < 3 * this.width) return all;
    const kept = [];
    let column = null, low = null, high = null;
    const flush = () => {
      if (low) kept.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
      low = high = null;
    };
    for (const place of all) {
      if (place === null || Math.floor(place[0]) !== column) flush();
      if (place === null) {
        kept.push(null);
        continue;
      }
      column = Math.floor(place[0]);
      if (!low || place[1] < low[1]) low = place;
      if (!high || place[1] > high[1]) high = place;
    }
    flush();
    return kept;
  }

  drawBand(curve) {
    const floor = this.ranges.y[0];
    const bounded = (value) => (this.log && value <= 0 ? floor : value);
    const there = curve.x.map((_, number) => number).filter((number) => Number.isFinite(curve.low[number]));
    const above = there.map((number) => `${this.x(curve.x[number]).toFixed(1)},${this.y(bounded(curve.high[number])).toFixed(1)}`);
    const below = there.map((number) => `${this.x(curve.x[number]).toFixed(1)},${this.y(bounded(curve.low[number])).toFixed(1)}`);
    if (above.length) {
      this.svg.append(Elements.drawn("path", { class: `band c${curve.colour}`, d: `M${above.join("L")}L${below.reverse().join("L")}Z` }));
    }
  }

  point(event) {
    if (!this.x || !this.curves.length) return;
    const bounds = this.svg.getBoundingClientRect();
    this.tell(this.x.back(((event.clientX - bounds.left) / bounds.width) * this.width));
  }

  leave() {
    this.place = null;
    this.tip.hidden = true;
    this.cross?.replaceChildren();
  }

  key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.leave();
    if (move === undefined || !this.curves.length) return;
    event.preventDefault();
    const stops = this.stops();
    if (!stops.length) return;
    const now = this.place === null ? (move > 0 ? -1 : stops.length) : Numbers.nearest(stops, this.place);
    this.tell(stops[Math.min(Math.max(now + move, 0), stops.length - 1)]);
    this.spoken.textContent = this.tip.innerText;
  }

  /** The places at which any curve has a point. */
  stops() {
    const all = this.curves.flatMap((curve) => curve.x).filter(Number.isFinite);
    return [...new Set(all)].sort((one, other) => one - other);
  }

  /** Move the crosshair to the point nearest to a place, and tell the value of each curve there. */
  tell(wanted) {
    const { element, drawn } = Elements;
    const curves = this.curves.filter((curve) => curve.x.length);
    const ends = curves.map((curve) => curve.x[Numbers.nearest(curve.x, wanted)]);
    if (!ends.length) return;
    this.place = ends.reduce((one, other) => (Math.abs(other - wanted) < Math.abs(one - wanted) ? other : one));
    const x = this.x(this.place);
    const rows = [];
    this.cross.replaceChildren(drawn("line", { x1: x, x2: x, y1: Chart.MARGIN.top, y2: Chart.HEIGHT - Chart.MARGIN.bottom }));
    for (const curve of curves) {
      const number = Numbers.nearest(curve.x, this.place);
      const place = curve.x[number], value = curve.y[number];
      if (this.place > curve.x[curve.x.length - 1] && place !== this.place && curve.kind !== "mark") continue;
      if (curve.kind === "mark" && place !== this.place) continue;
      rows.push(this.row(curve, number, place));
      if (Number.isFinite(value) && (!this.log || value > 0)) {
        this.cross.append(drawn("circle", { class: `dot c${curve.colour}`, cx: this.x(place), cy: this.y(value), r: 4 }));
      }
    }
    const many = rows.length > 16 ? [element("div", {}, `and ${rows.length - 16} more`)] : [];
    this.tip.replaceChildren(element("b", {}, `${this.words} ${Numbers.text(this.axis === "step" ? this.place : Number(this.place.toPrecision(4)))}`),
      element("table", {}, element("tbody", {}, rows.slice(0, 16))), ...many);
    this.tip.hidden = false;
    const wide = this.tip.offsetWidth, room = this.box.querySelector(".canvas").clientWidth;
    const beside = x + 14 + wide <= room ? x + 14 : x - 14 - wide;
    this.tip.style.left = `${Math.max(0, Math.min(beside, room - wide))}px`;
  }

  row(curve, number, place) {
    const { element } = Elements;
    const told = curve.raw ? `${Numbers.text(curve.raw[number])} (smoothed ${Numbers.text(curve.y[number])})`
      : curve.low ? `${Numbers.text(curve.y[number])} ± ${Numbers.text(curve.high[number] - curve.y[number])} (n = ${curve.count[number]})`
      : Numbers.text(curve.y[number]);
    const where = place === this.place ? "" : `at ${Numbers.text(Number(place.toPrecision(4)))}`;
    return element("tr", {}, element("td", {}, element("span", { class: `swatch c${curve.colour}` })),
      element("td", {}, curve.label), element("td", { class: "value" }, told), element("td", { class: "where" }, where));
  }
}
