// The dashboard's list of runs: sorted, filtered, in leaves of PER_LEAF rows, so that thousands stay quick. Runs are
// chosen by their boxes; whoever made the list is told.
"use strict";

class RunsTable {
  static PER_LEAF = 50;
  static MOST_CHOSEN = 30; // curves that can still be told apart
  static MOST_SETTINGS = 6; // columns of settings at first; all of them on request

  /** @param changed called with the names of the runs that are chosen, whenever they change */
  constructor(place, chosen, changed) {
    const { element } = Elements;
    Object.assign(this, { chosen: new Set(chosen), changed, rows: [], settings: [], leaf: 0, all: false });
    this.order = { key: "started", down: true };
    this.search = element("input", { type: "search", placeholder: "filter: words, a status, learning_rate=0.001", "aria-label": "filter runs",
      oninput: () => this.again() });
    this.status = element("select", { "aria-label": "status", onchange: () => this.again() },
      ["any status", "running", "finished", "interrupted", "crashed", "broken"].map((word) => element("option", {}, word)));
    this.count = element("span", { class: "note", "aria-live": "polite" });
    this.leaves = element("span", { class: "leaves" });
    this.head = element("thead");
    this.body = element("tbody");
    this.none = element("button", { type: "button", onclick: () => this.choose([]) }, "choose none");
    this.more = element("button", { type: "button", onclick: () => { this.all = !this.all; this.draw(); } });
    place.replaceChildren(element("div", { class: "bar" }, this.search, this.status, this.none, this.more, this.count),
      element("div", { class: "wide", tabindex: 0 }, element("table", { class: "runs" }, this.head, this.body)),
      element("div", { class: "bar" }, this.leaves));
  }

  /** Take in a listing of the server's. */
  show(listing) {
    this.rows = listing.runs;
    this.settings = listing.settings;
    for (const row of this.rows) row.text = [row.name, row.status, ...row.tasks, row.group ? "seeds" : "", row.remark,
      ...this.settings.map((name, number) => `${name}=${row.settings[number]}`)].join(" ").toLowerCase();
    this.draw();
  }

  again() {
    this.leaf = 0;
    this.draw();
  }

  choose(names) {
    this.chosen = new Set(names.slice(0, RunsTable.MOST_CHOSEN));
    this.draw();
    this.changed([...this.chosen]);
  }

  columns() {
    const known = (name) => this.rows.some((row) => row[name] !== null && row[name] !== undefined);
    const shown = this.all ? this.settings : this.settings.filter((name) => name !== "seed").slice(0, RunsTable.MOST_SETTINGS);
    return [
      { key: "name", words: "run", of: (row) => row.name, cell: (row) => this.nameOf(row) },
      { key: "status", words: "status", of: (row) => row.status, cell: (row) => Elements.element("span", { class: `status ${row.status}`, title: row.remark }, row.status) },
      { key: "tasks", words: "tasks", of: (row) => row.tasks.join(", ") },
      { key: "best", words: "best", number: true, of: (row) => row.best, cell: (row) => Numbers.text(row.best) },
      { key: "monitor", words: "of", of: (row) => row.monitor },
      { key: "step", words: "steps", number: true, of: (row) => row.step, cell: (row) => this.progress(row) },
      { key: "seconds", words: "took", number: true, of: (row) => row.seconds, cell: (row) => Numbers.duration(row.seconds) },
      { key: "started", words: "began", of: (row) => row.started, cell: (row) => this.moment(row.started) },
      ...(known("seed") ? [{ key: "seed", words: "seed", number: true, of: (row) => row.seed, cell: (row) => Numbers.text(row.seed) }] : []),
      ...shown.map((name) => ({ key: `setting ${name}`, words: name, setting: true, of: (row) => this.setting(row, name) })),
    ];
  }

  setting(row, name) {
    const text = row.settings[this.settings.indexOf(name)] ?? null; // of a broken run nothing is known
    return text !== null && text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  }

  nameOf(row) {
    const { element } = Elements;
    const members = row.group ? this.rows.filter((other) => other.group === row.group) : [];
    const seeds = members.length > 1 ? element("button", { type: "button", class: "seeds", title: "choose all seeds of this run",
      onclick: () => this.choose(members.map((member) => member.name)) }, `${members.length} seeds`) : null;
    return element("label", { class: "pick" }, element("input", { type: "checkbox", checked: this.chosen.has(row.name),
      "aria-label": `choose ${row.name}`, onchange: (event) => this.pick(row.name, event.target) }), element("span", {}, row.name), seeds);
  }

