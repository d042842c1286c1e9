// @ts-check
// What the console's pages do beyond forms and links. Each of them works without this; with it, a code can be
// copied by a click, a preview follows the typing, and what changes by itself is asked for again.
import htmx from "htmx.org";
import uPlot from "uplot";

/** Its types know no default export. */
const { config } = /** @type {any} */ (htmx);
// The pages' policy takes no code and no style from texts.
config.allowEval = false;
config.includeIndicatorStyles = false;
config.historyEnabled = false;
// What stands there stays while the Worker does not answer.
config.responseHandling = [
  { code: "2..", swap: true },
  { code: "...", swap: false },
];

document.addEventListener("click", async ({ target }) => {
  const button = target instanceof Element ? target.closest("button[data-copy]") : null;
  const source = button && document.getElementById(button.getAttribute("data-copy") ?? "");
  if (!button || !source) return;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    // Without the right to the clipboard: selected, so that the keys for copying do it.
    getSelection()?.selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = said), 2000);
});

/** Draws activities by hour, in the page's own colours. @param {HTMLElement} place */
function draw(place) {
  /** @type {[number, number, number][]} */
  const hours = JSON.parse(place.dataset.hours ?? "[]");
  const colours = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => colours.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const series = (/** @type {string} */ label, /** @type {string} */ name) => ({ label, stroke: colour(name), width: 2, points: { show: true } });
  place.replaceChildren();
  new uPlot(
    {
      width: place.clientWidth,
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      series: [{ label: "Hour (UTC)" }, series("Views", "--accent"), series("Other activities", "--second")],
      axes: [axis, { ...axis, size: 60 }],
      scales: { y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
    },
    [hours.map(([hour]) => hour * 3600), hours.map(([, views]) => views), hours.map(([, , others]) => others)],
    place,
  );
}

for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-hours]"))) {
  new ResizeObserver(() => draw(place)).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(place));
}

/** Most rows of Live. */
const ROWS = 200;

/** Rows of signals as they arrive, the newest first. @param {HTMLElement} place */
function follow(place) {
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
    when.textContent = `${signal.at.slice(0, 16).replace("T", " ")} UTC`;
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
    pause.textContent = paused ? "Go on" : "Pause";
    kept.splice(0).forEach(show);
  });
  const source = new EventSource(`${events}?after=${last}`);
  source.addEventListener("message", ({ data }) => {
    const signal = JSON.parse(data);
    if (type !== "" && signal.type !== type) return;
    if (!paused) show(signal);
    else kept = [...kept, signal].slice(-ROWS);
  });
  source.addEventListener("open", () => (waiting.textContent = "Watching. Signals show here within seconds of their arrival."));
  source.addEventListener("error", () => (waiting.textContent = "Not connected. It is tried again."));
}

for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-events]"))) follow(place);
