// @ts-check
// One visit to a page with a library on it.
import { brotliCompressSync } from "node:zlib";
import { plainPage, sdkSite } from "../../support/sdk-site.mjs";
import { until } from "../../support/system.mjs";
import { SCRIPT, outermost, sum, trace } from "../../support/trace.mjs";
import { answers } from "./peers.mjs";

/** @typedef {import("./peers.mjs").Library} Library */

// Marks when the first view is queued: a library's own hook, else what all can be seen to do.
const MOMENTS = {
  hook: "",
  put: "const put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function (row) { queued(); return put.call(this, row); };",
  request:
    "const { fetch } = window; window.fetch = function (url, init) { if (init?.body) queued(); return fetch.call(this, url, init); };" +
    "const { send } = XMLHttpRequest.prototype; XMLHttpRequest.prototype.send = function (body) { if (body) queued(); return send.call(this, body); };" +
    "const { sendBeacon } = navigator; navigator.sendBeacon = function (url, body) { queued(); return sendBeacon.call(this, url, body); };",
};

/**
 * A page of its own context, and what was asked of the site.
 * @param {import("playwright-core").Browser} chromium
 * @param {Library} library
 */
async function visit(chromium, { files, head, moment }) {
  const marks = `<script>{ const queued = (window.queued = () => performance.mark("queued")); ${MOMENTS[moment]} } performance.mark("start");</script>`;
  const site = await sdkSite(undefined, { ...files, "/": plainPage(marks + head) }, answers);
  const context = await chromium.newContext();
  const page = await context.newPage();
  // Something of the visitor left the page: a body, or a beacon.
  let sent = 0;
  page.on("request", (request) => {
    if (request.method() === "POST" && !/flags/.test(request.url())) sent++;
  });
  const close = async () => {
    await context.close();
    site.stop();
  };
  return { site, page, sent: () => sent, close };
}

/**
 * The files that it loads until it has tracked a view, a click and an identity: how many, and their bytes.
 * @param {import("playwright-core").Browser} chromium
 * @param {Library} library
 */
export async function size(chromium, library) {
  const { site, page, sent, close } = await visit(chromium, library);
  await page.goto(site.base, { timeout: 120_000 });
  await until(sent, `${library.name} has sent a view`, 30_000);
  const before = sent();
  await page.click("#buy");
  // Not waited for: some answer only when their server has.
  await page.evaluate(() => void (/** @type {any} */ (window).identify("Somebody1")));
  await until(() => sent() > before, `${library.name} has sent more`, 30_000);
  await page.waitForLoadState("networkidle");
  await close();
  const paths = [...new Set(site.served)].filter((path) => path !== "/");
  const parts = [library.inline, ...paths.map((path) => site.fileAt(path) ?? "")].filter((part) => part.length > 0);
  return {
    files: parts.length,
    bytes: parts.reduce((total, part) => total + part.length, 0),
    brotli: parts.reduce((total, part) => total + brotliCompressSync(part).length, 0),
  };
}

/**
 * Main-thread time from the first script to the first view in the queue, of a cold load.
 * @param {import("playwright-core").Browser} chromium
 * @param {Library} library
 * @param {number} throttling
 */
export async function cost(chromium, library, throttling) {
  const { site, page, sent, close } = await visit(chromium, library);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: throttling });
  const { spans, at } = await trace(page, async () => {
    await page.goto(site.base, { timeout: 120_000 });
    await until(sent, `${library.name} has sent a view`, 60_000);
  });
  await close();
  const [start, queued] = [at("start"), at("queued")];
  if (!(queued > start)) throw new Error(`${library.name}: the first view was not seen to be queued`);
  return { scripts: sum(outermost(spans, SCRIPT, start, queued)), all: sum(outermost(spans, new Set(["RunTask"]), start, queued)) };
}

/**
 * How long the tasks were that the browser itself calls long, in a load and 40 clicks.
 * @param {import("playwright-core").Browser} chromium
 * @param {Library} library
 * @param {number} throttling
 * @returns {Promise<number[]>}
 */
export async function longTasks(chromium, library, throttling) {
  const observe = "<script>longTasks = []; new PerformanceObserver((list) => longTasks.push(...list.getEntries())).observe({ type: 'longtask', buffered: true });</script>";
  const { site, page, close } = await visit(chromium, { ...library, head: observe + library.head });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: throttling });
  await page.goto(site.base, { waitUntil: "networkidle", timeout: 120_000 });
  for (let i = 0; i < 40; i++) await page.mouse.click(1200, 12);
  await page.waitForLoadState("networkidle");
  const found = await page.evaluate(() => /** @type {any} */ (window).longTasks.map((/** @type {PerformanceEntry} */ { duration }) => Math.round(duration)));
  await close();
  return found;
}
