// The dashboard: the list of runs, and of those that are chosen the curves as they grow, the settings that differ, and
// each run's own. It asks the server every few seconds as long as the page is seen; what is chosen stands in the
// address behind #, so that it can be kept and sent.
"use strict";

class Dashboard {
  static LISTING_SECONDS = 3;
  static CURVE_SECONDS = 2;
  static MOST_GROWN = 4000; // points of a curve above which it is read anew, thinned by the server

  constructor(place) {
    const { element } = Elements;
    this.curves = new Map(); // by name, of the runs that are chosen
    this.details = new Map();
    this.listing = { runs: [], settings: [] };
    this.state = element("p", { class: "note", role: "status" }, "reading the runs …");
    const list = element("section", { "aria-label": "runs" });
    this.panelPlace = element("div");
    this.differing = element("section", { hidden: true });
    this.results = element("section", { hidden: true });
    this.each = element("section", { hidden: true });
    this.shown = element("section", { hidden: true }, element("h2", {}, "Curves"), this.panelPlace);
    place.append(this.state, list, this.shown, this.differing, this.results, this.each);
    this.table = new RunsTable(list, this.inAddress(), (names) => this.choose(names));
    this.panel = new Panel(this.panelPlace);
    addEventListener("hashchange", () => {
      const names = this.inAddress();
      if (names.join("\n") !== [...this.table.chosen].join("\n")) this.table.choose(names);
    });
    this.every("LISTING_SECONDS", () => this.askListing());
    this.every("CURVE_SECONDS", () => this.askCurves());
  }

  /** Do something again and again, as often as a constant of this class says, while the page is seen. */
  async every(pause, work) {
    for (;;) {
      if (document.visibilityState === "visible") await work().then(() => this.reached(true), () => this.reached(false));
      await new Promise((done) => setTimeout(done, Dashboard[pause] * 1000));
    }
  }

  reached(well) {
    if (!well) this.state.textContent = "The dashboard does not answer: it may have been ended. What stands here is what it said last.";
    else if (this.listingSeen) this.state.textContent = "";
  }

  inAddress() {
    return location.hash.startsWith("#runs=") ? location.hash.slice(6).split("&").filter(Boolean).map(decodeURIComponent) : [];
  }

  async ask(path, headers = {}) {
    const answer = await fetch(path, { headers });
    if (answer.status === 404 || answer.status === 304) return null;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return { ...(await answer.json()), tag: answer.headers.get("ETag") };
  }

  async askListing() {
    const listing = await this.ask("/api/runs", this.tag ? { "If-None-Match": this.tag } : {});
    if (!listing) return;
    this.tag = listing.tag;
    this.listing = listing;
    this.table.show(listing);
    if (!this.listingSeen) performance.mark("first-rows"); // for the benchmark
    this.listingSeen = true;
    this.drawDifferences();
    this.drawStates();
  }

  choose(names) {
    history.replaceState(null, "", names.length ? `#runs=${names.map(encodeURIComponent).join("&")}` : location.pathname);
    this.drawDifferences();
    this.askCurves().catch(() => this.reached(false));
  }

  chosenRows() {
    const rows = new Map(this.listing.runs.map((row) => [row.name, row]));
    return [...this.table.chosen].map((name) => rows.get(name)).filter(Boolean);
  }

  /** Ask for what was added to the curves that are shown, and draw those that changed. */
  async askCurves() {
    const names = this.chosenRows().map((row) => row.name);
    for (const name of [...this.curves.keys()]) if (!names.includes(name)) this.curves.delete(name);
    const changed = await Promise.all(names.map((name) => this.askCurve(name)));
    const runs = this.chosenRows().map((row) => this.curves.get(row.name) && { ...this.curves.get(row.name), group: row.group }).filter(Boolean);
    const shown = JSON.stringify(runs.map((run) => [run.name, run.group]));
    this.shown.hidden = !runs.length;
    if (changed.some(Boolean) || shown !== this.runsShown) {
      this.runsShown = shown;
      this.panel.setRuns(runs);
    }
    await this.drawEach(names);
  }

  async askCurve(name) {
    const run = this.curves.get(name) || { name, points: {}, pace: { step: [], seconds: [] }, thinned: false, cursors: { metrics: "", pace: "" } };
    const query = new URLSearchParams({ run: name, ...run.cursors });
    const more = await this.ask(`/api/curves?${query}`);
    if (!more) return false;
    const isPace = (curve) => curve.startsWith("pace/");
    for (const curve of Object.keys(run.points)) if (isPace(curve) ? more.pace_anew : more.anew) delete run.points[curve];
    if (more.pace_anew) run.pace = { step: [], seconds: [] };
    let grown = this.append(run.pace, more.clock) > 0 || !this.curves.has(name);
    for (const [curve, columns] of Object.entries({ ...more.points, ...more.paced })) {
      run.points[curve] ||= { step: [], epoch: [], value: [] };
      if (this.append(run.points[curve], columns) > Dashboard.MOST_GROWN) more.cursors = { metrics: "", pace: "" };
      grown = true;
    }
    run.interval = more.interval;
    run.thinned = run.thinned || more.thinned;
    run.cursors = more.cursors;
    this.curves.set(name, run);
    return grown;
  }

