// @ts-check
// Between the queue and the edge, in a real browser: whatever the network and the server do, a signal arrives once or
// is counted.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { PORTAL, gate } from "../support/gate.mjs";
import { answered, call, cookieId, dropped, events, go, names, pass, run, status, stopClock, track } from "../support/sdk.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("../support/gate.mjs").Fate} Fate */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
/** @type {string[]} */
const faults = [];
before(async () => {
  msci = await system();
  chromium = await launch(undefined, { args: ["--host-resolver-rules=MAP nowhere.example ~NOTFOUND"] });
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/** A browser that nobody has seen before, at a site of its own. @param {import("node:test").TestContext} t */
async function visit(t, { clock = true } = {}) {
  const site = await gate(msci.base, t);
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  context.on("weberror", (error) => faults.push(String(error.error())));
  if (clock) await stopClock(context);
  const page = await context.newPage();
  const arrivals = (/** @type {number} */ n) => () => site.arrived.length >= n;
  // In the order of their numbers: times are corrected by request, and here no two clocks agree.
  const stored = async () => (await events(msci, await cookieId(context, site.base))).sort((a, b) => +a.slice(1) - +b.slice(1));
  return { site, context, page, arrivals, stored };
}

/** As `visit`, on a page whose view has arrived. @param {import("node:test").TestContext} t */
async function visited(t) {
  const visitor = await visit(t);
  await go(visitor.page, `${visitor.site.base}/`);
  await run(visitor.page, visitor.arrivals(1));
  await answered(visitor.page);
  visitor.site.arrived.length = 0;
  return visitor;
}

const retries = (/** @type {import("../support/gate.mjs").Gate} */ site) => site.arrived.map(({ headers }) => headers["x-retry-count"]);
const sizes = (/** @type {import("../support/gate.mjs").Gate} */ site) => site.arrived.map(({ batch }) => batch.signals.length);
/** @param {any[]} signals */
const identities = (signals) => signals.map(({ cookieId, stream, seq }) => `${cookieId}:${stream}:${seq}`);

test("B1 408, 429 and 5xx are tried again under the same names, and each later try says which it is", async (t) => {
  const { site, page, arrivals, stored } = await visited(t);
  site.next = [408, 429, 500, 503].map((status) => ({ status }));
  await track(page, ["e1"]);
  await run(page, arrivals(5));
  await answered(page);
  assert.deepEqual(retries(site), [undefined, "1", "2", "3", "4"]);
  assert.equal(new Set(identities(site.signals())).size, 1);
  assert.deepEqual(await stored(), ["e1"]);
  await track(page, ["e2"]);
  await run(page, arrivals(6));
  assert.equal(site.arrived[5]?.headers["x-retry-count"], undefined, "a success ends the count");
});

test("B1 F29 400 and 404 are given up and counted, and the next batch goes on", async (t) => {
  const { site, page, arrivals, stored } = await visited(t);
  site.next = [{ status: 400, body: '{"error":{"code":"invalid_batch","message":""}}' }, { status: 404, body: "Not here" }];
  for (const [n, name] of names(3).entries()) {
    await track(page, [name]);
    await run(page, arrivals(n + 1));
    await answered(page);
  }
  assert.deepEqual([await dropped(page, "invalid_batch"), await dropped(page, "http_404")], [1, 1]);
  assert.deepEqual(await stored(), ["e3"]);
});

for (const code of [401, 403]) {
  test(`B1 F29 after a ${code} everything is kept, and nothing is sent before the next page`, async (t) => {
    const { site, page, arrivals, stored } = await visited(t);
    site.otherwise = { status: code };
    await track(page, ["e1"]);
    await run(page, arrivals(1));
    await answered(page);
    await track(page, names(25, 2));
    assert.deepEqual(await call(page, "setUser", {}).catch(() => "refused"), "refused");
    await pass(page, 60 * MINUTE, 5 * MINUTE);
    assert.equal(site.arrived.length, 1);
    assert.deepEqual([(await status(page)).transport, (await status(page)).queued], ["paused", 26]);
    site.otherwise = "pass";
    await go(page, `${site.base}/next`);
    await run(page, async () => (await status(page)).queued === 0);
    assert.deepEqual(await stored(), names(26));
  });
}

test("B1 F29 413 halves the batch down to one signal, which is given up and counted", async (t) => {
  const { site, page, stored } = await visited(t);
  site.next = [20, 10, 5, 2, 1].map(() => ({ status: 413 }));
  await track(page, names(20));
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(sizes(site).slice(0, 6), [20, 10, 5, 2, 1, 2]);
  assert.equal(await dropped(page, "http_413"), 1);
  assert.deepEqual(await stored(), names(19, 2));
});

test("B1 F29 one bad signal is rejected by itself and counted, the others of its batch arrive", async (t) => {
  const { page, stored } = await visited(t);
  await track(page, ["e1"]);
  await track(page, ["e2"], { long: "x".repeat(9000) });
  await track(page, ["e3"]);
  await run(page, async () => (await status(page)).queued === 0);
  const { rejected } = await status(page);
  assert.deepEqual(rejected.map((/** @type {any} */ of) => of.n), [1]);
  assert.deepEqual(await stored(), ["e1", "e3"]);
});

test("B2 Retry-After is waited for; an absurd one for five minutes at most, one that makes no sense not at all", async (t) => {
  const { site, page, arrivals, stored } = await visited(t);
  const tomorrow = new Date(Date.now() + DAY).toUTCString();
  /** @type {[string, number, number][]} header, and the bounds of the wait in ms */
  const said = [
    ["2", 1900, 2100],
    ["0", 900, 1100],
    ["86400", 299_000, 300_000],
    ["1e30", 299_000, 300_000],
    [tomorrow, 299_000, 300_000],
    ["-5", 900, 1100],
  ];
  site.next = said.map(([after]) => ({ status: 429, headers: { "retry-after": after } }));
  await track(page, ["e1"]);
  await run(page, arrivals(1));
  await answered(page);
  // Not even a `setUser` goes before.
  await track(page, ["e2"]);
  for (const [n, [after, least, most]] of said.entries()) {
    const waited = await run(page, arrivals(n + 2), { step: most > 10_000 ? 1000 : 100 });
    await answered(page);
    assert.ok(waited >= least && waited <= most, `Retry-After: ${after}: waited ${waited} ms`);
  }
  assert.deepEqual(await stored(), ["e1", "e2"]);
});

test("B2 an edge that asked for time is left alone by a page that goes, and the next page sends", async (t) => {
  const { site, page, arrivals, stored } = await visited(t);
  site.otherwise = { status: 503, headers: { "retry-after": "60" } };
  await track(page, ["e1"]);
  await run(page, arrivals(1));
  await answered(page);
  await page.goto("about:blank");
  assert.equal(site.arrived.length, 1);
  site.otherwise = "pass";
  await go(page, `${site.base}/`);
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(await stored(), ["e1"]);
});

test("B2 one request at a time is under way, however much there is to send", async (t) => {
  const { site, page, stored } = await visited(t);
  site.next = ["silent"];
  await track(page, names(70));
  void page.evaluate(() => void (/** @type {any} */ (window).MSCI.setUser({ name: "Ada" })));
  await until(() => site.arrived.length > 0, "a request is there");
  await page.clock.runFor(20_000);
  assert.equal(site.arrived.length, 1);
  // Its time is up after thirty seconds.
  await page.clock.runFor(11_000);
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(sizes(site), [20, 20, 20, 20, 11]);
  assert.deepEqual(await stored(), names(70));
});

test("B3 twenty signals are one request at once, fewer go together after a second, setUser at once with all before it", async (t) => {
  const { site, page, arrivals } = await visited(t);
  await track(page, names(20));
  await until(arrivals(1), "twenty are sent without the clock");
  await answered(page);
  await track(page, names(3));
  await page.clock.runFor(999);
  assert.equal(site.arrived.length, 1);
  await page.clock.runFor(1);
  await until(arrivals(2), "three are sent after a second");
  await answered(page);
  await page.evaluate(() => {
    const { MSCI } = /** @type {any} */ (window);
    MSCI.trackEvent({ name: "before" });
    MSCI.trackView({ uri: "/before" });
    MSCI.setUser({ name: "Ada" });
    MSCI.trackEvent({ name: "later" });
  });
  await until(arrivals(3), "the user is sent without the clock");
  assert.deepEqual(sizes(site), [20, 3, 3]);
  assert.deepEqual(site.arrived[2]?.batch.signals.map((/** @type {any} */ signal) => signal.type), ["event", "view", "user"]);
});

test("B4 F25 F32 of 200 KB a page that goes sends several pieces within the quota, the next page sends the rest, once", async (t) => {
  const { site, context, page, stored } = await visited(t);
  site.next = ["silent"];
  await track(page, names(98), { filling: "x".repeat(2000) });
  await until(() => site.arrived.length === 1, "the first batch is under way");
  await page.goto("about:blank");
  await until(() => site.arrived.length >= 4, "three pieces arrived");
  // The browser may break off the first when the page goes; then that one makes room for another piece.
  const bytes = site.arrived.slice(0, 4).map((arrived) => arrived.bytes);
  assert.ok(Math.max(...bytes) <= 16 * 1024, `${bytes}`);
  assert.ok(bytes.reduce((sum, n) => sum + n, 0) <= 64 * 1024, `${bytes}`);
  await go(page, `${site.base}/next`);
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(await stored(), names(98));
  assert.equal(new Set(identities(site.signals())).size, 98 + 1, "under the names they had");
  await context.close();
});

for (const [what, answer] of /** @type {[string, { status: number } | undefined][]} */ ([["404", { status: 404 }], ["blocked", undefined]])) {
  test(`B6 where the script is ${what}, calls settle, throw nothing and do not pile up`, async (t) => {
    const { site, page } = await visit(t, { clock: false });
    const { body } = await msci.admin("GET", "/snippet");
    site.pages["/"] = body.script;
    await page.route("**/msci.js", (route) => (answer ? route.fulfill(answer) : route.abort("blockedbyclient")));
    await page.goto(`${site.base}/`);
    const seen = await page.evaluate(async () => {
      const { MSCI } = /** @type {any} */ (window);
      const early = Array.from({ length: 1000 }, (_, n) => MSCI.trackEvent({ name: `e${n}` }));
      const settled = await Promise.all([...early, MSCI.setUser({ authId: "K" }), MSCI.flush(), MSCI.decisions()]);
      return { waiting: MSCI._q.length, said: [...new Set(settled.map((value) => JSON.stringify(value)))] };
    });
    assert.deepEqual(seen, { waiting: 0, said: ['{"status":"refused","reason":"not_loaded"}'] });
  });
}

test("B7 what is called before the SDK is there runs in order, and each promise settles", async (t) => {
  const { site, page } = await visit(t, { clock: false });
  const { body } = await msci.admin("GET", "/snippet");
  site.pages["/"] = `${body.script}<script>
    const order = [];
    window.done = Promise.allSettled([
      MSCI.setProperty("plan", "gold"),
      MSCI.trackEvent({ name: "one" }),
      MSCI.trackEvent({}),
      MSCI.setUser({ name: "Ada" }),
      MSCI.trackEvent({ name: "two" }),
      MSCI.flush(),
    ].map((promise, n) => promise.finally(() => order.push(n)))).then((all) => all.map(({ status, reason, value }) => reason?.code ?? value?.status ?? status));
  </script>`;
  await page.goto(`${site.base}/`);
  const all = await page.evaluate(() => /** @type {any} */ (window).done);
  assert.deepEqual(all, ["fulfilled", "fulfilled", "name_missing", "already", "fulfilled", "fulfilled"]);
  const signals = site.signals();
  assert.deepEqual(signals.map((signal) => signal.name ?? signal.type), ["view", "one", "Ada", "two"]);
  assert.deepEqual(signals.filter(({ type }) => type !== "user").map((signal) => signal.properties), [{ plan: "gold" }, { plan: "gold" }, { plan: "gold" }]);
});

test("B9 a runaway loop is limited with one warning and a count, and harms nothing else on the page", async (t) => {
  const { page, stored } = await visited(t);
  /** @type {string[]} */
  const warnings = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  await page.evaluate(() => {
    const { MSCI } = /** @type {any} */ (window);
    const loop = Array.from({ length: 150 }, (_, n) => MSCI.trackEvent({ name: `e${n + 1}` }));
    return Promise.all([...loop, MSCI.trackView({ uri: "/other" }), MSCI.trackAction({ name: "Buy" })]);
  });
  await pass(page, 1000);
  await track(page, ["e151"]);
  await run(page, async () => (await status(page)).queued === 0);
  assert.equal(warnings.length, 1, `${warnings}`);
  assert.equal(await dropped(page, "rate_limited"), 50);
  assert.deepEqual((await status(page)).acknowledged, 1 + 100 + 2 + 1);
  assert.deepEqual(await stored(), [...names(100), "e151"]);
});

test("F27 after a week offline all signals arrive in order, one request after the other", async (t) => {
  const { site, context, page, stored } = await visited(t);
  await context.setOffline(true);
  for (let day = 0; day < 7; day += 1) {
    await track(page, names(10, day * 10 + 1));
    await page.clock.fastForward(DAY);
  }
  assert.equal(site.arrived.length, 0);
  assert.equal((await status(page)).queued, 70);
  site.most = 0;
  await context.setOffline(false);
  await run(page, async () => (await status(page)).queued === 0);
  assert.equal(site.most, 1);
  const seqs = site.signals().map((signal) => signal.seq);
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
  assert.ok(seqs.length === 70 && site.arrived.length <= 8, `${site.arrived.length} requests: a session each`);
  assert.deepEqual(await stored(), names(70));
});

/** A server that speaks no TLS, where TLS is spoken. @param {import("node:test").TestContext} t */
async function noTls(t) {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 mail.example\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  return `https://localhost:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

for (const [number, what, fate] of /** @type {[string, string, Fate][]} */ ([
  ...[408, 429, 500, 502, 503, 504].map((status) => ["F28", String(status), { status }]),
  ["F28", "a connection that breaks", "reset"],
  ["F28", "no answer at all", "silent"],
  ["F30", "a request that is cut off", "cut"],
  ["F31", "an answer that is lost", "lost"],
  ["F31", "an answer that is cut off", "half"],
  ["F31", "the page of a captive portal", PORTAL],
])) {
  test(`${number} after ${what}, twice, a signal is kept, tried again, and arrives once`, async (t) => {
    const { site, page, arrivals, stored } = await visited(t);
    site.next = [fate, fate];
    await track(page, ["e1"]);
    for (let n = 1; n <= 3; n += 1) {
      if (fate !== "silent") await run(page, arrivals(n));
      else for (let waited = 0; site.arrived.length < n && waited < 60; waited += 1) await page.clock.runFor(1000);
      await until(arrivals(n), `try ${n}`);
    }
    await answered(page);
    assert.deepEqual(retries(site), [undefined, "1", "2"]);
    assert.deepEqual(await stored(), ["e1"]);
    assert.deepEqual([(await status(page)).queued, (await status(page)).rejected], [0, []]);
  });
}

test("F30 a batch that was damaged on the way stores nothing, and is sent again", async (t) => {
  const { site, page, stored } = await visited(t);
  site.next = ["damaged"];
  await track(page, ["e1"]);
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(site.arrived.map(({ answer }) => answer?.status), [400, 200]);
  assert.deepEqual(await stored(), ["e1"]);
  // What is refused each time is not the way's fault.
  site.next = ["damaged", "damaged", "damaged"];
  await track(page, ["e2"]);
  await run(page, async () => (await status(page)).queued === 0);
  assert.equal(await dropped(page, "invalid_json"), 1);
});

for (const [what, told] of /** @type {[string, import("../support/gate.mjs").Told][]} */ ([
  ["an empty 200", { status: 200 }],
  ["a 204", { status: 204 }],
  ["JSON that says nothing", { status: 200, headers: { "content-type": "application/json" }, body: '{"success":true}' }],
  ["a redirect to a page of the site", { status: 302, headers: { location: "/login" } }],
  ["a redirect to another site", { status: 302, headers: { location: "http://nowhere.example/portal" } }],
])) {
  test(`F31 ${what} acknowledges nothing`, async (t) => {
    const { site, page, arrivals, stored } = await visited(t);
    site.next = [told];
    await track(page, ["e1"]);
    await run(page, arrivals(1));
    await answered(page);
    assert.equal((await status(page)).queued, 1);
    await run(page, arrivals(2));
    await answered(page);
    assert.deepEqual(await stored(), ["e1"]);
  });
}

test("F28 where the edge's name leads nowhere, or nobody speaks TLS, a signal waits for the next page", async (t) => {
  for (const nowhere of ["http://nowhere.example", await noTls(t)]) {
    const { site, context, page } = await visit(t);
    site.pages["/lost"] = `<script src="/_msci/msci.js" data-ingestion-key="local" data-endpoint-url="${nowhere}/_msci/"></script>`;
    await go(page, `${site.base}/lost`);
    await track(page, ["e1"]);
    await run(page, async () => (await status(page)).transport === "retrying");
    assert.equal((await status(page)).queued, 2);
    await go(page, `${site.base}/`);
    await run(page, async () => (await status(page)).queued === 0);
    assert.deepEqual(await events(msci, await cookieId(context, site.base)), ["e1"]);
  }
});

test("F28 what a blocker blocks is tried more and more rarely, then no more before the visitor goes on; the queue is bounded", async (t) => {
  const { page, context, stored } = await visited(t);
  /** By the page's clock. @type {number[]} */
  const tries = [];
  await context.route("**/_msci/collect", async (route) => {
    tries.push(await page.evaluate(() => performance.now()));
    await route.abort("blockedbyclient");
  });
  await track(page, names(50));
  await pass(page, 120 * MINUTE, 30_000);
  const { transport, queued } = await status(page);
  assert.deepEqual([transport, queued], ["blocked", 50]);
  assert.ok(tries.length >= 5 && tries.length <= 12, `${tries.length} tries`);
  const gaps = tries.slice(1).map((at, n) => at - /** @type {number} */ (tries[n]));
  assert.ok(gaps.slice(7).every((gap) => gap >= MINUTE), `${gaps}`);
  // A full queue, a page that is left and looked at, an hour of events: nothing of it makes requests.
  const before = tries.length;
  for (let n = 0; n < 11; n += 1) {
    await track(page, names(100, 51 + n * 100));
    await page.clock.runFor(MINUTE);
  }
  assert.equal(tries.length, before);
  assert.equal((await status(page)).queued, 1000);
  assert.equal(await dropped(page, "queue_full"), 150);
  // Going on to another view is a reason to try: once, and not again within a minute.
  for (let n = 0; n < 10; n += 1) {
    await page.evaluate((n) => history.pushState({}, "", `/view/${n}`), n);
    await page.clock.runFor(1000);
  }
  assert.equal(tries.length, before + 1);
  // Without the blocker everything arrives.
  await context.unroute("**/_msci/collect");
  await page.clock.runFor(5 * MINUTE);
  await page.evaluate(() => history.pushState({}, "", "/view/last"));
  await run(page, async () => (await status(page)).queued === 0);
  assert.ok((await stored()).includes("e1150"));
});

test("F32 where others have used up the quota for requests that outlive the page, a signal waits and arrives once", async (t) => {
  const { site, page, stored } = await visited(t);
  site.next = ["silent"];
  await page.evaluate(() => {
    // Never answered, so it counts until the page ends.
    void fetch("/_msci/collect", { method: "POST", keepalive: true, body: JSON.stringify({ signals: [], filling: "x".repeat(60_000) }) }).catch(() => {});
  });
  await until(() => site.arrived.length === 1, "the quota is taken");
  await track(page, names(20), { filling: "x".repeat(600) });
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(await stored(), names(20));
});

test("F33 what the page's policy forbids is not taken for sent, and arrives from a page that may", async (t) => {
  const { site, context, page } = await visit(t);
  site.headers = { "content-security-policy": "connect-src http://localhost:*/_msci/assets/; script-src * 'unsafe-inline' 'wasm-unsafe-eval'" };
  await go(page, `${site.base}/`);
  await track(page, ["e1"]);
  await pass(page, 5000, 500);
  await page.goto("about:blank");
  assert.equal(site.arrived.length, 0);
  site.headers = {};
  await go(page, `${site.base}/next`);
  await run(page, async () => (await status(page)).queued === 0);
  assert.deepEqual(await events(msci, await cookieId(context, site.base)), ["e1"]);
});

test("no page of this file had an error", () => assert.deepEqual(faults, []));
