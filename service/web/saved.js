// The episodes that are saved on the server: a name that can be changed, a link, an end.

import { ask, getJson } from "./api.js";
import { asked } from "./asked.js";
import { complaint } from "./complaint.js";
import { announce, h } from "./dom.js";

// A list that fills itself.
export function saved(signal) {
  const problem = complaint();
  const list = h("ul", { class: "saved" });
  const none = h("p", { class: "soft", hidden: true }, "None yet: what you teach appears here.");
  const settle = () => (none.hidden = list.children.length > 0);

  function row(episode) {
    const { ready, pending, failed } = episode.state;
    const made = new Date(episode.created_at).toLocaleDateString();
    const element = h("li", { class: "card" },
      nameField(episode, problem),
      h("p", { class: "soft" }, `${labels(episode)} · ${ready + pending + failed} clips · ${made}`),
      h("div", { class: "row" },
        h("a", { href: `#/teach/${episode.id}`, "aria-label": `Open ${called(episode)}` }, "Open"),
        forgetting(episode, problem, () => {
          element.remove();
          settle();
        })));
    return element;
  }

  getJson("/episodes", { signal }).then((episodes) => {
    list.replaceChildren(...episodes.map(row));
    settle();
  }).catch(problem.tell);
  return h("section", { "aria-label": "Saved" }, h("h2", null, "Saved"), problem.element, none, list);
}

// The episode's name, saved when it was changed.
export function nameField(episode, problem) {
  const state = h("span", { class: "soft", "aria-hidden": true }, "✎");
  const field = h("input", {
    type: "text",
    value: episode.name,
    placeholder: labels(episode),
    maxlength: 60,
    autocomplete: "off",
    "aria-label": `Name of ${called(episode)}`,
    onchange: rename,
  });

  async function rename() {
    problem.clear();
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ name: field.value.trim() });
    try {
      await ask(`/episodes/${episode.id}`, { method: "PATCH", body, headers });
      state.textContent = "saved";
      announce("Name saved");
    } catch (error) {
      problem.tell(error);
    }
  }

  return h("div", { class: "naming" }, field, state);
}

// A button that deletes the episode once that was confirmed, and then calls `gone`.
export function forgetting(episode, problem, gone) {
  return asked({
    label: "Delete",
    name: `Delete ${called(episode)}`,
    question: "Delete it and its clips?",
    yes: "Delete",
    async act() {
      try {
        await ask(`/episodes/${episode.id}`, { method: "DELETE" });
      } catch (error) {
        problem.tell(error);
        return false;
      }
      announce("Deleted");
      gone();
      return true;
    },
  });
}

function labels(episode) {
  return episode.classes.map((each) => each.label).join(", ");
}

function called(episode) {
  return episode.name || labels(episode);
}
