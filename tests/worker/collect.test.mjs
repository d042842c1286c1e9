// @ts-check
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { browser, profile } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/**
 * Raw bytes to collect.
 * @param {BodyInit} body
 * @param {Record<string, string>} [headers]
 */
const post = (body, headers = {}) =>
  msci.fetch("/_msci/collect", { method: "POST", body, headers: { "content-type": "text/plain", ...headers } });

/** @param {Record<string, unknown>} batch */
const text = (batch) => JSON.stringify({ key: "local", sentAt: Date.now(), ...batch });

test("text/plain, JSON and gzip are taken alike", async () => {
  const her = browser();
  for (const [body, headers] of /** @type {[BodyInit, Record<string, string>][]} */ ([
    [text(her.batch(her.view("/1"))), {}],
    [text(her.batch(her.view("/2"))), { "content-type": "application/json; charset=utf-8" }],
    [gzipSync(text(her.batch(her.view("/3")))), { "content-encoding": "gzip" }],
  ])) {
    const answer = await post(body, headers);
    assert.deepEqual([answer.status, answer.body.accepted], [200, 1]);
  }
  assert.equal((await profile(msci, her.cookieId)).body.unifiedactivity.length, 3);
});

test("what is no batch is refused whole, with its code, and stores nothing", async () => {
  const her = browser();
  const good = her.batch(her.view("/"));
  const deep = "[".repeat(10_000);
  const bomb = gzipSync(Buffer.alloc(50_000_000, " "));
  for (const [status, code, body, headers] of /** @type {[number, string, BodyInit, Record<string, string>?][]} */ ([
    [400, "invalid_json", "{"],
    [400, "invalid_json", text(good).slice(0, -10)],
    [400, "invalid_json", deep],
    [400, "invalid_json", text(good).replace('"key"', '"key":"local","key"')],
    [400, "invalid_json", text(good).replace('"title":"Page /"', '"title":"\\ud800"')],
    [400, "invalid_json", text(good).replace(/"sentAt":\d+/, '"sentAt":NaN')],
    [400, "invalid_batch", "[]"],
    [400, "invalid_batch", text({ ...good, stream: "x" })],
    [400, "invalid_batch", text({ ...good, cookieId: "not-a-guid" })],
    [400, "invalid_batch", text({ ...good, signals: [] })],
    [400, "invalid_batch", text({ ...good, signals: Array(501).fill(her.view("/")) })],
    [401, "unknown_key", text({ ...good, key: "nobody" })],
    [400, "invalid_gzip", "not gzip at all", { "content-encoding": "gzip" }],
    [413, "too_large", bomb, { "content-encoding": "gzip" }],
    [413, "too_large", "x".repeat(512 * 1024 + 1)],
    [415, "unsupported_media_type", text(good), { "content-type": "application/xml" }],
    [415, "unsupported_encoding", text(good), { "content-encoding": "br" }],
    [403, "origin_not_allowed", text(good), { origin: "https://evil.example" }],
  ])) {
    const answer = await post(body, headers);
    assert.deepEqual([answer.status, answer.body?.error?.code], [status, code], String(body).slice(0, 60));
    assert.ok(answer.body.error.message.length > 5);
  }
  assert.equal((await profile(msci, her.cookieId)).status, 404, "nothing of it is stored");
  const method = await msci.fetch("/_msci/collect");
  assert.equal(method.status, 405);
});

test("a bad signal is rejected by itself and the others are taken", async () => {
  const her = browser();
  const signals = [
    her.view("/good"),
    her.event("", {}),
    her.event("x", {}, { properties: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, i])) }),
    her.view("/old", { time: Date.now() - 366 * 86_400_000 }),
    her.view("/big", { properties: { text: Array(6).fill("x".repeat(8000)) } }),
    her.view("/long", { title: "x".repeat(8193) }),
    { type: "view", uri: "/", time: Date.now(), seq: 0 },
    her.user("null"),
    her.user("Loyalty1"),
    her.event("order", { total: 5 }),
  ];
  const answer = await msci.collect(her.batch(...signals));
  assert.equal(answer.status, 200);
  const codes = answer.body.rejected.map((/** @type {any} */ r) => r.code).sort();
  assert.deepEqual(codes, [
    "invalid_field", "invalid_field", "name_missing", "no_tracking_table", "no_tracking_table",
    "seq_out_of_range", "too_large", "too_old",
  ]);
  const { accepted, duplicate, rejected, ack } = answer.body;
  assert.equal(accepted + duplicate + rejected.length, signals.length);
  assert.equal(accepted, 2);
  assert.equal(ack.upTo, 9);
  const kept = (await profile(msci, her.cookieId)).body.unifiedactivity;
  assert.deepEqual(kept.map((/** @type {any} */ a) => a.msdynci_activitytype).sort(), ["View", "order"]);
});

