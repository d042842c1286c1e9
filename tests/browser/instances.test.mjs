// @ts-check
// Several instances on a page: each has its own edge, and nobody sends what is another's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../support/chromium.mjs";
import { loader, plainPage, sdkSite } from "../support/sdk-site.mjs";
import { until } from "../support/system.mjs";

/** @param {string} name @param {string} endpointUrl */
const instance = (name, endpointUrl) =>
  `<script>${loader()}(window,document,${JSON.stringify({ src: "/_msci/msci.js", name, cfg: { ingestionKey: name, endpointUrl, autoCapture: {} } })})</script>`;

/** @param {any} batch */
const names = (batch) => batch.signals.map((/** @type {any} */ { name }) => name);

test("what an instance left on the device is sent by the instance of the same key, and by no other", async (t) => {
  /** Batches by path. @type {[string, any][]} */
  const batches = [];
  let away = true;
  const site = await sdkSite(
    t,
    { "/": plainPage(instance("MSCI", "/one/") + instance("Other", "/two/")), "/later": plainPage(instance("Other", "/two/") + instance("MSCI", "/one/")) },
    (path, body) => {
      if (away) return undefined;
      const batch = JSON.parse(body);
      batches.push([path, batch]);
      return { cookieId: batch.cookieId, ack: { stream: batch.stream, upTo: 0 }, accepted: batch.signals.length, duplicate: 0, rejected: [] };
    },
  );
  const chromium = await launch(t);
  const context = await chromium.newContext();
  // Not even a refusal: that would give them up.
  await context.route("**/collect", (route) => (away ? route.abort() : route.continue()));
  const page = await context.newPage();
  await page.goto(site.base);
  const queued = await page.evaluate(async () => {
    const { MSCI, Other } = /** @type {any} */ (window);
    await Promise.all([MSCI.trackEvent({ name: "of MSCI" }), Other.trackEvent({ name: "of Other" })]);
    return Promise.all([MSCI, Other].map(async (it) => (await it.status()).queued));
  });
  assert.deepEqual(queued, [1, 1]);
  // Ends without a word.
  const driver = await context.newCDPSession(page);
  const crashed = page.waitForEvent("crash");
  driver.send("Page.crash").catch(() => {});
  await crashed;
  away = false;
  const later = await context.newPage();
  await later.goto(`${site.base}/later`);
  await until(() => batches.length >= 2, "both have arrived");
  assert.deepEqual(
    batches.map(([path, batch]) => [path, batch.key, names(batch)]).sort(),
    [
      ["/one/collect", "MSCI", ["of MSCI"]],
      ["/two/collect", "Other", ["of Other"]],
    ],
  );
});
