// A button for what cannot be undone: it asks in its own place before it acts.

import { h } from "./dom.js";

// `label` is on the button and `name` what it is called aloud, `question` what is asked, `yes` the
// word for going ahead. `act` does it and is true if it is done, when the button is likely gone.
export function asked({ label, name = label, question, yes, act }) {
  const begin = h("button", { class: "quiet", "aria-label": name, onclick: ask }, label);
  const whole = h("span", { class: "asked" }, begin);

  function back() {
    whole.replaceChildren(begin);
    begin.focus();
  }

  function ask() {
    const no = h("button", { onclick: back }, "Keep");
    const go = h("button", { class: "danger" }, yes);
    go.addEventListener("click", async () => {
      go.disabled = no.disabled = true;
      if (!(await act())) back();
    });
    const group = h("span", { role: "group", "aria-label": question, class: "row" },
      h("span", null, question), go, no);
    group.addEventListener("keydown", (event) => event.key === "Escape" && back());
    whole.replaceChildren(group);
    no.focus();
  }

  return whole;
}