test("F4 one batch a hundred times is stored once, with the same acknowledgement", async () => {
  const her = browser();
  const batch = her.batch(her.view("/"), her.event("x"));
  const answers = await Promise.all(Array.from({ length: 100 }, () => msci.collect(batch)));
  assert.equal(answers.reduce((sum, a) => sum + a.body.accepted, 0), 2);
  for (const answer of answers) assert.deepEqual(answer.body.ack, { stream: her.stream, upTo: 2 });
  assert.equal((await profile(msci, her.cookieId)).body.unifiedactivity.length, 2);
});

test("without a cookie and without a cookieId one is minted, and the cookie is set", async () => {
  const her = browser();
  const { cookieId: _, ...batch } = her.batch(her.view("/"));
  const answer = await msci.collect(batch);
  assert.match(answer.body.cookieId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(answer.cookies._msci, answer.body.cookieId);
  assert.ok(answer.cookies._msci_v);
});

test("F37 a cookie that is no GUID v4, or doubled, counts as absent", async () => {
  for (const cookie of ["_msci=x", `_msci=${"a".repeat(10_000)}`, `_msci=${randomUUID()}; _msci=${randomUUID()}`]) {
    const her = browser();
    const { cookieId: _, ...batch } = her.batch(her.view("/"));
    const answer = await post(text(batch), { cookie });
    assert.equal(answer.status, 200);
    assert.ok(!cookie.includes(answer.body.cookieId));
  }
});

test("a batch queued under an earlier cookie keeps it, and sets no cookie", async () => {
  const [earlier, now] = [browser(), randomUUID()];
  const answer = await msci.collect(earlier.batch(earlier.view("/")), { cookies: { _msci: now } });
  assert.equal(answer.body.cookieId, now);
  assert.deepEqual(answer.cookies, {});
  assert.equal((await profile(msci, earlier.cookieId)).body.unifiedactivity.length, 1);
});

test("C5 with Global Privacy Control nothing is stored and no cookie set", async () => {
  const her = browser();
  const answer = await msci.collect(her.batch(her.view("/")), { headers: { "sec-gpc": "1" } });
  assert.equal(answer.body.rejected[0].code, "consent_missing");
  assert.deepEqual(answer.cookies, {});
  assert.equal((await profile(msci, her.cookieId)).status, 404);
});

test("C5 the site says that it honours Global Privacy Control, and scripts are told of the header", async () => {
  const said = await msci.fetch("/.well-known/gpc.json");
  assert.deepEqual([said.status, said.body], [200, { gpc: true }]);
  const entry = (/** @type {Record<string, string>} */ headers) => msci.fetch("/_msci/msci.js", { headers });
  assert.match((await entry({ "sec-gpc": "1" })).body, /"gpc":true/);
  const other = await entry({});
  assert.match(other.body, /"gpc":false/);
  assert.equal(other.headers.get("vary"), "Sec-GPC", "no cache gives one visitor another's");
  await msci.admin("PUT", "/settings", { consent: { honourGpc: false } });
  try {
    assert.equal((await msci.fetch("/.well-known/gpc.json")).status, 404);
  } finally {
    await msci.admin("PUT", "/settings", { consent: { honourGpc: true } });
  }
});

test("F41 once storage is taken back the edge takes nothing but consent, and leaves no cookie", async () => {
  const her = browser();
  const cookies = { _msci: her.cookieId, _msci_v: "x.1" };
  const say = (/** @type {string} */ storage) => her.event("", {}, { type: "consent", name: undefined, purposes: { storage } });
  await msci.collect(her.batch(her.view("/before")), { cookies });
  const told = await msci.collect(her.batch(say("denied"), her.view("/with")), { cookies });
  assert.deepEqual([told.body.accepted, told.body.rejected[0].code], [1, "consent_missing"]);
  assert.deepEqual(told.cookies, { _msci_v: "", "__Host-msci_p": "" });
  for (const as of [{ cookies }, {}]) {
    const late = await msci.collect(her.batch(her.view("/late"), her.user(undefined, { name: "Ada" })), as);
    assert.deepEqual(late.body.rejected.map((/** @type {any} */ r) => r.code)[0], "consent_missing");
    assert.equal(late.body.accepted, 0);
    assert.ok(Object.values(late.cookies).every((value) => value === ""), "none is set");
  }
  const granted = await msci.collect(her.batch(say("granted"), her.view("/after")), { cookies });
  assert.equal(granted.body.accepted, 2);
  const seen = await profile(msci, her.cookieId);
  assert.deepEqual(seen.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl).sort(), ["/after", "/before"]);
});

