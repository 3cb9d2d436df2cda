// Teach: a few clips of each of your own actions, then questions about other clips.
//
// Without an id a new episode is put together, and those that are saved are listed; with one, that
// episode is shown, taught further and asked.

import { draft } from "./draft.js";
import { lesson } from "./lesson.js";
import { saved } from "./saved.js";

// Clips that this page has sent, so that it need not fetch them to show them.
const sent = new Map();
const key = (...parts) => parts.join("\n");

const memory = {
  keep(episode, buckets) {
    for (const { label, files } of buckets) {
      for (const file of files) sent.set(key(episode, label, file.name), file);
    }
  },
  find: (...parts) => sent.get(key(...parts)),
};

export async function show(root, id) {
  const leaving = new AbortController();
  const { signal } = leaving;
  root.append(...(id ? lesson(id, memory, signal) : [...draft(memory, signal), saved(signal)]));
  return () => leaving.abort();
}
