// The charts of some runs, one a metric, under one bar: what the axis below is, logarithms, smoothing, bands of seeds,
// and a legend whose entries hide and show runs and splits.
//
// A run: { name, group (text, or null where no other differs in the seed alone), points: { "<task>/<split>/<metric>":
// { step: [], epoch: [], value: [] } }, pace: { step: [], seconds: [] }, interval: how many steps before the first of these its hours
// begin, or null where they begin at step 0, thinned: whether points were left out }.
"use strict";

class Panel {
  static AXES = { step: "optimiser step", epoch: "epoch", hours: "hours" };
  static SPLITS = { train: "training", val: "validation" };
  static SMOOTHING = [["0", "none"], ["0.6", "a little"], ["0.9", "more"], ["0.97", "much"]];
  static CROWD = 16; // charts that are drawn at once; those below when they are scrolled to

  constructor(place) {
    this.place = place;
    this.runs = [];
    this.axis = "step";
    this.log = false;
    this.smoothing = 0;
    this.bands = true;
    this.hidden = new Set();
    this.charts = new Map();
    this.pending = new Set(); // charts out of sight, to be drawn when they are scrolled to
    this.sight = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting && this.pending.has(entry.target.dataset.metric)) this.drawOne(entry.target.dataset.metric);
    }, { rootMargin: "300px" });
    this.bar = Elements.element("div", { class: "bar" });
    this.legend = Elements.element("div", { class: "legend", role: "group", "aria-label": "curves shown" });
    this.note = Elements.element("p", { class: "note" });
    this.grid = Elements.element("div", { class: "charts" });
    place.replaceChildren(this.bar, this.legend, this.note, this.grid);
  }

  /** Show these runs instead of the ones before. */
  setRuns(runs) {
    this.runs = runs;
    this.refresh();
  }

  /** Draw again, after the runs' points have changed. */
  refresh() {
    const bar = [...this.axesKnown(), this.grouped().length, this.bandsOn()].join();
    if (bar !== this.barShown) {
      this.barShown = bar;
      this.drawBar();
    }
    const legend = JSON.stringify([this.entries(), [...this.hidden]]);
    if (legend !== this.legendShown) {
      this.legendShown = legend;
      this.drawLegend();
    }
    this.note.textContent = this.remarks().join(" ");
    this.drawCharts();
  }

  remarks() {
    const told = (words, runs) => (runs.length ? [`${words}: ${runs.map((run) => run.name).join(", ")}.`] : []);
    return [...told("Of long curves the lowest and highest points of each stretch are drawn, not all", this.runs.filter((run) => run.thinned)),
      ...(this.axis === "hours" ? told("Without recorded times, and not drawn over hours", this.runs.filter((run) => !run.pace.step.length)) : [])];
  }

  /** The runs that stand with others in a group of seeds, by group. */
  grouped() {
    const groups = new Map();
    for (const run of this.runs) if (run.group !== null && run.group !== undefined) groups.set(run.group, [...(groups.get(run.group) || []), run]);
    return [...groups].filter(([, runs]) => runs.length > 1);
  }

  bandsOn() {
    return this.bands && this.grouped().length > 0;
  }

  /** What has a colour: runs, or groups of runs where bands are drawn. */
  units() {
    const inGroups = this.bandsOn() ? this.grouped() : [];
    const members = new Set(inGroups.flatMap(([, runs]) => runs));
    return [...inGroups.map(([name, runs]) => ({ name: `${name} (${runs.length} seeds)`, runs })),
      ...this.runs.filter((run) => !members.has(run)).map((run) => ({ name: run.name, runs: [run] }))];
  }

  splits() {
    const found = new Set(this.runs.flatMap((run) => Object.keys(run.points)).map((name) => name.split("/")[1]));
    const order = ["train", "val"].filter((split) => found.has(split));
    return [...order, ...[...found].filter((split) => split && !order.includes(split)).sort()];
  }

  entries() {
    return { units: this.units().map((unit) => unit.name), splits: this.splits() };
  }

  axesKnown() {
    const hours = this.runs.some((run) => run.pace && run.pace.step.length);
    return Object.keys(Panel.AXES).filter((axis) => axis !== "hours" || hours);
  }

  drawBar() {
    const { choice, tick } = Elements;
    const changed = (change) => (value) => {
      change(value);
      this.refresh();
    };
    const axes = this.axesKnown();
    if (!axes.includes(this.axis)) this.axis = "step";
    this.bar.replaceChildren(
      choice("over ", axes.map((axis) => [axis, Panel.AXES[axis]]), this.axis, changed((axis) => { this.axis = axis; })),
      choice("smoothing ", Panel.SMOOTHING, String(this.smoothing), changed((weight) => { this.smoothing = Number(weight); })),
      tick("logarithmic", this.log, changed((log) => { this.log = log; })));
    if (this.grouped().length) this.bar.append(tick("mean and standard deviation over seeds", this.bands, changed((bands) => { this.bands = bands; })));
  }

  drawLegend() {
    const { element } = Elements;
    const { units, splits } = this.entries();
    const alone = units.length === 1;
    const button = (key, text, swatch) => element("button", { type: "button", "aria-pressed": String(!this.hidden.has(key)),
      onclick: (event) => {
        if (!this.hidden.delete(key)) this.hidden.add(key);
        this.refresh();
        const again = [...this.legend.querySelectorAll("button")].find((one) => one.textContent === text);
        if (again && event.detail === 0) again.focus(); // pressed by a key
      } }, swatch, text);
    const names = alone ? [element("span", { class: "alone" }, units[0])]
      : units.map((name, number) => button(`run ${name}`, name, element("span", { class: `swatch c${number % 10} d${Math.floor(number / 10) % 3}` })));
    this.legend.replaceChildren(...names, ...(splits.length ? [element("span", { class: "gap" })] : []),
      ...splits.map((split, number) => button(`split ${split}`, Panel.SPLITS[split] || split,
        alone ? element("span", { class: `swatch c${this.colourOfSplit(split, number)}` })
          : element("span", { class: `sample ${split === "train" ? "pale" : split === "val" ? "line" : "mark"}` }))));
  }

  /** With a single run colours tell the splits: validation has the first, training the second. */
  colourOfSplit(split, number) {
    return { val: 0, train: 1 }[split] ?? number % 10;
  }

  drawCharts() {
    const metrics = new Set();
    for (const run of this.runs) for (const name of Object.keys(run.points)) metrics.add(this.metricOf(name));
    const names = [...metrics].sort();
    for (const [name, chart] of this.charts) {
      if (!metrics.has(name)) {
        this.sight.unobserve(chart.box);
        chart.box.remove();
        this.charts.delete(name);
      }
    }
    names.forEach((name, number) => {
      if (!this.charts.has(name)) {
        const [task, metric] = name.split("\n");
        const chart = new Chart(`${task}: ${metric.replaceAll("_", " ")}`);
        chart.box.dataset.metric = name;
        this.charts.set(name, chart);
        this.sight.observe(chart.box);
      }
      const { box } = this.charts.get(name);
      if (this.grid.children[number] !== box) this.grid.insertBefore(box, this.grid.children[number] || null);
      const { top, bottom } = box.getBoundingClientRect();
      if (names.length <= Panel.CROWD || (top < innerHeight + 300 && bottom > -300)) this.drawOne(name);
      else this.pending.add(name);
    });
  }

  metricOf(name) {
    const [task, , ...metric] = name.split("/");
    return `${task}\n${metric.join("/")}`;
  }

  drawOne(name) {
    this.pending.delete(name);
    const curves = this.units().flatMap((unit, number, units) => this.curvesOf(unit, name, number, units.length === 1));
    this.charts.get(name).show(curves, { axis: this.axis, words: Panel.AXES[this.axis], log: this.log });
  }

  /** The curves of a run, or of a group of seeds, in a chart. */
  curvesOf(unit, name, number, alone) {
    if (this.hidden.has(`run ${unit.name}`) && !alone) return [];
    const [task, metric] = name.split("\n");
    return this.splits().flatMap((split, place) => {
      const full = `${task}/${split}/${metric}`;
      const found = unit.runs.filter((run) => run.points[full]).map((run) => ({ name: run.name, ...this.over(run, run.points[full]) }));
      if (!found.length || this.hidden.has(`split ${split}`)) return [];
      const words = Panel.SPLITS[split] || split;
      const trained = split === "train" || split === "val";
      const look = {
        label: alone ? words : `${unit.name}, ${words}`,
        colour: alone ? this.colourOfSplit(split, place) : number % 10,
        dash: alone ? 0 : Math.floor(number / 10) % 3,
        kind: !trained ? "mark" : split === "train" && !alone ? "pale" : "line",
      };
      if (trained && found.length > 1) {
        const band = Numbers.band(found);
        return [{ ...look, ...band, raw: null }].map((curve) => this.smoothed(curve, trained));
      }
      const label = (curve) => (unit.runs.length > 1 ? `${curve.name}, ${words}` : look.label); // a test is of a seed
      return found.map((curve) => this.smoothed({ ...look, ...curve, label: label(curve), raw: null, low: null }, trained));
    });
  }

  smoothed(curve, trained) {
    if (!this.smoothing || !trained || curve.y.length <= Chart.MARKED) return curve;
    if (!curve.low) return { ...curve, raw: curve.y, y: Numbers.smooth(curve.y, this.smoothing) };
    const [y, low, high] = [curve.y, curve.low, curve.high].map((values) => Numbers.smooth(values, this.smoothing));
    return { ...curve, y, low, high };
  }

  /** The points of a curve over the axis that is chosen; those whose place is not known are left out. */
  over(run, points) {
    const places = this.axis === "hours" ? this.hours(run, points.step) : points[this.axis];
    const known = places.map((_, number) => number).filter((number) => Number.isFinite(places[number]));
    const ordered = known.sort((one, other) => places[one] - places[other]);
    return { thinned: run.thinned, step: ordered.map((number) => points.step[number]), x: ordered.map((number) => places[number]), y: ordered.map((number) => points.value[number] ?? NaN) };
  }

  /** The working hours at which a run had taken so many steps. */
  hours(run, steps) {
    if (!run.pace || !run.pace.step.length) return steps.map(() => NaN);
    const begun = Number.isInteger(run.interval) ? Math.max(0, run.pace.step[0] - run.interval) : 0;
    const step = [begun, ...run.pace.step], seconds = [0, ...run.pace.seconds];
    const last = step.length - 1;
    return steps.map((wanted) => (wanted > step[last] ? seconds[last] : Numbers.between(step, seconds, wanted)) / 3600);
  }
}
