// @ts-check
// What a person gets who asks what is held of them: all of it, and enough of it to begin anew elsewhere.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { copyDefinitions, linesOf, replay } from "../support/replay.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(() => msci.stop());

/** @param {Record<string, string>} whom @param {typeof msci} [of] */
const exported = (whom, of = msci) => of.admin("GET", `/privacy/export?${new URLSearchParams(whom)}`);

/** @param {any[]} lines @param {string} kind */
const only = (lines, kind) => lines.filter((line) => line.kind === kind);

const AGO = 10 * 60_000;

/** Somebody with two devices, a long history, opinions and purchases. @param {string} authId */
async function person(authId) {
  const [phone, laptop] = [browser(), browser()];
  const at = (/** @type {number} */ seconds) => ({ time: Date.now() - AGO + seconds * 1000 });
  const about = { sdk: "1.0.0", session: { id: "s1", start: Date.now() - AGO }, device: { language: "fr-FR", timezone: "Europe/Paris", screen: "390x844" } };
  // Further apart than a replay's batches may be late.
  const views = Array.from({ length: 450 }, (_, n) => phone.view(`/coffee-machines/premium/${n}`, at(n / 2)));
  for (let from = 0; from < views.length; from += 150) await msci.collect({ ...phone.batch(...views.slice(from, from + 150)), ...about });
  const merged = await msci.collect({
    ...phone.batch(
      { ...phone.event("", {}, at(250)), type: "consent", name: undefined, properties: undefined, purposes: { personalization: "granted" } },
      phone.event("order_completed", { total: 120.25, "größe": "L", gift: true }, at(251)),
      phone.user(authId, { ...at(252), name: "Ada “Lovelace”\u2028", email: "ada@export.example" }),
    ),
    ...about,
  });
  assert.equal(merged.body.user.status, "merged");
  await msci.collect(laptop.batch(
    laptop.view("/reviews/1", { ...at(260), exposures: "welcome:holdout", properties: { nested: { list: [1, { deep: null }] } } }),
    laptop.event("order_completed", { total: 2000 }, at(261)),
    laptop.user(authId, { ...at(262), localId: "local-7" }),
  ));
  return { authId, phone, laptop, customerId: (await profile(msci, phone.cookieId)).body.msdynci_customerid };
}

/** What a person is to whoever asks, whichever system it is. @param {typeof msci} of @param {string} cookieId */
async function seen(of, cookieId) {
  const id = (await profile(of, cookieId)).body.msdynci_customerid;
  const { body } = await of.admin("GET", `/customers/${id}`);
  /** @type {any[]} */
  const activities = [];
  let token = "";
  do {
    const page = await of.admin("GET", `/customers/${id}/timeline?top=500&skiptoken=${token}`);
    activities.push(...page.body.activities);
    token = page.body.skiptoken ?? "";
  } while (token);
  const { known, cookieIds, table, authId, attributes, measures, segments } = body;
  const told = activities.map(({ time, ...activity }) => activity);
  return {
    shown: { known, cookieIds: cookieIds.sort(), table, authId, attributes, measures, segments, timeline: told },
    times: activities.map(({ time }) => Date.parse(time)),
  };
}

