// @ts-check
// The SDK of a page, as a test drives it: calls, and a clock that goes only when it is told to.
import assert from "node:assert/strict";
import { profile } from "./signals.mjs";
import { until } from "./system.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} Context */

/** @param {Page} page @param {string} method @param {unknown[]} parameters @returns {Promise<any>} */
export const call = (page, method, ...parameters) =>
  page.evaluate(
    ([method, parameters]) => /** @type {any} */ (window).MSCI[/** @type {string} */ (method)](.../** @type {any[]} */ (parameters)),
    /** @type {const} */ ([method, parameters]),
  );

/** @param {Page} page @returns {Promise<any>} */
export const status = (page) => call(page, "status");

/** How many signals were dropped for this reason. @param {Page} page @param {string} code @returns {Promise<number>} */
export const dropped = async (page, code) => (await status(page)).rejected.find((/** @type {any} */ of) => of.code === code)?.n ?? 0;

/** Goes there and waits until the SDK listens. @param {Page} page @param {string} url */
export async function go(page, url) {
  await page.goto(url);
  await status(page);
}

/** Tracks events of these names, one call after the other. @param {Page} page @param {string[]} names */
export const track = (page, names, properties = {}) =>
  page.evaluate(
    ([names, properties]) =>
      Promise.all(/** @type {string[]} */ (names).map((name) => /** @type {any} */ (window).MSCI.trackEvent({ name, properties }))),
    /** @type {const} */ ([names, properties]),
  );

/** `e1`, `e2` and so on. @param {number} n */
export const names = (n, from = 1) => Array.from({ length: n }, (_, i) => `e${i + from}`);

/**
 * A visitor whose pages' clock stands still, unless `run` moves it. It is the clock of requests' timeouts too.
 * @param {Context} context
 */
export async function stopClock(context) {
  await context.addInitScript(() => {
    AbortSignal.timeout = (ms) => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(new DOMException("timed out", "TimeoutError")), ms);
      return abort.signal;
    };
  });
  const time = Date.now();
  await context.clock.install({ time });
  await context.clock.pauseAt(time + 1000);
}

/**
 * Moves the page's clock until `condition` holds, in steps, with whatever is under way answered before the next.
 * @param {Page} page
 * @param {() => unknown} condition
 * @param {{ step?: number, limit?: number }} [by] milliseconds
 * @returns {Promise<number>} milliseconds that passed there
 */
export async function run(page, condition, { step = 100, limit = 320_000 } = {}) {
  for (let passed = 0; ; passed += step) {
    if (await condition()) return passed;
    assert.ok(passed < limit, `nothing within ${limit} ms: ${condition}`);
    await page.clock.runFor(step);
    await answered(page);
  }
}

/** Moves the page's clock by this much. @param {Page} page @param {number} ms */
export async function pass(page, ms, step = ms) {
  let passed = 0;
  await run(page, () => (passed += step) > ms, { step, limit: ms + step });
}

/** Waits until no request of the page is under way. @param {Page} page */
export const answered = (page) => until(async () => (await status(page)).transport !== "sending", "the request is answered");

/** @param {Context} context @param {string} site @returns {Promise<string>} */
export const cookieId = async (context, site) => (await context.cookies(site)).find((cookie) => cookie.name === "_msci")?.value ?? "";

/**
 * Names of the events that a profile holds, oldest first.
 * @param {Awaited<ReturnType<typeof import("./system.mjs").system>>} system
 * @param {string} id a cookieId
 * @returns {Promise<string[]>}
 */
export async function events(system, id) {
  const { body } = await profile(system, id);
  const types = (body.unifiedactivity ?? []).map((/** @type {any} */ activity) => activity.msdynci_activitytype);
  return types.filter((/** @type {string} */ type) => type !== "View" && type !== "Action").reverse();
}
