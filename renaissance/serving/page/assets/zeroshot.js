// Labels of one's own: which of them a picture goes with.

import { answerOf } from "./answers.js";
import { AbilityPanel, lines } from "./ability.js";
import { PictureField, TextField } from "./fields.js";

export class ZeroShotPanel extends AbilityPanel {
  static title = "Own labels";
  path = "zeroshot";
  lacks = "Give a picture and at least two labels.";

  build(changed) {
    this.before = new Map();
    this.image = new PictureField({ name: "images", title: "Picture", limits: this.limits, changed });
    this.labels = new TextField({ name: "labels", title: "Labels", meaning: "one a line, or with commas", rows: 5, changed });
    this.labels.set("a red circle\na blue square\na green triangle\na yellow cross");
    this.templates = new TextField({ name: "templates", title: "Templates", meaning: "may stay empty; one a line, with {} where the label goes", rows: 1, placeholder: "a picture of {}", changed });
    if (this.kept.image) this.image.set(this.kept.image, true);
    return [this.image, this.labels, this.templates];
  }

  parts() {
    this.kept.image = this.image.value;
    const labels = lines(this.labels.value.replaceAll(",", "\n"));
    const templates = lines(this.templates.value);
    if (!this.image.value || labels.length < 2) return null;
    return { images: [this.image.value], labels, ...(templates.length ? { templates } : {}) };
  }

  show({ result }) {
    return answerOf(result[0], this.before);
  }
}
