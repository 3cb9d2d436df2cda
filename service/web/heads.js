// How an episode compares clips, for who wants to choose.

import { getJson } from "./api.js";
import { h } from "./dom.js";

// `fields()` are the [name, value] to be sent: none where the server is to choose.
export function heads(signal) {
  const head = h("select", { onchange: explain });
  const says = h("p", { class: "soft" });

  function explain() {
    says.textContent = head.selectedOptions[0]?.dataset.says;
  }

  async function fill() {
    for (const each of await getJson("/models", { signal })) {
      if (!each.installed || !["matching", "fewshot"].includes(each.task)) continue;
      const option = new Option(each.name, each.name, each.default, each.default);
      option.dataset.says = `${each.says ?? "trained"} (${each.licence})`;
      head.append(option);
    }
    explain();
  }

  fill().catch(() => {}); // then there is no choice, and what is sent says why
  return {
    element: h("details", { class: "more" },
      h("summary", null, "More"),
      h("label", { class: "field" }, "Clips are compared by", head),
      says),
    fields: () => (head.value ? [["head", head.value]] : []),
  };
}
