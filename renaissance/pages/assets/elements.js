// Makes elements of the page, from texts alone: nothing that a run holds is ever read as HTML.
"use strict";

const Elements = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** An element with attributes, handlers (`onclick` and the like) and children, which are elements or texts. */
  function element(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
  }

  /** The same of a drawing. */
  function drawn(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
  }

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
  }

  /** A choice with a label; `options` are pairs of value and text. */
  function choice(label, options, chosen, changed) {
    const select = element("select", { onchange: () => changed(select.value) },
      options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
    return element("label", { class: "control" }, label, select);
  }

  /** A box to tick, with a label. */
  function tick(label, ticked, changed) {
    const box = element("input", { type: "checkbox", checked: ticked, onchange: () => changed(box.checked) });
    return element("label", { class: "control" }, box, label);
  }

  return { element, drawn, choice, tick };
})();

/** The button that turns the page light or dark; at first it is as the system says. */
(() => {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const remember = (theme) => {
    try { localStorage.setItem("renaissance-theme", theme); } catch { /* a browser that keeps nothing */ }
  };
  try {
    const kept = localStorage.getItem("renaissance-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* the same */ }
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      remember(root.dataset.theme);
    });
  });
})();
