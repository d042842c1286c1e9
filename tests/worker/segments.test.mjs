// @ts-check
// Segments and measures as they move with signals and with time alone (scenarios D1, D2, D3, D5).
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, profile } from "../support/signals.mjs";
import { stored } from "../support/stored.mjs";
import { system, until } from "../support/system.mjs";

const DAY = 86_400_000;

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/** @typedef {ReturnType<typeof browser>} Browser */

/** @param {Record<string, unknown>} filters by the segment's name */
async function segments(filters) {
  for (const [name, filter] of Object.entries(filters)) {
    const answer = await msci.admin("PUT", `/segments/${name}`, { filter });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
}

/** @param {Browser} her */
const isIn = async (her) => (await profile(msci, her.cookieId)).body.segmentmembership;

/** What KV holds of somebody: nobody is asked, so nobody is woken. @param {Browser} her @returns {Promise<any>} */
async function snapshot(her, of = msci) {
  const all = Object.values(await of.snapshots()).map((text) => JSON.parse(text));
  return all.find((one) => one.cookieIds?.includes(her.cookieId));
}

const lately = (/** @type {string} */ type, /** @type {string} */ time, /** @type {number} */ n) =>
  `UnifiedActivity/$count($filter=ActivityType eq '${type}' and ActivityTime gt now() sub duration'${time}') ge ${n}`;

test("D1 two lately: now they count, fifteen days old or in the future they do not", async () => {
  await segments({ Twice: lately("visit", "P10D", 2) });
  const now = Date.now();
  const people = { now: [now, now], old: [now - 15 * DAY, now - 15 * DAY], ahead: [now, now + 200_000], one: [now, now - 9 * DAY] };
  /** @type {Record<string, string[]>} */
  const found = {};
  for (const [who, times] of Object.entries(people)) {
    const her = browser();
    await msci.collect(her.batch(...times.map((time) => her.event("visit", {}, { time }))));
    found[who] = await isIn(her);
  }
  assert.deepEqual(found, { now: ["Twice"], old: [], ahead: [], one: ["Twice"] });
});

test("D2 a member through an event that leaves the window leaves at that instant, without a new signal", async () => {
  await segments({ JustNow: lately("ping", "PT1H", 1) });
  await msci.admin("PUT", "/measures/Pings", { aggregate: "count", filter: "ActivityType eq 'ping'", window: "PT1H" });
  const her = browser();
  // It happened nearly an hour ago, and has seconds to go.
  const happened = Date.now() - 3_600_000 + 8_000;
  await msci.collect(her.batch(her.event("ping", {}, { time: happened })));
  const inside = await until(() => snapshot(her), "the snapshot is in KV");
  assert.deepEqual([inside.segments, inside.measures.Pings], [["JustNow"], 1]);
  // Sent and received within a millisecond or a few: that much the time is corrected by.
  assert.ok(Math.abs(inside.validUntil - (happened + 3_600_000)) < 1000, "it says until when it holds");
  const outside = await until(
    async () => (await snapshot(her)).version > inside.version && (await snapshot(her)),
    "the alarm has taken her out, and KV knows",
    30_000,
  );
  assert.deepEqual([outside.segments, outside.measures.Pings], [[], 0]);
  assert.equal(outside.validUntil, undefined);
  assert.deepEqual(await isIn(her), []);
});

test("D2 what enters by time alone says since when to the millisecond, and that it was time", async () => {
  const state = mkdtempSync(join(tmpdir(), "msci-test-"));
  const alone = await system(undefined, { state });
  try {
    await alone.admin("PUT", "/segments/WentCold", {
      filter: "UnifiedActivity/any(a: a/ActivityType eq 'cart' and a/ActivityTime le now() sub duration'PT1H')",
    });
    const her = browser();
    await alone.collect(her.batch(her.event("cart", {}, { time: Date.now() - 3_600_000 + 6_000 })));
    await until(async () => (await snapshot(her, alone))?.segments.includes("WentCold"), "the alarm has put her in", 30_000);
  } finally {
    await alone.stop();
  }
  const rows = await stored(state, async ({ objects, dump }) => {
    const all = await Promise.all(objects().map((id) => dump(id)));
    return all.find((tables) => (tables.membership ?? []).length > 0);
  });
  rmSync(state, { recursive: true, force: true });
  const happened = rows?.signal?.[0]?.time;
  const { since, cause } = JSON.parse(rows?.membership?.[0].body);
  assert.deepEqual([since - happened, cause], [3_600_000, "time"]);
});

test("D3 who has not done something is in until it happens, then out at once", async () => {
  await segments({ NeverBought: "not UnifiedActivity/any(a: a/ActivityType eq 'bought')" });
  const her = browser();
  await msci.collect(her.batch(her.view("/")));
  assert.ok((await isIn(her)).includes("NeverBought"));
  await msci.collect(her.batch(her.event("bought")));
  assert.ok(!(await isIn(her)).includes("NeverBought"));
});

test("D5 a segment over a segment over a measure: one signal moves all three in one step", async () => {
  await msci.admin("PUT", "/measures/Spent", { aggregate: "sum", property: "total", filter: "ActivityType eq 'spent'" });
  await segments({ Spender: "Measures/Spent ge 100", Guest: "IsMemberOfSegment('Spender') and FullName eq null" });
  const her = browser();
  const first = await msci.collect(her.batch(her.event("spent", { total: 99.5 })));
  const second = await msci.collect(her.batch(her.event("spent", { total: 0.5 })));
  assert.equal(second.body.version, first.body.version + 1, "one step is one version");
  const { measures, segmentmembership } = (await profile(msci, her.cookieId)).body;
  assert.equal(measures.Spent, 100);
  assert.deepEqual(segmentmembership.filter((/** @type {string} */ name) => ["Spender", "Guest"].includes(name)), ["Guest", "Spender"]);

  const circle = await msci.admin("PUT", "/segments/Spender", { filter: "IsMemberOfSegment('Guest')" });
  assert.deepEqual([circle.status, circle.body.error.code], [400, "segment_cycle"]);
  assert.equal((await msci.admin("GET", "/segments/Spender")).body.filter, "Measures/Spent ge 100", "nothing is stored");
});

test("measures of a window: every aggregate, of what happened in it and of nothing else", async () => {
  const of = (/** @type {string} */ aggregate, more = {}) => ({ aggregate, property: "total", window: "P30D", filter: "ActivityType eq 'paid'", ...more });
  const measures = {
    Count: of("count", { property: undefined }), Sum: of("sum"), Average: of("average"), Min: of("min"), Max: of("max"),
    First: of("first"), Last: of("last"), Kinds: of("countDistinct", { property: "kind" }),
    AllKinds: of("countDistinct", { property: "kind", window: undefined }), AllSum: of("sum", { window: undefined }),
  };
  for (const [name, measure] of Object.entries(measures)) {
    const answer = await msci.admin("PUT", `/measures/Of${name}`, { ...measure, display: { label: name, unit: "€" } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  const { name, ...kept } = (await msci.admin("GET", "/measures/OfSum")).body;
  assert.deepEqual([name, kept], ["OfSum", { ...measures.Sum, display: { label: "Sum", unit: "€" } }]);
  const her = browser();
  const paid = (/** @type {number} */ days, /** @type {number} */ total, /** @type {string} */ kind) =>
    her.event("paid", { total, kind }, { time: Date.now() - days * DAY });
  await msci.collect(her.batch(paid(1, 4, "card"), paid(29, 10, "cash"), paid(31, 100, "gift"), paid(3, 1, "CARD")));
  const told = (await profile(msci, her.cookieId)).body.measures;
  const found = Object.fromEntries(Object.keys(measures).map((one) => [one, told[`Of${one}`]]));
  assert.deepEqual(found, {
    Count: 3, Sum: 15, Average: 5, Min: 1, Max: 10, First: 10, Last: 4, Kinds: 2, AllKinds: 3, AllSum: 115,
  });
});

test("a measure with a fault is refused with its words, and nothing is stored", async () => {
  for (const [measure, code, words] of /** @type {[Record<string, unknown>, string, string][]} */ ([
    [{ aggregate: "sum" }, "invalid_definition", "property is missing"],
    [{ aggregate: "countDistinct" }, "invalid_definition", "property is missing"],
    [{ aggregate: "median", property: "x" }, "invalid_definition", "median"],
    [{ aggregate: "count", window: "30 days" }, "invalid_definition", "as in P30D"],
    [{ aggregate: "count", window: "PT0S" }, "invalid_definition", "as in P30D"],
    [{ aggregate: "count", window: "-P1D" }, "invalid_definition", "as in P30D"],
    [{ aggregate: "count", window: "P4000D" }, "invalid_definition", "as in P30D"],
    [{ aggregate: "count", filter: "ActivityType eq" }, "invalid_filter", "position 15"],
    [{ aggregate: "count", filter: "ActivityTime gt now() sub duration'P1D'" }, "unsupported_in_definition", "say its window at position 16"],
  ])) {
    const answer = await msci.admin("PUT", "/measures/Faulty", measure);
    assert.deepEqual([answer.status, answer.body.error?.code], [400, code], JSON.stringify(measure));
    assert.ok(answer.body.error.message.includes(words), answer.body.error.message);
  }
  assert.equal((await msci.admin("GET", "/measures/Faulty")).status, 404);
  const never = await msci.admin("PUT", "/segments/Never", { filter: "Measures/OfLast gt now()" });
  assert.deepEqual([never.status, never.body.error?.code], [400, "unsupported_in_definition"]);
});

test("retention: a signal older than it counts nowhere", async () => {
  await msci.admin("PUT", "/measures/Seen", { aggregate: "count", filter: "ActivityType eq 'seen'", window: "P3000D" });
  const her = browser();
  const seen = (/** @type {number} */ days) => her.event("seen", {}, { time: Date.now() - days * DAY });
  const answer = await msci.collect(her.batch(seen(370), seen(360), seen(1)));
  assert.deepEqual(answer.body.rejected.map((/** @type {any} */ one) => one.code), ["too_old"]);
  assert.equal((await profile(msci, her.cookieId)).body.measures.Seen, 2);
  await msci.admin("PUT", "/settings", { retention: { signalDays: 100 } });
  assert.equal((await profile(msci, her.cookieId)).body.measures.Seen, 1, "shortened, it counts for what is there too");
});
