// Two clips side by side that play in step, each with what was looked at.
//
// They were compared as wholes, so in step means: each as far on its way as the other. What is longer
// plays faster.

import { clipUrl, getJson } from "./api.js";
import { h } from "./dom.js";
import { player } from "./player.js";
import { switches } from "./switches.js";
import { own } from "./tile.js";

const DRIFT_S = 0.12; // that nobody sees
const PATIENCE_MS = 500; // from one correction to the next: finding a place in a video takes a while

// An element. Each side is {title, job, file}, `file` being the clip where this page has it; the first
// leads. Raises Problem, as when too much of one has expired.
export async function pair(first, second, signal) {
  const sides = [opened(first, signal, true), opened(second, signal, false)];
  const [lead, other] = await Promise.all(sides);
  const each = (act) => [lead, other].forEach((side) => act(side.player));
  const leave = () => each((made) => made.destroy());
  if (signal.aborted) leave();
  signal.throwIfAborted();
  signal.addEventListener("abort", leave, { once: true });
  inStep(lead.player, other.player, signal);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) lead.player.play();
  const both = {
    setHead: (head) => each((made) => made.setHead(head)),
    setTrail: (frames) => each((made) => made.setTrail(frames)),
    setHideVideo: (hidden) => each((made) => made.setHideVideo(hidden)),
  };
  return h("div", { class: "pair" },
    h("div", { class: "sides" }, [lead, other].map((side) =>
      h("figure", null, h("figcaption", null, side.title), side.player.element))),
    lead.player.element.querySelector(".controls"), // which stand for both
    switches({ player: both, heads: Math.min(lead.heads, other.heads), points: lead.points }));
}

async function opened({ title, job, file }, signal, controls) {
  const seen = await getJson(`/jobs/${job}/attention`, { signal });
  const url = file ? URL.createObjectURL(file) : await clipUrl(job).catch(() => null);
  const { heads, weights, size, times } = seen;
  const points = Boolean(seen.xy);
  const videoUrl = url && own(url, signal);
  const tracks = points ? seen : null;
  const made = player({ videoUrl, tracks, weights, size, times, label: title, controls });
  return { title, heads, points, player: made };
}

// Let `other` do what `lead` does, until the view is left.
function inStep(lead, other, signal) {
  let corrected = 0;
  let placed = null;

  function match(now) {
    if (signal.aborted) return;
    requestAnimationFrame(match);
    if (lead.playing !== other.playing) other[lead.playing ? "play" : "pause"]();
    const span = other.duration;
    other.setRate((lead.rate * span) / lead.duration);
    const wanted = (lead.time / lead.duration) * span;
    const apart = Math.abs(wanted - other.time);
    const drift = Math.min(apart, span - apart); // at the end it begins anew
    const late = drift > DRIFT_S && now - corrected > PATIENCE_MS;
    if (lead.playing ? !late : wanted === placed) return;
    corrected = now;
    placed = wanted;
    other.seek(wanted);
  }

  requestAnimationFrame(match);
}
