// A layer of discs and lines, pixel by pixel. A canvas's own paths take twenty times as long where
// there is no graphics card. What is drawn later covers what is there, and its edges run into it,
// as in pointaction/explain/overlay.py.

const LIGHT = 0.66; // that is left of a dimmed picture
const SOLID = 0.999; // coverage from which nothing of what is below is left

export class Raster {
  constructor(context, width, height) {
    this.context = context;
    this.width = width;
    this.height = height;
    this.image = context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer); // alpha, blue, green, red
  }

  // Over a video, begin with a shade: on dimmed pictures colours stand out.
  clear(dimmed) {
    this.light = dimmed ? LIGHT : 1;
    this.pixels.fill(Math.round(255 * (1 - this.light)) << 24);
  }

  show() {
    this.context.putImageData(this.image, 0, 0);
  }

  // What is drawn from now on: a colour of three bytes in `table` from `at`, and its opacity.
  ink(table, at, opacity) {
    const whole = 1 - this.light * (1 - opacity); // with the shade that lies below
    const share = opacity / whole;
    this.red = share * table[at];
    this.green = share * table[at + 1];
    this.blue = share * table[at + 2];
    this.alpha = 255 * whole;
    this.colour = (this.blue << 16) | (this.green << 8) | this.red;
  }

  disc(x, y, radius) {
    const { width, height } = this;
    const reach = radius + 0.5;
    const bottom = Math.min(Math.ceil(y + reach), height);
    const right = Math.min(Math.ceil(x + reach), width);
    const left = Math.max(Math.floor(x - reach), 0);
    for (let v = Math.max(Math.floor(y - reach), 0); v < bottom; v++) {
      const down = (v + 0.5 - y) ** 2;
      for (let u = left; u < right; u++) {
        const cover = reach - Math.sqrt(down + (u + 0.5 - x) ** 2);
        if (cover > 0) this.cover(v * width + u, cover);
      }
    }
  }

  // Its ends are cut so that pieces of a way lie side by side.
  line(fromX, fromY, toX, toY, thickness) {
    const { width, height } = this;
    const flat = Math.abs(toX - fromX) > Math.abs(toY - fromY);
    const begin = flat ? fromX : fromY;
    const end = flat ? toX : toY;
    const slope = (flat ? toY - fromY : toX - fromX) / (end - begin);
    const origin = (flat ? fromY : fromX) + (0.5 - begin) * slope;
    const half = (thickness / 2) * Math.sqrt(1 + slope * slope);
    const last = Math.min(Math.ceil(Math.max(begin, end) - 0.5), flat ? width : height);
    const side = flat ? height : width;
    for (let a = Math.max(Math.ceil(Math.min(begin, end) - 0.5), 0); a < last; a++) {
      const middle = origin + a * slope;
      const stop = Math.min(Math.ceil(middle + half), side);
      for (let b = Math.max(Math.ceil(middle - half - 1), 0); b < stop; b++) {
        const cover = half + 0.5 - Math.abs(b + 0.5 - middle);
        this.cover(flat ? b * width + a : a * width + b, cover);
      }
    }
  }

  cover(at, share) {
    const { pixels, alpha } = this;
    const below = pixels[at];
    if (share > SOLID) {
      pixels[at] = (alpha << 24) | this.colour;
    } else if (below === 0) {
      pixels[at] = ((alpha * share) << 24) | this.colour;
    } else {
      const own = alpha * share;
      const rest = (below >>> 24) * (1 - share);
      const sum = own + rest;
      const red = (this.red * own + (below & 255) * rest) / sum;
      const green = (this.green * own + ((below >> 8) & 255) * rest) / sum;
      const blue = (this.blue * own + ((below >> 16) & 255) * rest) / sum;
      pixels[at] = (sum << 24) | (blue << 16) | (green << 8) | red;
    }
  }
}
