// @ts-check
// F43 The module is refused, missing, broken, or breaks: its stand-in delivers views and calls, under the same
// names, with the same respect for what the visitor said. Real Chromium, a plain site; one test against the
// running system.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { plainPage, sdkSite, snippet } from "../support/sdk-site.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} Context */
/** @typedef {import("node:test").TestContext} TestContext */

/** @type {import("playwright-core").Browser} */
let chromium;
before(async () => {
  chromium = await launch(undefined);
});
after(() => chromium?.close());

/** How the module is kept from a page, and what `status().wasm` says then. */
const WAYS = /** @type {Record<string, { head?: string, page?: (context: Context) => unknown, says: RegExp }>} */ ({
  "a policy without 'wasm-unsafe-eval'": {
    head: `<meta http-equiv="Content-Security-Policy" content="script-src 'self' 'unsafe-inline'; connect-src 'self'">`,
    says: /CompileError.*(Content Security Policy|unsafe-eval)/,
  },
  "a browser without WebAssembly": {
    page: (context) => context.addInitScript(() => void delete (/** @type {any} */ (window).WebAssembly)),
    says: /WebAssembly is not defined/,
  },
  "a module that is not found": {
    page: (context) => context.route("**/*.wasm", (route) => route.fulfill({ status: 404, contentType: "text/html", body: "<html>" })),
    says: /HTTP status 404/,
  },
  "a module that a blocker holds back": {
    page: (context) => context.route("**/*.wasm", (route) => route.abort()),
    says: /TypeError/,
  },
  "a module that does not come in time": {
    page: (context) => context.route("**/*.wasm", () => {}),
    says: /TimeoutError/,
  },
  "a module that is damaged": {
    page: (context) => context.route("**/*.wasm", (route) => route.fulfill({ contentType: "application/wasm", body: "\0asm and nothing that is one" })),
    says: /CompileError/,
  },
  "a module that is not ours": {
    page: (context) => context.route("**/*.wasm", (route) => route.fulfill({ contentType: "application/wasm", body: Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]) })),
    says: /TypeError/,
  },
});
const NOT_FOUND = WAYS["a module that is not found"];

/**
 * A browser that nobody has seen before, and a site.
 * @param {TestContext} t
 * @param {{ head?: string, page?: (context: Context) => unknown, cfg?: object }} [options]
 */
async function visitor(t, { head = "", page: prepare, cfg } = {}) {
  const site = await sdkSite(t, { "/": plainPage(head + snippet(cfg)), "/two": plainPage(head + snippet(cfg)) });
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  await prepare?.(context);
  /** @type {string[]} */
  const faults = [];
  context.on("weberror", (error) => faults.push(String(error.error())));
  const open = async (path = "/") => {
    const page = await context.newPage();
    await page.goto(site.base + path);
    return page;
  };
  /** Signals as they were accepted, by name. */
  const signals = () =>
    site.batches.flatMap((batch) => batch.signals.map((/** @type {any} */ signal) => ({ ...signal, cookieId: batch.cookieId, stream: batch.stream, name: signal.name ?? signal.type })));
  const cookies = async () => Object.fromEntries((await context.cookies()).map(({ name, value }) => [name, value]));
  return { site, context, open, signals, cookies, faults };
}

/** @param {Page} page @param {string} method @param {unknown[]} parameters @returns {Promise<any>} */
const call = (page, method, ...parameters) =>
  page.evaluate(([method, parameters]) => /** @type {any} */ (window).MSCI[/** @type {string} */ (method)](.../** @type {any[]} */ (parameters)), /** @type {const} */ ([method, parameters]));

/** What is on the device. @param {Page} page */
const stored = (page) =>
  page.evaluate(async () => {
    const bases = (await indexedDB.databases()).map(({ name }) => name);
    return { keys: Object.keys(localStorage), bases, cookie: document.cookie };
  });
const NOTHING = { keys: [], bases: [], cookie: "" };

/**
 * By what they are known by: what a page sends with its last breath may still arrive although it had no
 * answer, and comes again under the same name.
 * @param {any[]} signals
 * @returns {any[]}
 */
const distinct = (signals) => [...new Map(signals.map((signal) => [`${signal.cookieId} ${signal.stream} ${signal.seq}`, signal])).values()];

/** Each once, and no number left out. @param {any[]} signals */
function assertOnce(signals) {
  const names = signals.map(({ cookieId, stream, seq }) => `${cookieId} ${stream} ${seq}`);
  assert.deepEqual([...new Set(names)], names, "nothing twice");
  for (const stream of new Set(signals.map(({ stream }) => stream))) {
    const seqs = signals.filter((signal) => signal.stream === stream).map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.map((_, i) => i + 1), "no gap, in order");
  }
}

