// A clip that plays with its tracks, or a model's maps, drawn over it in step.

import { OwnClock, VideoClock } from "./clocks.js";
import { headWeights } from "./colours.js";
import { Controls } from "./controls.js";
import { h } from "./dom.js";
import { Heat } from "./heat.js";
import { Pointing } from "./pointing.js";
import { Points } from "./points.js";

const TALLEST = 0.62; // of the window
const NARROWEST = 160; // pixels
const MOST_PIXELS = 1600; // of the canvas's longer side
const TRAIL = 8; // frames, until another is set
const UNPLAYABLE = "This browser cannot play the file, so the points are drawn on black.";
const NO_VIDEO = "Made from tracks alone: there is no video.";

// Of the JSON of GET /jobs/{id}/attention: `tracks` is it, or {xy, visible}; without either it is of
// a model of pixels alone, and `weights` are maps. `weights` null draws nothing. With `videoUrl`
// null, and where the browser cannot play the file, it is drawn on black by a clock of its own.
// With `frames`, how many the file has, points lie on the pictures that they were found in. With
// `controls` false there are none to be seen. It loops, and begins paused.
export function player(given) {
  return new Player(given);
}

class Player {
  constructor({
    videoUrl = null,
    tracks = null,
    weights = null,
    size,
    times = [0],
    frames = 0,
    label = "The clip",
    controls = true,
  }) {
    Object.assign(this, { weights, size, begin: times[0], end: times.at(-1), time: times[0] });
    this.look = { trail: TRAIL, marked: -1, dimmed: false };
    this.rate = 1;
    this.wanted = false; // to play, once something can
    this.heard = new Set();
    this.canvas = h("canvas", { tabindex: 0, role: "application", onkeydown: (key) => this.key(key) });
    this.context = this.canvas.getContext("2d");
    if (tracks?.xy && weights) {
      this.points = new Points({ ...tracks, size, times: momentsOf(times, frames) });
      this.pointing = new Pointing(this.points, this.canvas, () => this.draw());
    } else if (weights) {
      const [rows, columns] = [weights[0][0].length, weights[0][0][0].length];
      this.heat = new Heat({ rows, columns, times, size });
    }
    this.build(label, controls);
    this.setHead("mean");
    if (videoUrl) this.useVideo(videoUrl);
    else this.useOwnClock(NO_VIDEO);
  }

  build(label, visible) {
    this.video = h("video", { muted: true, playsinline: true, loop: true, preload: "auto", tabindex: -1 });
    this.note = h("p", { class: "stage-note", hidden: true });
    this.stage = h("div", { class: "stage", style: { aspectRatio: `${this.size[1]} / ${this.size[0]}` } },
      this.video, this.canvas, this.pointing?.tip, this.note);
    this.controls = new Controls({
      onToggle: () => this.toggle(),
      onSeek: (time) => this.seek(time),
      onRate: (rate) => this.setRate(rate),
    });
    this.element = h("div", { class: "player", role: "group", "aria-label": label },
      this.stage, visible && this.controls.element);
    this.canvas.setAttribute("aria-label", this.says());
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(this.stage);
    this.widen = () => {
      const widest = (TALLEST * innerHeight * this.size[1]) / this.size[0];
      this.stage.style.width = `min(100%, ${Math.max(widest, NARROWEST)}px)`;
    };
    addEventListener("resize", this.widen);
    this.widen();
  }

  says() {
    const { points, heat } = this;
    if (!points) return heat ? "Where the model looked, as colour" : "The clip";
    return `${points.count} points, coloured by weight: arrow keys go through them, space plays`;
  }

  useVideo(url) {
    const { video } = this;
    this.look.dimmed = true;
    this.clock = new VideoClock(video, (time) => this.show(time));
    video.addEventListener("error", () => this.giveUp());
    video.addEventListener("loadedmetadata", () => {
      // Only its sound can be played, or its frames have no times.
      if (!video.videoWidth || video.duration < this.end / 2) return this.giveUp();
      if (Number.isFinite(video.duration)) this.end = Math.max(this.end, video.duration);
      this.show(this.time);
    });
    for (const type of ["play", "pause"]) video.addEventListener(type, () => this.tell());
    video.src = url;
  }

  giveUp() {
    if (this.clock instanceof OwnClock) return;
    this.clock.stop();
    this.useOwnClock(UNPLAYABLE);
    if (this.wanted) this.clock.play();
  }

  useOwnClock(words) {
    this.look.dimmed = false;
    this.video.hidden = true;
    this.note.textContent = words;
    this.note.hidden = false;
    this.clock = new OwnClock(this.begin, this.end, (time) => this.show(time));
    this.clock.rate = this.rate;
    this.clock.seek(this.time);
  }

  // As many pixels as the screen has there, within reason.
  fit() {
    const { width, height } = this.stage.getBoundingClientRect();
    const scale = Math.min(window.devicePixelRatio || 1, MOST_PIXELS / Math.max(width, height));
    const [across, down] = [width, height].map((side) => Math.max(Math.round(side * scale), 1));
    if (this.canvas.width === across && this.canvas.height === down) return;
    this.canvas.width = across;
    this.canvas.height = down;
    this.draw();
  }

  show(time) {
    this.time = time;
    this.draw();
    this.tell();
    for (const callback of this.heard) callback(time);
  }

  draw() {
    const { context, canvas, points, pointing, time } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (pointing) this.look.marked = pointing.number;
    (points ?? this.heat)?.draw(context, time, this.look);
    pointing?.follow();
  }

  tell() {
    this.controls.show(this.time, this.end, this.playing);
  }

  key(event) {
    if (event.key === " ") this.toggle();
    else if (!this.pointing?.key(event.key)) return;
    event.preventDefault();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  // A head's number from 0, or "mean".
  setHead(head) {
    if (!this.weights) return;
    (this.points ?? this.heat).weigh(Float32Array.from(headWeights(this.weights, head)));
    this.pointing?.reweighed();
    this.draw();
  }

  setTrail(frames) {
    this.look.trail = frames;
    this.draw();
  }

  setHideVideo(hidden) {
    this.stage.classList.toggle("hides-video", hidden);
  }

  // 1: as it was filmed.
  setRate(rate) {
    this.rate = this.clock.rate = rate;
  }

  async play() {
    this.wanted = true;
    await this.clock.play();
    this.tell();
  }

  pause() {
    this.wanted = false;
    this.clock.pause();
    this.tell();
  }

  seek(time) {
    this.clock.seek(Math.min(Math.max(time, 0), this.end));
  }

  get duration() {
    return this.end;
  }

  get playing() {
    return this.clock?.playing ?? false;
  }

  // Call back with the time of every picture; returns what ends that.
  onTime(callback) {
    this.heard.add(callback);
    return () => this.heard.delete(callback);
  }

  // Whoever has shown it calls this in the end.
  destroy() {
    this.clock.stop();
    this.watch.disconnect();
    removeEventListener("resize", this.widen);
    this.heard.clear();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

// The times of the pictures that were looked at: those nearest to evenly spaced `times`.
function momentsOf(times, frames) {
  const step = times.at(-1) / (frames - 1);
  return frames > 1 && step > 0 ? times.map((time) => step * Math.round(time / step)) : times;
}
