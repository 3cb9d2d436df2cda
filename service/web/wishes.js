// What to look for in a long video: chosen before it is sent.

import { getJson } from "./api.js";
import { h } from "./dom.js";

// `field()` is the [name, value] that is sent with it; none where the server is to choose.
export function wishes(signal) {
  const models = h("optgroup", { label: "The names that a model knows" });
  const episodes = h("optgroup", { label: "Your own classes" });
  const what = h("select", null, models, episodes);
  const hint = h("p", { class: "soft", hidden: true },
    "To look for actions of your own, ", h("a", { href: "#/teach" }, "teach them"), " first.");

  async function fill() {
    const [known, taught] = await Promise.all(
      ["/models", "/episodes"].map((path) => getJson(path, { signal })));
    for (const { name, installed, task, inputs, default: chosen } of known) {
      if (!installed || task !== "classification" || inputs.pixels) continue;
      models.append(new Option(`all that ${name} knows`, `model ${name}`, chosen, chosen));
    }
    for (const { id, name, classes } of taught) {
      const labels = classes.map((each) => each.label).join(", ");
      episodes.append(new Option(name === labels ? name : `${name}: ${labels}`, `episode ${id}`));
    }
    hint.hidden = taught.length > 0;
  }

  fill().catch(() => {}); // then the server chooses
  return {
    element: h("div", { class: "wishes" }, h("label", { class: "field" }, "Look for", what), hint),
    field: () => what.value.split(" "),
  };
}