for (const [way, how] of Object.entries(WAYS)) {
  test(`F43 with ${way} the view and every call are delivered, and status says why`, async (t) => {
    const { site, open, signals, cookies, faults } = await visitor(t, how);
    const page = await open();
    await call(page, "setProperty", "plan", "gold");
    await call(page, "trackView", { uri: "/by-hand", title: "T", type: "product", properties: { n: 1.5 } });
    await call(page, "trackAction", { name: "Buy", type: "Tap", target: "t", elementId: "e" });
    await call(page, "trackEvent", { name: "order", version: "1.0.0", properties: { total: 120.5, none: null } });
    await call(page, "flush");
    const { _msci: id } = await cookies();
    const [first, ...others] = signals();
    assert.match(id ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual([first.type, first.uri, first.title, first.viewType], ["view", `${site.base}/`, "A plain page", "page"]);
    assert.deepEqual(
      others.map(({ time, cookieId, stream, ...signal }) => signal),
      [
        { seq: 2, type: "view", uri: `${site.base}/by-hand`, title: "T", viewType: "product", name: "view", properties: { plan: "gold", n: 1.5 } },
        { seq: 3, type: "action", uri: `${site.base}/`, name: "Buy", actionType: "Tap", target: "t", elementId: "e", properties: { plan: "gold" } },
        { seq: 4, type: "event", name: "order", version: "1.0.0", properties: { plan: "gold", total: 120.5 } },
      ],
    );
    assertOnce(signals());
    for (const batch of site.batches) {
      assert.deepEqual([batch.key, batch.cookieId], ["local", id]);
      assert.match(`${batch.sdk} ${batch.session.id}`, /^\d+\.\d+\.\d+ [0-9a-f-]{36}$/);
      assert.ok(batch.sentAt > 0 && batch.session.start > 0 && batch.device.language);
    }
    const status = await call(page, "status");
    assert.match(status.wasm, how.says);
    assert.deepEqual([status.cookieId, status.queued, status.acknowledged, status.store, status.rejected], [id, 0, 4, "indexedDB", []]);
    assert.deepEqual(await call(page, "decisions"), { known: false, segments: [], fields: {}, experiences: [] });
    await call(page, "teardown");
    assert.deepEqual(await call(page, "flush"), { status: "refused", reason: "torn_down" });
    assert.deepEqual(faults, []);
  });
}

test("F43 history changes are views, and a click is an action", async (t) => {
  const { open, signals } = await visitor(t, NOT_FOUND);
  const page = await open();
  await call(page, "status");
  await page.evaluate(() => history.pushState({}, "", "/two?x=1"));
  await page.click("#buy");
  await call(page, "flush");
  assert.deepEqual(signals().map(({ type, uri }) => `${type} ${new URL(uri).pathname}`), ["view /", "view /two", "action /two"]);
});

test("F43 wrong arguments reject with their code, and send nothing", async (t) => {
  const { open, signals } = await visitor(t, { ...NOT_FOUND, cfg: { autoCapture: {} } });
  const page = await open();
  const code = (/** @type {string} */ method, /** @type {unknown[]} */ ...parameters) => call(page, method, ...parameters).then(String, (error) => /MSCI: (\w+)/.exec(String(error))?.[1]);
  assert.equal(await code("initialize", { ingestionKey: "other" }), "already_initialized");
  assert.equal(await code("setUser", { authId: "Null" }), "authid_invalid");
  assert.equal(await code("setUser", {}), "invalid_user");
  assert.equal(await code("setUser", { authId: "K", email: 5 }), "invalid_field");
  assert.equal(await code("trackView", {}), "uri_missing");
  assert.equal(await code("trackEvent", { name: " " }), "name_missing");
  assert.equal(await code("trackEvent", { name: "x", properties: { a: {} } }), "invalid_field");
  assert.equal(await code("setConsent", { ads: "granted" }), "invalid_consent");
  await call(page, "flush");
  assert.deepEqual(signals(), []);
});

test("F43 without a required consent there is no trace; once it is there, what happened since is sent in order", async (t) => {
  const { site, open, signals, cookies } = await visitor(t, { ...NOT_FOUND, cfg: { userConsent: false } });
  const page = await open();
  await call(page, "trackEvent", { name: "one" });
  const { consent, queued } = await call(page, "status");
  assert.deepEqual([consent, queued], [{ required: true }, 2]);
  assert.deepEqual([await stored(page), site.called], [NOTHING, []]);
  await call(page, "setConsent", { storage: "granted", analytics: "granted", personalization: "denied" });
  await call(page, "flush");
  assert.deepEqual(signals().map(({ name }) => name), ["consent", "view", "one"]);
  const { _msci: id } = await cookies();
  // The next page knows, the next but one as well: withdrawn.
  const next = await open("/two");
  await call(next, "flush");
  assert.deepEqual([signals().at(-1).name, signals().at(-1).cookieId], ["view", id]);
  const before = signals().length;
  await call(next, "setConsent", { storage: "denied" });
  await call(next, "trackEvent", { name: "later" });
  await until(() => signals().length > before, "the edge hears of it");
  assert.deepEqual(signals().slice(before).map(({ name }) => name), ["consent"]);
  assert.deepEqual([(await stored(next)).keys, await cookies()], [[], {}]);
  assertOnce(signals());
});

test("F43 Global Privacy Control leaves no trace, whatever is granted", async (t) => {
  const { site, open } = await visitor(t, {
    page: async (context) => {
      await NOT_FOUND?.page?.(context);
      await context.addInitScript(() => Object.defineProperty(navigator, "globalPrivacyControl", { value: true }));
    },
  });
  const page = await open();
  await call(page, "setConsent", { storage: "granted", analytics: "granted" });
  await call(page, "trackEvent", { name: "one" });
  assert.deepEqual(await call(page, "setUser", { authId: "Loyalty1" }), { status: "refused", reason: "consent_missing" });
  assert.equal((await call(page, "status")).consent.gpc, true);
  assert.deepEqual([await stored(page), site.called], [NOTHING, []]);
});

test("F43 an opt-out purges the device, lasts, and only an opt-in lifts it", async (t) => {
  const { site, open, signals, cookies } = await visitor(t, NOT_FOUND);
  const page = await open();
  await call(page, "flush");
  await call(page, "optOut");
  assert.deepEqual([await cookies(), (await stored(page)).keys], [{ _msci_optout: "1" }, []]);
  const next = await open("/two");
  assert.deepEqual(await call(next, "setUser", { authId: "Loyalty1" }), { status: "refused", reason: "opted_out" });
  assert.deepEqual([signals().length, await cookies()], [1, { _msci_optout: "1" }]);
  await call(next, "optIn");
  await call(next, "trackEvent", { name: "again" });
  await call(next, "flush");
  assert.notEqual(signals()[1].cookieId, signals()[0].cookieId);
  assert.deepEqual([signals()[1].name, site.called.filter((path) => path.endsWith("/reset")).length], ["again", 1]);
});

test("F43 reset makes another visitor", async (t) => {
  const { open, signals, cookies } = await visitor(t, NOT_FOUND);
  const page = await open();
  await call(page, "setProperty", "plan", "gold");
  await call(page, "reset");
  await call(page, "trackEvent", { name: "after" });
  await call(page, "flush");
  const [view, event] = signals();
  assert.notEqual(view.cookieId, event.cookieId);
  assert.deepEqual([event.seq, event.properties, event.cookieId], [1, undefined, (await cookies())._msci]);
});

test("F43 only an answer that accounts for a batch is an acknowledgement; what has none is sent again", async (t) => {
  const { context, open, signals } = await visitor(t, NOT_FOUND);
  /** @type {(string | undefined)[]} */
  const retries = [];
  const answers = [
    { status: 503, headers: { "retry-after": "1" }, body: "{}" },
    { status: 200, contentType: "text/html", body: "<html>Please sign in to the hotel's network</html>" },
    { status: 200, body: `{"ok":true}` },
  ];
  await context.route("**/collect", (route) => {
    retries.push(route.request().headers()["x-retry-count"]);
    const answer = answers.shift();
    return answer ? route.fulfill(answer) : route.continue();
  });
  const page = await open();
  await call(page, "flush");
  assert.deepEqual(retries, [undefined, "1", "2", "3"]);
  assert.deepEqual(signals().map(({ name }) => name), ["view"]);
  assert.equal((await call(page, "status")).acknowledged, 1);
});

for (const [from, to] of [
  ["the stand-in", "the module"],
  ["the module", "the stand-in"],
]) {
  test(`F43 what ${from} had queued is delivered by ${to} on a later page, once, under its names`, async (t) => {
    const { site, context, open, signals, cookies } = await visitor(t);
    let found = from === "the module";
    site.away = true;
    await context.route("**/*.wasm", (route) => (found ? route.continue() : route.fulfill({ status: 404 })));
    const page = await open();
    for (const name of ["one", "two"]) await call(page, "trackEvent", { name });
    const before = await call(page, "status");
    assert.deepEqual([before.queued, before.wasm === "ok"], [3, found]);
    await page.close();
    site.away = false;
    found = !found;
    const next = await open("/two");
    await until(() => distinct(signals()).length >= 4, "both pages are delivered");
    await call(next, "flush");
    await until(async () => (await call(next, "status")).queued === 0, "all of it is acknowledged");
    assert.equal((await call(next, "status")).wasm === "ok", found);
    assert.deepEqual(distinct(signals()).map(({ name }) => name), ["view", "one", "two", "view"]);
    assert.deepEqual([...new Set(signals().map(({ cookieId }) => cookieId))], [(await cookies())._msci]);
    assertOnce(distinct(signals()));
    // And nothing of it is left for a third.
    const sent = signals().length;
    await next.close();
    const last = await open("/two");
    await call(last, "flush");
    assert.deepEqual(signals().slice(sent).map(({ name }) => name), ["view"]);
  });
}

test("F43 a module that traps is replaced on the page: nothing is lost, nothing twice, no view again", async (t) => {
  const { open, signals, faults } = await visitor(t, {
    page: (context) =>
      context.addInitScript(() => {
        // (module (func (export "t") unreachable))
        const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, 5, 1, 3, 0, 0, 11]);
        const trap = /** @type {any} */ (new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports).t;
        const { instantiate } = WebAssembly;
        WebAssembly.instantiate = async (/** @type {any[]} */ ...args) => {
          const { instance } = await /** @type {any} */ (instantiate).apply(WebAssembly, args);
          const step = (/** @type {any[]} */ ...given) => (/** @type {any} */ (window).broken ? trap() : instance.exports.step(...given));
          return /** @type {any} */ ({ instance: { exports: { ...instance.exports, step } } });
        };
      }),
  });
  const page = await open();
  await call(page, "setProperty", "plan", "gold");
  await call(page, "trackEvent", { name: "before" });
  assert.equal((await call(page, "status")).wasm, "ok");
  await page.evaluate(async () => {
    const { MSCI } = /** @type {any} */ (window);
    const flushed = MSCI.flush();
    /** @type {any} */ (window).broken = true;
    await Promise.all([flushed, MSCI.trackEvent({ name: "at once" }), MSCI.trackEvent({ name: "then" })]);
    await MSCI.flush();
  });
  assert.match((await call(page, "status")).wasm, /RuntimeError: unreachable/);
  await page.click("#buy");
  await call(page, "flush");
  await until(() => distinct(signals()).length >= 5, "everything has arrived");
  const seen = distinct(signals());
  assert.deepEqual(seen.map(({ name }) => name).sort(), ["Buy now", "at once", "before", "then", "view"]);
  assert.equal(new Set(seen.map(({ cookieId }) => cookieId)).size, 1);
  for (const { name, properties } of seen) if (name !== "view") assert.deepEqual(properties, { plan: "gold" });
  assert.deepEqual(faults, []);
});