test("G8 an export, replayed into an empty system, is the same profile", async (t) => {
  const { authId, phone, laptop, customerId } = await person("Loyalty3");
  const answer = await exported({ authId });
  assert.equal(answer.status, 200, JSON.stringify(answer.body).slice(0, 300));
  assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
  assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
  const lines = linesOf(answer.body);

  const [first, last] = [lines[0], lines.at(-1)];
  assert.deepEqual([first.kind, first.format, first.customerId, first.authId, first.table], ["customer", 1, customerId, authId, "LoyaltySignUps"]);
  assert.deepEqual(last, { kind: "end", lines: lines.length - 1, signals: 456 });
  const signals = only(lines, "signal");
  assert.deepEqual([signals.length, new Set(signals.map(({ cookieId, stream, seq }) => `${cookieId}:${stream}:${seq}`)).size], [456, 456]);
  const [row] = only(lines, "row");
  assert.deepEqual([row.table, row.key, row.values.LoyaltyId], ["LoyaltySignUps", authId, authId]);
  const given = Object.fromEntries(only(lines, "attribute").map(({ source, name, value }) => [name, [source, value]]));
  assert.deepEqual(given["Email"] ?? given["email"], ["browser", "ada@export.example"], JSON.stringify(given));
  assert.deepEqual(only(lines, "link").map(({ cookieId }) => cookieId).sort(), [phone.cookieId, laptop.cookieId].sort());
  assert.ok(only(lines, "membership").every(({ segment, since }) => segment && Date.parse(since) > 0));
  assert.ok(only(lines, "membership").length > 0 && only(lines, "measure").length > 0);
  assert.deepEqual(only(lines, "consent")[0].purposes, { personalization: "granted" });

  // The same by any of the three names.
  const bare = (/** @type {string} */ text) => linesOf(text).map(({ exportedAt, version, ...line }) => line);
  for (const whom of /** @type {Record<string, string>[]} */ ([{ customerId }, { cookieId: laptop.cookieId }])) {
    assert.deepEqual(bare((await exported(whom)).body), bare(answer.body), JSON.stringify(whom));
  }

  const empty = await system(t);
  await copyDefinitions(msci, empty);
  await replay(empty, lines);
  const before_ = await seen(msci, phone.cookieId);
  const again = await seen(empty, phone.cookieId);
  assert.deepEqual(again.shown, before_.shown);
  // A replay takes time, by which the edge corrects what it takes for a browser's clock.
  for (const [n, time] of again.times.entries()) assert.ok(Math.abs(time - (before_.times[n] ?? 0)) < 60_000);
  // And what the second system would export again is what the first did, but for who made it when.
  const kinds = (/** @type {any[]} */ all) => all.map(({ kind }) => kind).sort();
  assert.deepEqual(kinds(linesOf((await exported({ authId }, empty)).body)), kinds(lines));
});

test("of a visitor without a name, and of somebody who was only imported, there is what there is", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.event("x")));
  const visitor = linesOf((await exported({ cookieId: her.cookieId })).body);
  assert.deepEqual([visitor[0].known, visitor[0].authId, only(visitor, "signal").length], [false, undefined, 2]);
  const imported = linesOf((await exported({ authId: "Loyalty9" })).body);
  assert.deepEqual([imported[0].known, only(imported, "row")[0].key, imported.at(-1).signals], [true, "Loyalty9", 0]);
});

test("nobody's export is a 404, two names are a 400, and without the token there is none", async () => {
  for (const [status, code, whom] of /** @type {[number, string, Record<string, string>][]} */ ([
    [404, "profile_not_found", { cookieId: randomUUID() }], [404, "profile_not_found", { authId: "Nobody" }],
    [400, "invalid_request", {}], [400, "invalid_request", { cookieId: "x" }], [400, "invalid_request", { customerId: "x" }],
    [400, "invalid_request", { authId: "Loyalty1", cookieId: randomUUID() }], [400, "invalid_request", { authId: "null" }],
  ])) {
    const answer = await exported(whom);
    assert.deepEqual([answer.status, answer.body?.error?.code], [status, code], JSON.stringify(whom));
  }
  assert.equal((await msci.fetch("/_msci/admin/v1/privacy/export?authId=Loyalty9")).status, 401);
  assert.equal((await msci.admin("POST", "/privacy/export")).status, 405);
});

test("who goes away in the middle of an export disturbs nobody", async () => {
  const { authId } = await person("Loyalty4");
  const left = new AbortController();
  const response = await fetch(`${msci.base}/_msci/admin/v1/privacy/export?authId=${authId}`, {
    headers: { authorization: `Bearer ${msci.adminToken}` }, signal: left.signal,
  });
  assert.equal(response.headers.get("content-length"), null, "it begins before its end is known");
  await response.body?.getReader().read();
  left.abort();
  const whole = linesOf((await exported({ authId })).body);
  assert.equal(whole.at(-1).kind, "end");
});
