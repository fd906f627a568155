// Searching a prepared table by a text or a picture.

import { AbilityPanel } from "./ability.js";
import { fetched } from "./api.js";
import { counted, element } from "./dom.js";
import { PictureField, TextField } from "./fields.js";

const TOP = 12;

export class SearchPanel extends AbilityPanel {
  static title = "Search";
  path = "search";
  lacks = "Give a text or a picture to search for.";

  build(changed) {
    this.text = new TextField({ name: "text", title: "Text", meaning: "what the pictures are to show", changed: () => { if (this.text.value && this.image.value) this.image.set(null, true); changed(); } });
    this.image = new PictureField({ name: "image", title: "or a picture", limits: this.limits, changed: () => { if (this.image.value) this.text.set(""); changed(); } });
    return [this.text, this.image];
  }

  parts() {
    if (this.image.value) return { image: this.image.value, top: TOP };
    return this.text.value.trim() ? { text: this.text.value, top: TOP } : null;
  }

  async show({ result }, signal) {
    const pictures = await Promise.all(result.map(({ image }) => fetched(image.replace(/^\//, ""), signal).catch(() => null)));
    for (const url of this.urls || []) URL.revokeObjectURL(url);
    this.urls = [];
    const figures = result.map(({ row, score, captions }, place) => {
      const url = pictures[place] && URL.createObjectURL(pictures[place]);
      if (url) this.urls.push(url);
      return element("figure", { class: "found", "data-row": row },
        url ? element("img", { src: url, alt: captions[0] || `row ${row}` }) : element("p", { class: "note" }, "cannot be shown"),
        element("figcaption", {}, element("span", { class: "rank" }, `${place + 1}`), element("span", { class: "found-score" }, score.toFixed(3))),
        (captions || []).slice(0, 1).map((caption) => element("p", { class: "note" }, caption)));
    });
    return { shown: [element("div", { class: "gallery" }, figures)], words: `${counted(result.length, "picture")} found` };
  }
}
