// A few seconds from the camera: count down, record, look at it, keep it or try again.

import { announce, h } from "./dom.js";
import { explained } from "./progress.js";

const SECONDS = 3; // to count down, and to record
const TYPES = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
const REFUSED = {
  NotAllowedError:
    "The camera may not be used: permission was refused. Allow it for this page, by the sign " +
    "beside the address, then try again.",
  NotFoundError: "No camera was found. Plug one in, or choose a file.",
  NotReadableError: "The camera does not answer. Another program may be using it.",
};
const NO_CAMERA_HERE =
  "Browsers lend the camera only to pages that come over https or from this machine. Record a " +
  "clip with another program and choose its file.";

// An element that calls `onFile` with what was recorded, or `onClose`. The camera goes off with it,
// and when another view is shown.
export function recorder(wishes) {
  const made = new Recorder(wishes);
  made.open();
  return made.element;
}

class Recorder {
  constructor({ onFile, onClose }) {
    Object.assign(this, { onFile, onClose, stream: null, url: null, over: false });
    this.video = h("video", { muted: true, playsinline: true, autoplay: true });
    this.count = h("div", { class: "count", "aria-hidden": true, hidden: true });
    this.light = h("div", { class: "light", hidden: true }, "Recording");
    this.picture = h("div", { class: "picture" }, this.video, this.count, this.light);
    this.fault = h("div", { class: "problem", role: "alert", hidden: true });
    this.buttons = h("div", { class: "row" });
    this.element = h("section", { class: "card recorder", "aria-label": "Record a clip" },
      this.picture, this.fault, this.buttons);
    this.stop = this.stop.bind(this);
    addEventListener("hashchange", this.stop);
    this.offer();
  }

  stop() {
    this.over = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.release();
    removeEventListener("hashchange", this.stop);
  }

  release() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  // Buttons by their words; the first is the one to press.
  offer(choices = {}) {
    const shown = Object.entries(choices).map(([words, onclick], i) =>
      h("button", { class: i === 0 ? "primary" : "", onclick }, words));
    const close = () => {
      this.stop();
      this.onClose();
    };
    this.buttons.replaceChildren(...shown,
      h("button", { class: "quiet", onclick: close }, "Close"));
    shown[0]?.focus();
  }

  async open() {
    try {
      if (!navigator.mediaDevices) throw new Error(NO_CAMERA_HERE);
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 } },
        audio: false,
      });
      if (this.over) this.stop();
      else this.live();
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    this.picture.hidden = true;
    this.fault.hidden = false;
    this.fault.replaceChildren(...explained({ detail: REFUSED[error.name] ?? error.message }));
    this.offer({ "Try again": () => this.open() });
  }

  live() {
    this.release();
    this.fault.hidden = true;
    this.picture.hidden = false;
    this.video.removeAttribute("src");
    this.video.loop = false;
    this.video.srcObject = this.stream;
    this.offer({
      [`Record ${SECONDS} seconds`]: () => this.record().catch((error) => this.refuse(error)),
    });
  }

  async record() {
    this.offer();
    this.count.hidden = false;
    for (let left = SECONDS; left > 0 && !this.over; left--) {
      this.count.textContent = left;
      announce(String(left));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    this.count.hidden = true;
    if (this.over) return;
    this.light.hidden = false;
    announce("Recording");
    const kept = await recorded(this.stream);
    this.light.hidden = true;
    if (!this.over) this.look(kept);
  }

  look(kept) {
    this.url = URL.createObjectURL(kept);
    this.video.srcObject = null;
    this.video.src = this.url;
    this.video.loop = true;
    this.video.play().catch(() => {});
    this.offer({
      "Use this clip": () => {
        this.stop();
        this.onFile(kept);
      },
      "Record again": () => this.live(),
    });
    announce("Recorded");
  }
}

function recorded(stream) {
  const type = TYPES.find((known) => MediaRecorder.isTypeSupported(known));
  const machine = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const parts = [];
  return new Promise((resolve, reject) => {
    machine.ondataavailable = ({ data }) => parts.push(data);
    machine.onerror = ({ error }) => reject(error ?? new Error("The camera stopped."));
    machine.onstop = () => {
      const kind = (machine.mimeType || "video/webm").split(";")[0];
      resolve(new File(parts, `recording.${kind.split("/")[1]}`, { type: kind }));
    };
    machine.start();
    setTimeout(() => machine.state !== "inactive" && machine.stop(), 1000 * SECONDS);
  });
}
