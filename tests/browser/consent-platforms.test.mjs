// @ts-check
// What a consent platform on the page says counts, and until it has spoken nothing is collected: the Transparency &
// Consent Framework by the IAB's own library, and Google Consent Mode by the commands of `gtag`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { platformScript } from "../support/consent-platform.mjs";
import { gate } from "../support/gate.mjs";
import { call, go, status } from "../support/sdk.mjs";
import { setUp } from "../support/setup.mjs";
import { until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

const platform = platformScript();
const { msci, chromium } = await setUp();

/**
 * A visitor of a site whose settings name these inputs.
 * @param {import("node:test").TestContext} t
 * @param {string[]} inputs
 * @param {string} script that each page runs first
 */
async function visit(t, inputs, script) {
  const put = await msci.admin("PUT", "/settings", { consent: { mode: "required", inputs } });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  atEnd(t, () => msci.admin("PUT", "/settings", { consent: { mode: "implied", inputs: [] } }));
  await until(async () => (await msci.fetch("/_msci/msci.js")).body.includes(JSON.stringify(inputs)), "the script knows");
  const site = await gate(msci.base, t);
  /** @type {string[]} */
  const faults = [];
  atEnd(t, () => assert.deepEqual(faults, []));
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  context.on("weberror", (error) => faults.push(String(error.error())));
  await context.addInitScript(script);
  const page = await context.newPage();
  await go(page, `${site.base}/`);
  return { site, page };
}

const TCF = `${platform}; window.cmp = consentPlatform.begin();`;
const GTAG = `window.dataLayer = window.dataLayer || []; window.gtag = function () { dataLayer.push(arguments) };`;

/** @param {Page} page @param {string} does of the platform @param {unknown} [what] */
const cmp = (page, does, what) => page.evaluate(([does, what]) => /** @type {any} */ (window).cmp[/** @type {string} */ (does)](what), /** @type {const} */ ([does, what]));
/** @param {Page} page @param {unknown[]} command */
const gtag = (page, ...command) => page.evaluate((command) => /** @type {any} */ (window).gtag(...command), command);
/** @param {Page} page @param {Record<string, string | undefined>} expected */
async function says(page, expected) {
  const consent = async () => {
    const { required, ...said } = (await status(page)).consent;
    return said;
  };
  await until(async () => JSON.stringify(await consent()) === JSON.stringify(expected), `it says ${JSON.stringify(expected)}`).catch(() => {});
  assert.deepEqual(await consent(), expected);
}

/** The platform is listened to, nothing was asked for but scripts, and nothing is kept. @param {Awaited<ReturnType<typeof visit>>} visit */
async function traceless({ site, page }) {
  await until(() => site.asked.some((path) => path.includes("/assets/consent.")), "the platform is listened to");
  await page.waitForLoadState("networkidle");
  assert.deepEqual(site.arrived, []);
  assert.deepEqual(await page.context().cookies(), []);
}

const ALL = { storage: "granted", analytics: "granted", personalization: "granted" };

test("TCF: nothing before the visitor decides; then what was agreed to, and no more", async (t) => {
  const her = await visit(t, ["tcf"], TCF);
  const { site, page } = her;
  await call(page, "trackEvent", { name: "early" });
  await cmp(page, "ask");
  await call(page, "trackEvent", { name: "asked" });
  await traceless(her);
  await cmp(page, "decide", [1, 8]);
  await says(page, { storage: "granted", analytics: "granted", personalization: "denied" });
  await until(() => site.signals().some(({ name }) => name === "asked"), "what waited is sent");
  assert.deepEqual(site.signals().map(({ type, name }) => name ?? type), ["consent", "view", "early", "asked"]);
  assert.deepEqual(await call(page, "decisions"), { known: false, segments: [], fields: {}, experiences: [] });
  // Another decision counts from then on.
  await cmp(page, "ask");
  await cmp(page, "decide", [1, 5, 6, 8]);
  await says(page, ALL);
  await cmp(page, "ask");
  await cmp(page, "decide", []);
  await says(page, { storage: "denied", analytics: "denied", personalization: "denied" });
  await until(async () => (await page.context().cookies()).length === 0, "the cookie is gone");
  const before = site.signals().length;
  await call(page, "trackEvent", { name: "late" }).catch(() => {});
  await call(page, "flush");
  assert.equal(site.signals().slice(before).filter(({ type }) => type !== "consent").length, 0);
});

test("TCF: where the regulation does not apply everything is open", async (t) => {
  const { site, page } = await visit(t, ["tcf"], TCF);
  await cmp(page, "none");
  await says(page, ALL);
  await until(() => site.signals().some(({ type }) => type === "view"), "the view is sent");
});

test("TCF: a platform that comes after the page is heard, and heard no more after a teardown", async (t) => {
  const her = await visit(t, ["tcf"], platform);
  const { page } = her;
  await traceless(her);
  await page.evaluate(() => Object.assign(window, { cmp: /** @type {any} */ (window).consentPlatform.begin() }));
  await cmp(page, "decide", [1, 8]);
  await says(page, { storage: "granted", analytics: "granted", personalization: "denied" });
  await call(page, "teardown");
  await page.evaluate(() => Object.assign(window, { said: [] }) && Object.assign(/** @type {any} */ (window).MSCI, { setConsent: async (/** @type {any} */ it) => /** @type {any} */ (window).said.push(it) }));
  await cmp(page, "decide", [1, 5, 6, 8]);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).said), []);
});

