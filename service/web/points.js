// Tracks drawn with their weights as colour and size, as pointaction/explain/overlay.py draws them.
// Nothing is allocated while a picture is drawn.
//
// Layout:  frame-major, (T frames, N tracks); positions in pixels of the clip, whose centres lie at
// integers.

import { HEAT, displayWeights, stepOf } from "./colours.js";
import { Raster } from "./raster.js";

const MOST_DRAWN = 2500; // tracks; the heaviest
const LEVELS = 12; // of weight: trails of one level look alike
const SHORT_SIDE = 480; // of the canvas that widths are told for
const HEAVY = 0.5; // weight from which a point gets a rim
const RIM = [10, 6, 16];
const RIM_OPACITY = 160 / 255;
const SHORTEST = 0.3; // of a trail's pieces, in canvas pixels; shorter ones lie under their point
const FAINTEST = 0.02; // opacity that can be seen
const MARK = [["#000", 5], ["#fff", 2.5]]; // rings around the point that is meant

export class Points {
  // xy [N][T][2], visible [N][T], size [H, W], times [T] in seconds.
  constructor({ xy, visible, size, times }) {
    this.count = xy.length;
    this.frames = times.length;
    this.size = size;
    this.times = Float64Array.from(times);
    this.x = new Float32Array(this.frames * this.count);
    this.y = new Float32Array(this.frames * this.count);
    this.seen = new Uint8Array(this.frames * this.count);
    for (let n = 0; n < this.count; n++) {
      for (let t = 0; t < this.frames; t++) {
        const at = t * this.count + n;
        this.x[at] = xy[n][t][0];
        this.y[at] = xy[n][t][1];
        this.seen[at] = visible[n][t] ? 1 : 0;
      }
    }
    // Where each point is in the picture that was drawn last, in canvas pixels, if it is there.
    this.nowX = new Float32Array(this.count);
    this.nowY = new Float32Array(this.count);
    this.shown = new Uint8Array(this.count);
    this.frame = 0; // the last track time that is not after the one drawn
    this.rest = 0; // how far that one is on the way to the next, 0 to 1
    this.weigh(new Float32Array(this.count).fill(1 / Math.max(this.count, 1)));
  }

  // Take these N weights from now on.
  weigh(weights) {
    this.weights = weights;
    this.display = displayWeights(weights);
    const byWeight = Uint32Array.from(weights, (_, n) => n);
    byWeight.sort((a, b) => this.display[a] - this.display[b] || weights[a] - weights[b]);
    this.order = byWeight.slice(-MOST_DRAWN); // lightest first
    this.start = new Uint32Array(LEVELS + 1); // where in `order` each level begins
    for (const n of this.order) this.start[1 + Math.round(this.display[n] * (LEVELS - 1))]++;
    for (let level = 0; level < LEVELS; level++) this.start[level + 1] += this.start[level];
  }

  // Draw the points at `time` over all of `context`. Of its `look`, `trail` is how many of its frames
  // each trails, `marked` the number of one to be pointed out, and `dimmed` whether what is below is.
  draw(context, time, look) {
    const { width, height } = context.canvas;
    if (this.raster?.width !== width || this.raster.height !== height) {
      this.raster = new Raster(context, width, height);
    }
    this.scaleX = width / this.size[1];
    this.scaleY = height / this.size[0];
    this.unit = Math.min(width, height) / SHORT_SIDE;
    this.locate(time, this.scaleX, this.scaleY);
    this.raster.clear(look.dimmed);
    if (look.trail > 0) this.drawTrails(look.trail);
    this.drawDots();
    this.raster.show();
    if (this.shown[look.marked]) this.drawMark(context, look.marked);
  }

