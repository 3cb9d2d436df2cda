// The video of a timeline, where there is one that can be played; a place in time in any case.

import { ask, clipUrl } from "./api.js";
import { h } from "./dom.js";
import { own } from "./tile.js";

const UNASKED_MB = 64; // of a video that is fetched without being asked for

// `file` is the video of the job where the page has it. `onTime(seconds, playing)` is told of every
// new place.
export function theatre(id, file, signal, onTime) {
  const video = h("video", { controls: true, playsinline: true, preload: "metadata", hidden: true });
  const note = h("p", { class: "soft", hidden: true });
  let plays = false;

  function say(words) {
    video.hidden = true;
    note.hidden = false;
    note.replaceChildren(words);
  }

  function open(url) {
    video.src = own(url, signal);
    video.hidden = false;
    note.hidden = true;
    plays = true;
  }

  async function load() {
    const url = await clipUrl(id);
    if (url) open(url);
    else say("The video is no longer kept, but its lanes are.");
  }

  // Links to long videos should not cost who follows them by telephone.
  async function begin() {
    const answer = await ask(`/jobs/${id}/clip`, { headers: { Range: "bytes=0-0" }, signal });
    const megabytes = Math.round(answer.headers.get("Content-Range")?.split("/")[1] / 2 ** 20);
    if (!(megabytes > UNASKED_MB)) return load();
    return say(h("button", { onclick: () => load().catch(fail) }, `Fetch the video (${megabytes} MB)`));
  }

  function fail(error) {
    if (error.name !== "AbortError") say(error.message);
  }

  function tick() {
    if (signal.aborted) return;
    onTime(video.currentTime, !video.paused);
    if (!video.paused) requestAnimationFrame(tick);
  }

  for (const type of ["play", "pause", "seeking", "loadedmetadata"]) video.addEventListener(type, tick);
  video.addEventListener("error", () => {
    plays = false;
    if (!signal.aborted) say("This browser cannot play the file; its lanes can be read all the same.");
  });
  signal.addEventListener("abort", () => video.pause(), { once: true });
  if (file) open(URL.createObjectURL(file));
  else begin().catch(fail);
  return {
    element: h("div", { class: "theatre" }, video, note),
    seek(time) {
      if (plays) video.currentTime = time;
      onTime(time, false);
    },
    toggle() {
      if (video.paused) video.play().catch(() => {});
      else video.pause();
    },
  };
}
