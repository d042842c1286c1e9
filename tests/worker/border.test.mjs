// @ts-check
// What comes from outside and should not get in: bodies that are none, text that would like to be code, pages of
// other origins.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { atEnd } from "../support/at-end.mjs";
import { reader } from "../support/odata.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(() => msci.stop());

const MEGABYTE = 1024 * 1024;

/** @param {Record<string, unknown>} batch */
const text = (batch) => JSON.stringify({ key: "local", sentAt: Date.now(), ...batch });

/**
 * Sends what has to be read before an answer is due, then a little at a time for as long as nobody answers, and never
 * says that it is done. What the other side hangs up on is an error of the connection before it is an answer, to who
 * writes as fast as it can: so nobody does, once the answer is due.
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {Buffer} first
 * @param {Buffer} rest
 * @returns {Promise<{ status: number, code: string }>}
 */
async function endless(path, headers, first, rest) {
  const asked = request(new URL(path, msci.base), { method: "POST", headers: { "transfer-encoding": "chunked", ...headers } });
  // The connection breaks right behind the answer: it is heard as it comes, or not at all.
  const answered = new Promise((resolve, reject) => {
    asked.on("error", reject);
    asked.on("response", (answer) => {
      /** @type {Buffer[]} */
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, code: JSON.parse(Buffer.concat(parts).toString()).error.code }));
    });
  });
  let done = false;
  answered.then(() => (done = true), () => (done = true));
  asked.write(first);
  const PIECE = 4096;
  for (let at = 0; !done && at < rest.length; at += PIECE) {
    // Behind what has arrived, which is looked at between timers and immediates.
    await new Promise((next) => setTimeout(() => setImmediate(next), 20));
    if (!done) asked.write(rest.subarray(at, at + PIECE));
  }
  assert.ok(done, "nobody answers");
  asked.destroy();
  return answered;
}

