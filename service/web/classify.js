// Classify: a clip goes in; what is being done, and which points told it so, comes out.

import { Problem, cancel, clipUrl, follow, getJson, submit } from "./api.js";
import { announce, h } from "./dom.js";
import { intake } from "./intake.js";
import { methods } from "./methods.js";
import { player } from "./player.js";
import { progressPanel, problemNote } from "./progress.js";
import { verdict } from "./verdict.js";
import { switches } from "./switches.js";

const SAMPLES = ["jumping jacks", "squatting down", "opening a lid"].map((name) => {
  const file = `/web/samples/${name.replaceAll(" ", "_")}`;
  return { name, url: `${file}.mp4`, poster: `${file}.jpg` };
});

export async function show(root, id) {
  const view = new View(root);
  if (id) view.open(id);
  else view.ask();
  return () => view.leave();
}

class View {
  constructor(root) {
    this.root = root;
    this.left = new AbortController();
    this.urls = [];
    this.player = null;
  }

  leave() {
    this.left.abort();
    this.clear();
  }

  clear() {
    this.player?.destroy();
    this.player = null;
    this.urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  }

  // The beginning: somewhere to put a clip.
  ask() {
    this.choices = methods(this.left.signal);
    this.place = h("div");
    this.idle = h("div", null,
      intake({
        label: "Drop a clip here",
        hint: "or choose a file: mp4, mov, webm, mkv, avi, or a .tracks.npz",
        accept: "video/*,.mkv,.avi,.npz",
        samples: SAMPLES,
        webcam: true,
        onFiles: ([file]) => this.send(file),
      }),
      this.choices.element);
    this.root.replaceChildren(
      h("h1", null, "What is being done?"),
      h("p", { class: "lead" },
        "Points are followed through a short clip. Their motion alone tells what is being done, ",
        "and you see which of them told it."),
      this.place,
      this.idle);
  }

  async send(file) {
    const tracks = file.name.endsWith(".npz");
    let id = null;
    const panel = progressPanel({
      title: file.name,
      onCancel: () => (id ? cancel(id).catch((error) => panel.fail(error)) : this.again()),
      onRetry: () => this.send(file),
    });
    this.place.replaceChildren(panel.element);
    this.idle.hidden = true;
    try {
      const begun = await submit("/classify", this.form(file, tracks), this.left);
      ({ id } = begun);
      const result = begun.result ?? (await this.result(id, panel));
      // Written into the address without coming here anew: the file is at hand already.
      history.pushState(null, "", `#/classify/${id}`);
      await this.show(result, tracks ? null : URL.createObjectURL(file), file.name);
    } catch (error) {
      if (error.name === "AbortError") return;
      panel.fail(error);
      this.idle.hidden = false;
    }
  }

  form(file, tracks) {
    const form = new FormData();
    for (const [name, value] of this.choices.fields(tracks)) form.append(name, value);
    form.append(tracks ? "tracks" : "clip", file);
    return form;
  }

  // Give up what is still on its way.
  again() {
    this.left.abort();
    this.left = new AbortController();
    this.ask();
  }

  async result(id, panel) {
    const job = await follow(id, (state) => panel.update(state), this.left.signal);
    return resultOf(job);
  }

  // A job that was made before, by its address.
  async open(id) {
    const panel = progressPanel({ title: "Job", onCancel: () => cancel(id).catch(() => {}) });
    const { signal } = this.left;
    try {
      let job = await getJson(`/jobs/${encodeURIComponent(id)}`, { signal });
      if (["queued", "running"].includes(job.state)) {
        this.root.replaceChildren(panel.element);
        job = await follow(id, (state) => panel.update(state), signal);
      }
      const result = resultOf(job);
      const url = fromTracks(result) ? null : await clipUrl(id);
      if (signal.aborted) return url && URL.revokeObjectURL(url);
      await this.show(result, url);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.root.replaceChildren(h("h1", null, "Nothing to show"),
        problemNote(error, h("p", null, h("a", { href: "#/classify" }, "Send a clip"))));
    }
  }

  async show(result, url, name = "") {
    this.clear();
    if (url) this.urls.push(url);
    const { signal } = this.left;
    const told = verdict(result);
    const best = result.predictions[0]?.label ?? "no label";
    const title = h("h1", { tabindex: -1 }, best);
    const stage = h("div", { class: "watch" }, h("p", { class: "soft" }, "Loading the points …"));
    this.root.replaceChildren(
      h("div", { class: "heading" },
        title,
        h("a", { href: "#/classify", class: "button" }, "Another clip")),
      h("div", { class: "columns" }, stage, told.element));
    announce(`Most likely ${best}`);
    if (document.activeElement === document.body) title.focus({ preventScroll: true });
    try {
      const attention = await getJson(`/jobs/${result.job}/attention`, { signal });
      if (signal.aborted) return;
      this.watch(stage, attention, { url, told, name, frames: result.clip.frames });
    } catch (error) {
      if (error.name !== "AbortError") stage.replaceChildren(problemNote(error));
    }
  }

  watch(stage, attention, { url, told, name, frames }) {
    const { weights, size, times, heads } = attention;
    const tracks = attention.xy ? attention : null;
    const label = name || "The clip";
    // Uploaded tracks have times of their own.
    const shown = player({
      videoUrl: url, tracks, weights, size, times, label, frames: url ? frames : 0,
    });
    this.player = shown;
    stage.replaceChildren(
      shown.element,
      switches({ player: shown, heads, points: Boolean(attention.xy), onHead: told.setHead }),
      scale());
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) shown.play();
  }
}

function resultOf(job) {
  if (job.state === "failed") throw Problem.told(job.problem);
  if (job.state === "cancelled") throw new Problem({ kind: "cancelled", detail: "Cancelled." });
  if (!job.result?.predictions) {
    const detail = `This job is of kind ${job.kind}: it names nothing.`;
    throw new Problem({ kind: "no-result", detail });
  }
  return job.result;
}

// No picture was sent: points were followed, but not by the server.
function fromTracks(result) {
  return Boolean(result.attention?.tracks) && !result.tracker;
}

// Which colour means how much.
function scale() {
  return h("p", { class: "scale soft" }, "little weight ", h("span", { "aria-hidden": true }), " much");
}
