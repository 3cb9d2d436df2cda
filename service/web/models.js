// Models: what is installed, what could be, and under which licence.

import { getJson } from "./api.js";
import { h } from "./dom.js";
import { problemNote } from "./progress.js";

const TASKS = [
  ["classification", "Models that name what is done"],
  ["fewshot", "Heads for episodes, trained"],
  ["matching", "Heads for episodes, not trained"],
  ["points", "Ways to choose points"],
  ["tracking", "Trackers"],
  ["depth", "Depth"],
  ["appearance", "Ways to look at pictures"],
];

export async function show(root) {
  const left = new AbortController();
  root.append(h("h1", null, "Models"), h("p", { class: "lead" },
    "What this server can use, and what it could after a download. Licences are those of the weights."));
  load(root, left.signal);
  return () => left.abort();
}

async function load(root, signal) {
  const wait = h("p", { class: "soft" }, "Loading …");
  root.append(wait);
  try {
    const all = await getJson("/models", { signal });
    for (const [task, title] of TASKS) {
      const these = all.filter((each) => each.task === task);
      if (these.length) root.append(section(title, these));
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    root.append(problemNote(error));
  }
  wait.remove();
}

function section(title, these) {
  return h("section", null, h("h2", null, title), h("ul", { class: "catalogue" }, these.map(card)));
}

function card(model) {
  const chips = states(model).map(([kind, name]) => h("span", { class: `chip ${kind}` }, name));
  const facts = rows(model).map(([name, ...value]) => [h("dt", null, name), h("dd", null, value)]);
  return h("li", { class: model.installed ? "card" : "card absent" },
    h("div", { class: "heading" },
      h("h3", null, model.name, h("span", { class: "soft" }, ` ${model.version}`)),
      h("p", { class: "chips" }, chips)),
    model.says && h("p", null, `${model.says[0].toUpperCase()}${model.says.slice(1)}.`),
    h("dl", { class: "facts" }, facts),
    model.labels?.length > 0 && h("details", null,
      h("summary", null, `${model.labels.length} labels`),
      h("p", { class: "labels", tabindex: 0 }, model.labels.join(", "))));
}

function states(model) {
  return [
    model.default && ["accent", "default"],
    model.loaded && ["good", "loaded"],
    model.calibrated && ["", "knows “none of these”"],
    !model.installed && ["warn", "not installed"],
  ].filter(Boolean);
}

function rows(model) {
  const use = model.commercial_use ? "commercial use allowed" : "no commercial use";
  return [
    ["Licence", model.licence, h("span", { class: "soft" }, `, ${use}`)],
    model.parameters > 0 && ["Size", `${millions(model.parameters)} parameters`],
    model.inputs && ["Takes", taken(model.inputs)],
    model.digest && ["SHA-256", h("code", { title: model.digest }, model.digest.slice(0, 16), "…")],
    model.source && ["Source", model.source],
    !model.installed && model.pull && ["Install", h("code", null, model.pull)],
  ].filter(Boolean);
}

function millions(count) {
  return count < 1e6 ? `${Math.round(count / 1e3)} thousand` : `${(count / 1e6).toFixed(1)} million`;
}

function taken(inputs) {
  return Object.entries(inputs).map(([name, value]) =>
    `${name} ${Array.isArray(value) ? value.join(" ") : value}`).join(", ");
}
