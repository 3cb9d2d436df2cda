// Lanes: for every label a row with its segments as bars over the length of the video, and one
// playhead over all. Keys move it on the ruler on top. Of the bars, Tab reaches one; arrow keys go
// on from there.

import { clock } from "./clock.js";
import { h, percent } from "./dom.js";

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const TICK_PX = 80; // from one to the next, at least
const TICKS = 1000; // at most
const CLOSEST_S = 2; // of a video that fill the width when it is zoomed in

// `onSeek(seconds)` is called with a place that was chosen, `onToggle()` to play or stop.
export function lanes({ onSeek, onToggle, signal }) {
  const told = h("p", { class: "told soft" }, "Point at a bar, or go through them by arrow keys.");
  const ticks = h("div", { class: "ticks", "aria-hidden": true });
  const ruler = h("div", {
    class: "ruler",
    role: "slider",
    tabindex: 0,
    "aria-label": "Place in the video",
    "aria-valuemin": 0,
    onkeydown: key,
    onpointerdown: (event) => ruler.setPointerCapture(event.pointerId),
    onpointermove: (event) => ruler.hasPointerCapture(event.pointerId) && onSeek(placeOf(event)),
  }, ticks);
  const rows = h("div", { class: "rows", onkeydown: move });
  const unknown = h("div", { class: "unknown" }, h("span", null, "not read yet"));
  const inner = h("div", { class: "inner", onclick: press },
    h("div", { class: "lane top" }, h("span", { class: "label" }), ruler),
    rows, unknown, h("div", { class: "playhead", "aria-hidden": true }));
  const scroller = h("div", { class: "scroller" }, inner);
  let duration = 1;
  let now = 0;
  let zoom = 1;

  function at(time, keep = false) {
    now = Math.min(Math.max(time, 0), duration);
    inner.style.setProperty("--at", now / duration);
    ruler.setAttribute("aria-valuenow", now.toFixed(1));
    ruler.setAttribute("aria-valuetext", `${clock(now, 1)} of ${clock(duration)}`);
    if (keep) keepInView();
  }

  function keepInView() {
    const track = ruler.getBoundingClientRect();
    const { right, left } = scroller.getBoundingClientRect();
    const place = track.left + (now / duration) * track.width;
    const from = left + ruler.offsetLeft; // the labels stay where they are
    if (place < from || place > right) scroller.scrollLeft += place - from - (right - from) / 4;
  }

  function show(found) {
    duration = found.duration_s || 1;
    ruler.setAttribute("aria-valuemax", duration.toFixed(1));
    const held = rows.contains(document.activeElement) && document.activeElement.dataset.bar;
    const byLabel = Map.groupBy(found.segments, (each) => each.label);
    rows.replaceChildren(...Array.from(byLabel, ([label, segments]) =>
      h("div", { class: "lane", role: "group", "aria-label": label },
        h("span", { class: "label", title: label }, label),
        h("div", { class: "track" }, segments.map(bar)))));
    const bars = [...rows.querySelectorAll("button")];
    const again = bars.find((each) => each.dataset.bar === held);
    (again ?? bars[0])?.setAttribute("tabindex", 0);
    again?.focus();
    unknown.hidden = found.complete;
    inner.style.setProperty("--until", (found.until_s ?? 0) / duration);
    mark();
    at(now);
  }

  function bar({ label, start_s: start, end_s: end, score }) {
    const words = `${clock(start, 1)} to ${clock(end, 1)}, score ${percent(score, 0)}`;
    const tell = () => (told.textContent = `${label}: ${words}`);
    const made = h("button", {
      tabindex: -1,
      "aria-label": `${label}, ${words}`,
      dataset: { start, bar: `${start} ${label}` },
      style: { left: `${(100 * start) / duration}%`, width: `${(100 * (end - start)) / duration}%` },
      onpointerenter: tell,
      onfocus: tell,
    });
    made.style.setProperty("--score", score);
    return made;
  }

  function mark() {
    const width = ruler.clientWidth;
    const least = duration * Math.max(TICK_PX / width, 1 / TICKS);
    const step = STEPS_S.find((each) => each >= least) ?? STEPS_S.at(-1);
    const count = Math.floor(duration / step) + 1;
    ticks.replaceChildren(...Array.from({ length: count }, (_, i) =>
      h("span", { style: { left: `${(100 * i * step) / duration}%` } }, clock(i * step))));
  }

  function placeOf(event) {
    const box = ruler.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * duration;
  }

  function press(event) {
    const bar = event.target.closest("button");
    // By key a bar has no place of its own under a pointer: it means its beginning.
    if (bar && event.detail === 0) onSeek(Number(bar.dataset.start));
    else if (bar || event.target.closest(".track, .ruler")) onSeek(placeOf(event));
  }

  function key(event) {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step,
      PageUp: duration / 10, PageDown: -duration / 10, Home: -now, End: duration }[event.key];
    if (by !== undefined) onSeek(Math.min(Math.max(now + by, 0), duration));
    else if (event.key === " ") onToggle();
    else return;
    event.preventDefault();
  }

  const watch = new ResizeObserver(mark);
  watch.observe(scroller);
  signal.addEventListener("abort", () => watch.disconnect(), { once: true });
  return {
    element: h("section", { class: "lanes", "aria-label": "Lanes" }, told, scroller),
    show,
    // Put the playhead there, and scroll to `keep` it in view.
    at,
    // By a factor, or 0 to fit the whole again.
    magnify(factor) {
      zoom = Math.min(Math.max(zoom * factor, 1), Math.max(duration / CLOSEST_S, 1));
      inner.style.setProperty("--zoom", zoom);
      mark();
      keepInView();
    },
  };
}

// From one bar to another by key.
function move(event) {
  const from = event.target.closest("button");
  const to = from && neighbour(from, event.key);
  if (!to) return;
  event.preventDefault();
  from.setAttribute("tabindex", -1);
  to.setAttribute("tabindex", 0);
  to.focus();
}

function neighbour(from, key) {
  const row = from.closest(".lane");
  const next = { ArrowDown: row.nextSibling, ArrowUp: row.previousSibling }[key];
  if (next) {
    const far = (bar) => Math.abs(bar.dataset.start - from.dataset.start);
    return [...next.querySelectorAll("button")].sort((a, b) => far(a) - far(b))[0];
  }
  const bars = from.parentElement.children;
  return { ArrowRight: from.nextSibling, ArrowLeft: from.previousSibling,
    Home: bars[0], End: bars[bars.length - 1] }[key];
}
