// An episode that is saved: how far its clips are, more of them, and questions.

import { ask, getJson } from "./api.js";
import { complaint } from "./complaint.js";
import { announce, h } from "./dom.js";
import { question } from "./question.js";
import { Rack } from "./rack.js";
import { forgetting, nameField } from "./saved.js";

const EVERY_MS = 1000;

// The elements of the view of the episode with this id, which fill themselves.
export function lesson(id, memory, signal) {
  const path = `/episodes/${id}`;
  const problem = complaint();
  const back = h("a", { href: "#/teach" }, "All that is saved");
  const top = h("div", { class: "heading" }, back);
  const facts = h("p", { class: "soft" });
  const stage = h("p", { role: "status" });
  const bar = h("progress", { max: 1, "aria-label": "Clips that were looked at" });
  const kept = (label, name) => memory.find(id, label, name);
  const asking = question({ id, kept, signal, taught: watch });
  const rack = new Rack({
    path: `${path}/support`,
    least: 1,
    teach: "Teach these too",
    problem,
    signal,
    kept,
    takeOut: (example) => attempt(() => forget(example)),
    forget: (label) => attempt(async () => {
      const { classes } = await getJson(path, { signal });
      for (const each of classes.find((one) => one.label === label).examples) await forget(each.id);
    }),
    sent(episode) {
      memory.keep(id, rack.full);
      rack.clear();
      announce("Saved");
      watch(episode);
    },
  });
  const body = h("div", { hidden: true },
    facts, stage, bar, asking.element,
    h("h2", null, "What it was taught"),
    rack.place,
    h("div", { class: "row" }, rack.more),
    rack.sending);
  let turn = 0; // of watching; a newer one ends the older

  const forget = (example) => ask(`${path}/support/${example}`, { method: "DELETE" });

  // Change the episode and show it; false, with the reason shown, where that did not work.
  async function attempt(act) {
    try {
      await act();
      watch(await getJson(path, { signal }));
      return true;
    } catch (error) {
      problem.tell(error);
      return false;
    }
  }

  // Show the episode, again and again until all of its clips are settled.
  async function watch(episode) {
    const mine = ++turn;
    let lost = false;
    while (mine === turn && !signal.aborted) {
      render(episode);
      if (episode.progress === 1) break;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      try {
        episode = await getJson(path, { signal });
        if (lost) problem.clear();
        lost = false;
      } catch (error) {
        problem.tell(error);
        lost = error.status === 0; // then the server may come back
        if (!lost) return;
      }
    }
  }

  function render(episode) {
    const { pending, ready, failed } = episode.state;
    const said = pending
      ? `Looking at the clips: ${ready + failed} of ${ready + failed + pending} …`
      : `Ready: ${ready} clips learnt${failed ? `, ${failed} could not be used` : ""}.`;
    if (stage.textContent !== said) stage.textContent = said;
    bar.hidden = pending === 0;
    bar.value = episode.progress;
    rack.show(episode.classes);
    asking.know(episode);
  }

  attempt(async () => {
    const episode = await getJson(path, { signal });
    const gone = () => (location.hash = "#/teach");
    top.replaceChildren(nameField(episode, problem), back, forgetting(episode, problem, gone));
    facts.textContent =
      "Saved on this server; the address of this page brings you back. Clips are described by " +
      `${episode.model} and compared by ${episode.head}.`;
    body.hidden = false;
  });
  return [top, problem.element, body];
}