  // Where the points are at `time`: between two track times they are on the straight way from the
  // one to the other, and there if they are at the nearer one.
  locate(time, scaleX, scaleY) {
    const { times, frames, count, x, y } = this;
    let t = Math.min(this.frame, frames - 1);
    while (t > 0 && times[t] > time) t--;
    while (t < frames - 2 && times[t + 1] <= time) t++;
    const next = Math.min(t + 1, frames - 1);
    const span = times[next] - times[t];
    const rest = span > 0 ? Math.min(Math.max((time - times[t]) / span, 0), 1) : 0;
    const from = t * count;
    const to = next * count;
    const nearer = rest < 0.5 ? from : to;
    for (let n = 0; n < count; n++) {
      this.nowX[n] = (x[from + n] + rest * (x[to + n] - x[from + n]) + 0.5) * scaleX;
      this.nowY[n] = (y[from + n] + rest * (y[to + n] - y[from + n]) + 0.5) * scaleY;
      this.shown[n] = this.seen[nearer + n];
    }
    this.frame = t;
    this.rest = rest;
  }

  // The oldest pieces first. A trail ends where its point was not seen.
  drawTrails(trail) {
    for (let end = Math.max(this.frame - trail, 0) + 1; end <= this.frame; end++) {
      const age = this.frame - end + 1 + this.rest;
      this.drawPieces(end, 1 - (age - 0.5) / trail);
    }
    if (this.rest > 0) this.drawPieces(-1, 1 - this.rest / 2 / trail);
  }

  // The pieces of all trails that end at track time `end`; -1: at the points as they are drawn.
  drawPieces(end, youth) {
    if (youth <= 0) return; // on its way out
    const { x, y, seen, shown, order, start, count, scaleX, scaleY, raster } = this;
    const from = (end < 0 ? this.frame : end - 1) * count;
    const to = end * count;
    for (let level = 0; level < LEVELS; level++) {
      const weight = level / (LEVELS - 1);
      // A fading trail also cools a little: pale yellow alone would fade to olive.
      const opacity = (0.2 + 0.7 * weight) * youth ** 1.3;
      if (opacity < FAINTEST) continue;
      raster.ink(HEAT, 3 * stepOf(weight * (0.75 + 0.25 * youth)), opacity);
      const wide = this.unit * (1 + 2.6 * weight) * (0.4 + 0.6 * youth);
      const thickness = Math.max(1, Math.round(wide));
      for (let i = start[level]; i < start[level + 1]; i++) {
        const n = order[i];
        if (!shown[n] || !seen[from + n] || (end >= 0 && !seen[to + n])) continue;
        const fromX = (x[from + n] + 0.5) * scaleX;
        const fromY = (y[from + n] + 0.5) * scaleY;
        const toX = end < 0 ? this.nowX[n] : (x[to + n] + 0.5) * scaleX;
        const toY = end < 0 ? this.nowY[n] : (y[to + n] + 0.5) * scaleY;
        if (Math.abs(toX - fromX) + Math.abs(toY - fromY) < SHORTEST) continue;
        raster.line(fromX, fromY, toX, toY, thickness);
      }
    }
  }

  // The heaviest last.
  drawDots() {
    const { order, shown, display, nowX, nowY, unit, raster } = this;
    for (let i = 0; i < order.length; i++) {
      const n = order[i];
      if (!shown[n]) continue;
      const weight = display[n];
      const radius = unit * (1.7 + 3.8 * weight);
      if (weight >= HEAVY) {
        raster.ink(RIM, 0, RIM_OPACITY);
        raster.disc(nowX[n], nowY[n], radius + 1.4 * unit);
      }
      raster.ink(HEAT, 3 * stepOf(weight), 0.5 + 0.5 * weight);
      raster.disc(nowX[n], nowY[n], radius);
    }
  }

  drawMark(context, marked) {
    for (const [colour, width] of MARK) {
      context.strokeStyle = colour;
      context.lineWidth = width * this.unit;
      context.beginPath();
      const radius = this.unit * (5.5 + 3.8 * this.display[marked]);
      context.arc(this.nowX[marked], this.nowY[marked], radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // The point nearest to (x, y) of the picture drawn last, within `reach` canvas pixels; -1: none.
  nearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    for (const n of this.order) {
      if (!this.shown[n]) continue;
      const far = (this.nowX[n] - x) ** 2 + (this.nowY[n] - y) ** 2;
      if (far <= least) [best, least] = [n, far];
    }
    return best;
  }
}
