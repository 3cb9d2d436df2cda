// The whole page: send a clip, follow its job, show what came out. No library, no build step.

const $ = (id) => document.getElementById(id);
let job = null; // id of the job on show
let turn = 0; // counts clips, so that a late answer for an earlier one is dropped
let shown = []; // object URLs to be released

class Problem extends Error {}

async function ask(path, options = {}) {
  const key = $("key").value;
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) $("key-field").hidden = false;
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new Problem(body.detail ?? `the server answered ${answer.status}`);
  }
  return answer;
}

// Server-sent events, read with fetch because an EventSource cannot send a key. A stream that
// breaks off is taken up again where it ended.
async function follow(id, show) {
  let last = null;
  for (let tries = 0; tries < 20; tries++) {
    const headers = last ? { "Last-Event-ID": last } : {};
    const answer = await ask(`/jobs/${id}/events`, { headers });
    if (answer.status === 204) return (await ask(`/jobs/${id}`)).json();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value.replaceAll("\r", "");
        const events = text.split("\n\n");
        text = events.pop();
        for (const event of events) {
          last = event.match(/^id: (.*)$/m)?.[1] ?? last;
          const data = event.match(/^data: (.*)$/m)?.[1];
          if (!data) continue;
          const state = JSON.parse(data);
          show(state);
          if (!["queued", "running"].includes(state.state)) return state;
        }
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the network; anything else is ours
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Problem("the connection was lost; reload the page");
}

async function classify(file) {
  const mine = ++turn;
  reset(file.name);
  const form = new FormData();
  if ($("model").value) form.append("model", $("model").value);
  form.append(file.name.endsWith(".npz") ? "tracks" : "clip", file);
  try {
    const options = { method: "POST", body: form, headers: { Prefer: "wait=0" } };
    const begun = await (await ask("/classify", options)).json();
    job = begun.job ?? begun.id;
    const state = await follow(job, (now) => mine === turn && showProgress(now));
    if (mine !== turn) return;
    if (state.state === "cancelled") throw new Problem("cancelled");
    if (state.state === "failed") throw new Problem(state.problem.detail);
    showResult(state.result);
    await showDrawing("mean");
  } catch (error) {
    if (mine === turn) showProblem(error);
  }
}

function reset(name) {
  shown.splice(0).forEach(URL.revokeObjectURL);
  $("overlay").removeAttribute("src");
  for (const id of ["problem", "result"]) $(id).hidden = true;
  $("status").hidden = false;
  $("name").textContent = name;
  $("stage").textContent = "sending …";
  $("progress").removeAttribute("value");
}

function showProgress(state) {
  const ahead = state.position ? `, ${state.position} ahead` : "";
  $("stage").textContent = state.stage ?? state.state + ahead;
  $("progress").value = state.progress;
}

function showResult(result) {
  $("status").hidden = true;
  $("result").hidden = false;
  $("none").hidden = !result.none_of_these;
  $("labels").replaceChildren(...result.predictions.map(asBar));
  const spent = Object.values(result.timings_ms).reduce((sum, ms) => sum + ms, 0);
  const { clip, model, points, tracker, depth } = result;
  const methods = Object.entries({ points, tracker, depth })
    .filter(([, one]) => one)
    .map(([what, one]) => `${what}: ${one.name} (${one.licence})`);
  const time = result.cached ? "from the cache" : `${(spent / 1000).toFixed(2)} s`;
  $("facts").textContent =
    `${clip.width} × ${clip.height}, ${clip.frames} frames, ${clip.duration_s.toFixed(1)} s · ` +
    [`${model.name} ${model.version} (${model.licence})`, ...methods, time].join(" · ");
  $("notes").textContent = result.notes.join(". ");
  const heads = ["mean", ...Array(result.attention?.heads ?? 0).keys()];
  $("head").replaceChildren(
    ...heads.map((head) => new Option(head === "mean" ? "all heads" : `head ${head}`, head)),
  );
}

function asBar({ label, score }) {
  const row = document.createElement("li");
  const [name, bar, number] = ["span", "span", "span"].map((tag) => document.createElement(tag));
  name.textContent = label;
  bar.className = "bar";
  bar.append(document.createElement("i"));
  bar.firstChild.style.width = `${100 * score}%`;
  number.className = "score";
  number.textContent = `${(100 * score).toFixed(1)} %`;
  row.append(name, bar, number);
  return row;
}

async function showDrawing(head) {
  const mine = turn;
  $("drawing").textContent = "drawing …";
  const path = `/jobs/${job}/overlay?format=mp4&head=${head}`;
  let answer = await ask(path);
  while (answer.status === 202 && mine === turn) answer = await ask(path);
  const url = URL.createObjectURL(await answer.blob());
  if (mine !== turn) return URL.revokeObjectURL(url);
  shown.push(url);
  $("overlay").src = url;
  $("drawing").textContent = "";
}

// Links cannot send a key either, so the file is fetched first.
async function save(event, path, name, headers = {}) {
  event.preventDefault();
  const url = URL.createObjectURL(await (await ask(path, { headers })).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

function showProblem(error) {
  $("status").hidden = true;
  $("problem").hidden = false;
  $("problem").textContent = error.message;
}

async function showModels() {
  try {
    const models = await (await ask("/models")).json();
    const usable = models.filter((model) => model.task === "classification" && model.installed);
    $("model").replaceChildren(
      ...usable.map((model) => new Option(model.name, model.name, model.default, model.default)),
    );
  } catch (error) {
    showProblem(error);
  }
}

async function showReadiness() {
  try {
    await ask("/health/ready");
    $("ready").textContent = "ready";
  } catch (error) {
    $("ready").textContent = `not ready: ${error.message}`;
  }
}

$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) classify(target.files[0]);
  target.value = "";
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", over);
    if (name === "drop" && event.dataTransfer.files.length) classify(event.dataTransfer.files[0]);
  });
}
$("cancel").addEventListener("click", () => job && ask(`/jobs/${job}`, { method: "DELETE" }));
$("head").addEventListener("change", ({ target }) => showDrawing(target.value).catch(showProblem));
$("key").addEventListener("change", () => {
  $("problem").hidden = true;
  showModels();
});
$("tracks").addEventListener("click", (event) =>
  save(event, `/jobs/${job}/tracks`, `${job}.tracks.npz`).catch(showProblem));
$("attention").addEventListener("click", (event) =>
  save(event, `/jobs/${job}/attention`, `${job}.attention.npz`, {
    Accept: "application/x-npz",
  }).catch(showProblem));
$("form").addEventListener("submit", (event) => event.preventDefault());
showModels();
showReadiness();
