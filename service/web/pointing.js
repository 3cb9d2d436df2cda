// Which point is meant, by pointer or by key, and what is said of it.

import { announce, h, percent } from "./dom.js";

const REACH = 14; // pixels from a point within which it is meant

export class Pointing {
  // Over the canvas on which `points` are drawn; `redraw` is called when another one is meant.
  constructor(points, canvas, redraw) {
    Object.assign(this, { points, canvas, redraw });
    this.number = -1; // of the point that is meant; -1: none
    this.place = -1; // of the one that keys have come to, from the heaviest
    this.tip = h("div", { class: "tip", hidden: true });
    for (const type of ["pointermove", "pointerdown"]) {
      canvas.addEventListener(type, (event) => this.hover(event));
    }
    for (const type of ["pointerleave", "blur"]) canvas.addEventListener(type, () => this.mean(-1));
  }

  hover(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    this.mean(this.points.nearest(x, y, REACH * scale));
  }

  // Whether this key means something here.
  key(name) {
    const { order } = this.points;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[name];
    if (name === "Escape") this.place = -1;
    else if (step) this.place = Math.min(Math.max(this.place + step, 0), order.length - 1);
    else return false;
    this.mean(this.place < 0 ? -1 : order[order.length - 1 - this.place], true);
    return true;
  }

  mean(number, spoken = false) {
    if (number === this.number) return;
    this.number = number;
    this.tip.hidden = number < 0;
    if (number >= 0) this.tell(spoken);
    this.redraw();
  }

  tell(spoken = false) {
    if (this.number < 0) return;
    const { weights, count } = this.points;
    const own = weights[this.number];
    const rank = weights.reduce((place, weight) => place + (weight > own), 1);
    const words = `${percent(own, 2)} of the attention, number ${rank} of ${count}`;
    this.tip.textContent = `Track ${this.number}: ${words}`;
    if (spoken) announce(this.tip.textContent);
  }

  // The weights are others now.
  reweighed() {
    this.place = -1;
    this.tell();
  }

  // Keep what is said beside its point.
  follow() {
    if (this.number < 0) return;
    const { points, number, canvas, tip } = this;
    const scale = canvas.clientWidth / canvas.width;
    const [x, y] = [points.nowX[number] * scale, points.nowY[number] * scale];
    tip.classList.toggle("left", x > canvas.clientWidth / 2);
    tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}