  append(columns, more) {
    for (const [name, values] of Object.entries(more)) for (const value of values) columns[name].push(value);
    return columns.step.length;
  }

  drawDifferences() {
    const { element } = Elements;
    const rows = this.chosenRows();
    const differing = this.listing.settings.map((name, number) => [name, rows.map((row) => row.settings[number])])
      .filter(([, values]) => new Set(values).size > 1);
    this.differing.hidden = rows.length < 2;
    const lines = differing.map(([name, values]) => [name, values.map((value) => value ?? "–")]);
    this.drawResults(rows);
    this.differing.replaceChildren(element("h2", {}, "Settings that differ"),
      lines.length ? this.sideBySide("setting", rows, lines, "settings") : element("p", { class: "note" }, "None."));
  }

  /** What the chosen runs were tested on, a column a run. */
  drawResults(rows) {
    const names = [...new Set(rows.flatMap((row) => Object.keys(row.tested)))].sort();
    this.results.hidden = !names.length;
    this.results.replaceChildren(Elements.element("h2", {}, "Tests"),
      this.sideBySide("metric", rows, names.map((name) => [name, rows.map((row) => Numbers.text(row.tested[name]))]), "results"));
  }

  /** A table with a column a run. */
  sideBySide(heading, rows, lines, kind) {
    const { element } = Elements;
    const head = element("tr", {}, [heading, ...rows.map((row) => row.name)].map((name) => element("th", { scope: "col" }, name)));
    const body = lines.map(([name, values]) => element("tr", {}, element("th", { scope: "row" }, name), values.map((value) => element("td", {}, value))));
    return element("div", { class: "wide", tabindex: 0 }, element("table", { class: kind }, element("thead", {}, head), element("tbody", {}, body)));
  }

  /** Each run's own: how it stands, its figures, settings, command and samples. */
  async drawEach(names) {
    const { element } = Elements;
    this.each.hidden = !names.length;
    if (names.join("\n") === this.eachShown) return;
    this.eachShown = names.join("\n");
    const found = await Promise.all(names.map((name) => this.ask(`/api/run?${new URLSearchParams({ run: name })}`)));
    const parts = names.map((name, number) => found[number] && this.run(name, found[number]));
    this.each.replaceChildren(element("h2", {}, "Each run"), ...parts.filter(Boolean));
    this.drawStates();
  }

  run(name, details) {
    const { element } = Elements;
    const table = (rows, header) => element("div", { class: "wide", tabindex: 0 }, element("table", { class: "settings" },
      header ? element("thead", {}, element("tr", {}, header.map((word) => element("th", { scope: "col" }, word)))) : null,
      element("tbody", {}, rows.map(([key, value, changed]) => element("tr", { class: changed ? "changed" : null }, element("th", { scope: "row" }, key), element("td", {}, value))))));
    const folded = (words, ...content) => element("details", {}, element("summary", {}, words), ...content);
    const text = (value) => (typeof value === "number" ? Numbers.text(value) : typeof value === "string" ? value : JSON.stringify(value));
    const facts = Object.entries(details.summary).filter(([key, value]) => value !== null && !["final", "best", "parameters", "parts_from", "command", "status"].includes(key));
    const calls = [details.command, ...(Array.isArray(details.command.resumes) ? details.command.resumes : [])];
    const sheets = details.sheets.slice(-1).map((sheet) => element("figure", {}, element("figcaption", {}, sheet),
      element("img", { src: `/sheet?${new URLSearchParams({ run: name, name: sheet })}`, alt: `samples: ${sheet}`, loading: "lazy" })));
    return element("section", { "data-run": name }, element("h3", {}, name, " ", element("span", { class: "state" })), element("p", { class: "note" }, details.folder),
      details.settings.length ? folded(`All settings (${details.settings.length})`, table(details.settings)) : null,
      facts.length ? folded("Figures", table(facts.map(([key, value]) => [key.replaceAll("_", " "), text(value)]))) : null,
      folded("Commands", table(calls.filter((call) => Array.isArray(call.command)).map((call) => [text(call.started ?? "–"), element("code", {}, ["python", ...call.command].join(" "))]))),
      sheets.length ? folded("Newest samples", sheets) : null);
  }

  drawStates() {
    const { element } = Elements;
    for (const row of this.chosenRows()) {
      const part = [...this.each.querySelectorAll("section")].find((one) => one.dataset.run === row.name);
      part?.querySelector(".state").replaceChildren(element("span", { class: `status ${row.status}` }, row.status), row.remark ? ` ${row.remark}` : "");
    }
  }
}

document.addEventListener("DOMContentLoaded", () => new Dashboard(document.getElementById("dashboard")));