test("F43 setUser merges at once, and the answer is the edge's", async (t) => {
  const msci = await system(t);
  await msci.admin("PUT", "/tables/LoyaltySignUps", { primaryKey: "LoyaltyId", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "LoyaltySignUps" });
  const site = msci.base.replace("127.0.0.1", "localhost");
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  await context.route("**/*.wasm", (route) => route.fulfill({ status: 404 }));
  const page = await context.newPage();
  await page.goto(`${site}/`);
  await call(page, "trackEvent", { name: "before" });
  assert.deepEqual(await call(page, "setUser", { authId: " Loyalty43 " }), { status: "merged" });
  assert.match((await call(page, "status")).wasm, /404/);
  await call(page, "trackEvent", { name: "after" });
  await call(page, "flush");
  const id = (await context.cookies(site)).find(({ name }) => name === "_msci")?.value ?? "";
  const { body } = await profile(msci, id);
  assert.equal(body.msdynci_loyaltysignups_loyaltyid, "Loyalty43");
  const events = body.unifiedactivity.map((/** @type {any} */ it) => it.msdynci_activitytype).reverse();
  assert.deepEqual(events, ["View", "before", "after"]);
  // Another customer on the same browser: another cookie.
  assert.deepEqual((await call(page, "setUser", { authId: "Loyalty44" })).status, "rotated");
  assert.notEqual((await context.cookies(site)).find(({ name }) => name === "_msci")?.value, id);
});
