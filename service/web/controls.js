// Play, place and pace of a player.

import { h } from "./dom.js";

const PACES = [[1, "1×"], [0.5, "½×"], [0.25, "¼×"]];

export class Controls {
  constructor({ onToggle, onSeek, onRate }) {
    this.toggle = h("button", { class: "play", onclick: onToggle }, "Play");
    this.place = h("input", {
      type: "range",
      min: 0,
      step: 0.001,
      "aria-label": "Place in the clip",
      oninput: () => onSeek(Number(this.place.value)),
    });
    this.told = h("output", { class: "time" });
    this.pace = h("select", {
      "aria-label": "Pace",
      onchange: () => onRate(Number(this.pace.value)),
    }, PACES.map(([rate, name]) => h("option", { value: rate }, name)));
    this.element = h("div", { class: "controls" }, this.toggle, this.place, this.told, this.pace);
    this.shown = {};
  }

  // Only what has changed is touched: this is called for every picture.
  show(time, end, playing) {
    const { shown } = this;
    if (shown.end !== end) this.place.max = shown.end = end;
    this.place.value = time;
    const told = `${time.toFixed(1)} s`;
    if (shown.told !== told) this.told.textContent = shown.told = told;
    if (shown.playing !== playing) this.toggle.textContent = playing ? "Pause" : "Play";
    shown.playing = playing;
  }
}