test("G4 what is no honest batch is refused with a code, and nothing of it is stored", async () => {
  const her = browser();
  const good = her.batch(her.view("/", { properties: { a: 1 } }));
  const with_ = (/** @type {string | RegExp} */ what, /** @type {string} */ instead) => {
    const changed = text(good).replace(what, () => instead);
    assert.notEqual(changed, text(good));
    return changed;
  };
  for (const [what, status, code, body] of /** @type {[string, number, string, string][]} */ ([
    ["a list 10,000 deep", 400, "invalid_json", "[".repeat(10_000) + "]".repeat(10_000)],
    ["an object 10,000 deep", 400, "invalid_json", with_('{"a":1}', '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000))],
    ["an object 17 deep", 400, "invalid_json", with_('{"a":1}', '{"a":'.repeat(17) + "1" + "}".repeat(17))],
    ["two keys of a batch", 400, "invalid_json", with_('"key"', '"key":"local","key"')],
    ["two keys of a property", 400, "invalid_json", with_('{"a":1}', '{"a":1,"\\u0061":2}')],
    ["__proto__ in a batch", 400, "invalid_json", with_('"key"', '"__proto__":{"a":1},"key"')],
    ["__proto__ in a property", 400, "invalid_json", with_('{"a":1}', '{"__proto__":{"a":1}}')],
    ["__proto__ in disguise", 400, "invalid_json", with_('{"a":1}', '{"\\u005f_proto_\\u005f":1}')],
    ["NaN", 400, "invalid_json", with_('{"a":1}', '{"a":NaN}')],
    ["Infinity", 400, "invalid_json", with_('{"a":1}', '{"a":-Infinity}')],
    ["more than a double", 400, "invalid_json", with_('{"a":1}', '{"a":1e999}')],
    ["half of a pair", 400, "invalid_json", with_('{"a":1}', '{"a":"\\udfff"}')],
    ["the other half", 400, "invalid_json", with_('{"a":1}', '{"\\ud800":1}')],
    ["something behind it", 400, "invalid_json", `${text(good)}{}`],
    ["a byte order mark", 400, "invalid_json", `\ufeff${text(good)}`],
    // Several times: it is answered, whether its sender listens while sending or not.
    .../** @type {[string, number, string, string][]} */ (Array(5).fill(["10 MB", 413, "too_large", with_('{"a":1}', `{"a":"${"x".repeat(10 * MEGABYTE)}"}`)])),
  ])) {
    const answer = await msci.fetch("/_msci/collect", { method: "POST", body, headers: { "content-type": "text/plain" } });
    assert.deepEqual([answer.status, answer.body?.error?.code], [status, code], what);
    assert.deepEqual(answer.cookies, {}, what);
  }
  const bytes = Buffer.from(text(good));
  bytes[bytes.indexOf("/")] = 0xff;
  const broken = await msci.fetch("/_msci/collect", { method: "POST", body: bytes });
  assert.deepEqual([broken.status, broken.body.error.code], [400, "invalid_json"]);
  assert.equal((await profile(msci, her.cookieId)).status, 404, "nothing of it is stored");
  assert.equal((await msci.collect(good)).body.accepted, 1, "the batch itself is one");
});

test("G4 a body that never ends is answered where the bound is, plain or unpacked", async () => {
  // So much is let pass, for senders that listen only when they have sent everything; then it is enough.
  const passed = (/** @type {number} */ bound) => Buffer.alloc(16 * MEGABYTE + bound, " ");
  const more = Buffer.alloc(4 * MEGABYTE, " ");
  const plain = await endless("/_msci/collect", {}, passed(MEGABYTE / 2), more);
  assert.deepEqual([plain.status, plain.code], [413, "too_large"]);
  // A thousand to one: what is sent of it is small, what it unpacks to is not read.
  const bomb = gzipSync(Buffer.alloc(200 * MEGABYTE, " "));
  const packed = await endless("/_msci/collect", { "content-encoding": "gzip" }, bomb.subarray(0, 4096), bomb.subarray(4096, -1));
  assert.deepEqual([packed.status, packed.code], [413, "too_large"]);
  const headers = { authorization: `Bearer ${msci.adminToken}`, "content-type": "application/json" };
  const admin = await endless("/_msci/admin/v1/privacy/erase", headers, passed(MEGABYTE / 16), more);
  assert.deepEqual([admin.status, admin.code], [413, "too_large"]);
});

test("G4 a definition is as strict as a batch", async () => {
  const before_ = (await msci.admin("GET", "/settings")).body;
  for (const [status, code, body] of /** @type {[number, string, string][]} */ ([
    [400, "invalid_json", '{"origins":[],"origins":["https://evil.example"]}'],
    [400, "invalid_json", '{"__proto__":{"origins":["https://evil.example"]}}'],
    [400, "invalid_json", `{"identity":${"[".repeat(10_000)}}`],
    [400, "invalid_json", '{"profileDeadlineMs":NaN}'],
    [400, "invalid_json", '{"trackingTable":"\\ud800"}'],
    [413, "too_large", JSON.stringify({ origins: ["x".repeat(10 * MEGABYTE)] })],
  ])) {
    const answer = await msci.admin("PUT", "/settings", body);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], body.slice(0, 60));
  }
  assert.deepEqual((await msci.admin("GET", "/settings")).body, before_);
});

test("G4 a bad row is rejected by itself, whatever is bad about it", async () => {
  const lines = [
    '{"LoyaltyId":"Border1","LoyaltyId":"Border2"}', '{"LoyaltyId":"Border3","__proto__":{"Tier":"Gold"}}',
    `{"LoyaltyId":"Border4","FirstName":${"[".repeat(10_000)}`, '{"LoyaltyId":"Border5","Spend":NaN}',
    '{"LoyaltyId":"Border6","FirstName":"\\ud800"}', '{"LoyaltyId":"Border7"}',
  ];
  const answer = await msci.admin("POST", "/tables/LoyaltySignUps/rows", lines.join("\n"), { "content-type": "application/x-ndjson" });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual([answer.body.received, answer.body.created], [6, 1]);
  assert.deepEqual(answer.body.rejected.map((/** @type {any} */ r) => [r.line, r.code]), [1, 2, 3, 4, 5].map((line) => [line, "invalid_line"]));
});

