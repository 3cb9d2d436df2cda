// A timeline: its video, its lanes, a threshold, and everything to take along.

import { Problem, cancel, follow, getJson } from "./api.js";
import { clock } from "./clock.js";
import { complaint } from "./complaint.js";
import { h } from "./dom.js";
import { exports, table } from "./findings.js";
import { lanes } from "./lanes.js";
import { progressPanel } from "./progress.js";
import { theatre } from "./theatre.js";

const DEBOUNCE_MS = 150;
const EVERY_MS = 1500; // new lanes while it runs, at most
const THRESHOLD = 0.5;

// The elements of the view of the job with this id; `file` is its video where the page has it.
export function reel(id, file, signal) {
  const problem = complaint();
  const panel = progressPanel({ onCancel: () => cancel(id).catch(panel.fail) });
  const screen = theatre(id, file, signal, (time, playing) => rows.at(time, playing));
  const rows = lanes({ onSeek: screen.seek, onToggle: screen.toggle, signal });
  const listing = table();
  const known = h("p", { class: "soft", role: "status" });
  const told = h("span", null, THRESHOLD);
  const threshold = h("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, oninput: moved });
  threshold.value = THRESHOLD;
  const zoom = (text, name, factor) =>
    h("button", { "aria-label": name, onclick: () => rows.magnify(factor) }, text);
  const body = h("div", { hidden: true },
    screen.element,
    h("div", { class: "row tools" },
      h("label", { class: "threshold" }, h("span", null, "Threshold ", told), threshold),
      h("div", { class: "row", role: "group", "aria-label": "Zoom" },
        zoom("−", "Zoom out", 0.5), zoom("Fit", "Fit the whole video", 0), zoom("+", "Zoom in", 2))),
    known, rows.element, listing.element,
    exports(id, file?.name, () => threshold.value));
  let asking = null; // ends the question before
  let timer = null;
  let refreshed = 0;

  function moved() {
    told.textContent = threshold.value;
    clearTimeout(timer);
    timer = setTimeout(refresh, DEBOUNCE_MS);
  }

  // Ask for the segments as they are now; nothing is looked at again for another threshold.
  async function refresh() {
    refreshed = Date.now();
    asking?.abort();
    asking = new AbortController();
    const both = AbortSignal.any([signal, asking.signal]);
    try {
      show(await getJson(`/jobs/${id}/segments?threshold=${threshold.value}`, { signal: both }));
      problem.clear();
    } catch (error) {
      if (error.kind !== "no-result") problem.tell(error); // it ended before anything was known
    }
  }

  function show(found) {
    body.hidden = false;
    rows.show(found);
    listing.show(found.segments);
    const few = found.segments.length ? "" : "Nothing reaches this threshold: move it down.";
    const until = `Read up to ${clock(found.until_s)} of ${clock(found.duration_s ?? 0)}.`;
    known.textContent = found.complete ? few : until;
  }

  function update(state) {
    panel.update(state);
    if (state.progress && Date.now() - refreshed > EVERY_MS) refresh();
  }

  async function open() {
    let job = await getJson(`/jobs/${id}`, { signal });
    if (job.kind !== "timeline") {
      throw new Problem({ detail: `This job is of kind ${job.kind}: it has no lanes.` });
    }
    if (["queued", "running"].includes(job.state)) job = await follow(id, update, signal);
    if (job.state === "failed") throw Problem.told(job.problem);
    if (job.progress > 0) refresh();
    if (job.state === "cancelled") throw new Problem({ detail: "It was cancelled." });
    panel.done();
  }

  open().catch((error) => error.name !== "AbortError" && panel.fail(error));
  return [
    h("div", { class: "heading" },
      h("h1", null, file?.name ?? "What is done when"),
      h("a", { href: "#/timeline", class: "button" }, "Another video")),
    panel.element, problem.element, body,
  ];
}
