// @ts-check
// What the SDK may cost a page at most, as far as it can be counted rather than timed. `npm run bench sdk`
// has the times.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { traceClicks, trackedPage } from "../support/sdk-cost.mjs";
import { LAYOUT, within } from "../support/trace.mjs";

/** @type {import("playwright-core").Browser} */
let chromium;
before(async () => {
  chromium = await launch(undefined);
});
after(() => chromium?.close());

test("the loader has at most 700 bytes, all that a page may load at most 20 KB, what applies decisions 8 KB more, what hears consent platforms 2", () => {
  const sdk = join(root, "dist/sdk");
  const assets = readdirSync(join(sdk, "assets")).filter((name) => /\.(js|wasm)$/.test(name));
  assert.equal(assets.length, 5, "a script, the module, its stand-in, what applies decisions, and what hears consent platforms");
  const packed = (/** @type {string[]} */ ...files) => files.reduce((total, file) => total + brotliCompressSync(readFileSync(join(sdk, file))).length, 0);
  const applies = (/** @type {string} */ name) => name.startsWith("apply.");
  const hears = (/** @type {string} */ name) => name.startsWith("consent.");
  const paths = (/** @type {string[]} */ names) => names.map((name) => join("assets", name));
  assert.ok(readFileSync(join(sdk, "loader.js")).length <= 700);
  assert.ok(packed("loader.js", "msci.js", ...paths(assets.filter((name) => !applies(name) && !hears(name)))) <= 20 * 1024);
  assert.ok(packed("guard.js", ...paths(assets.filter(applies))) <= 8 * 1024);
  assert.ok(packed(...paths(assets.filter(hears))) <= 2 * 1024);
});

test("a page asks for the entry, the script and the module, each once, and for one request a batch", async (t) => {
  const tracked = await trackedPage(chromium);
  atEnd(t, tracked.close);
  await tracked.click(45);
  const { batches, served, called } = tracked.site;
  assert.deepEqual(
    served.map((path) => path.replace(/\.\w+\.(js|wasm)$/, ".$1")).sort(),
    ["/", "/_msci/assets/sdk.js", "/_msci/assets/sdk.wasm", "/_msci/msci.js"],
  );
  assert.deepEqual(called, batches.map(() => "/_msci/collect"));
  for (const { device } of batches) assert.deepEqual(Object.keys(device), ["language", "timezone", "screen"]);
  const seqs = batches.flatMap(({ signals }) => signals.map((/** @type {any} */ { seq }) => seq));
  assert.deepEqual(seqs, Array.from({ length: 46 }, (_, i) => i + 1), "each signal once, in order");
});

test("a click never makes the page compute its layout", async (t) => {
  // The page's own handler, before ours, leaves the layout to be done: whoever asks for it now pays.
  const spoil = `<script>addEventListener("click", () => { document.body.style.width = 500 + Math.random() * 500 + "px"; }, true);</script>`;
  const tracked = await trackedPage(chromium, { head: spoil });
  atEnd(t, tracked.close);
  const { spans, clicks } = await traceClicks(tracked, 20);
  assert.equal(clicks.length, 20);
  const layouts = spans.filter(({ name }) => LAYOUT.has(name));
  assert.ok(layouts.length >= 20, "there was a layout to be done");
  assert.deepEqual(within(layouts, clicks), []);
});

test("the module's memory is as large after 5,000 signals as after 1,000", async (t) => {
  const tracked = await trackedPage(chromium);
  atEnd(t, tracked.close);
  await tracked.view(1_000);
  const pages = await tracked.pages();
  await tracked.view(4_000);
  assert.equal(await tracked.pages(), pages);
  assert.equal(tracked.signals(), 5_001);
});
