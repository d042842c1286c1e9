// @ts-check
// Two tabs, two sources, two links: who a signal belongs to when things happen at once or again.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser, profile } from "../support/signals.mjs";
import { stored } from "../support/stored.mjs";
import { system } from "../support/system.mjs";

const state = mkdtempSync(join(tmpdir(), "msci-test-"));
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system(undefined, { state });
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(async () => {
  await msci.stop();
  rmSync(state, { recursive: true, force: true });
});

/** @param {{ body: any }} answer */
const uris = (answer) => answer.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl).sort();
/** @param {{ body: any }} answer */
const authId = (answer) => answer.body.msdynci_loyaltysignups_loyaltyid;
let people = 30;

test("A6 F8 two tabs that name different people at once: one is linked, the other gets a cookieId of its own", async () => {
  // Which of the two requests is first is up to the machine.
  for (let round = 0; round < 8; round += 1) {
    const home = browser();
    await msci.collect(home.batch(home.view("/home")));
    const cookies = { _msci: home.cookieId };
    const tabs = [0, 1].map((tab) => {
      const of = browser({ cookieId: home.cookieId });
      return { of, authId: `Loyalty${++people}`, uri: `/${tab}` };
    });
    const batches = tabs.map(({ of, authId, uri }) => of.batch(of.view(`${uri}/before`), of.user(authId), of.view(`${uri}/after`)));
    const answers = await Promise.all(batches.map((batch) => msci.collect(batch, { cookies })));
    assert.deepEqual(answers.map((answer) => answer.body.user.status).sort(), ["merged", "rotated"]);
    assert.deepEqual(answers.map((answer) => answer.body.accepted), [3, 3]);
    const first = answers.findIndex((answer) => answer.body.user.status === "merged");
    const winner = /** @type {typeof tabs[0]} */ (tabs[first]);
    const other = /** @type {typeof tabs[0]} */ (tabs[1 - first]);
    assert.equal(answers[first]?.body.cookieId, home.cookieId);
    const rotated = answers[1 - first]?.body.cookieId;
    assert.notEqual(rotated, home.cookieId);

    // Both tabs go on under the cookieId that they began with, and one of them sends again what had no answer.
    await Promise.all(tabs.map(({ of, uri }) => msci.collect(of.batch(of.view(`${uri}/later`)), { cookies })));
    const resent = await msci.collect(batches[1 - first] ?? {}, { cookies });
    assert.deepEqual([resent.body.duplicate, resent.body.cookieId], [3, rotated]);

    const [mine, theirs] = [await profile(msci, home.cookieId), await profile(msci, rotated)];
    assert.deepEqual([authId(mine), authId(theirs)], [winner.authId, other.authId]);
    const before = ["/0/before", "/1/before", "/home"];
    assert.deepEqual(uris(mine), [...before, `${winner.uri}/after`, `${winner.uri}/later`].sort());
    assert.deepEqual(uris(theirs), [`${other.uri}/after`, `${other.uri}/later`]);
    assert.deepEqual([mine.body.msdynci_cookieids, theirs.body.msdynci_cookieids], [[home.cookieId], [rotated]]);
  }
});

test("F9 two tabs that name the same person at once make one link", async () => {
  for (let round = 0; round < 8; round += 1) {
    const home = browser();
    await msci.collect(home.batch(home.view("/home")));
    const name = `Loyalty${++people}`;
    const tabs = [browser({ cookieId: home.cookieId }), browser({ cookieId: home.cookieId })];
    const answers = await Promise.all(tabs.map((of) => msci.collect(of.batch(of.view("/tab"), of.user(name)), { cookies: { _msci: home.cookieId } })));
    assert.deepEqual(answers.map((answer) => answer.body.user.status).sort(), ["already", "merged"]);
    for (const answer of answers) assert.equal(answer.body.cookieId, home.cookieId);
    const known = await profile(msci, home.cookieId);
    assert.deepEqual([authId(known), uris(known)], [name, ["/home", "/tab", "/tab"]]);
    const customer = await msci.admin("GET", `/customers/${known.body.msdynci_customerid}`);
    assert.deepEqual(customer.body.links.map((/** @type {any} */ link) => link.cookieId), [home.cookieId]);
  }
});