test("G5 text of a filter is data: quotes, comments and SQL find nothing and change nothing", async () => {
  const ask = reader(msci);
  const rows = async () => (await msci.index("SELECT count(*) AS n FROM imported_row"))[0].n;
  const [count, evil] = [await rows(), [
    "' OR '1'='1", "'; DROP TABLE imported_row; --", "' UNION SELECT * FROM sqlite_master --", "%' OR 1=1 /*", "') OR true OR ('",
    "\\' OR 1=1 --", "?1", ":a", "$.x", "a\u0000b", "Gold'\u2019\uff07", "*/ 1 /*", "x') or contains(msdynci_tier,'G",
  ]];
  for (const value of evil) {
    const quoted = `'${value.replaceAll("'", "''")}'`;
    for (const filter of [
      `msdynci_tier eq ${quoted}`, `contains(msdynci_tier,${quoted})`, `startswith(msdynci_firstname,${quoted})`,
      `msdynci_tier in (${quoted},${quoted})`,
    ]) {
      const found = await ask(`msdynci_customerprofiles?$filter=${encodeURIComponent(filter)}`);
      assert.equal(found.status, 200, `${filter}: ${JSON.stringify(found.body)}`);
      assert.deepEqual(found.body.value, [], filter);
    }
    // Not quoted, it is no filter; in a place for a name or a number, it is neither.
    for (const option of [`$filter=${value}`, `$orderby=${value}`, `$select=${value}`, `$top=${value}`, `$skiptoken=${value}`]) {
      const [name = "", rest = ""] = option.split(/=(.*)/s);
      const refused = await ask(`msdynci_customerprofiles?${name}=${encodeURIComponent(rest)}`);
      assert.equal(refused.status, 400, `${option}: ${JSON.stringify(refused.body).slice(0, 200)}`);
      assert.match(refused.body.error.code, /^[a-z_]+$/);
      assert.ok(!/D1_ERROR|SQLITE_|syntax error/.test(JSON.stringify(refused.body)), "nothing internal is told");
    }
    const searched = await msci.admin("GET", `/customers?search=${encodeURIComponent(value)}`);
    assert.deepEqual([searched.status, searched.body.count], [200, 0], value);
    const segment = await msci.admin("POST", "/segments/preview", { filter: `Tier eq ${quoted}` });
    assert.deepEqual([segment.status, segment.body.count], [200, 0], value);
  }
  assert.equal(await rows(), count);
});

