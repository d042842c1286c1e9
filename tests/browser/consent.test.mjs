// @ts-check
// No consent, no trace: what a real browser keeps and sends where the visitor has not said yes, says no, or takes it
// back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { gate } from "../support/gate.mjs";
import { call, cookieId, events, go, names, status, track } from "../support/sdk.mjs";
import { setUp } from "../support/setup.mjs";
import { until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

const ALL = { storage: "granted", analytics: "granted", personalization: "granted" };
const DOWN = { status: 503, headers: { "retry-after": "1" } };

/** @type {string[]} */
const faults = [];
const { msci, chromium } = await setUp();

/**
 * A browser that nobody has seen before, at a site of its own that this test has set up.
 * @param {import("node:test").TestContext} t
 * @param {Record<string, unknown>} [consent] settings
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function visit(t, consent, options) {
  if (consent) {
    const { body } = await msci.admin("GET", "/settings");
    assert.equal((await msci.admin("PUT", "/settings", { consent })).status, 200);
    atEnd(t, () => msci.admin("PUT", "/settings", { consent: body.consent }));
  }
  const site = await gate(msci.base, t);
  const context = await chromium.newContext(options);
  atEnd(t, () => context.close());
  context.on("weberror", (error) => faults.push(String(error.error())));
  const page = await context.newPage();
  return { site, context, page, id: () => cookieId(context, site.base) };
}

/** What the browser keeps of the site. @param {Page} page */
async function kept(page) {
  const cookies = await page.context().cookies();
  const stored = await page.evaluate(async () => ({
    keys: [...Object.keys(localStorage), ...Object.keys(sessionStorage)],
    databases: (await indexedDB.databases()).map(({ name }) => name),
  }));
  return [...cookies.map(({ name, value }) => `${name}=${value}`), ...stored.keys, ...stored.databases];
}

/** A visitor who does things. @param {Page} page */
async function lives(page) {
  await page.evaluate(() => {
    const { MSCI } = /** @type {any} */ (window);
    const button = document.createElement("button");
    button.textContent = "Buy";
    document.body.append(button);
    history.pushState({}, "", "/another");
    return Promise.all([MSCI.trackEvent({ name: "tried" }), MSCI.setProperty("plan", "gold"), MSCI.decisions()]);
  });
  await page.click("button");
}

/** @param {Page} page */
const leaves = (page) => page.goto("about:blank");
/** @param {Page} page */
const delivered = (page) => until(async () => (await status(page)).queued === 0, "everything is acknowledged");
/** @param {import("../support/gate.mjs").Gate} site */
const asked = (site) => site.asked.filter((path) => !/msci\.js|\/assets\//.test(path));

test("C4 without the consent that is required nothing but the script is asked for, and nothing is kept", async (t) => {
  const { site, page } = await visit(t, { mode: "required" });
  await go(page, `${site.base}/`);
  await lives(page);
  assert.deepEqual(await kept(page), []);
  await go(page, `${site.base}/next`);
  await lives(page);
  assert.deepEqual(await kept(page), []);
  await leaves(page);
  assert.deepEqual([site.arrived.length, asked(site)], [0, []]);
});

test("C4 what happened before the grant is sent in order after it, and the next page knows", async (t) => {
  const { site, page, id } = await visit(t, { mode: "required" });
  await go(page, `${site.base}/`);
  await track(page, names(3));
  await call(page, "setConsent", ALL);
  await delivered(page);
  assert.deepEqual(site.signals().map(({ name, type }) => name ?? type), ["consent", "view", "e1", "e2", "e3"]);
  assert.deepEqual((await events(msci, await id())).sort(), names(3));
  await go(page, `${site.base}/next`);
  await track(page, ["e4"]);
  await delivered(page);
  assert.equal(site.signals().length, 7);
});

test("C4 what happened before a refusal is discarded, and the refusal leaves no trace", async (t) => {
  const { site, page } = await visit(t, { mode: "required" });
  await go(page, `${site.base}/`);
  await track(page, names(3));
  await call(page, "setConsent", { storage: "denied", analytics: "denied" });
  assert.equal((await status(page)).queued, 0);
  await lives(page);
  assert.deepEqual(await kept(page), []);
  await leaves(page);
  assert.deepEqual([site.arrived.length, asked(site)], [0, []]);
});

test("C4 a setting leaves out what happened before the grant", async (t) => {
  await msci.admin("PUT", "/settings", { capture: { sendAfterGrant: false } });
  atEnd(t, () => msci.admin("PUT", "/settings", { capture: { sendAfterGrant: true } }));
  const { site, page } = await visit(t, { mode: "required" });
  await go(page, `${site.base}/`);
  await track(page, ["before"]);
  await call(page, "setConsent", ALL);
  await track(page, ["after"]);
  await delivered(page);
  assert.deepEqual(site.signals().map(({ name, type }) => name ?? type), ["consent", "after"]);
});

for (const [mode, remains] of /** @type {const} */ ([["implied", ["_msci_consent"]], ["required", []]])) {
  test(`C4 F41 consent that is taken back with a full queue: nothing of it is sent or kept, the edge is told, and nothing comes after (${mode})`, async (t) => {
    const { site, context, page, id } = await visit(t, { mode });
    await go(page, `${site.base}/`);
    await call(page, "setConsent", ALL);
    await track(page, ["arrived"]);
    await delivered(page);
    const who = await id();
    const other = await context.newPage();
    await go(other, `${site.base}/other`);
    await delivered(other);
    site.otherwise = DOWN;
    for (const tab of [page, other]) await track(tab, names(40));
    await until(() => site.signals().some(({ name }) => name === "e1"), "sending was tried");
    await until(async () => (await status(page)).transport === "retrying", "and failed");
    site.otherwise = "pass";
    site.arrived.length = 0;
    await call(page, "setConsent", { storage: "denied" });
    await until(async () => (await status(page)).queued === 0, "the edge was told");
    assert.deepEqual(site.signals().map(({ type, purposes }) => [type, purposes]), [["consent", { storage: "denied" }]]);
    for (const tab of [page, other]) {
      await lives(tab);
      assert.equal((await status(tab)).queued, 0);
    }
    assert.deepEqual(await kept(page), remains);
    await page.goto(`${site.base}/next`);
    await status(page);
    await lives(page);
    for (const tab of [page, other]) await leaves(tab);
    assert.equal(site.signals().length, 1, "nothing came after");
    assert.deepEqual(await events(msci, who), ["arrived"]);
    // The edge knows too: what somebody else still has of this cookie is refused.
    const late = await msci.collect({
      cookieId: who,
      stream: "c0ffee00-0000-4000-8000-000000000000",
      signals: [{ seq: 1, time: Date.now(), type: "event", name: "late" }],
    });
    assert.deepEqual(late.body.rejected.map((/** @type {any} */ rejected) => rejected.code), ["consent_missing"]);
  });
}

test("C5 Global Privacy Control stands above everything that is granted, and leaves no trace", async (t) => {
  for (const [how, options] of /** @type {[string, import("playwright-core").BrowserContextOptions][]} */ ([
    ["the browser says it to scripts and servers", { extraHTTPHeaders: { "Sec-GPC": "1" } }],
    ["the browser says it to scripts alone", {}],
    ["something says it to servers alone", { extraHTTPHeaders: { "Sec-GPC": "1" } }],
  ])) {
    const { site, context, page } = await visit(t, undefined, options);
    if (/scripts/.test(how)) {
      await context.addInitScript(() => void Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true }));
    }
    await go(page, `${site.base}/`);
    await call(page, "setConsent", ALL);
    await lives(page);
    assert.equal((await status(page)).consent.gpc, true, how);
    assert.deepEqual(await kept(page), [], how);
    await leaves(page);
    assert.deepEqual([site.arrived.length, asked(site)], [0, []], how);
  }
});

