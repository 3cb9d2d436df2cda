// One class of an episode: its name, its clips, and a place to put more.

import { asked } from "./asked.js";
import { announce, h } from "./dom.js";
import { intake } from "./intake.js";
import { tile } from "./tile.js";

const MOST = 5; // clips of a class; more hardly help, and the API takes them

// A class that was taught has its `label` for good; another is named by who fills it.
//
// `kept(label, name)` is the file of a taught clip where this page has sent it. `changed()` is called
// when there is another name or clip to send; `remove()` takes the class away and `takeOut(id)` one
// taught clip, and both are true when it is done.
export function bucket({ number, label = "", ...wishes }) {
  const taught = label !== "";
  const title = taught ? label : `Class ${number}`;
  const clips = new Map(); // id of an example, or name of what is staged -> {name, file, tile}
  const input = h("input", {
    type: "text",
    maxlength: 60,
    placeholder: "such as waving",
    autocomplete: "off",
    oninput: wishes.changed,
  });
  const tiles = h("ul", { class: "tiles" });
  const full = h("p", { class: "soft" });
  const more = intake({
    label: taught ? "Drop more of it here" : "Drop clips here",
    hint: "or choose files",
    accept: "video/*,.mkv,.avi,.npz",
    webcam: true,
    multiple: true,
    compact: true,
    onFiles: take,
  });
  const element = h("section", { class: "bucket card", role: "group", "aria-label": title },
    h("div", { class: "heading" },
      taught ? h("h3", null, label) : h("label", { class: "field" }, title, input),
      asked({
        label: "Remove",
        name: `Remove ${title}`,
        question: taught ? "Forget it and its clips?" : "Remove this class?",
        yes: "Remove",
        act: wishes.remove,
      })),
    tiles, full, more);

  function take(files) {
    const room = Math.max(MOST - clips.size, 0);
    const left = Math.max(files.length - room, 0);
    for (const file of files.slice(0, room)) stage(distinct(file));
    full.textContent = `${MOST} clips: that is plenty.${left ? ` ${left} left out.` : ""}`;
    announce(left ? full.textContent : `${files.length} added to ${title}`);
    settle();
    wishes.changed();
  }

  // Two recordings have the same name, but the name is by which a clip is found again.
  function distinct(file) {
    const taken = Array.from(clips.values(), (each) => each.name);
    const [, stem, ending = ""] = file.name.match(/^(.*?)(\.[^.]*)?$/);
    let { name } = file;
    for (let copy = 2; taken.includes(name); copy++) name = `${stem} ${copy}${ending}`;
    return name === file.name ? file : new File([file], name, { type: file.type });
  }

  function stage(file) {
    const { name } = file;
    const out = h("button", { class: "quiet", "aria-label": `Take ${name} out` }, "Take out");
    out.addEventListener("click", () => {
      drop(name);
      wishes.changed();
      more.querySelector("input").focus();
    });
    put(name, { name, file, out }).show("staged");
  }

  function learn(example) {
    const out = asked({
      label: "Take out",
      name: `Take ${example.name || "this clip"} out`,
      question: "Forget it?",
      yes: "Forget",
      act: async () => {
        const done = await wishes.takeOut(example.id);
        if (done) more.querySelector("input").focus();
        return done;
      },
    });
    put(example.id, { ...example, kept: wishes.kept(label, example.name), out });
  }

  function put(key, clip) {
    const { signal } = wishes;
    const shown = tile({ ...clip, file: clip.file ?? clip.kept, signal });
    clips.set(key, { name: clip.name, file: clip.file, tile: shown });
    tiles.append(shown.element);
    return shown;
  }

  function drop(key) {
    clips.get(key).tile.element.remove();
    clips.delete(key);
    settle();
  }

  function settle() {
    more.hidden = clips.size >= MOST;
    full.hidden = !more.hidden;
    tiles.hidden = clips.size === 0;
  }

  settle();
  return {
    element,
    taught,
    get label() {
      return taught ? label : input.value.trim();
    },
    // What is staged: to be sent.
    get files() {
      return Array.from(clips.values(), (each) => each.file).filter(Boolean);
    },
    fill(name, files) {
      input.value = name;
      take(files);
    },
    // Show the examples that the server has of it, and no others.
    show(examples) {
      const ids = examples.map((each) => each.id);
      for (const [id, { file }] of clips) if (!file && !ids.includes(id)) drop(id);
      for (const each of examples) {
        if (!clips.has(each.id)) learn(each);
        clips.get(each.id).tile.show(each.state, each.problem);
      }
      settle();
    },
    // What was staged is on the server now.
    sent() {
      for (const [name, { file }] of clips) if (file) drop(name);
    },
    focus() {
      (taught ? more.querySelector("input") : input).focus();
    },
  };
}
