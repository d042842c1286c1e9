// @ts-check
// Signals as they arrive: what the page Live shows from then on.
import { fill } from "./fill.js";

/** Most rows of Live. */
const ROWS = 200;

/** Rows of signals, the newest first. @param {HTMLElement} place */
export function follow(place) {
  const { events = "", last = "", type = "", customers = "" } = place.dataset;
  const [rows, pause, waiting] = [place.querySelector("tbody"), document.getElementById("pause"), document.getElementById("waiting")];
  if (!rows || !pause || !waiting) return;
  /** @type {any[]} what arrived since it was paused */
  let kept = [];
  let paused = false;
  const cell = (/** @type {(Node | string)[]} */ ...content) => {
    const made = document.createElement("td");
    made.append(...content);
    return made;
  };
  const show = (/** @type {any} */ signal) => {
    const row = document.createElement("tr");
    const [when, whose] = [document.createElement("time"), document.createElement("a")];
    when.dateTime = signal.at;
    when.textContent = fill(texts.common.time, { time: signal.at.slice(0, 16).replace("T", " ") });
    whose.href = customers + signal.customerId;
    whose.textContent = signal.customerId.slice(0, 8);
    row.append(cell(when), cell(signal.type), cell(signal.name || signal.uri), cell(signal.verdict), cell(whose));
    rows.prepend(row);
    while (rows.childElementCount > ROWS) rows.lastElementChild?.remove();
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? texts.follow.goOn : texts.live.pause;
    kept.splice(0).forEach(show);
  });
  const source = new EventSource(`${events}?after=${last}`);
  source.addEventListener("message", ({ data }) => {
    const signal = JSON.parse(data);
    if (type !== "" && signal.type !== type) return;
    if (!paused) show(signal);
    else kept = [...kept, signal].slice(-ROWS);
  });
  source.addEventListener("open", () => (waiting.textContent = texts.follow.watching));
  source.addEventListener("error", () => (waiting.textContent = texts.follow.broken));
}