test("A8 the imported value beats the browser's, and the newest of the browsers' wins on both sides of a merge", async () => {
  const [phone, laptop] = [browser(), browser()];
  const now = Date.now();
  const name = "Attributed";
  await msci.collect(phone.batch(
    phone.user(undefined, { time: now - 5000, name: "Phone", email: "phone@example.com", localId: "007" }),
    phone.user(name, { time: now - 4000 }),
  ));
  await msci.collect(laptop.batch(
    laptop.user(undefined, { time: now - 3000, email: "laptop@example.com" }),
    laptop.user(undefined, { time: now - 6000, localId: "older", authType: "older" }),
    // At the same instant the greater number is the newer.
    laptop.user(undefined, { time: now - 2000, authType: "third" }),
    laptop.user(undefined, { time: now - 2000, authType: "fourth" }),
    laptop.user(name, { time: now - 1000 }),
  ));
  const before = (await profile(msci, phone.cookieId)).body;
  assert.deepEqual(
    [before.msdynci_fullname, before.msdynci_email, before.msdynci_localid, before.msdynci_authtype],
    ["Phone", "laptop@example.com", "007", "fourth"],
  );
  const row = { LoyaltyId: name, FullName: "Imported", FirstName: "0042", Spend: 7.5 };
  await msci.admin("POST", "/tables/LoyaltySignUps/rows", JSON.stringify(row), { "content-type": "application/x-ndjson" });
  // A browser's later word changes what the row leaves open, and nothing else.
  await msci.collect(phone.batch(phone.user(undefined, { name: "Newest", email: "newest@example.com" })));
  const after = (await profile(msci, laptop.cookieId)).body;
  assert.deepEqual(
    [after.msdynci_fullname, after.msdynci_email, after.msdynci_firstname, after.msdynci_spend, after.msdynci_localid],
    ["Imported", "newest@example.com", "0042", 7.5, "007"],
  );
});

test("A11 a merge over a threshold enters a segment once, and later signals do not enter it again", async () => {
  const [phone, laptop] = [browser(), browser()];
  await msci.admin("PUT", "/segments/Thrice", { filter: "Measures/PageViews ge 3" });
  await msci.collect(phone.batch(phone.view("/1"), phone.view("/2"), phone.user("Entered")));
  await msci.collect(laptop.batch(laptop.view("/3")));
  for (const { cookieId } of [phone, laptop]) {
    assert.deepEqual((await profile(msci, cookieId)).body.segmentmembership, []);
  }
  await msci.collect(laptop.batch(laptop.user("Entered")));
  const merged = (await profile(msci, phone.cookieId)).body;
  assert.deepEqual([merged.segmentmembership, merged.measures.PageViews], [["Thrice"], 3]);
  /** What the customer's storage has of memberships: each row says since when. */
  const memberships = async () => {
    await msci.stop();
    const rows = await stored(state, async ({ objects, dump }) => {
      for (const id of objects()) {
        const { meta = [], membership = [] } = await dump(id);
        if (meta.some((row) => row.body === JSON.stringify(merged.msdynci_customerid))) return membership;
      }
      return [];
    });
    msci = await system(undefined, { state });
    return rows;
  };
  const entered = await memberships();
  assert.deepEqual(entered.map((row) => row.key), ["Thrice"]);
  await msci.collect(phone.batch(phone.view("/4"), phone.view("/5")));
  await msci.collect(laptop.batch(laptop.view("/6"), laptop.user("Entered")));
  await msci.admin("POST", "/tables/LoyaltySignUps/rows", '{"LoyaltyId":"Entered","FirstName":"E"}', { "content-type": "application/x-ndjson" });
  assert.equal((await profile(msci, phone.cookieId)).body.measures.PageViews, 6);
  assert.deepEqual(await memberships(), entered);
});

