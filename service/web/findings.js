// The segments of a timeline as a table, and as files.

import { save } from "./api.js";
import { clock } from "./clock.js";
import { complaint } from "./complaint.js";
import { h, percent } from "./dom.js";

const MOST = 500; // rows; whoever wants more takes a file
const FORMATS = { csv: "CSV", json: "JSON", vtt: "WebVTT", eaf: "ELAN" };

export function table() {
  const summary = h("summary");
  const rows = h("tbody");
  const element = h("details", { class: "more" }, summary,
    h("div", { class: "listing", tabindex: 0, role: "region", "aria-label": "Segments as a table" },
      h("table", null,
        h("caption", { class: "unseen" }, "Segments in the order of their beginnings"),
        h("thead", null, h("tr", null,
          ["Action", "From", "To", "Lasts", "Score"].map((name) => h("th", { scope: "col" }, name)))),
        rows)));
  return {
    element,
    show(segments) {
      const first = segments.length > MOST ? `the first ${MOST} of ` : "";
      summary.textContent = `Segments as a table: ${first}${segments.length}`;
      rows.replaceChildren(...segments.slice(0, MOST).map(asRow));
    },
  };
}

function asRow({ label, start_s: start, end_s: end, score }) {
  return h("tr", null,
    h("th", { scope: "row" }, label),
    h("td", null, clock(start, 1)),
    h("td", null, clock(end, 1)),
    h("td", null, `${(end - start).toFixed(1)} s`),
    h("td", null, percent(score, 0)));
}

// Buttons that save the segments above `threshold()`, in files called after the video.
export function exports(id, name, threshold) {
  const problem = complaint();
  const stem = (name ?? id).replace(/\.[^.]*$/, "");
  const buttons = Object.entries(FORMATS).map(([ending, format]) => {
    const button = h("button", { onclick: take }, format);

    async function take() {
      button.disabled = true;
      problem.clear();
      try {
        const path = `/jobs/${id}/segments?format=${ending}&threshold=${threshold()}`;
        await save(path, `${stem}.${ending}`);
      } catch (error) {
        problem.tell(error);
      }
      button.disabled = false;
    }

    return button;
  });
  return h("section", { "aria-label": "Take it along" },
    h("h2", null, "Take it along"),
    h("div", { class: "row downloads" }, buttons),
    problem.element);
}
