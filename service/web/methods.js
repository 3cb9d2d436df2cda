// By which model, points, tracker and depth clips are looked at, for who wants to choose.

import { getJson } from "./api.js";
import { h } from "./dom.js";

const TASKS = [
  ["model", "classification", "Model"],
  ["points", "points", "Points"],
  ["tracker", "tracking", "Tracker"],
  ["depth", "depth", "Depth"],
];

// `fields` are the names and values to be sent; of tracks, only the model is still open.
export function methods(signal) {
  const selects = new Map(TASKS.map(([field]) => [field, h("select", { onchange: tell })]));
  const told = h("p", { class: "soft" });
  const element = h("details", { class: "methods" },
    h("summary", null, "Model and methods"),
    h("div", { class: "row" },
      TASKS.map(([field, , name]) => h("label", { class: "field" }, name, selects.get(field)))),
    told);
  let known = [];

  async function fill() {
    known = (await getJson("/models", { signal })).filter((each) => each.installed);
    for (const [field, task] of TASKS) {
      const these = known.filter((each) => each.task === task);
      selects.get(field).replaceChildren(...these.map(({ name, version, default: chosen }) => {
        const others = these.filter((each) => each.name === name).length > 1;
        const value = others ? `${name}@${version}` : name;
        return new Option(value, value, chosen, chosen);
      }));
    }
    tell();
  }

  function tell() {
    const chosen = selects.get("model").value.split("@")[0];
    const model = known.find((each) => each.task === "classification" && each.name === chosen);
    told.textContent = model ? `${model.labels.length} labels, licence ${model.licence}.` : "";
  }

  fill().catch(() => {}); // then the server chooses, and sending says what is wrong
  return {
    element,
    fields(tracks) {
      const open = tracks ? ["model"] : [...selects.keys()];
      return open.map((field) => [field, selects.get(field).value]).filter(([, value]) => value);
    },
  };
}
