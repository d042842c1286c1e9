// @ts-check
// What an experience has led to, in numbers, in bars with their intervals, and in words.
import { data, reason } from "./ask.js";
import { h } from "./dom.js";
import { fill } from "./fill.js";

/** @typedef {{ name: string, exposed: number, converted?: number, rate?: number }} Bucket */
/** @typedef {{ variant: string, against: string, lift: number | null, interval: [number, number | null] | null, confidence: number, few: boolean }} Comparison */

const percent = (/** @type {number} */ share) => fill(texts.note.percent, { number: (share * 100).toFixed(1) });
const signed = (/** @type {number | null} */ share) => (share === null ? texts.results.unbounded : `${share < 0 ? "−" : "+"}${percent(Math.abs(share))}`);
const SVG = "http://www.w3.org/2000/svg";

/** @param {HTMLElement} place */
export async function results(place) {
  const answer = await data(`experiences/${encodeURIComponent(place.dataset.results ?? "")}/results`);
  if (!answer.ok) return place.replaceChildren(h("p", { class: "note bad" }, reason(answer)));
  const { goal, buckets, comparisons } = /** @type {{ goal?: string, buckets: Bucket[], comparisons: Comparison[] }} */ (answer.body);
  if (buckets.every(({ exposed }) => exposed === 0)) {
    return place.replaceChildren(h("p", { class: "quiet" }, texts.results.none));
  }
  const head = [texts.columns.who, texts.results.people, ...(goal ? [texts.results.reached, texts.results.share] : [])];
  const rows = buckets.map(({ name, exposed, converted, rate }) => [name === "holdout" ? texts.results.heldOut : name, exposed, ...(goal ? [converted ?? 0, rate === undefined ? "" : percent(rate)] : [])]);
  place.replaceChildren(
    h("div", { class: "scroll", role: "region", "aria-label": texts.experiences.results, tabindex: 0 }, table(head, rows)),
    ...(goal ? comparisons.flatMap(comparison) : [h("p", { class: "quiet" }, texts.results.noGoal)]),
  );
}

/** @param {string[]} head @param {(string | number)[][]} rows */
const table = (head, rows) =>
  h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, String(cell)))))),
  );

/** @param {Comparison} of */
function comparison(of) {
  const { variant, against, lift, interval, confidence, few } = of;
  const other = against === "holdout" ? texts.results.thoseHeldOut : against;
  if (lift === null || !interval) return [h("p", {}, fill(texts.results.nobody, { variant, other }))];
  const [low, high] = interval;
  const clear = low > 0 ? texts.results.better : high !== null && high < 0 ? texts.results.worse : texts.results.unclear;
  const compared = fill(texts.results.compared, { variant, other, lift: signed(lift), confidence: percent(confidence).replace(".0", ""), low: signed(low), high: signed(high) });
  const words = [compared, clear, few ? texts.results.few : ""];
  return [bar(of), h("p", {}, words.filter(Boolean).join(" "))];
}

/** The interval as a bar around its value, and where nothing changes. @param {Comparison} of */
function bar({ lift, interval }) {
  const [low, high] = interval ?? [0, 0];
  const end = Math.max(...[lift ?? 0, low, high ?? (lift ?? 0) * 2, 0.1].map(Math.abs)) * 1.1;
  const at = (/** @type {number} */ share) => 50 + (Math.max(-end, Math.min(end, share)) / end) * 50;
  const element = (/** @type {string} */ name, /** @type {Record<string, unknown>} */ given) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(given)) made.setAttribute(key, String(value));
    return made;
  };
  const right = at(high ?? end);
  const svg = element("svg", { viewBox: "0 0 100 8", class: "bar", "aria-hidden": "true", preserveAspectRatio: "none" });
  svg.append(
    element("rect", { x: at(low), y: 2.5, width: Math.max(right - at(low), 0.5), height: 3, class: "range" }),
    element("rect", { x: 49.9, y: 0, width: 0.2, height: 8, class: "zero" }),
    element("rect", { x: at(lift ?? 0) - 0.4, y: 1, width: 0.8, height: 6, class: "value" }),
  );
  return svg;
}