test("C5 what an earlier visit left is gone once the browser says Global Privacy Control", async (t) => {
  const { site, context, page } = await visit(t);
  await go(page, `${site.base}/`);
  site.otherwise = DOWN;
  await track(page, names(3));
  await leaves(page);
  site.otherwise = "pass";
  site.arrived.length = 0;
  await context.addInitScript(() => void Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true }));
  await go(page, `${site.base}/next`);
  await until(async () => (await kept(page)).length === 0, "nothing is kept");
  await leaves(page);
  assert.equal(site.arrived.length, 0);
});

test("C6 an opt-out survives reloads and a second copy of the SDK; only an opt-in lifts it", async (t) => {
  const { site, page } = await visit(t);
  const OPTED_OUT = ["_msci_optout=1"];
  await go(page, `${site.base}/`);
  await track(page, ["before"]);
  await delivered(page);
  site.otherwise = DOWN;
  await track(page, names(3));
  await call(page, "optOut");
  await until(async () => (await kept(page)).join() === OPTED_OUT.join(), "only the opt-out is kept");
  site.otherwise = "pass";
  site.arrived.length = 0;
  // A second instance has a name, a configuration and a wish of its own.
  site.pages["/two"] =
    '<script src="/_msci/msci.js" data-ingestion-key="local"></script>' +
    '<script src="/_msci/msci.js?2" data-ingestion-key="local" data-name="SECOND"></script>';
  for (const path of ["/next", "/two", "/two"]) {
    await go(page, site.base + path);
    await call(page, "setConsent", ALL);
    await call(page, "initialize", { ingestionKey: "local" }).catch(() => {});
    await lives(page);
    assert.deepEqual(await call(page, "setUser", { name: "Ada" }), { status: "refused", reason: "opted_out" });
    assert.deepEqual(await kept(page), OPTED_OUT);
  }
  await page.evaluate(async () => {
    const { SECOND } = /** @type {any} */ (window);
    await SECOND.setConsent({ storage: "granted", analytics: "granted" });
    await SECOND.trackEvent({ name: "second" });
  });
  assert.deepEqual(await kept(page), OPTED_OUT);
  await leaves(page);
  assert.equal(site.arrived.length, 0);
  await go(page, `${site.base}/back`);
  await call(page, "optIn");
  await track(page, ["after"]);
  await delivered(page);
  assert.deepEqual(site.signals().map(({ name }) => name), ["after"]);
  await go(page, `${site.base}/`);
  await delivered(page);
  assert.equal(site.signals().length, 2, "the next page knows that it was lifted");
});

test("no page of this file had an error", () => assert.deepEqual(faults, []));
