// A clip asked about an episode, and the answer: how like each class it is, and what it is like.

import { Problem, cancel, follow, submit } from "./api.js";
import { bars } from "./bars.js";
import { complaint } from "./complaint.js";
import { announce, h } from "./dom.js";
import { intake } from "./intake.js";
import { pair } from "./pair.js";
import { progressPanel } from "./progress.js";
import { ASKED } from "./samples.js";

const SHOWN = 5; // nearest examples

// `kept(label, name)` is the file of an example where this page has it; `taught(episode)` is called
// with the episode when the clip was made an example of it.
export function question({ id, kept, taught, signal }) {
  const path = `/episodes/${id}`;
  const answer = h("div", { class: "answer" });
  let episode = null;
  let asking = null; // ends the question before

  async function ask([file]) {
    asking?.abort();
    asking = new AbortController();
    const mine = AbortSignal.any([signal, asking.signal]);
    let job = null;
    const panel = progressPanel({ onCancel: () => job && cancel(job).catch(panel.fail) });
    answer.replaceChildren(panel.element);
    try {
      const form = new FormData();
      form.append(file.name.endsWith(".npz") ? "tracks" : "clip", file, file.name);
      const begun = await submit(`${path}/classify`, form, { signal: mine });
      job = begun.id;
      const result = begun.result ?? told(await follow(job, panel.update, mine));
      panel.done();
      answer.replaceChildren(...shown(result, file, mine));
      announce(verdict(result));
    } catch (error) {
      if (error.name !== "AbortError") panel.fail(error);
    }
  }

  function shown(result, file, mine) {
    const { model, head } = result;
    return [
      h("h3", { class: "answered" }, verdict(result)),
      result.none_of_these && h("p", null, "It is likely of no class that was taught. The nearest:"),
      bars(result.predictions),
      result.notes.map((note) => h("p", { class: "soft" }, note)),
      correction(result),
      result.nearest.length > 0 && beside(result, file, mine),
      h("p", { class: "soft" },
        `By ${[model, head].map((each) => `${each.name} (${each.licence})`).join(" and ")}.`),
    ].flat().filter(Boolean);
  }

  // The nearest examples to choose from, one of them beside the clip.
  function beside(result, file, mine) {
    const problem = complaint();
    const stage = h("div");
    const near = result.nearest.slice(0, SHOWN);
    const buttons = near.map((each) =>
      h("button", { onclick: () => choose(each) }, `${called(each)} (${each.similarity.toFixed(2)})`));
    let playing = null; // ends the pair before

    async function choose(one) {
      playing?.abort();
      playing = new AbortController();
      const both = AbortSignal.any([mine, playing.signal]);
      near.forEach((each, at) => buttons[at].setAttribute("aria-pressed", each === one));
      problem.clear();
      const examples = episode.classes.flatMap((each) => each.examples);
      const { job } = examples.find((each) => each.id === one.example) ?? {};
      try {
        if (!job) throw new Problem({ detail: "This example was taken out." });
        stage.replaceChildren(await pair(
          { title: "Your clip", job: result.job, file },
          { title: called(one), job, file: kept(one.label, one.name) },
          both));
      } catch (error) {
        stage.replaceChildren();
        problem.tell(error);
      }
    }

    choose(near[0]);
    return [
      h("h3", null, "Nearest examples"),
      h("div", { class: "row nearest", role: "group", "aria-label": "Which is beside it" }, buttons),
      problem.element,
      stage,
    ];
  }

  // The clip is on the server, so it need not be sent again to become an example.
  function correction({ job, predictions }) {
    const problem = complaint();
    const label = h("select", null, episode.classes.map((each) => h("option", null, each.label)));
    label.value = predictions[0].label;
    const add = h("button", { onclick: teach }, "Teach it this clip");
    const whole = h("div", { class: "row" }, h("label", null, "What it is: ", label), add);

    async function teach() {
      add.disabled = true;
      const form = new FormData();
      form.append("jobs", job);
      form.append("labels", label.value);
      try {
        const { result } = await submit(`${path}/support`, form, { signal });
        whole.replaceChildren(h("p", { role: "status" }, `It is an example of ${label.value} now.`));
        taught(result);
      } catch (error) {
        problem.tell(error);
        add.disabled = false;
      }
    }

    return h("div", { class: "correction" }, whole, problem.element);
  }

  return {
    element: h("section", { class: "question", "aria-label": "Ask" },
      h("h2", null, "Ask about a clip"),
      intake({
        label: "Drop a clip to ask about",
        accept: "video/*,.mkv,.avi,.npz",
        samples: ASKED,
        webcam: true,
        onFiles: ask,
      }),
      answer),
    // The episode as it is now.
    know: (now) => (episode = now),
  };
}

function told(state) {
  if (state.problem) throw Problem.told(state.problem);
  if (!state.result) throw new Problem({ detail: "It was cancelled." });
  return state.result;
}

function verdict({ none_of_these: none, predictions }) {
  return none ? "None of these" : predictions[0].label;
}

// An example, as its label and its file.
function called({ label, name }) {
  return name ? `${label}: ${name}` : label;
}
