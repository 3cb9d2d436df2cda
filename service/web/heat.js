// Maps over the pixels drawn as colour, as pointaction/explain/heat_overlay.py draws them.

import { HEAT, displayWeights, stepOf } from "./colours.js";

const OPACITY = 0.7; // of the warmest cell; the coldest are clear
const SHADE = "rgb(0 0 0 / .34)"; // over a video
const LONG_SIDE = 160; // of the picture that is stretched over the clip

export class Heat {
  // Maps of `frames` x `rows` x `columns` at `times`, over a clip of size [H, W].
  constructor({ rows, columns, times, size }) {
    Object.assign(this, { rows, columns, times, frames: times.length });
    const scale = LONG_SIDE / Math.max(...size);
    this.sheet = new OffscreenCanvas(
      Math.max(Math.round(size[1] * scale), 1), Math.max(Math.round(size[0] * scale), 1));
    this.ink = this.sheet.getContext("2d");
    this.image = this.ink.createImageData(this.sheet.width, this.sheet.height);
    this.drawn = -1; // number of the map on the sheet
  }

  // Take these weights, all maps in one list, from now on.
  weigh(weights) {
    this.display = displayWeights(weights);
    this.drawn = -1;
  }

  draw(context, time, look) {
    const { width, height } = context.canvas;
    const number = this.nearestMap(time);
    if (number !== this.drawn) this.fill(number);
    context.fillStyle = SHADE;
    if (look.dimmed) context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.sheet, 0, 0, width, height);
  }

  nearestMap(time) {
    let best = 0;
    for (let f = 1; f < this.frames; f++) {
      if (Math.abs(this.times[f] - time) < Math.abs(this.times[best] - time)) best = f;
    }
    return best;
  }

  // Cells are areas: their values hold at their middles and run into each other between.
  fill(number) {
    const { sheet, image, rows, columns, display } = this;
    const at = number * rows * columns;
    const cell = (row, column) => display[at + row * columns + column];
    for (let v = 0, byte = 0; v < sheet.height; v++) {
      const y = Math.min(Math.max(((v + 0.5) * rows) / sheet.height - 0.5, 0), rows - 1);
      const top = Math.min(Math.floor(y), Math.max(rows - 2, 0));
      const below = Math.min(top + 1, rows - 1);
      for (let u = 0; u < sheet.width; u++, byte += 4) {
        const x = Math.min(Math.max(((u + 0.5) * columns) / sheet.width - 0.5, 0), columns - 1);
        const left = Math.min(Math.floor(x), Math.max(columns - 2, 0));
        const right = Math.min(left + 1, columns - 1);
        const upper = cell(top, left) + (x - left) * (cell(top, right) - cell(top, left));
        const lower = cell(below, left) + (x - left) * (cell(below, right) - cell(below, left));
        const weight = upper + (y - top) * (lower - upper);
        const step = 3 * stepOf(weight);
        image.data[byte] = HEAT[step];
        image.data[byte + 1] = HEAT[step + 1];
        image.data[byte + 2] = HEAT[step + 2];
        image.data[byte + 3] = 255 * OPACITY * weight;
      }
    }
    this.ink.putImageData(image, 0, 0);
    this.drawn = number;
  }
}
