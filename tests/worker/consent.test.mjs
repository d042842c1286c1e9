// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await msci.admin("PUT", "/tables/LoyaltySignUps", { primaryKey: "LoyaltyId", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "LoyaltySignUps", decisionFields: ["FullName"] });
});
after(() => msci.stop());

/** @param {string} decision */
const both = (decision) => ({ type: "consent", purposes: { analytics: decision, personalization: decision } });

test("A12 a browser is treated by the stricter of its own consent and its customer's", async () => {
  const [phone, laptop] = [browser(), browser()];
  const decisions = async (/** @type {Record<string, string>} */ cookies) =>
    (await msci.fetch("/_msci/decisions?uri=/", { cookies })).body;
  const say = (/** @type {ReturnType<typeof browser>} */ who, /** @type {string} */ decision, ago = 0) =>
    msci.collect(who.batch({ ...who.view("/"), ...both(decision), time: Date.now() - ago }));

  const onPhone = await msci.collect(phone.batch(phone.view("/p"), phone.user("Loyalty12", { name: "Ada" })), {
    cookies: { _msci: phone.cookieId },
  });
  const onLaptop = await msci.collect(laptop.batch(laptop.user("Loyalty12")), { cookies: { _msci: laptop.cookieId } });
  const phones = { _msci: phone.cookieId, ...onPhone.cookies };
  const laptops = { _msci: laptop.cookieId, ...onLaptop.cookies };
  assert.deepEqual([(await decisions(phones)).known, (await decisions(laptops)).known], [true, true]);

  // What one browser says reaches the other's decisions with the next copy in KV.
  const shown = (/** @type {boolean} */ onPhone, /** @type {boolean} */ onLaptop) =>
    until(
      async () => (await decisions(phones)).known === onPhone && (await decisions(laptops)).known === onLaptop,
      `decisions know the phone: ${onPhone}, the laptop: ${onLaptop}`,
    );

  // A denial on the phone is the customer's newest decision: it holds on the laptop too.
  await say(phone, "denied", 1000);
  await shown(false, false);
  await msci.collect(laptop.batch(laptop.user("Loyalty12")));
  const refused = await msci.collect(laptop.batch(laptop.view("/no")));
  assert.deepEqual(refused.body.rejected.map((/** @type {any} */ r) => r.code), ["consent_missing"]);

  // A newer grant on the laptop opens the laptop alone: the phone's own browser said no.
  await say(laptop, "granted");
  await shown(false, true);
  assert.equal((await msci.collect(laptop.batch(laptop.view("/yes")))).body.accepted, 1);
  assert.equal((await msci.collect(phone.batch(phone.view("/no")))).body.rejected[0].code, "consent_missing");
  const seen = await profile(msci, phone.cookieId);
  assert.deepEqual(seen.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl).sort(), ["/p", "/yes"]);
});
