// @ts-check
// Pages whose decisions are applied in the browser, as a test drives them: a plain site with the built SDK, the guard in
// the head, and answers to `decisions` that are the test's to say.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "./at-end.mjs";
import { sdkSite, snippet } from "./sdk-site.mjs";
import { until } from "./system.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Route} Route */
/** @typedef {import("playwright-core").BrowserContext} Context */
/** @typedef {{ selector?: string, action: string, value?: string, name?: string }} Change */

export const guard = (ms = 1_000) => `<script>${readFileSync(join(root, "dist/sdk/guard.js"), "utf8")}(window,document,${ms})</script>`;

/** An answer with one experience. @param {Change[]} changes */
export const decided = (...changes) => ({
  known: false,
  segments: [],
  fields: {},
  experiences: [{ name: "hero", variant: "treated", changes: changes.map((change) => ({ selector: "", value: "", ...change })) }],
});

/**
 * A page that says what is on it.
 * @param {string} body
 * @param {{ head?: string, cfg?: object, guarded?: boolean }} [of]
 */
export const personalPage = (body, { head = "", cfg = { personalization: { apply: true } }, guarded = true } = {}) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">${head}` +
  `${guarded ? guard() : ""}${snippet(cfg)}</head><body>${body}</body></html>`;

/**
 * A visitor, and a site whose decisions are given.
 * @param {{ after(work: () => unknown): void }} t
 * @param {import("playwright-core").Browser} chromium
 * @param {object} of
 * @param {Record<string, string>} of.pages by path
 * @param {unknown} [of.answer] to `decisions`
 * @param {(route: Route) => unknown} [of.decide] in its place
 * @param {(context: Context) => unknown} [of.prepare]
 */
export async function personalSite(t, chromium, { pages, answer, decide, prepare }) {
  const site = await sdkSite(t, pages);
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  /** Addresses of pages that decisions were asked for. @type {string[]} */
  const asked = [];
  await context.route("**/_msci/decisions?*", (route) => {
    asked.push(new URL(new URL(route.request().url()).searchParams.get("uri") ?? "").pathname);
    return decide ? decide(route) : route.fulfill({ json: answer });
  });
  await prepare?.(context);
  /** @type {string[]} */
  const faults = [];
  context.on("weberror", (error) => faults.push(String(error.error())));
  const open = async (path = "/") => {
    const page = await context.newPage();
    await page.goto(site.base + path, { waitUntil: "domcontentloaded" });
    return page;
  };
  const signals = () => site.batches.flatMap(({ signals }) => signals);
  return { site, context, open, asked, faults, signals };
}

/** Whether a visitor sees the page. @param {Page} page */
export const isShown = (page) => page.evaluate(() => getComputedStyle(document.documentElement).opacity === "1");

/** @param {Page} page */
export const shown = (page) => until(() => isShown(page), "the page is shown");

/** @param {Page} page @param {string} selector */
export const text = (page, selector) => page.locator(selector).first().textContent();

/** @param {Page} page @param {string} selector @param {string} expected */
export async function becomes(page, selector, expected) {
  await until(async () => (await page.locator(selector).count()) > 0 && (await text(page, selector)) === expected, `${selector} is ${expected}`).catch(() => {});
  assert.equal(await text(page, selector), expected);
}
