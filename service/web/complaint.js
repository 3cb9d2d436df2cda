// A place where a view says what went wrong.

import { h } from "./dom.js";
import { explained } from "./progress.js";

// `tell` shows a Problem; what was broken off by leaving the view is nobody's business.
export function complaint() {
  const element = h("div", { class: "problem", role: "alert", hidden: true });
  return {
    element,
    tell(problem) {
      if (problem.name === "AbortError") return;
      element.hidden = false;
      element.replaceChildren(...explained(problem));
    },
    clear() {
      element.hidden = true;
    },
  };
}
