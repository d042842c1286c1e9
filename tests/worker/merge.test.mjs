// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser, profile, token } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(() => msci.stop());

/** @param {{ body: any }} answer */
const uris = (answer) => answer.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl);

test("A1 the unknown profile merges into the known customer at once", async () => {
  const her = browser();
  const first = await msci.collect(her.batch(her.view("/"), her.view("/coffee-machines/premium")));
  assert.equal(first.status, 200);
  assert.deepEqual(first.body.ack, { stream: her.stream, upTo: 2 });
  const unknown = await profile(msci, her.cookieId);
  assert.equal(unknown.body.msdynci_known, false);
  assert.equal(unknown.body.unifiedactivity.length, 2);

  const merged = await msci.collect(her.batch(her.user("Loyalty1")), { cookies: { _msci: her.cookieId } });
  assert.deepEqual(merged.body.user, { status: "merged" });
  assert.ok(merged.cookies["__Host-msci_p"], "the browser that merged may see the customer");

  const known = await profile(msci, her.cookieId);
  assert.equal(known.body.msdynci_known, true);
  assert.equal(known.body.msdynci_loyaltysignups_loyaltyid, "Loyalty1");
  assert.equal(known.body.msdynci_fullname, "Abbie Moss");
  assert.deepEqual(uris(known).sort(), ["/", "/coffee-machines/premium"]);
  assert.deepEqual(known.body.msdynci_cookieids, [her.cookieId]);
  assert.match(known.body.msdynci_customerid, /^[0-9a-f]{32}$/);
  assert.notEqual(known.body.msdynci_customerid, unknown.body.msdynci_customerid);
});

test("A2 a second device joins the same customer, in order of time", async () => {
  const [phone, laptop] = [browser(), browser()];
  const now = Date.now();
  await msci.collect(phone.batch(phone.view("/2", { time: now - 2000 }), phone.user("Loyalty2")));
  await msci.collect(laptop.batch(laptop.view("/1", { time: now - 3000 }), laptop.view("/3", { time: now - 1000 })));
  await msci.collect(laptop.batch(laptop.user("Loyalty2")));
  const both = await profile(msci, phone.cookieId);
  assert.deepEqual(uris(both), ["/3", "/2", "/1"]);
  assert.deepEqual([...both.body.msdynci_cookieids].sort(), [phone.cookieId, laptop.cookieId].sort());
  assert.equal(both.body.measures.PageViews, 3);
});

test("A3 a customer without a row is made at once and filled by a later import", async () => {
  const him = browser();
  await msci.collect(him.batch(him.view("/"), him.user("Loyalty9000")));
  const before = await profile(msci, him.cookieId);
  assert.equal(before.body.msdynci_known, true);
  assert.equal(before.body.msdynci_firstname, undefined);
  const row = { LoyaltyId: "Loyalty9000", FirstName: "Ida", LastName: "Holm", Tier: "Gold" };
  const done = await msci.admin("POST", "/tables/LoyaltySignUps/rows", JSON.stringify(row), { "content-type": "application/x-ndjson" });
  assert.equal(done.body.created, 1);
  const filled = await profile(msci, him.cookieId);
  assert.equal(filled.body.msdynci_firstname, "Ida");
  assert.deepEqual(filled.body.segmentmembership, ["LoyalCustomers"]);
  assert.equal(filled.body.unifiedactivity.length, 1);
});

test("A4 setUser again and a redelivered batch change nothing", async () => {
  const her = browser();
  const batch = her.batch(her.view("/"), her.user("Loyalty4"));
  assert.equal((await msci.collect(batch)).body.user.status, "merged");
  const again = await msci.collect(batch);
  assert.deepEqual([again.body.accepted, again.body.duplicate, again.body.user.status], [0, 2, "merged"]);
  assert.equal((await msci.collect(her.batch(her.user("Loyalty4")))).body.user.status, "already");
  const seen = await profile(msci, her.cookieId);
  assert.equal(seen.body.measures.PageViews, 1);
  assert.equal(seen.body.msdynci_cookieids.length, 1);
});

