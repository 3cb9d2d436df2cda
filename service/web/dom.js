// Elements, and the one voice of the page.

const PROPERTIES = new Set(["value", "checked", "muted", "disabled", "selected", "srcObject"]);

// An element. Props that start with "on" are listeners; `class`, `dataset` and `style` (an object)
// are what they say; true and false are there or not, but for aria-*, where they are words.
// Children are nodes, lists of them, or text: a string never becomes markup.
export function h(tag, props = null, ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button"; // unless it is told to be another
  for (const [name, value] of Object.entries(props ?? {})) give(element, name, value);
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function give(element, name, value) {
  if (value === null || value === undefined) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2).toLowerCase(), value);
  else if (name === "class") element.className = value;
  else if (name === "dataset" || name === "style") Object.assign(element[name], value);
  else if (PROPERTIES.has(name)) element[name] = value;
  else if (name.startsWith("aria-")) element.setAttribute(name, String(value));
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false) element.setAttribute(name, String(value));
}

// Say something to who listens to the page; it is seen nowhere.
export function announce(text) {
  const voice = document.getElementById("voice");
  // The same words again are only spoken if something about them is new.
  voice.textContent = voice.textContent === text ? `${text}\u00a0` : text;
}

// "1.2 s", "52 ms": a time for reading.
export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;
}

export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}
