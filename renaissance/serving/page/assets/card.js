// The model card: where the model comes from, its parts, what its training reached, and the names that it tells apart.

import { card, counted, element } from "./dom.js";

const NAMES = 60; // labels that are shown at once

export class ModelCard {
  constructor({ info }) {
    const total = Object.values(info.parts).reduce((sum, count) => sum + count, 0);
    this.element = element("div", { class: "cards" },
      card(info.name, {}, facts([["checkpoint", info.checkpoint], ["step", number(info.step)], ["parameters", number(total)], ["tasks", Object.values(info.tasks).map((task) => task.meaning).join(", ")]]),
        element("p", { class: "note" }, "Over HTTP: ", element("a", { href: "docs" }, "all addresses"), ", ", element("a", { href: "openapi.json" }, "openapi.json"))),
      card("Parts", {}, parts(info.parts)), this.training(info.training), this.labels(info.tasks),
      card("Limits of a request", {}, facts(Object.entries(info.limits).map(([name, value]) => [name, number(value)]))));
  }

  training(summary) {
    const rows = Object.entries(summary || {}).flatMap(([name, value]) =>
      value !== null && typeof value === "object" ? Object.entries(value).map(([inner, one]) => [`${name}: ${inner}`, one]) : [[name.replaceAll("_", " "), value]]);
    if (!rows.length) return null;
    return card("Training", { class: "training" }, facts(rows.map(([name, value]) => [name, number(value)])));
  }

  labels(tasks) {
    const named = Object.entries(tasks).filter(([, task]) => task.labels && task.labels.length);
    if (!named.length) return null;
    return card("Labels", {}, named.map(([name, { meaning, labels }]) => element("div", { "data-task": name }, element("h3", {}, `${meaning}: ${counted(labels.length, "label")}`),
      element("p", { class: "labels" }, labels.slice(0, NAMES).map((label) => element("span", { dir: "auto" }, label)), labels.length > NAMES ? `and ${labels.length - NAMES} more` : null))));
  }

  paste() { /* takes no pictures */ }

  close() { /* asks nothing */ }
}

function facts(rows) {
  return element("dl", { class: "facts" }, rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value ?? "–")]));
}

function parts(counts) {
  const most = Math.max(...Object.values(counts), 1);
  return element("ol", { class: "bars" }, Object.entries(counts).map(([name, count]) => {
    const fill = element("div", { class: "fill" });
    fill.style.width = `${(100 * count) / most}%`;
    return element("li", {}, element("span", { class: "bar-label" }, name.replaceAll("_", " ")), element("span", { class: "track", "aria-hidden": "true" }, fill), element("span", { class: "bar-number" }, number(count)));
  }));
}

function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
}
