// The service, asked with the key that was given. What goes wrong is always a Problem.

const KEY = "pointaction-key";
const TRIES = 4; // of a submission that is told to come back later
const LONGEST_PAUSE_S = 30;
const PATIENCE_S = 120; // for a connection that is lost to come back

// RFC 9457, as the service tells it. `kind` is the last part of its type; "unreachable" is ours,
// and so is "hung-up".
export class Problem extends Error {
  constructor({ kind = "unreachable", detail, status = 0, limit, value, retryAfter = null, ...more }) {
    super(detail);
    Object.assign(this, { kind, detail, status, limit, value, retryAfter, more });
  }

  static async of(answer) {
    const told = await answer.json().catch(() => ({}));
    const after = Number.parseFloat(answer.headers.get("Retry-After"));
    return new Problem({
      ...told,
      kind: String(told.type ?? "").split(":").pop() || "http-error",
      detail: told.detail ?? `The server answered ${answer.status}.`,
      status: answer.status,
      retryAfter: Number.isFinite(after) ? after : null,
    });
  }

  // Of a job that failed.
  static told(document) {
    return new Problem({ ...document, kind: document.type.split(":").pop() });
  }
}

export function getKey() {
  return sessionStorage.getItem(KEY) ?? "";
}

// Kept for as long as the tab is open.
export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

// The answer, if it is a good one. Whoever is told that a key is needed finds the field open.
export async function ask(path, options = {}) {
  const key = getKey();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The server cannot be reached. See that it runs, then try again." });
  }
  if (answer.status === 401) window.dispatchEvent(new Event("key-needed"));
  if (!answer.ok) throw await Problem.of(answer);
  return answer;
}

export async function getJson(path, options = {}) {
  return (await ask(path, options)).json();
}

// File a job: its id, and its result where that was known already. Who is told to come back later
// does so, a few times; an idempotency key makes sure that it stays one job.
export async function submit(path, form, { headers: more, signal } = {}) {
  const headers = { Prefer: "wait=0", "Idempotency-Key": randomName(), ...more };
  for (let tries = 1; ; tries++) {
    try {
      const answer = await ask(path, { method: "POST", body: form, headers, signal });
      const told = await answer.json();
      if (answer.status === 202) return { id: told.id, result: null };
      return { id: told.job ?? told.id, result: told };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 0) throw await hungUp(error);
      if (![429, 503].includes(error.status) || tries === TRIES) throw error;
      if (error.kind === "quota-used-up" || error.retryAfter > LONGEST_PAUSE_S) throw error;
      await pause(error.retryAfter ?? 2, signal);
    }
  }
}

// A server that refuses a large body at once may cut the connection before its answer is read.
async function hungUp(problem) {
  const alive = await fetch("/health/live").then((answer) => answer.ok, () => false);
  if (!alive) return problem;
  const detail =
    "The server hung up while the file was on its way. It may be larger than the server takes: " +
    "send a shorter or smaller clip.";
  return new Problem({ kind: "hung-up", detail });
}

// Tell `onState` of every change of a job (the JSON of GET /jobs/{id}), and return its last state.
// Server-sent events are read with fetch, because an EventSource cannot send a key. A stream that
// breaks off is taken up where it ended; meanwhile onState is given {lost: true}.
export async function follow(id, onState, signal) {
  let last = null;
  let lostSince = null;
  for (let tries = 0; ; ) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await ask(`/jobs/${id}/events`, { headers, signal });
      if (answer.status === 204) return await getJson(`/jobs/${id}`, { signal });
      for await (const event of eventsOf(answer.body)) {
        last = event.id ?? last;
        lostSince = null;
        tries = 0;
        onState(event.state);
        if (!["queued", "running"].includes(event.state.state)) return event.state;
      }
    } catch (error) {
      const passing = error instanceof Problem ? [0, 429, 502, 503, 504].includes(error.status)
        : error.name !== "AbortError"; // a stream that breaks off
      if (!passing) throw error;
      lostSince ??= Date.now();
      if (Date.now() - lostSince > 1000 * PATIENCE_S) throw error;
      onState({ lost: true });
    }
    await pause(Math.min(0.3 * 2 ** tries++, 4), signal);
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value.replaceAll("\r", "");
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.match(/^data: ?(.*)$/m)?.[1];
        if (data) yield { id: event.match(/^id: ?(.*)$/m)?.[1], state: JSON.parse(data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

export function cancel(id) {
  return ask(`/jobs/${id}`, { method: "DELETE" });
}

// Links cannot send a key, so a file is fetched first. What is still being drawn is waited for.
export async function save(path, filename, headers = {}) {
  const url = URL.createObjectURL(await (await ready(path, headers)).blob());
  Object.assign(document.createElement("a"), { href: url, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function ready(path, headers) {
  for (;;) {
    const answer = await ask(path, { headers });
    if (answer.status !== 202) return answer;
    await pause(Number.parseFloat(answer.headers.get("Retry-After")) || 1);
  }
}

// The clip that a job was made from, as an object URL that the caller revokes; null: there is none.
export async function clipUrl(id) {
  try {
    return URL.createObjectURL(await (await ask(`/jobs/${id}/clip`)).blob());
  } catch (error) {
    if (error instanceof Problem && [404, 410].includes(error.status)) return null;
    throw error;
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// crypto.randomUUID is only there over https.
function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
}
