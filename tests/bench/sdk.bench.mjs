// @ts-check
// What our browser SDK costs a page, and what others do, side by side in one run: real Chromium, a plain
// page, a local server, nothing outside.
//
// Size: the files that a page loads until a view, a click and an identity are tracked; brotli 11, each file
// by itself. The peers are bundled by esbuild (ES modules, split, minified), as their users would.
//
// Speed: main-thread time at a CPU throttling of 4, medians of cold loads (a fresh context each) that
// alternate between the libraries. It begins before the library's first script and ends when the first
// view is queued. "scripts" is what runs of scripts in between, compilation included; "all" is everything
// the thread does, so also the page's own parsing and layout, as far as it happens to fall in between.
// Both are thread time, since the machine has others to serve. The throttling reaches the main thread alone:
// what is compiled in the background (streamed scripts, our module) has no part in it, for anybody.
// "Queued" is, for ours, when the view is handed to IndexedDB; for libraries with a hook in their queue, when
// that hook is called, else their first request that posts something.
import { launch } from "../support/chromium.mjs";
import { traceClicks, trackedPage } from "../support/sdk-cost.mjs";
import { LAYOUT, sum, within } from "../support/trace.mjs";
import { cost, longTasks, size } from "./sdk/load.mjs";
import { ours, peers } from "./sdk/peers.mjs";

const THROTTLING = 4;
/** Fewer for a look, more where others use the machine. */
const LOADS = Number(process.env.MSCI_LOADS ?? 15);
const CLICKS = 300;
const VIEWS = Number(process.env.MSCI_VIEWS ?? 100_000);

/** @param {number[]} values @param {number} [share] */
const quantile = (values, share = 0.5) => [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
/** @param {(string | number)[]} cells */
const print = ([name = "", ...cells]) => console.log(String(name).padEnd(44) + cells.map((cell) => String(cell).padStart(11)).join(""));
/** @param {number} value */
const ms = (value) => value.toFixed(value < 10 ? 2 : 1);

const chromium = await launch(undefined);
try {
  const libraries = [ours(), ...(await peers())];

  /** @type {Map<string, { scripts: number[], all: number[] }>} */
  const costs = new Map(libraries.map(({ name }) => [name, { scripts: [], all: [] }]));
  for (let i = 0; i < LOADS; i++) {
    for (const library of libraries) {
      const { scripts, all } = await cost(chromium, library, THROTTLING);
      costs.get(library.name)?.scripts.push(scripts);
      costs.get(library.name)?.all.push(all);
    }
  }
  const median = (/** @type {string} */ name, /** @type {"scripts" | "all"} */ what) => quantile(costs.get(name)?.[what] ?? []);
  print(["to the first view, " + LOADS + " loads at " + THROTTLING + "x", "files", "bytes", "brotli", "scripts ms", "all ms"]);
  for (const library of libraries) {
    const { files, bytes, brotli } = await size(chromium, library);
    print([`${library.name} ${library.version}`, files, bytes, brotli, ms(median(library.name, "scripts")), ms(median(library.name, "all"))]);
  }
  const ratio = (/** @type {"scripts" | "all"} */ what) => (median("ours", what) / median("@segment/analytics-next", what)).toFixed(2);
  print(["ours / @segment/analytics-next (goal 0.50)", "", "", "", ratio("scripts"), ratio("all")]);

  console.log();
  print([`a click, of ${CLICKS}`, "median ms", "p95 ms", "after ms", "layouts", "WASM pages"]);
  for (const throttling of [1, THROTTLING]) {
    const tracked = await trackedPage(chromium, { throttling });
    const { spans, clicks, after } = await traceClicks(tracked, CLICKS);
    const times = clicks.map(({ from, to }) => to - from);
    const forced = within(spans.filter(({ name }) => LAYOUT.has(name)), clicks);
    print([`at ${throttling}x`, ms(quantile(times)), ms(quantile(times, 0.95)), ms(sum(after) / CLICKS), forced.length, await tracked.pages()]);
    await tracked.close();
  }
  console.log("goal at 4x: 0.30; after: writing, sending, answers, per click");

  console.log();
  print(["tasks over 50 ms: load, 40 clicks", "1x", "longest ms", "4x", "longest ms"]);
  for (const library of [{ ...ours(), name: "the page alone", head: "" }, ours()]) {
    const [plain, slow] = [await longTasks(chromium, library, 1), await longTasks(chromium, library, THROTTLING)];
    print([library.name, plain.length, Math.max(0, ...plain), slow.length, Math.max(0, ...slow)]);
  }

  console.log();
  const tracked = await trackedPage(chromium);
  await tracked.view(1_000);
  const before = await tracked.pages();
  await tracked.view(VIEWS - 1_000);
  print([`WASM pages after 1,000 and ${VIEWS} views`, before, await tracked.pages()]);
  await tracked.close();
} finally {
  await chromium.close();
}
