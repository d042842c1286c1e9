// @ts-check
// What other tools on a page are told of the visitor's segments, and what the published SDKs of two of them decide by it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createInstance, createStaticProjectConfigManager } from "@optimizely/optimizely-sdk";
import { GrowthBook } from "@growthbook/growthbook";
import { root } from "../../tools/lib.mjs";
import { launch } from "../support/chromium.mjs";
import { decided, personalPage, personalSite, text } from "../support/personal.mjs";
import { call } from "../support/sdk.mjs";
import { until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let chromium;
before(async () => {
  chromium = await launch(undefined);
});
after(() => chromium?.close());

const HERO = decided({ selector: "#hero", action: "setText", value: "For you" });
const of = (/** @type {string[]} */ ...segments) => ({ ...HERO, segments });
const pageWith = (/** @type {object} */ personalization, head = "") => personalPage('<h1 id="hero">Good coffee</h1>', { cfg: { personalization }, head });

/** @param {Page} page @param {string} name @returns {Promise<any[]>} */
const queue = (page, name) => page.evaluate((name) => [.../** @type {any} */ (window)[name] ?? []], name);
const first = async (/** @type {Page} */ page, /** @type {string} */ name) => (await until(async () => (await queue(page, name))[0] && queue(page, name), `${name} is told`))[0];

// The datafile of the example: one flag, on for an audience by an attribute.
const datafile = readFileSync(join(root, "examples/optimizely/src/datafile.json"), "utf8");
async function flag(/** @type {Record<string, any>} */ attributes) {
  const optimizely = createInstance({ projectConfigManager: createStaticProjectConfigManager({ datafile }) });
  await optimizely.onReady();
  const user = /** @type {any} */ (optimizely.createUserContext("visitor", attributes));
  return user.decide("premium_offer").enabled;
}

test("Optimizely gets a visitor's segments as attributes, and its SDK decides by them", async (t) => {
  let answer = of("HighLifetimeValue", "Readers");
  const { open } = await personalSite(t, chromium, { pages: { "/": pageWith({ optimizely: true }) }, decide: (route) => route.fulfill({ json: answer }) });
  const page = await open();
  const push = await first(page, "optimizely");
  assert.deepEqual(push, { type: "user", attributes: { HighLifetimeValue: "true", Readers: "true" } });
  assert.equal(await flag(push.attributes), true);
  assert.equal(await text(page, "#hero"), "Good coffee", "nothing but telling was asked for");
  // It keeps what it was told: who has left a segment has it taken back.
  answer = of("Readers");
  const later = await first(await open(), "optimizely");
  assert.deepEqual(later.attributes, { HighLifetimeValue: null, Readers: "true" });
  assert.equal(await flag(later.attributes), false);
  answer = of();
  const last = await open();
  assert.deepEqual((await first(last, "optimizely")).attributes, { Readers: null });
  assert.deepEqual(await last.evaluate(() => Object.keys(localStorage).filter((key) => /optimizely/.test(key))), []);
});

for (const [method, ...parameters] of /** @type {[string, ...unknown[]][]} */ ([["reset"], ["optOut"], ["setConsent", { personalization: "denied" }]])) {
  test(`${method} takes back what Optimizely was told`, async (t) => {
    const { open } = await personalSite(t, chromium, { pages: { "/": pageWith({ optimizely: true }) }, answer: of("Readers") });
    const page = await open();
    await first(page, "optimizely");
    await call(page, method, ...parameters);
    const pushes = await queue(page, "optimizely");
    assert.deepEqual(pushes.map(({ attributes }) => attributes), [{ Readers: "true" }, { Readers: null }]);
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => /optimizely/.test(key))), []);
  });
}

test("a tag manager is told by an event, in texts", async (t) => {
  const { open } = await personalSite(t, chromium, {
    pages: { "/": pageWith({ apply: true, dataLayer: true }, "<script>dataLayer = [{ own: 1 }]</script>") },
    answer: of("HighLifetimeValue", "Readers"),
  });
  const page = await open();
  await until(async () => (await queue(page, "dataLayer")).length === 2, "the tag manager is told");
  const [own, event] = await queue(page, "dataLayer");
  assert.deepEqual([own, event], [
    { own: 1 },
    { event: "msci_decisions", msci_known: false, msci_segments: "HighLifetimeValue,Readers", msci_experiences: "hero:treated" },
  ]);
  await until(async () => (await text(page, "#hero")) === "For you", "it is applied");
});