test("C4 where consent is required, signals wait for the grant", async () => {
  await msci.admin("PUT", "/settings", { consent: { mode: "required" } });
  try {
    const her = browser();
    const before = await msci.collect(her.batch(her.view("/before")));
    assert.equal(before.body.rejected[0].code, "consent_missing");
    const granted = { type: "consent", time: Date.now(), seq: 10, purposes: { storage: "granted", analytics: "granted" } };
    const batch = her.batch(granted, her.view("/after", { seq: 11 }));
    assert.equal((await msci.collect(batch)).body.accepted, 2);
    const withdrawn = { type: "consent", time: Date.now() + 1, seq: 12, purposes: { analytics: "denied" } };
    const after = await msci.collect(her.batch(withdrawn, her.view("/too-late", { seq: 13 })));
    assert.deepEqual([after.body.accepted, after.body.rejected[0].code], [1, "consent_missing"]);
  } finally {
    await msci.admin("PUT", "/settings", { consent: { mode: "implied" } });
  }
});

test("query parameters that the site does not name are not stored, whoever sends them", async () => {
  await msci.admin("PUT", "/settings", { capture: { queryParameters: ["q"] } });
  try {
    const her = browser();
    const from = { referrer: "https://s.example/?q=1&email=x#token=2", previous: "/p?token=3" };
    const sent = her.batch(
      her.view("/found?token=4&q=5#top", { title: "Found", ...from }),
      { type: "action", seq: 2, time: Date.now(), name: "Ask", uri: "/found?token=6", target: "Sold out?" },
    );
    assert.equal((await msci.collect(sent)).body.accepted, 2);
    const { msdynci_customerid: id } = (await profile(msci, her.cookieId)).body;
    const { activities } = (await msci.admin("GET", `/customers/${id}/timeline`)).body;
    const seen = activities.map((/** @type {any} */ { uri, referrer, previous, target }) => [uri, referrer, previous, target]);
    assert.deepEqual(seen.sort(), [["/found", undefined, undefined, "Sold out?"], ["/found?q=5#top", "https://s.example/?q=1", "/p", undefined]]);
    assert.ok(!JSON.stringify(activities).includes("token"));
    // What was taken is known again, as it was sent.
    assert.equal((await msci.collect(sent)).body.duplicate, 2);
  } finally {
    await msci.admin("PUT", "/settings", { capture: { queryParameters: "all" } });
  }
});

test("a click in another site's page is let in once its origin is listed", async () => {
  const her = browser();
  const origin = "https://shop.example";
  const from = { headers: { origin } };
  assert.equal((await msci.collect(her.batch(her.view("/")), from)).status, 403);
  await msci.admin("PUT", "/settings", { origins: [origin] });
  const allowed = await msci.collect(her.batch(her.view("/")), from);
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers.get("access-control-allow-origin"), origin);
  assert.equal(allowed.headers.get("access-control-expose-headers"), "Retry-After");
  const preflight = await msci.fetch("/_msci/collect", { method: "OPTIONS", headers: { origin } });
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /x-retry-count/);
});

test("a batch that names more users than people share a computer keeps the first of them, and tells the others", async () => {
  await msci.admin("PUT", "/tables/Crowd", { primaryKey: "Id", columns: {} });
  await msci.admin("PUT", "/settings", { trackingTable: "Crowd" });
  const her = browser();
  const answer = await msci.collect(her.batch(...Array.from({ length: 9 }, (_, n) => her.user(`Crowd${n}`))));
  assert.equal(answer.status, 200);
  const { accepted, duplicate, rejected } = answer.body;
  assert.deepEqual([accepted + duplicate + rejected.length, accepted], [9, 4]);
  assert.deepEqual([...new Set(rejected.map((/** @type {any} */ one) => one.code))], ["too_many_users"]);
});