test("TCF: who signs out and begins anew is asked for nothing that the platform knows", async (t) => {
  const { site, page } = await visit(t, ["tcf"], TCF);
  await cmp(page, "decide", [1, 5, 6, 8]);
  await says(page, ALL);
  await call(page, "reset");
  await says(page, ALL);
  await call(page, "trackEvent", { name: "anew" });
  await until(() => site.signals().some(({ name }) => name === "anew"), "signals go on");
});

test("Google Consent Mode: a default that denies waits for the visitor's word, an update counts at once", async (t) => {
  const her = await visit(t, ["googleConsentMode"], `${GTAG} gtag("consent", "default", { analytics_storage: "denied", personalization_storage: "denied", ad_storage: "denied", wait_for_update: 500 });`);
  const { site, page } = her;
  await call(page, "trackEvent", { name: "early" });
  await traceless(her);
  await gtag(page, "consent", "update", { analytics_storage: "granted" });
  // Of the other type nothing was said yet.
  await says(page, { storage: "granted", analytics: "granted" });
  await until(() => site.signals().some(({ name }) => name === "early"), "what waited is sent");
  await gtag(page, "consent", "update", { personalization_storage: "granted" });
  await says(page, ALL);
  await gtag(page, "event", "purchase", { value: 1 });
  await gtag(page, "consent", "update", { analytics_storage: "denied", personalization_storage: "denied" });
  await says(page, { storage: "denied", analytics: "denied", personalization: "denied" });
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).dataLayer.length), 5, "the queue is its owner's as it was");
});

test("Google Consent Mode: a default that grants is a grant, unless it is one region's", async (t) => {
  const granted = '{ analytics_storage: "granted", personalization_storage: "granted" }';
  const { page } = await visit(t, ["googleConsentMode"], `${GTAG} gtag("consent", "default", ${granted});`);
  await says(page, ALL);
  const regional = await visit(t, ["googleConsentMode"], `${GTAG} gtag("consent", "default", Object.assign(${granted}, { region: ["US"] }));`);
  await traceless(regional);
});

test("of two platforms the stricter counts, once both have spoken", async (t) => {
  const her = await visit(t, ["tcf", "googleConsentMode"], `${TCF} ${GTAG}`);
  const { page } = her;
  await cmp(page, "decide", [1, 5, 6, 8]);
  await traceless(her);
  await gtag(page, "consent", "update", { analytics_storage: "granted", personalization_storage: "denied" });
  await says(page, { storage: "granted", analytics: "granted", personalization: "denied" });
});

test("a page without any platform, or with one that throws, is left alone and tells nothing", async (t) => {
  const none = await visit(t, ["tcf"], "");
  await traceless(none);
  const broken = await visit(t, ["tcf", "googleConsentMode"], 'window.__tcfapi = () => { throw new Error("broken") }; window.dataLayer = [null, 3, { 0: "consent", 1: "update" }, ["consent"]];');
  await broken.page.evaluate(() => /** @type {any} */ (window).dataLayer.push(null, ["consent", "update", null]));
  await traceless(broken);
});
