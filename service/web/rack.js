// The buckets of an episode: which there are, what they lack, and sending what is in them.

import { submit } from "./api.js";
import { bucket } from "./bucket.js";
import { h } from "./dom.js";

const LEAST = 2; // classes of an episode

// `path` is where clips are sent to, `fields()` what goes with them, `least` how many classes have to
// have some; `sent(episode)` is called afterwards. `forget(label)` makes the server forget a class;
// the other wishes are those of a bucket.
export class Rack {
  constructor({ path, fields = () => [], least, teach, problem, ...wishes }) {
    Object.assign(this, { path, fields, least, problem, wishes });
    this.all = [];
    this.number = 0;
    this.place = h("div", { class: "buckets" });
    this.more = h("button", { onclick: () => this.add().focus() }, "Add a class");
    this.hint = h("span", { class: "soft" });
    this.button = h("button", { class: "primary", onclick: () => this.send() }, teach);
    this.sending = h("div", { class: "row send" }, this.button, this.hint);
  }

  add(label = "") {
    this.number += 1;
    const each = bucket({
      ...this.wishes,
      number: this.number,
      label,
      changed: () => this.settle(),
      remove: () => this.remove(each),
    });
    this.all.push(each);
    this.place.append(each.element);
    this.settle();
    return each;
  }

  drop(each) {
    this.all.splice(this.all.indexOf(each), 1);
    each.element.remove();
    this.settle();
  }

  async remove(each) {
    const { length } = each.taught ? this.all.filter((other) => other.taught) : this.all;
    if (length <= LEAST) {
      this.problem.tell({ detail: "Two classes are the fewest: with one, every clip would be that." });
      return false;
    }
    if (each.taught) return this.wishes.forget(each.label);
    this.drop(each);
    this.more.focus();
    return true;
  }

  // Show what the server has: its classes with their examples.
  show(classes) {
    const labels = classes.map((each) => each.label);
    for (const each of this.all.filter((each) => each.taught && !labels.includes(each.label))) {
      this.drop(each);
    }
    for (const { label, examples } of classes) {
      const known = this.all.find((each) => each.taught && each.label === label);
      (known ?? this.add(label)).show(examples);
    }
  }

  get full() {
    return this.all.filter((each) => each.files.length);
  }

  settle() {
    this.problem.clear();
    const { length } = this.full.flatMap((each) => each.files);
    this.hint.textContent = this.fault?.text ?? `${length} clips`;
    this.sending.hidden = this.all.every((each) => each.taught && !each.files.length);
    this.wishes.settled?.(length);
  }

  // What keeps it from being sent, as {text, at}, `at` being the bucket to mend; null: nothing.
  get fault() {
    const { all, full, least } = this;
    const nameless = full.find((each) => !each.label);
    if (nameless) return { text: "Name every class that has clips.", at: nameless };
    const labels = all.map((each) => each.label);
    const twice = all.find((each, at) => each.label && labels.indexOf(each.label) < at);
    if (twice) return { text: `Two classes are called ${twice.label}: rename one.`, at: twice };
    const empty = all.find((each) => each.label && !each.taught && !each.files.length);
    if (empty) return { text: `Put a clip of ${empty.label} in its class.`, at: empty };
    if (full.length >= least) return null;
    const text = least > 1
      ? `Name ${least} classes and put at least one clip in each.`
      : "Name the class and put a clip in it.";
    return { text, at: all.find((each) => !each.files.length) };
  }

  async send() {
    const { fault } = this;
    if (fault) {
      this.problem.tell({ detail: fault.text });
      return fault.at.focus();
    }
    this.button.disabled = true;
    this.hint.textContent = "Sending …";
    try {
      const { signal, sent } = this.wishes;
      const { result } = await submit(this.path, this.form(), { signal });
      sent(result);
    } catch (error) {
      this.settle();
      this.problem.tell(error);
    }
    return (this.button.disabled = false);
  }

  // Each file once, with its label beside it.
  form() {
    const form = new FormData();
    for (const [name, value] of this.fields()) form.append(name, value);
    for (const { label, files } of this.full) {
      for (const file of files) {
        form.append("labels", label);
        form.append("support", file, file.name);
      }
    }
    return form;
  }

  // What was staged is on the server: buckets that it has not named yet will come from there.
  clear() {
    for (const each of [...this.all]) {
      if (each.taught) each.sent();
      else this.drop(each);
    }
  }
}
