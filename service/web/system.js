// System: queue, workers, cache and jobs at a glance.

import { Problem, getJson } from "./api.js";
import { h, percent } from "./dom.js";
import { problemNote } from "./progress.js";

const EVERY_MS = 2000;

export async function show(root) {
  const left = new AbortController();
  const place = h("div", { class: "gauges" });
  const fault = h("div");
  root.append(h("h1", null, "System"), fault, place);
  let timer = 0;

  async function look() {
    try {
      if (!document.hidden) {
        place.replaceChildren(...gauges(await getJson("/system", left), await health(left)));
        fault.replaceChildren();
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      fault.replaceChildren(problemNote(error));
    }
    if (!left.signal.aborted) timer = setTimeout(look, EVERY_MS);
  }

  look();
  return () => {
    left.abort();
    clearTimeout(timer);
  };
}

// The parts of the server, with what is wrong with each; one that is not ready says so by a problem.
async function health({ signal }) {
  try {
    return (await getJson("/health/ready", { signal })).checks;
  } catch (error) {
    if (error instanceof Problem && error.more.checks) return error.more.checks;
    throw error;
  }
}

function gauges({ queue, workers, cache, jobs, version }, checks) {
  const asked = cache.hits + cache.misses;
  const ill = Object.values(checks).some((word) => word !== "ok");
  const oldest = queue.depth ? `, the oldest for ${time(queue.age_s)}` : "";
  return [
    gauge("Health", ill ? "not ready" : "ready", `version ${version}`, ill ? "bad" : "good"),
    gauge("Queue", `${queue.depth} waiting`, `${queue.running} running${oldest}`),
    gauge("Workers", `${workers.length} alive`, "heard of lately", workers.length ? "" : "bad"),
    gauge("Cache", asked ? percent(cache.hits / asked, 0) : "unused",
      `${cache.hits} of ${asked} questions were answered from it`),
    part("Parts", Object.entries(checks)),
    part("Jobs that have ended", Object.entries(jobs)),
    part("Workers", workers.map(({ name, seen_s_ago: ago, loaded }) =>
      [name, `${loaded.join(", ") || "nothing loaded"}; heard of ${time(ago)} ago`])),
  ];
}

function gauge(name, value, more, kind = "") {
  return h("section", { class: "card gauge" },
    h("h2", null, name), h("p", { class: `value ${kind}` }, value), h("p", { class: "soft" }, more));
}

function part(name, rows) {
  const facts = rows.map(([key, value]) => [h("dt", null, key), h("dd", null, String(value))]);
  return h("section", { class: "card part" }, h("h2", null, name),
    rows.length ? h("dl", { class: "facts" }, facts) : h("p", { class: "soft" }, "None yet."));
}

function time(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
