// A new episode, before it is sent: two empty buckets to begin with.

import { heads } from "./heads.js";
import { complaint } from "./complaint.js";
import { h } from "./dom.js";
import { fetched } from "./intake.js";
import { Rack } from "./rack.js";
import { TAUGHT } from "./samples.js";

// The elements of the view. What is sent is kept in `memory`; then the episode's own view is shown.
export function draft(memory, signal) {
  const problem = complaint();
  const head = heads(signal);
  const samples = h("button", { onclick: fill }, "Fill in sample clips");
  const rack = new Rack({
    path: "/episodes",
    least: 2,
    teach: "Teach",
    problem,
    signal,
    settled: (count) => (samples.hidden = count > 0),
    fields: () => [["name", labels().slice(0, 60)], ...head.fields()],
    sent(episode) {
      memory.keep(episode.id, rack.full);
      location.hash = `#/teach/${episode.id}`;
    },
  });

  const labels = () => rack.full.map((each) => each.label).join(", ");

  async function fill() {
    try {
      for (const [at, { label, clips }] of TAUGHT.entries()) {
        rack.all[at].fill(label, await Promise.all(clips.map(fetched)));
      }
      rack.button.focus();
    } catch (error) {
      problem.tell(error);
    }
  }

  rack.add();
  rack.add();
  return [
    h("h1", null, "Teach it your own actions"),
    h("p", { class: "lead" },
      "Give each class one to five short clips, press Teach, then ask what another clip shows. ",
      "Nothing is trained, so it is ready in seconds. Teach saves it on this server, under an ",
      "address of its own, until you delete it."),
    rack.place,
    h("div", { class: "row" }, rack.more, samples),
    head.element,
    rack.sending,
    problem.element,
  ];
}
