// Where clips come in: dropped, chosen, a sample, or recorded with the camera.

import { h } from "./dom.js";
import { explained } from "./progress.js";
import { recorder } from "./recorder.js";

export const VIDEOS = "video/*,.mkv,.avi";

// An element that calls `onFiles` with a list of File. `samples` are {name, url, poster}; `webcam`
// says whether to offer the camera, `multiple` whether several files may come at once; `compact`
// fits into a narrow column.
export function intake({
  label = "Drop a clip here",
  hint = "or choose a file",
  accept = VIDEOS,
  samples = [],
  webcam = false,
  multiple = false,
  compact = false,
  onFiles,
}) {
  const fault = h("div", { class: "problem", role: "alert", hidden: true });
  const camera = webcam && cameraOf(onFiles);
  return h("div", { class: compact ? "intake compact" : "intake" },
    dropZone({ label, hint, accept, multiple, onFiles }),
    (webcam || samples.length > 0) && h("div", { class: "sources" },
      camera && camera.button,
      samples.length > 0 && offered(samples, onFiles, fault)),
    fault,
    camera && camera.place);
}

function dropZone({ label, hint, accept, multiple, onFiles }) {
  const file = h("input", { type: "file", accept, multiple, class: "unseen" });
  const area = h("label", { class: "drop" }, file, h("strong", null, label), h("span", null, hint));
  file.addEventListener("change", () => {
    if (file.files.length) onFiles([...file.files]);
    file.value = "";
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    area.addEventListener(type, (event) => {
      event.preventDefault();
      area.classList.toggle("over", type === "dragover");
      const files = [...(event.dataTransfer?.files ?? [])];
      if (type === "drop" && files.length) onFiles(multiple ? files : files.slice(0, 1));
    });
  }
  return area;
}

function cameraOf(onFiles) {
  const place = h("div", { class: "camera" });
  const button = h("button", { onclick: open }, "Record with the camera");

  function close() {
    place.replaceChildren();
    button.disabled = false;
    button.focus();
  }

  function open() {
    button.disabled = true;
    const onFile = (recorded) => {
      close();
      onFiles([recorded]);
    };
    place.replaceChildren(recorder({ onFile, onClose: close }));
  }

  return { button, place };
}

// A sample as a file, as if it had been chosen.
export async function fetched({ url }) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`The sample is not there (${answer.status}).`);
  return new File([await answer.blob()], url.split("/").pop(), { type: "video/mp4" });
}

function offered(samples, onFiles, fault) {
  async function take(sample) {
    fault.hidden = true;
    try {
      onFiles([await fetched(sample)]);
    } catch (error) {
      fault.hidden = false;
      fault.replaceChildren(...explained(error));
    }
  }

  return h("div", { class: "samples", role: "group", "aria-label": "Samples" },
    h("span", { class: "soft" }, "or try a sample:"),
    samples.map((sample) =>
      h("button", { class: "sample", onclick: () => take(sample) },
        sample.poster && h("img", { src: sample.poster, alt: "", width: 96, height: 54 }),
        h("span", null, sample.name))));
}
