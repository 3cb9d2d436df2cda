// Timeline: what is done when in a long video.
//
// Without an id a video is sent; with one the lanes of that job are shown, also while it runs.

import { submit } from "./api.js";
import { h } from "./dom.js";
import { intake, VIDEOS } from "./intake.js";
import { progressPanel } from "./progress.js";
import { reel } from "./reel.js";
import { wishes } from "./wishes.js";

const sent = new Map(); // id of a job -> its video, where this page has sent it

export async function show(root, id) {
  const leaving = new AbortController();
  const { signal } = leaving;
  root.append(...(id ? reel(id, sent.get(id), signal) : begin(signal)));
  return () => leaving.abort();
}

function begin(signal) {
  const choices = wishes(signal);
  const place = h("div");

  async function send([file]) {
    const panel = progressPanel({ title: file.name, onRetry: () => send([file]) });
    place.replaceChildren(panel.element);
    try {
      const form = new FormData();
      const [name, value] = choices.field();
      if (value) form.append(name, value);
      form.append("clip", file, file.name);
      const { id } = await submit("/timelines", form, { signal });
      sent.set(id, file);
      location.hash = `#/timeline/${id}`;
    } catch (error) {
      if (error.name !== "AbortError") panel.fail(error);
    }
  }

  return [
    h("h1", null, "What is done when?"),
    h("p", { class: "lead" },
      "Choose what to look for, then drop a video of any length. Each action gets a lane that tells ",
      "when it is done; you may look, and move the threshold, while the rest is still being read."),
    choices.element,
    place,
    intake({
      label: "Drop a video here",
      hint: "or choose a file: mp4, mov, webm, mkv or avi",
      accept: VIDEOS,
      onFiles: send,
    }),
  ];
}
