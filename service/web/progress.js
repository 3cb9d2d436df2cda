// How far a job is, and what to do when it fails.

import { announce, h } from "./dom.js";

// Stages as workers name them, in plain words.
const WORDS = {
  decode: "Reading the frames",
  track: "Following points",
  lift: "Estimating depth",
  look: "Looking at the frames",
  load: "Opening the model",
  tokenise: "Preparing the tracks",
  classify: "Asking the model",
  explain: "Finding what mattered",
  describe: "Describing the clip",
  match: "Comparing with the examples",
  examples: "Waiting for the examples",
  draw: "Drawing",
  plan: "Planning",
  timeline: "Looking through the video",
};

export function stageWords(stage) {
  return WORDS[stage] ?? (stage ? stage[0].toUpperCase() + stage.slice(1) : "Starting");
}

// A panel that follows one job. `update` takes the JSON of GET /jobs/{id} or {lost: true}; `done`
// takes it out of sight; `fail` shows a Problem. Without `onCancel` or `onRetry` there is no such
// button.
export function progressPanel({ title = "", onCancel = null, onRetry = null } = {}) {
  const stage = h("p", { class: "stage-words" }, "Sending …");
  const bar = h("progress", { max: 1, "aria-label": title ? `Progress of ${title}` : "Progress" });
  const stop = onCancel && h("button", { onclick: onCancel }, "Cancel");
  const again = onRetry && h("button", {
    class: "primary", onclick: onRetry, dataset: { again: "" },
  }, "Try again");
  const running = h("div", { class: "running" }, stage, bar, stop && h("div", { class: "row" }, stop));
  const fault = h("div", { class: "problem", role: "alert", hidden: true });
  const element = h("section", { class: "card progress-panel", "aria-label": "Progress" },
    title && h("h2", null, title), running, fault);
  let spoken = "";

  function say(words, more = "") {
    stage.textContent = words + more;
    if (words !== spoken) announce(words);
    spoken = words;
  }

  return {
    element,
    update(state) {
      element.hidden = false;
      running.hidden = false;
      fault.hidden = true;
      element.classList.toggle("lost", Boolean(state.lost));
      if (state.lost) return say("Connection lost, trying again …");
      if (state.state === "queued" && !state.stage) say("Waiting in the queue", ahead(state.position));
      else say(stageWords(state.stage), left(state.expected_s));
      if (state.progress > 0) bar.value = state.progress;
      else bar.removeAttribute("value");
    },
    done() {
      element.hidden = true;
    },
    fail(problem) {
      element.hidden = false;
      running.hidden = true;
      fault.hidden = false;
      fault.replaceChildren(...explained(problem));
      if (again) fault.append(h("div", { class: "row" }, again));
    },
  };
}

function left(seconds) {
  if (!(seconds > 5)) return " …";
  const time = seconds < 90 ? `${Math.round(seconds / 5) * 5} s` : `${Math.round(seconds / 60)} min`;
  return `, about ${time} left`;
}

function ahead(position) {
  if (!position) return " …";
  return position === 1 ? ": one job ahead" : `: ${position} jobs ahead`;
}

// A Problem as nodes: what went wrong, and what can be done about it.
export function explained(problem) {
  const detail = problem.detail ?? String(problem.message ?? problem);
  const words = detail ? detail[0].toUpperCase() + detail.slice(1) : "Something went wrong.";
  const id = problem.status >= 500 && problem.more?.request_id;
  return [
    h("p", null, /[.!?]$/.test(words) ? words : `${words}.`),
    id && h("p", { class: "soft" }, "Its request id, for the operator: ", h("code", null, id)),
  ].filter(Boolean);
}

// A Problem on its own, where nothing was running.
export function problemNote(problem, ...more) {
  return h("div", { class: "problem", role: "alert" }, explained(problem), more);
}
