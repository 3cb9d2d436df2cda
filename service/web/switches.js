// What may be changed about a player's drawing: the head, the trail, the video behind.

import { h } from "./dom.js";

// For a player with so many heads; `onHead` is told of the choice (a number from 0, or "mean").
// Without points there is no trail to be set.
export function switches({ player, heads, points, onHead = () => {} }) {
  const choices = ["mean", ...Array(heads).keys()];
  const buttons = choices.map((head) =>
    h("button", {
      type: "button",
      "aria-pressed": head === "mean",
      "aria-label": head === "mean" ? "All heads" : `Head ${head + 1}`,
      onclick: () => choose(head),
    }, head === "mean" ? "all" : head + 1));

  function choose(head) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", choices[i] === head));
    player.setHead(head);
    onHead(head);
  }

  const told = h("output", null, "8 frames");
  const trail = h("input", {
    type: "range",
    min: 0,
    max: 24,
    "aria-label": "Trail",
    oninput: () => {
      told.textContent = trail.value === "1" ? "1 frame" : `${trail.value} frames`;
      player.setTrail(Number(trail.value));
    },
  });
  trail.value = 8;
  return h("div", { class: "switches" },
    h("div", { class: "switch" },
      h("span", { class: "soft", "aria-hidden": true }, "Attention heads"),
      h("div", { class: "toggles", role: "group", "aria-label": "Attention heads" }, buttons)),
    points && h("div", { class: "switch" }, h("span", { class: "soft" }, "Trail ", told), trail),
    h("label", { class: "check" },
      h("input", { type: "checkbox", onchange: ({ target }) => player.setHideVideo(target.checked) }),
      "Hide the video: what the model sees"));
}
