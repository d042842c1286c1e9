// @ts-check
// Where consent is required and was not given, nothing stays of whoever sends signals all the same: no cookie, no row,
// no link (law 8). The SDK would send nothing; these are requests of something else.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, profile, token } from "../support/signals.mjs";
import { stored } from "../support/stored.mjs";
import { system } from "../support/system.mjs";

const state = mkdtempSync(join(tmpdir(), "msci-test-"));
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system(undefined, { state });
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People", consent: { mode: "required" } });
});
after(async () => {
  await msci.stop();
  rmSync(state, { recursive: true, force: true });
});

const ALL = { storage: "granted", analytics: "granted", personalization: "granted" };
/** @typedef {ReturnType<typeof browser>} Browser */
/** @param {Browser} who @param {Record<string, string>} purposes */
const says = (who, purposes) => ({ ...who.view("/"), type: "consent", purposes });
/** @param {Browser} who */
const person = (who) => who.user("Untold-Loyalty", { name: "Untold Name", email: "untold@consent.example", localId: "untold-local" });
/** @type {[string, (who: Browser) => Record<string, unknown>][]} */
const signals = [
  ["a view", (who) => who.view("/untold-view")],
  ["an event", (who) => who.event("untold_event", { of: "untold" })],
  ["a click", (who) => ({ ...who.view("/untold-click"), type: "action", actionType: "LClick", name: "Untold" })],
  ["a name", (who) => who.user(undefined, { name: "Untold Name", email: "untold@consent.example" })],
  ["a setUser", person],
];
/** @type {[string, (who: Browser) => { cookies?: Record<string, string> }, boolean?][]} */
const senders = [
  ["with its cookie", (who) => ({ cookies: { _msci: who.cookieId } })],
  ["without a cookie", () => ({})],
  ["without any id", () => ({}), true],
];

for (const [what, of] of signals) {
  for (const [how, as, unnamed] of senders) {
    test(`C4 without the grant that is required, ${what} ${how} is refused, acted on by nobody, and answered without a cookie`, async () => {
      const who = browser();
      const batch = who.batch(of(who));
      const { status, body, cookies, headers } = await msci.collect({ ...batch, ...(unnamed && { cookieId: undefined }) }, as(who));
      assert.deepEqual([status, body.accepted, body.duplicate], [200, 0, 0]);
      assert.deepEqual(body.rejected.map((/** @type {any} */ r) => r.code), ["consent_missing"]);
      assert.equal(body.user, undefined);
      assert.ok(Object.values(cookies).every((value) => value === ""), JSON.stringify(headers.getSetCookie()));
      assert.equal(cookies._msci, undefined);
      assert.equal((await profile(msci, body.cookieId)).status, 404);
      assert.equal((await profile(msci, who.cookieId)).status, 404);
    });
  }
}

test("C4 what is refused before any object is asked leaves no cookie either", async () => {
  const who = browser();
  for (const bad of [who.user("null"), who.event(""), who.view("/old", { time: 1 }), who.user("Untold-Loyalty", { token: "nothing" })]) {
    const { body, cookies } = await msci.collect({ ...who.batch(bad), cookieId: undefined });
    assert.deepEqual([body.accepted, body.rejected.length], [0, 1], JSON.stringify(body));
    assert.equal(cookies._msci, undefined, body.rejected[0].code);
  }
});

test("C4 a grant of something else opens nothing: each purpose is asked for by itself", async () => {
  const cases = /** @type {[Record<string, string>, number][]} */ ([
    [{ analytics: "granted" }, 1],
    [{ analytics: "granted", personalization: "granted" }, 1],
    [{ storage: "denied", analytics: "granted" }, 1],
    [{ storage: "granted" }, 2],
    [ALL, 3],
  ]);
  for (const [purposes, accepted] of cases) {
    const who = browser();
    const name = { name: accepted > 1 ? "Told Name" : "Untold Name" };
    const { body, cookies } = await msci.collect(who.batch(says(who, purposes), who.user(undefined, name), who.view(accepted > 2 ? "/told" : "/untold")));
    assert.equal(body.accepted, accepted, JSON.stringify(purposes));
    assert.equal(cookies._msci, accepted > 1 ? who.cookieId : undefined, JSON.stringify(purposes));
  }
});

test("C4 a valid token is no consent, and merges once there is one", async () => {
  const who = browser();
  const proof = { token: token(msci.identitySecret, { sub: "Loyalty-Later", cid: who.cookieId }) };
  const as = { cookies: { _msci: who.cookieId } };
  const before = await msci.collect(who.batch(who.user("Loyalty-Later", proof)), as);
  assert.deepEqual([before.body.rejected[0].code, before.cookies["__Host-msci_p"]], ["consent_missing", ""]);
  assert.equal((await msci.admin("GET", "/customers?kind=known&search=loyalty-later")).body.count, 0);
  const merged = await msci.collect(who.batch(says(who, ALL), who.user("Loyalty-Later", proof), who.view("/told")), as);
  assert.deepEqual([merged.body.accepted, merged.body.user.status], [3, "merged"]);
  // The next person at this browser has said the same: it is the browser that was asked.
  const next = await msci.collect(who.batch(who.user("Loyalty-Next"), who.view("/told-too")), as);
  assert.deepEqual([next.body.accepted, next.body.user.status], [2, "rotated"], JSON.stringify(next.body));
});

test("C4 nothing of what was refused is in any file", async () => {
  const untold = ["ntold-", "ntold_event", "Untold Name", "untold@consent.example", "/untold", "Untold-Loyalty"];
  const kv = JSON.stringify(await msci.snapshots());
  await msci.stop();
  const held = [["KV", kv]];
  await stored(state, async ({ objects, dump }) => {
    for (const id of objects()) held.push([id, JSON.stringify(await dump(id))]);
  });
  msci = await system(undefined, { state });
  // Those who decided something, and the two who agreed: of the others there is not even a row.
  const rows = held.filter(([place, text = ""]) => place !== "KV" && /"signal":\[\{/.test(text));
  assert.equal(rows.length, 5 + 2 + 2, "only decisions and what they allowed");
  const files = readdirSync(state, { recursive: true, encoding: "utf8", withFileTypes: true }).filter((file) => file.isFile());
  const bytes = files.map((file) => join(file.parentPath ?? file.path, file.name)).map((file) => [file, readFileSync(file, "latin1")]);
  const found = [...held, ...bytes].flatMap(([place, text = ""]) => untold.filter((part) => text.includes(part)).map((part) => `${part} in ${place}`));
  assert.deepEqual(found, []);
});
