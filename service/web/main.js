// The page: a frame around views, which the address chooses. No library, no build step.

import { getKey, setKey } from "./api.js";
import { announce, h } from "./dom.js";
import { problemNote } from "./progress.js";

const VIEWS = {
  classify: ["Classify", () => import("./classify.js")],
  teach: ["Teach", () => import("./teach.js")],
  timeline: ["Timeline", () => import("./timeline.js")],
  models: ["Models", () => import("./models.js")],
  system: ["System", () => import("./system.js")],
};
const root = document.getElementById("view");
let leave = null; // what the view on show wants to have done when it goes
let turn = 0; // counts views, so that one that comes late does not show

async function route() {
  const mine = ++turn;
  const [, name = "", id = ""] = location.hash.split("/");
  const [title, load] = VIEWS[name] ?? VIEWS.classify;
  leave?.();
  leave = null;
  mark(VIEWS[name] ? name : "classify");
  document.title = `${title} · PointAction`;
  const place = h("div", { class: `view ${title.toLowerCase()}` });
  root.replaceChildren(place);
  try {
    const view = await load();
    if (mine !== turn) return;
    const done = await view.show(place, id ? decodeURIComponent(id) : null);
    if (mine === turn) leave = done ?? null;
    else done?.();
  } catch (error) {
    if (mine === turn && error.name !== "AbortError") place.append(problemNote(error));
  }
}

function mark(name) {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function keyField() {
  const field = document.getElementById("key");
  const details = document.getElementById("key-field");
  field.value = getKey();
  window.addEventListener("key-needed", () => {
    if (details.open) return;
    details.open = true;
    field.focus();
    announce("The server asks for an API key");
  });
  document.getElementById("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(field.value.trim());
    details.open = false;
    // What the server has just refused is sent again; else the view begins anew.
    const again = root.querySelector("[data-again]");
    if (again) again.click();
    else route();
  });
}

// Who follows a link is put where the new view begins; who has just come stays at the top.
window.addEventListener("hashchange", () => {
  root.focus({ preventScroll: true });
  scrollTo(0, 0);
  route();
  announce(document.title);
});
// A file that is dropped beside its place must not take the page away.
for (const type of ["dragover", "drop"]) {
  window.addEventListener(type, (event) => event.preventDefault());
}
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is for views
  root.focus();
});
keyField();
route();