  pick(name, box) {
    if (box.checked && this.chosen.size >= RunsTable.MOST_CHOSEN) {
      box.checked = false;
      this.count.textContent = `At most ${RunsTable.MOST_CHOSEN} runs can be chosen.`;
      return;
    }
    if (box.checked) this.chosen.add(name);
    else this.chosen.delete(name);
    this.draw();
    this.changed([...this.chosen]);
  }

  progress(row) {
    return row.total_steps && row.step !== row.total_steps ? `${Numbers.text(row.step)} / ${Numbers.text(row.total_steps)}` : Numbers.text(row.step);
  }

  moment(seconds) {
    if (seconds === null) return "–";
    const date = new Date(seconds * 1000);
    const two = (number) => String(number).padStart(2, "0");
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
  }

  /** The rows that pass the filter, in order; what is not known comes last. */
  found(columns) {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = this.status.selectedIndex ? this.status.value : null;
    const found = this.rows.filter((row) => (!status || row.status === status) && words.every((word) => row.text.includes(word)));
    const column = columns.find((one) => one.key === this.order.key) || columns[0];
    const sign = this.order.down ? -1 : 1;
    const unknown = (value) => value === null || value === undefined || value === "";
    const compare = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other
      : String(one).localeCompare(String(other), "en", { numeric: true }));
    const keyed = found.map((row) => [column.of(row), row]);
    keyed.sort(([one], [other]) => unknown(one) - unknown(other) || (unknown(one) ? 0 : sign * compare(one, other)));
    return keyed.map(([, row]) => row);
  }

  draw() {
    const { element } = Elements;
    const columns = this.columns();
    const found = this.found(columns);
    const last = Math.max(Math.ceil(found.length / RunsTable.PER_LEAF) - 1, 0);
    this.leaf = Math.min(this.leaf, last);
    const begin = this.leaf * RunsTable.PER_LEAF;
    const focused = document.activeElement?.getAttribute("aria-label"); // drawing anew must not lose the keyboard's place
    this.head.replaceChildren(element("tr", {}, columns.map((column) => this.heading(column))));
    this.body.replaceChildren(...found.slice(begin, begin + RunsTable.PER_LEAF).map((row) => this.line(row, columns)));
    if (focused) document.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    const chosen = this.chosen.size ? `, ${this.chosen.size} chosen` : "";
    this.count.textContent = `${Numbers.text(found.length)} of ${Numbers.text(this.rows.length)} runs${chosen}`;
    this.none.hidden = !this.chosen.size;
    this.more.hidden = this.settings.filter((name) => name !== "seed").length <= RunsTable.MOST_SETTINGS;
    this.more.textContent = this.all ? "fewer settings" : `all ${this.settings.length} settings that differ`;
    this.drawLeaves(last, found.length);
  }

  heading(column) {
    const { element } = Elements;
    const sorted = column.key === this.order.key;
    const arrow = sorted ? (this.order.down ? " ↓" : " ↑") : "";
    return element("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": sorted ? (this.order.down ? "descending" : "ascending") : null },
      element("button", { type: "button", "aria-label": `sort by ${column.words}`, onclick: () => {
        this.order = { key: column.key, down: sorted ? !this.order.down : Boolean(column.number) };
        this.again();
      } }, column.words + arrow));
  }

  line(row, columns) {
    const { element } = Elements;
    const cells = columns.map((column, number) => {
      const value = column.cell ? column.cell(row) : column.of(row);
      const content = typeof value === "number" ? Numbers.text(value) : value ?? "–";
      return number === 0 ? element("th", { scope: "row" }, content) : element("td", { class: column.number ? "number" : column.setting ? "setting" : null }, content);
    });
    return element("tr", { class: this.chosen.has(row.name) ? "chosen" : null, "data-run": row.name }, cells);
  }

  drawLeaves(last, count) {
    const { element } = Elements;
    const begin = this.leaf * RunsTable.PER_LEAF;
    const turn = (by) => () => {
      this.leaf += by;
      this.draw();
    };
    this.leaves.replaceChildren(...(last === 0 ? [] : [
      element("button", { type: "button", "aria-label": "earlier rows", disabled: this.leaf === 0, onclick: turn(-1) }, "←"),
      element("span", { class: "note" }, ` ${begin + 1}–${Math.min(begin + RunsTable.PER_LEAF, count)} of ${Numbers.text(count)} `),
      element("button", { type: "button", "aria-label": "further rows", disabled: this.leaf === last, onclick: turn(1) }, "→")]));
  }
}