test("A5 another user on the same browser gets a cookieId of his own, the same on a resend", async () => {
  const shared = browser();
  await msci.collect(shared.batch(shared.view("/hers"), shared.user("Loyalty5")));
  const batch = shared.batch(shared.view("/still-hers"), shared.user("Loyalty6"), shared.view("/his"));
  const rotated = await msci.collect(batch);
  assert.equal(rotated.body.user.status, "rotated");
  assert.notEqual(rotated.body.cookieId, shared.cookieId);
  assert.equal(rotated.body.accepted, 3);
  const resent = await msci.collect(batch);
  assert.equal(resent.body.cookieId, rotated.body.cookieId);
  assert.deepEqual([resent.body.accepted, resent.body.duplicate], [0, 3]);
  const [hers, his] = [await profile(msci, shared.cookieId), await profile(msci, rotated.body.cookieId)];
  assert.deepEqual(uris(hers).sort(), ["/hers", "/still-hers"]);
  assert.deepEqual(uris(his), ["/his"]);
  assert.equal(his.body.msdynci_loyaltysignups_loyaltyid, "Loyalty6");

  // Back to the first: not a third identity.
  const back = browser({ cookieId: rotated.body.cookieId });
  const returned = await msci.collect(back.batch(back.user("Loyalty5")));
  const again = browser({ cookieId: returned.body.cookieId });
  const once = await msci.collect(again.batch(again.user("Loyalty6")));
  assert.equal(once.body.cookieId, rotated.body.cookieId);
});

test("A7 a late signal of a linked cookie reaches the customer once, at its own time", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/now"), her.user("Loyalty7")));
  const lastWeek = Date.now() - 7 * 86_400_000;
  const late = browser({ cookieId: her.cookieId });
  const batch = late.batch(late.view("/last-week", { time: lastWeek }));
  await msci.collect(batch);
  await msci.collect(batch);
  const seen = await profile(msci, her.cookieId);
  assert.deepEqual(uris(seen), ["/now", "/last-week"]);
  const time = Date.parse(seen.body.unifiedactivity[1].msdynci_activitytime);
  assert.ok(Math.abs(time - lastWeek) < 1000, "the time is its own");
});

test("A13 two first batches in parallel make one profile", async () => {
  const her = browser();
  const [a, b] = [her.batch(her.view("/a")), her.batch(her.view("/b"))];
  await Promise.all([msci.collect(a), msci.collect(b)]);
  assert.deepEqual(uris(await profile(msci, her.cookieId)).sort(), ["/a", "/b"]);
});

test("a token that is not ours refuses, and one that is merges", async () => {
  const her = browser();
  const cookies = { _msci: her.cookieId };
  const forged = await msci.collect(her.batch(her.user("Loyalty8", { token: token("wrong", { sub: "Loyalty8" }) })), { cookies });
  assert.deepEqual(forged.body.user, { status: "refused", reason: "token_invalid" });
  assert.equal(forged.body.rejected[0].code, "token_invalid");
  assert.equal(forged.cookies["__Host-msci_p"], undefined);
  const good = token(msci.identitySecret, { sub: "Loyalty8", aud: "LoyaltySignUps", cid: her.cookieId });
  const merged = await msci.collect(her.batch(her.user("Loyalty8", { token: good })), { cookies });
  assert.deepEqual(merged.body.user, { status: "merged" });
});

test("where verification is required, an unproven setUser stays a claim", async () => {
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  try {
    const her = browser();
    const cookies = { _msci: her.cookieId };
    const claimed = await msci.collect(her.batch(her.view("/"), her.user("Loyalty10")), { cookies });
    assert.deepEqual(claimed.body.user, { status: "claimed" });
    assert.equal(claimed.cookies["__Host-msci_p"], undefined);
    assert.equal((await profile(msci, her.cookieId)).body.msdynci_known, false);
    const proof = token(msci.identitySecret, { sub: "Loyalty10" });
    const merged = await msci.collect(her.batch(her.user("Loyalty10", { token: proof })), { cookies });
    assert.deepEqual(merged.body.user, { status: "merged" });
    const known = await profile(msci, her.cookieId);
    assert.equal(known.body.msdynci_known, true);
    assert.equal(known.body.unifiedactivity.length, 1);
  } finally {
    await msci.admin("PUT", "/settings", { identity: { verification: "off" } });
  }
});

test("a pulled plug loses nothing that was acknowledged", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/before"), her.user("Loyalty11")));
  await msci.collect(her.batch(her.view("/last")));
  await msci.kill9();
  await msci.restart();
  const seen = await profile(msci, her.cookieId);
  assert.deepEqual(uris(seen), ["/last", "/before"]);
  assert.equal(seen.body.msdynci_loyaltysignups_loyaltyid, "Loyalty11");
});
