// One clip of a bucket: a small picture that plays when it is pressed, its name, how far it is.

import { clipUrl } from "./api.js";
import { h } from "./dom.js";

const STATES = {
  staged: "not sent yet",
  pending: "looking …",
  ready: "learnt",
  failed: "not usable",
};

// `file` is the clip where this page has it, `job` whose clip it is otherwise; `out` an element by
// which it is taken out. `show(state, problem)` tells how far it is.
export function tile({ name, file, job, out, signal }) {
  const picture = h("div", { class: "picture" });
  const state = h("span", { class: "state soft" });
  const why = h("span", { class: "why", hidden: true });
  const shown = name || "a clip that was asked about";
  if (file) picture.append(preview(shown, own(URL.createObjectURL(file), signal)));
  else picture.append(later(shown, job, signal));
  const element = h("li", { class: "tile" },
    picture,
    h("span", { class: "name", title: shown }, shown),
    h("span", { class: "row" }, state, out),
    why);
  return {
    element,
    show(now, problem = null) {
      element.dataset.state = now;
      state.textContent = STATES[now];
      why.hidden = !problem;
      why.textContent = problem?.detail ?? "";
    },
  };
}

// An object URL, released when the view is left.
export function own(url, signal) {
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
  return url;
}

function preview(name, url) {
  const video = h("video", { src: url, muted: true, loop: true, playsinline: true, preload: "metadata" });
  const button = h("button", { class: "look", "aria-label": `Play or stop ${name}` }, video);
  button.addEventListener("click", () => {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  });
  video.addEventListener("error", () => button.replaceWith(blank("no preview in this browser")));
  return button;
}

// What is on the server is fetched only when somebody wants to see it.
function later(name, job, signal) {
  const button = h("button", { class: "look", "aria-label": `Play ${name}` }, "▶");
  button.addEventListener("click", async () => {
    button.disabled = true;
    const url = await clipUrl(job).catch(() => null);
    if (!url) return button.replaceWith(blank("the clip is no longer kept"));
    const ready = preview(name, own(url, signal));
    button.replaceWith(ready);
    ready.focus();
    return ready.click();
  });
  return button;
}

function blank(text) {
  return h("span", { class: "blank" }, text);
}