test("G6 a page of another origin collects, forgets, signs out and administers nothing", async () => {
  const her = browser();
  const cookies = { _msci: her.cookieId };
  await msci.collect(her.batch(her.view("/before")), { cookies });
  const admin = { authorization: `Bearer ${msci.adminToken}`, "content-type": "application/json" };
  const writes = /** @type {[string, RequestInit][]} */ ([
    ["/_msci/collect", { method: "POST", body: text(her.batch(her.view("/forged"))) }],
    ["/_msci/forget", { method: "POST" }],
    ["/_msci/reset", { method: "POST" }],
    ["/_msci/admin/v1/settings", { method: "PUT", body: '{"origins":["https://evil.example"]}', headers: admin }],
    ["/_msci/admin/v1/privacy/erase", { method: "POST", body: JSON.stringify({ cookieId: her.cookieId }), headers: admin }],
    ["/_msci/admin/v1/segments/Gold", { method: "DELETE", headers: admin }],
  ]);
  const own = new URL(msci.base).origin;
  for (const [path, init] of writes) {
    for (const from of /** @type {Record<string, string>[]} */ ([
      { origin: "https://evil.example" }, { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      { origin: "null" }, { origin: `${own}.evil.example` }, { origin: own, "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" },
    ])) {
      const answer = await msci.fetch(path, { ...init, cookies, headers: { .../** @type {any} */ (init.headers), ...from } });
      assert.deepEqual([answer.status, answer.body?.error?.code], [403, "origin_not_allowed"], `${path} ${JSON.stringify(from)}`);
      assert.deepEqual(answer.cookies, {}, "and no cookie is changed");
    }
  }
  const kept = (await profile(msci, her.cookieId)).body.unifiedactivity;
  assert.deepEqual(kept.map((/** @type {any} */ a) => a.msdynci_externalurl), ["/before"]);
  assert.deepEqual((await msci.admin("GET", "/settings")).body.origins, []);

  // The site's own pages and programs, which have no origin, may.
  for (const from of /** @type {Record<string, string>[]} */ ([{}, { origin: own, "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }])) {
    assert.equal((await msci.fetch("/_msci/reset", { method: "POST", headers: from })).status, 200);
    assert.equal((await msci.collect(her.batch(her.view("/own")), { headers: from })).status, 200);
    assert.equal((await msci.fetch("/_msci/admin/v1/settings", { method: "PUT", body: "{}", headers: { ...admin, ...from } })).status, 200);
  }
  // A listed one may collect and sign out, and is no administrator.
  const listed = "https://other.shop.example";
  await msci.admin("PUT", "/settings", { origins: [listed] });
  const from = { origin: listed, "sec-fetch-site": "same-site" };
  assert.equal((await msci.collect(her.batch(her.view("/listed")), { headers: from })).status, 200);
  assert.equal((await msci.fetch("/_msci/reset", { method: "POST", headers: from })).status, 200);
  assert.equal((await msci.fetch("/_msci/forget", { method: "POST", cookies, headers: from })).status, 403);
  assert.equal((await msci.admin("PUT", "/settings", {}, from)).status, 403);
});

test("what crawlers send is told and not taken, and makes nobody; a browser that a program drives is a visitor", async () => {
  const her = browser();
  const as = (/** @type {string} */ agent) => msci.collect(her.batch(her.view("/")), { headers: { "user-agent": agent } });
  const crawler = await as("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
  assert.deepEqual([crawler.status, crawler.body.accepted, crawler.body.rejected[0].code], [200, 0, "bot"]);
  assert.deepEqual(crawler.cookies, {});
  assert.equal((await profile(msci, her.cookieId)).status, 404);
  assert.equal((await as("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36")).body.accepted, 1);
});

test("F45 a flood under one cookie is sent away, and its neighbour is heard all the while", async () => {
  const [flood, neighbour] = [browser(), browser()];
  const batch = flood.batch(flood.view("/"));
  /** @type {Set<number>} */
  const answers = new Set();
  let [sent, heard, after] = [0, 0, 0];
  // Each of them asks the cookie's object, until they are sent away; and then for a while more.
  while (after < 10 && sent < 30_000) {
    const next = async () => {
      const { status, body } = await msci.collect(neighbour.batch(neighbour.view(`/${heard}`)));
      assert.deepEqual([status, body.accepted], [200, 1], `the neighbour's batch ${heard}, among ${sent}`);
      heard += 1;
    };
    const [, ...some] = await Promise.all([next(), ...Array.from({ length: 100 }, () => msci.collect(batch))]);
    for (const { status, body, headers } of some) {
      answers.add(status);
      if (status === 429) assert.match(headers.get("retry-after") ?? "", /^\d+$/);
      else assert.equal(body.accepted + body.duplicate, 1, "the object has looked at it");
    }
    sent += some.length;
    after += answers.has(429) ? 1 : 0;
  }
  assert.deepEqual([...answers].sort(), [200, 429], `${sent} requests`);
  assert.ok(heard >= 60, `${heard} of the neighbour's batches`);
  const seen = await profile(msci, neighbour.cookieId);
  assert.equal(seen.body.unifiedactivity.length, Math.min(heard, 200), "all of them are there");
  assert.equal((await profile(msci, flood.cookieId)).body.unifiedactivity.length, 1, "of the flood there is what it said once");
});

test("F45 a network that floods is sent away, whatever ids it makes up and wherever it asks, and others are heard", async () => {
  const [flood, neighbour] = [{ "cf-connecting-ip": "203.0.113.40" }, { "cf-connecting-ip": "203.0.113.41" }];
  /** @type {Record<string, (headers: Record<string, string>) => Promise<import("../support/system.mjs").Answer>>} */
  const asks = {
    decisions: (headers) => msci.fetch("/_msci/decisions?uri=%2F", { headers }),
    collect: (headers) => {
      const who = browser();
      return msci.collect(who.batch(who.view("/")), { headers: { ...headers, "sec-gpc": "1" } });
    },
    forget: (headers) => msci.fetch("/_msci/forget", { method: "POST", headers: { ...headers, origin: msci.base } }),
  };
  let sent = 0;
  for (const [what, ask] of Object.entries(asks)) {
    // Among many that cost little, since what is there fills again meanwhile: it is one count of all that a network asks.
    for (let refused = false; !refused; sent += 100) {
      assert.ok(sent <= 60_000, `${what} is never sent away`);
      const [one, ...rest] = await Promise.all([ask(flood), ...Array.from({ length: 99 }, () => asks.decisions?.(flood))]);
      for (const answer of [one, ...rest]) assert.ok(answer?.status === 200 || answer?.status === 429, JSON.stringify(answer?.body));
      refused = one.status === 429;
    }
    assert.ok(sent >= 6000, `${sent} requests`);
    assert.equal((await ask(neighbour)).status, 200, what);
  }
});

test("a network that brings too many newcomers brings no more, with or without an id of their own, and whoever is known is heard", async () => {
  const from = { "cf-connecting-ip": "203.0.113.50" };
  const [known, elsewhere] = [browser(), browser()];
  assert.equal((await msci.collect(known.batch(known.view("/first")), { headers: from })).body.accepted, 1);
  // None of these is stored, so that they come fast.
  const nobody = { stream: randomUUID(), signals: [browser().view("/")] };
  const drained = async () => {
    for (let n = 0; n < 100; n += 1) {
      const some = await Promise.all(Array.from({ length: 50 }, () => msci.collect(nobody, { headers: { ...from, "sec-gpc": "1" } })));
      if (some.some(({ status }) => status === 429)) return;
    }
    assert.fail("nobody was sent away");
  };
  const fresh = async (/** @type {boolean} */ keeps) => {
    const who = browser();
    const answer = await msci.collect(who.batch(who.view("/")), { headers: from, ...(keeps && { cookies: { _msci: who.cookieId } }) });
    return { who, answer };
  };
  for (const keeps of [false, true]) {
    const { who, answer } = await until(async () => {
      await drained();
      const one = await fresh(keeps);
      return one.answer.status === 429 ? one : undefined;
    }, "one who makes up an id is sent away");
    assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    assert.deepEqual(answer.cookies, {});
    assert.equal((await profile(msci, who.cookieId)).status, 404);
    await drained();
    // Of a site of another domain the id travels in the body alone.
    assert.equal((await msci.collect(known.batch(known.view("/again")), { headers: from })).body.accepted, 1);
    assert.equal((await msci.collect(elsewhere.batch(elsewhere.view("/")), { headers: { "cf-connecting-ip": "203.0.113.51" } })).body.accepted, 1);
    // Comes again later, and is taken then: nothing is lost.
    await until(async () => (await msci.collect(who.batch(who.view("/later")), { headers: from })).body.accepted === 1, "there is room again");
  }
  // Each newcomer takes a place: after one that was let in the next ones wait.
  await drained();
  await until(async () => {
    const one = await fresh(false);
    const next = await Promise.all(Array.from({ length: 4 }, () => fresh(false)));
    return one.answer.status === 200 && next.some(({ answer }) => answer.status === 429);
  }, "the place was taken");
});

test("`forget` takes the cookie away from where it was set: of the site's domain, and of this host", async (t) => {
  await msci.admin("PUT", "/settings", { cookie: { domain: "shop.example" } });
  atEnd(t, () => msci.admin("PUT", "/settings", { cookie: { domain: null } }));
  const her = browser();
  const ids = (/** @type {import("../support/system.mjs").Answer} */ { headers }) => headers.getSetCookie().filter((line) => line.startsWith("_msci="));
  const set = await until(async () => {
    const [line = ""] = ids(await msci.collect(her.batch(her.view("/"))));
    return line.includes("Domain") ? line : undefined;
  }, "the setting holds");
  assert.match(set, /; Path=\/;.*; Domain=shop\.example$/);
  const gone = ids(await msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: her.cookieId } }));
  assert.deepEqual(gone.map((line) => [/; Path=\/;/.test(line), /; Max-Age=0;/.test(line), /; Domain=([^;]*)/.exec(line)?.[1]]), [
    [true, true, "shop.example"],
    [true, true, undefined],
  ]);
});

test("answers that are no page are what they say they are: no browser guesses at their kind", async () => {
  const her = browser();
  const bearer = { headers: { authorization: `Bearer ${msci.adminToken}` } };
  const answers = {
    "collect": await msci.collect(her.batch(her.view("/"))),
    "a refusal": await msci.collect({}),
    "decisions": await msci.fetch("/_msci/decisions?uri=/"),
    "health": await msci.fetch("/_msci/health"),
    "the manifest": await msci.fetch("/_msci/manifest.json"),
    "no address": await msci.fetch("/_msci/nothing"),
    "settings": await msci.admin("GET", "/settings"),
    "no token": await msci.fetch("/_msci/admin/v1/settings"),
    "the console's data": await msci.fetch("/_msci/console/data/nothing"),
    "the read API": await msci.fetch("/_msci/api/data/v9.2/$metadata", bearer),
    "a profile": await profile(msci, her.cookieId),
    "no profile": await profile(msci, randomUUID()),
    "an export": await msci.fetch(`/_msci/admin/v1/privacy/export?cookieId=${her.cookieId}`, bearer),
  };
  for (const [what, { headers }] of Object.entries(answers)) assert.equal(headers.get("x-content-type-options"), "nosniff", what);
});

test("what a stranger asks for by a cookie of somebody else's is the same as by nobody's", async () => {
  const [her, nobody] = [browser(), randomUUID()];
  await msci.collect(her.batch(her.view("/"), her.user("Loyalty1")));
  const seen = async (/** @type {string} */ cookie) => (await msci.fetch("/_msci/decisions?uri=/", { cookies: { _msci: cookie } })).body;
  assert.deepEqual(await seen(her.cookieId), await seen(nobody));
});