test("A16 a link that is taken back and made again at once has everything once", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/1"), her.user("Relinked")));
  const { body } = await profile(msci, her.cookieId);
  const id = body.msdynci_customerid;
  for (let round = 0; round < 4; round += 1) {
    // Signals, the end of the link and the next `setUser`, all under way together.
    const [unlinked, ...answers] = await Promise.all([
      msci.admin("POST", `/customers/${id}/unlink`, { cookieId: her.cookieId }),
      msci.collect(her.batch(her.view(`/${round}/a`))),
      msci.collect(her.batch(her.view(`/${round}/b`))),
      msci.collect(her.batch(her.user("Relinked"))),
    ]);
    assert.deepEqual(unlinked.body, { unlinked: true });
    assert.deepEqual(answers.map((answer) => answer.body.accepted), [1, 1, 1]);
    await msci.collect(her.batch(her.user("Relinked")));
    const seen = await profile(msci, her.cookieId);
    assert.deepEqual([seen.body.msdynci_known, seen.body.msdynci_customerid], [true, id]);
    assert.equal(seen.body.measures.PageViews, 1 + 2 * (round + 1));
    assert.equal(new Set(uris(seen)).size, uris(seen).length, "nothing twice");
    assert.equal((await msci.admin("GET", `/customers/${id}`)).body.links[0].pending, false);
  }
  await msci.admin("POST", `/customers/${id}/unlink`, { cookieId: her.cookieId });
  const apart = await profile(msci, her.cookieId);
  assert.deepEqual([apart.body.msdynci_known, apart.body.measures.PageViews], [false, 9]);
  const customer = (await msci.admin("GET", `/customers/${id}`)).body;
  assert.deepEqual([customer.cookieIds, customer.measures.PageViews], [[], 0], "nothing comes back");
});

test("F6 a clock that is off is corrected, one that is none is refused, and order is kept", async () => {
  const year = 365 * 86_400_000;
  for (const skew of [-10 * year, -7_200_000, 7_200_000, 10 * year]) {
    const her = browser();
    const now = Date.now();
    const at = (/** @type {number} */ ago) => ({ time: now + skew - ago });
    const answer = await msci.collect({
      ...her.batch(her.view("/first", at(2000)), her.view("/second", at(1000)), her.view("/third", at(1000))),
      sentAt: now + skew,
    });
    assert.equal(answer.body.accepted, 3);
    const seen = (await profile(msci, her.cookieId)).body.unifiedactivity;
    assert.deepEqual(seen.map((/** @type {any} */ a) => a.msdynci_externalurl), ["/third", "/second", "/first"]);
    for (const [i, ago] of [1000, 1000, 2000].entries()) {
      const off = Date.parse(seen[i].msdynci_activitytime) - (now - ago);
      assert.ok(off >= 0 && off < 60_000, `${skew}: ${off} ms off`);
    }
  }
  const her = browser();
  const before = await msci.collect({ ...her.batch(her.view("/", { time: Date.now() + 3_600_000 })) });
  assert.equal(before.body.accepted, 1);
  const ahead = Date.parse((await profile(msci, her.cookieId)).body.unifiedactivity[0].msdynci_activitytime) - Date.now();
  assert.ok(ahead <= 300_000, "five minutes ahead at most");
  const bad = await msci.collect(her.batch(her.view("/", { time: "NaN" }), her.view("/", { time: null }), her.view("/", { time: -1e300 }), her.view("/old", { time: Date.now() - 10 * year })));
  assert.deepEqual(
    bad.body.rejected.map((/** @type {any} */ r) => r.code).sort(),
    ["invalid_field", "invalid_field", "invalid_field", "too_old"],
  );
});
