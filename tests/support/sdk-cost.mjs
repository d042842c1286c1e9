// @ts-check
// What our SDK costs a page, seen from outside of it.
import { plainPage, sdkSite, snippet } from "./sdk-site.mjs";
import { until } from "./system.mjs";
import { SCRIPT, dispatches, outermost, trace } from "./trace.mjs";

/** Goes before the snippet: the module's memory is kept where it can be measured. */
const WATCH = `<script>{
  const instantiate = WebAssembly.instantiate;
  WebAssembly.instantiate = async (...args) => {
    const made = await instantiate.apply(WebAssembly, args);
    window.wasmMemory = made.instance.exports.memory;
    return made;
  };
}</script>`;

/**
 * A page with our SDK, whose first view has arrived.
 * @param {import("playwright-core").Browser} chromium
 * @param {{ head?: string, throttling?: number }} [options]
 */
export async function trackedPage(chromium, { head = "", throttling = 1 } = {}) {
  const site = await sdkSite(undefined, { "/": plainPage(WATCH + head + snippet()) });
  const context = await chromium.newContext();
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: throttling });
  await page.goto(site.base);
  await until(() => site.batches.length, "the first view arrived", 30_000);
  const signals = () => site.batches.reduce((total, { signals }) => total + signals.length, 0);
  return {
    site,
    page,
    signals,

    /**
     * Clicks the button and the link in turn, as a visitor does; the signals have arrived afterwards.
     * @param {number} count
     */
    async click(count) {
      const wanted = signals() + count;
      const places = await Promise.all(["#buy", "#more"].map((selector) => page.locator(selector).boundingBox()));
      for (let i = 0; i < count; i++) {
        const place = places[i % 2];
        if (place) await page.mouse.click(place.x + 5, place.y + 5);
      }
      await until(() => signals() >= wanted, `${count} clicks arrived`, 60_000);
    },

    /** So many more views are sent and acknowledged. @param {number} count */
    view: (count) =>
      page.evaluate(async (count) => {
        const { MSCI } = /** @type {any} */ (window);
        for (let i = 0; i < count; i++) {
          // Of many lengths, so that what is freed does not simply fit again.
          MSCI.trackView({ uri: `/p/${i}`, title: "x".repeat((i * 37) % 300), properties: { n: i } });
          if (i % 200 === 199) await MSCI.flush();
        }
        await MSCI.flush();
      }, count),

    /** The size of the module's memory, in pages of 64 KB. */
    pages: () => page.evaluate(() => /** @type {any} */ (window).wasmMemory.buffer.byteLength / 65_536),

    async close() {
      await context.close();
      site.stop();
    },
  };
}

/**
 * What the main thread does while a visitor clicks: each dispatch of a click, and what scripts do besides
 * dispatching the visitor's events.
 * @param {Awaited<ReturnType<typeof trackedPage>>} tracked
 * @param {number} count
 */
export async function traceClicks({ page, click }, count) {
  const { spans, at } = await trace(page, async () => {
    await page.evaluate(() => performance.mark("start"));
    await click(count);
    await page.evaluate(() => performance.mark("end"));
  });
  const events = /^(click|mouse|pointer|focus|blur|DOMFocus)/;
  const after = outermost(spans, SCRIPT, at("start"), at("end")).filter(({ args }) => !events.test(args.data?.type));
  return { spans, clicks: dispatches(spans, "click"), after };
}
