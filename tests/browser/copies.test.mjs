// @ts-check
// Two copies of the SDK on one page, and whatever a page may say to `setUser`, at whatever moment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { TAG, gate } from "../support/gate.mjs";
import { call, cookieId, events, go, status } from "../support/sdk.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
/** @type {string[]} */
const faults = [];
let snippet = "";
before(async () => {
  msci = await system();
  await msci.admin("PUT", "/tables/LoyaltySignUps", { primaryKey: "LoyaltyId", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "LoyaltySignUps" });
  snippet = (await msci.admin("GET", "/snippet")).body.script;
  chromium = await launch(undefined);
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/** @param {import("node:test").TestContext} t */
async function visit(t) {
  const site = await gate(msci.base, t);
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  context.on("weberror", (error) => faults.push(String(error.error())));
  const page = await context.newPage();
  return { site, context, page, id: () => cookieId(context, site.base) };
}

/** @param {import("playwright-core").Page} page */
const delivered = (page) => until(async () => (await status(page)).queued === 0, "everything is acknowledged");
/** @param {{ body: any }} answer */
const authId = (answer) => answer.body.msdynci_loyaltysignups_loyaltyid;

/** An older version's entry: it knows fewer methods, and says who it is. @param {string} path @param {string} body */
const older = (path, body) => (path.startsWith("/old/") ? body.replace(/initialize setUser trackView/, "initialize trackView").concat("\nwindow.older = true;") : body);
const PACKAGE = `<script type="module">${readFileSync(join(root, "sdk/npm/index.js"), "utf8")}; window.package = await MSCI.load({ ingestionKey: "local" });</script>`;
const OLDER = TAG.replace("/_msci/", "/old/");

for (const [what, html] of /** @type {[string, string][]} */ ([
  ["the same tag twice", TAG + TAG],
  ["the snippet twice", "SNIPPETSNIPPET"],
  ["a tag of an older version, then one of this", OLDER + TAG],
  ["a tag of this version, then one of an older", TAG + OLDER],
  ["the snippet of this version, and a tag of an older", `SNIPPET${OLDER}`],
  ["a snippet of an older version, and the snippet of this", `${OLDER}SNIPPET`],
  ["the package, and the snippet", `${PACKAGE}SNIPPET`],
  ["the snippet, and the package", `SNIPPET${PACKAGE}`],
])) {
  test(`F38 ${what}: one of them leads, one view, and every call works`, async (t) => {
    const { site, page, id } = await visit(t);
    site.script = older;
    site.pages["/"] = html.replaceAll("SNIPPET", () => snippet);
    await page.goto(`${site.base}/`);
    await page.waitForFunction(() => /** @type {any} */ (window).MSCI?._q?.on);
    // Both copies have run by now, whichever it was that took over.
    await page.waitForLoadState("load");
    await page.waitForFunction(() => !document.querySelector("script[type=module]") || /** @type {any} */ (window).package);
    const user = await page.evaluate(async () => {
      const window = /** @type {any} */ (globalThis);
      const copies = [window.MSCI, window.package ?? window.MSCI];
      for (const [n, copy] of copies.entries()) await copy.trackEvent({ name: `e${n + 1}` });
      return copies[1].setUser({ name: "Ada" });
    });
    assert.equal(user.status, "already");
    await delivered(page);
    assert.deepEqual(site.signals().map(({ name, type }) => name ?? type), ["view", "e1", "e2", "Ada"]);
    assert.equal(new Set(site.arrived.map(({ batch }) => batch.stream)).size, 1);
    assert.deepEqual(await events(msci, await id()), ["e1", "e2"]);
  });
}

test("F38 two instances by name are two, each with its own view, and share the visitor", async (t) => {
  const { site, page } = await visit(t);
  site.pages["/"] = TAG + TAG.replace("msci.js", "msci.js?2").replace("data-", 'data-name="SECOND" data-');
  await go(page, `${site.base}/`);
  await page.evaluate(() => /** @type {any} */ (window).SECOND.flush());
  await call(page, "flush");
  assert.deepEqual(site.signals().map(({ type }) => type), ["view", "view"]);
  const of = (/** @type {string} */ what) => new Set(site.arrived.map(({ batch }) => batch[what])).size;
  assert.deepEqual([of("cookieId"), of("stream")], [1, 2]);
});

test("F39 setUser before the SDK is there, and twice, links once", async (t) => {
  const { site, page, id } = await visit(t);
  site.pages["/"] = `${snippet}<script>window.both = Promise.all([MSCI.setUser({ authId: "Loyalty390" }), MSCI.setUser({ authId: "Loyalty390" })])</script>`;
  await page.goto(`${site.base}/`);
  const both = await page.evaluate(() => /** @type {any} */ (window).both);
  assert.deepEqual(both.map((/** @type {any} */ one) => one.status), ["merged", "already"]);
  assert.equal(authId(await profile(msci, await id())), "Loyalty390");
});

test("F39 what names nobody is refused by the SDK, and nothing is sent", async (t) => {
  const { site, page } = await visit(t);
  await go(page, `${site.base}/`);
  await call(page, "flush");
  site.arrived.length = 0;
  const codes = await page.evaluate(async () => {
    const huge = "x".repeat(1024 * 1024);
    const cyclic = /** @type {any} */ ({});
    cyclic.authId = cyclic;
    const junk = [undefined, null, "Loyalty1", 7, {}, [], { authId: "" }, { authId: "  " }, { authId: null }, { authId: undefined, name: huge }, { authId: huge }, { authId: 7 }, { authId: "undefined" }, { authId: "[object Object]" }, { authId: { id: 1 } }, cyclic, { authId: 1n }];
    const all = await Promise.allSettled(junk.map((user) => /** @type {any} */ (window).MSCI.setUser(user)));
    return all.map((one) => (one.status === "rejected" ? one.reason.code : one.value));
  });
  const [NOBODY, ID, FIELD] = ["invalid_user", "authid_invalid", "invalid_field"];
  assert.deepEqual(codes, [NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, ID, ID, ID, FIELD, ID, ID, ID, ID, ID, FIELD, FIELD]);
  await call(page, "flush");
  assert.deepEqual(site.arrived, []);
});

test("F39 an id is one, however it is written: emoji, composed or not, with blanks around", async (t) => {
  const ids = [" Zoë☕ ", "Zoe\u0308☕", "Zo\u00eb☕"];
  const customers = new Set();
  for (const id of ids) {
    const { site, page, id: cookie } = await visit(t);
    await go(page, `${site.base}/`);
    assert.equal((await call(page, "setUser", { authId: id })).status, "merged");
    const known = await profile(msci, await cookie());
    assert.equal(authId(known), "Zo\u00eb☕");
    customers.add(known.body.msdynci_customerid);
    const sent = site.signals().find(({ type }) => type === "user").authId;
    assert.equal(sent, "Zo\u00eb☕", "the browser normalises as the edge does");
  }
  assert.equal(customers.size, 1);
});

test("F40 setUser with the page gone at once: the request outlives the page, and the next page is the customer's", async (t) => {
  const { site, page, id } = await visit(t);
  await go(page, `${site.base}/`);
  await page.evaluate(() => {
    void (/** @type {any} */ (window).MSCI.setUser({ authId: "Loyalty401" }));
    location.href = "/next";
  });
  await page.waitForURL("**/next");
  await status(page);
  await delivered(page);
  assert.equal(authId(await profile(msci, await id())), "Loyalty401");
  const users = site.signals().filter(({ type }) => type === "user");
  assert.equal(new Set(users.map(({ stream, seq }) => `${stream}:${seq}`)).size, 1, "one signal, however often it was sent");
});

for (const fate of /** @type {const} */ (["reset", "lost", "silent"])) {
  test(`F40 setUser with the page gone at once and the request ${fate}: the next page sends it, before anything later of its stream`, async (t) => {
    const { site, page, id } = await visit(t);
    await go(page, `${site.base}/`);
    await call(page, "flush");
    site.otherwise = (page) => (page.endsWith("/next") ? "pass" : fate);
    site.arrived.length = 0;
    await page.evaluate(() => {
      const { MSCI } = /** @type {any} */ (window);
      void MSCI.setUser({ authId: `Loyalty40${Math.random()}` });
      void MSCI.trackEvent({ name: "later" });
      location.href = "/next";
    });
    await page.waitForURL("**/next");
    await status(page);
    await delivered(page);
    const taken = site.arrived.filter(({ answer, fate }) => answer && fate === "pass").flatMap(({ batch }) => batch.signals.map((/** @type {any} */ signal) => ({ ...signal, stream: batch.stream })));
    const user = taken.find(({ type }) => type === "user");
    const first = taken.filter(({ stream }) => stream === user.stream)[0];
    assert.equal(first, user, "nothing of its stream arrives before it");
    const known = await profile(msci, await id());
    assert.match(authId(known), /^Loyalty40/);
    await until(async () => (await events(msci, await id())).length > 0, "what came after it is there");
    assert.deepEqual(await events(msci, await id()), ["later"]);
    assert.equal(known.body.msdynci_known, true);
  });
}

test("no page of this file had an error", () => assert.deepEqual(faults, []));