const FEATURES = { offer: { defaultValue: "none", rules: [{ condition: { msci_segments: { $elemMatch: { $eq: "HighLifetimeValue" } } }, force: "course" }] } };

test("GrowthBook gets them as attributes, whichever of the two is there first, and its SDK decides by them", async (t) => {
  const bundle = readFileSync(join(root, "node_modules/@growthbook/growthbook/dist/bundles/auto.min.js"), "utf8");
  const config = `<script>window.growthbook_config = ${JSON.stringify({ payload: { features: FEATURES }, noStreaming: true, backgroundSync: false })};</script>`;
  for (const late of [false, true]) {
    for (const [segments, offer] of /** @type {[string[], string][]} */ ([[["HighLifetimeValue"], "course"], [["Readers"], "none"]])) {
      const head = config + (late ? "" : '<script src="/growthbook.js" data-api-host="/growthbook" data-client-key="sdk-x"></script>');
      const pages = { "/": pageWith({ growthbook: true, dataLayer: true }, head), "/growthbook.js": bundle };
      const { open, faults } = await personalSite(t, chromium, { pages, answer: of(...segments) });
      const page = await open();
      await until(async () => (await queue(page, "dataLayer")).length > 0, "the page is decided");
      if (late) await page.addScriptTag({ url: "/growthbook.js" });
      const seen = () => page.evaluate(() => /** @type {any} */ (window)._growthbook?.getFeatureValue("offer", "?"));
      await until(async () => (await seen()) === offer, `the offer is ${offer}`);
      assert.deepEqual(faults, []);
    }
  }
});

test("GrowthBook as a package decides by what decisions() answers", async (t) => {
  const { open } = await personalSite(t, chromium, { pages: { "/": pageWith({}) }, answer: of("HighLifetimeValue") });
  const page = await open();
  const { known, segments } = await call(page, "decisions");
  const growthbook = new GrowthBook({ features: FEATURES, attributes: { msci_known: known, msci_segments: segments } });
  assert.equal(growthbook.getFeatureValue("offer", "?"), "course");
  await growthbook.setAttributes({ msci_known: false, msci_segments: [] });
  assert.equal(growthbook.getFeatureValue("offer", "?"), "none");
});

test("a tool of the page that throws keeps nothing from the others, nor from the visitor", async (t) => {
  const head = `<script>optimizely = dataLayer = { push() { throw new Error("broken"); } }; growthbook_queue = 7;</script>`;
  const { open, faults } = await personalSite(t, chromium, { pages: { "/": pageWith({ apply: true, optimizely: true, dataLayer: true, growthbook: true }, head) }, answer: of("Readers") });
  const page = await open();
  await until(async () => (await text(page, "#hero")) === "For you", "it is applied");
  assert.deepEqual(faults, []);
});

test("without a visitor's leave nobody is told anything", async (t) => {
  const { open, asked } = await personalSite(t, chromium, {
    pages: { "/": personalPage("", { cfg: { userConsent: false, personalization: { apply: true, optimizely: true, dataLayer: true, growthbook: true } } }) },
    answer: of("Readers"),
  });
  const page = await open();
  await until(async () => (await queue(page, "dataLayer")).length > 0, "the page is decided");
  assert.deepEqual((await queue(page, "dataLayer"))[0], { event: "msci_decisions", msci_known: false, msci_segments: "", msci_experiences: "" });
  assert.deepEqual([await queue(page, "optimizely"), asked], [[], []]);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
});

test("a script tag says it in words", async (t) => {
  const tag = '<script async src="/_msci/msci.js" data-ingestion-key="local" data-personalization="apply dataLayer"></script>';
  const pages = { "/": `<!doctype html><title>t</title><link rel="icon" href="data:,">${tag}<h1 id="hero">Good coffee</h1>` };
  const { open } = await personalSite(t, chromium, { pages, answer: of("Readers") });
  const page = await open();
  await until(async () => (await text(page, "#hero")) === "For you", "it is applied");
  assert.equal((await first(page, "dataLayer")).msci_segments, "Readers");
});
