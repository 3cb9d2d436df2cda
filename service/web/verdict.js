// What came out of a job: scores, the facts behind them, and everything to take along.

import { save } from "./api.js";
import { bars } from "./bars.js";
import { announce, duration, h } from "./dom.js";
import { problemNote, stageWords } from "./progress.js";

// Of the JSON of a result. `setHead` says which head downloads are of.
export function verdict(result) {
  const taken = downloads(result);
  return {
    element: h("div", { class: "verdict" },
      h("section", { class: "card" },
        h("h2", null, "Scores"),
        result.none_of_these && h("p", { class: "none" },
          h("strong", null, "None of these. "),
          "The model likely has no name for this motion; these are the nearest."),
        bars(result.predictions),
        branches(result.branches ?? {})),
      h("section", { class: "card" }, h("h2", null, "How it was made"), facts(result), timings(result)),
      h("section", { class: "card" }, h("h2", null, "Take it along"), taken.element, link(result))),
    setHead: taken.setHead,
  };
}

function branches(each) {
  return Object.entries(each).map(([name, predictions]) =>
    h("div", { class: "branch" }, h("h3", null, `By ${name} alone`), bars(predictions)));
}

function facts({ clip, model, points, tracker, depth, attention, notes }) {
  const method = (one) => one && `${one.name} v${one.version}`;
  const rows = [
    ["Clip", `${clip.width} × ${clip.height}, ${clip.frames} frames, ${clip.duration_s.toFixed(1)} s`],
    ["Model", model.backend === "torch" ? method(model) : `${method(model)}, ${model.backend}`, model.licence],
    ["Points", points && `${attention?.tracks ?? ""} ${method(points)}`, points?.licence],
    ["Tracker", method(tracker), tracker?.licence],
    ["Depth", method(depth), depth?.licence],
  ];
  return [
    h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value, licence]) => [
      h("dt", null, name),
      h("dd", null, value.trim(), licence && h("span", { class: "licence" }, licence)),
    ])),
    ...(notes ?? []).map((note) => h("p", { class: "soft" }, note)),
  ];
}

function timings({ timings_ms: spent, cached }) {
  const total = Object.values(spent).reduce((sum, ms) => sum + ms, 0);
  const stages = Object.entries(spent).filter(([, ms]) => ms >= 0.5);
  return h("details", { class: "timings" },
    h("summary", null, cached ? "Answered from the cache" : `Took ${duration(total)}`),
    h("table", null,
      h("caption", { class: "unseen" }, "Time per stage"),
      h("tbody", null, stages.map(([stage, ms]) =>
        h("tr", null, h("th", { scope: "row" }, stageWords(stage)), h("td", null, duration(ms)))))));
}

// Links cannot send a key, so these are buttons that fetch.
function downloads({ job, attention }) {
  let head = "mean";
  const fault = h("div");
  const npz = { Accept: "application/x-npz" };
  const overlay = (format) => [`/jobs/${job}/overlay?head=${head}&format=${format}`,
    `${job}-${head}.${format}`];
  const kinds = [
    attention?.tracks && ["Tracks", ".npz", () => [`/jobs/${job}/tracks`, `${job}.tracks.npz`]],
    ["Attention", ".npz", () => [`/jobs/${job}/attention`, `${job}.attention.npz`, npz]],
    ["Overlay video", ".mp4", () => overlay("mp4")],
    ["Overlay sheet", ".png", () => overlay("png")],
  ].filter(Boolean);

  async function take(button, what, path) {
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    fault.replaceChildren();
    announce(`Fetching ${what}`);
    try {
      await save(...path());
      announce(`${what} saved`);
    } catch (error) {
      fault.replaceChildren(problemNote(error));
    }
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }

  const buttons = kinds.map(([what, ending, path]) => {
    const button = h("button", { type: "button" }, what, h("span", { class: "soft" }, ending));
    button.addEventListener("click", () => take(button, what, path));
    return button;
  });
  return {
    element: h("div", null, h("div", { class: "downloads" }, buttons), fault),
    setHead: (chosen) => (head = chosen),
  };
}

function link({ job }) {
  const address = new URL(`#/classify/${job}`, location.href).href;
  const field = h("input", { type: "text", readonly: true, onfocus: () => field.select() });
  field.value = address;
  const copy = h("button", { onclick: take }, "Copy");

  async function take() {
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      field.select(); // over http browsers have no clipboard; Ctrl-C copies what is selected
      announce("Selected; copy it with Control and C");
      return;
    }
    copy.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  }

  return h("label", { class: "permalink" }, h("span", null, "Link to this job"),
    h("span", { class: "row" }, field, copy));
}
