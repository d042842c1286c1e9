// @ts-check
// Charts, in the page's own colours. What they show stands in a table below each.
import uPlot from "uplot";

const HOUR = 3600;

/** @param {HTMLElement} place */
function draw(place) {
  const { hours, days, lines: named = texts.columns.members } = place.dataset;
  /** @type {(number | null)[][]} */
  const rows = JSON.parse(hours ?? days ?? "[]");
  const colours = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => colours.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const series = (/** @type {string} */ label, /** @type {string} */ name) => ({ label, stroke: colour(name), width: 2, points: { show: true } });
  const [unit, time, lines] = hours ? [HOUR, texts.charts.hour, [texts.live.views, texts.home.others]] : [24 * HOUR, texts.columns.day, named.split("\n")];
  // One moment alone has no width, and the library would show years around it.
  const [only] = rows.length === 1 ? (rows[0] ?? []) : [];
  const shown = typeof only === "number" ? [[only - 1], ...rows, [only + 1]] : rows;
  place.replaceChildren();
  new uPlot(
    {
      width: place.clientWidth,
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      series: [{ label: time, value: hours ? "{YYYY}-{MM}-{DD} {HH}:{mm}" : "{YYYY}-{MM}-{DD}" }, ...lines.map((label, at) => series(label, ["--accent", "--second", "--third"][at] ?? "--quiet"))],
      axes: [axis, { ...axis, size: 60 }],
      scales: { y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
    },
    /** @type {import("uplot").AlignedData} */ ([shown.map(([at]) => (at ?? 0) * unit), ...lines.map((_, at) => shown.map((row) => row[at + 1] ?? null))]),
    place,
  );
}

/** Draws all charts of the page, and again when their width or the colours change. */
export function charts() {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-hours], [data-days]"))) {
    new ResizeObserver(() => draw(place)).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(place));
  }
}
