// Scores as bars.

import { h, percent } from "./dom.js";

// A list of {label, score}: each label with its bar and its share.
export function bars(predictions) {
  return h("ol", { class: "bars" }, predictions.map(({ label, score }, place) =>
    h("li", { class: place === 0 ? "best" : "" },
      h("span", { class: "label" }, label),
      h("span", { class: "score" }, percent(score)),
      h("span", { class: "bar", "aria-hidden": true },
        h("i", { style: { width: `${100 * Math.min(Math.max(score, 0), 1)}%` } })))));
}
