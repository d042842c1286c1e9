// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { consentStrings } from "../support/consent-platform.mjs";
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

test("what a consent platform keeps in its cookie counts at the edge, where the settings listen to it", async (t) => {
  const consentString = await consentStrings();
  const her = browser();
  const cookies = (/** @type {number[]} */ ...purposes) => ({ _msci: her.cookieId, "euconsent-v2": consentString(purposes) });
  const grant = { type: "consent", purposes: { storage: "granted", analytics: "granted", personalization: "granted" } };
  /** What becomes of a consent, a view and a name. @param {Record<string, string>} cookies */
  const verdicts = async (cookies) => {
    const { body } = await msci.collect(her.batch({ ...her.view("/"), ...grant }, her.view("/"), her.user(undefined, { name: "Ada" })), { cookies });
    return [body.accepted, ...body.rejected.map((/** @type {any} */ { code }) => code)];
  };
  // Nobody listens.
  assert.deepEqual(await verdicts(cookies()), [3]);
  const put = await msci.admin("PUT", "/settings", { consent: { mode: "required", inputs: ["tcf"] } });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  atEnd(t, () => msci.admin("PUT", "/settings", { consent: { mode: "implied", inputs: [] } }));
  await until(async () => (await verdicts(cookies()))[0] === 0, "the setting holds");
  const no = "consent_missing";
  assert.deepEqual(await verdicts(cookies()), [0, no, no, no]);
  assert.deepEqual(await verdicts(cookies(8, 5, 6)), [0, no, no, no], "without storage there is nothing else");
  assert.deepEqual(await verdicts(cookies(1)), [2, no], "a view is analytics");
  assert.deepEqual(await verdicts(cookies(1, 8)), [3]);
  assert.deepEqual(await verdicts({ ...cookies(), "euconsent-v2": "CO-broken" }), [3], "what is no string says nothing");
  // Nothing personal is shown to who wants nothing personal.
  const fields = async (/** @type {Record<string, string>} */ cookies) => (await msci.fetch("/_msci/decisions?uri=/", { cookies })).body.fields;
  await until(async () => (await fields(cookies(1, 5, 6))).FullName === "Ada", "she is known by name");
  assert.deepEqual(await fields(cookies(1, 8)), {});
});

test("inputs of consent want a mode that asks, and names that are known", async () => {
  const put = async (/** @type {object} */ consent) => {
    const { status, body } = await msci.admin("PUT", "/settings", { consent });
    return [status, body.error?.code];
  };
  assert.deepEqual(await put({ mode: "implied", inputs: ["tcf"] }), [400, "invalid_settings"]);
  assert.equal((await put({ mode: "required", inputs: ["gpp"] }))[0], 400);
  assert.deepEqual((await msci.admin("GET", "/settings")).body.consent, { mode: "implied", honourGpc: true });
});

test("the consent log tells who agreed to what, when, and in which browser: newest first, page by page, of all browsers of a customer", async () => {
  const [phone, laptop, other] = [browser(), browser(), browser()];
  const day = 86_400_000;
  const said = (/** @type {number} */ ago, /** @type {Record<string, string>} */ purposes) => ({ type: "consent", purposes, time: Date.now() - ago });
  await msci.collect(phone.batch({ ...phone.view("/"), ...said(3 * day, { analytics: "granted" }) }, { ...phone.view("/"), ...said(day, { personalization: "denied" }) }));
  await msci.collect(phone.batch(phone.view("/between"), phone.user("Consents1")));
  await msci.collect(laptop.batch({ ...laptop.view("/"), ...said(2 * day, { personalization: "granted" }) }, laptop.user("Consents1")));
  await msci.collect(other.batch({ ...other.view("/"), ...said(day, { analytics: "denied" }) }));
  const log = async (/** @type {Record<string, string>} */ query) => {
    const { status, body } = await msci.admin("GET", `/privacy/consents?${new URLSearchParams(query)}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const all = await log({ authId: "Consents1" });
  assert.match(all.customerId, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    all.consents.map((/** @type {any} */ { cookieId, purposes, source }) => [cookieId, purposes, source]),
    [
      [phone.cookieId, { personalization: "denied" }, "browser"],
      [laptop.cookieId, { personalization: "granted" }, "browser"],
      [phone.cookieId, { analytics: "granted" }, "browser"],
    ],
  );
  for (const [at, ago] of [1, 2, 3].entries()) assert.ok(Math.abs(Date.parse(all.consents[at].time) - (Date.now() - ago * day)) < 60_000);
  assert.equal(all.skiptoken, null);
  assert.deepEqual((await log({ cookieId: phone.cookieId })).consents, all.consents);
  assert.deepEqual((await log({ customerId: all.customerId })).consents, all.consents);
  const first = await log({ authId: "Consents1", top: "2" });
  const second = await log({ authId: "Consents1", top: "2", skiptoken: first.skiptoken });
  assert.deepEqual([...first.consents, ...second.consents], all.consents);
  assert.deepEqual((await log({ cookieId: other.cookieId })).consents.map((/** @type {any} */ { purposes }) => purposes), [{ analytics: "denied" }]);
  for (const [status, code, query] of /** @type {[number, string, string][]} */ ([
    [404, "profile_not_found", `cookieId=${browser().cookieId}`], [404, "profile_not_found", "authId=Nobody"],
    [400, "invalid_request", ""], [400, "invalid_request", `cookieId=${phone.cookieId}&authId=Consents1`],
    [400, "invalid_request", "authId=Consents1&top=0"], [400, "invalid_request", "authId=Consents1&skiptoken=x"],
  ])) {
    const answer = await msci.admin("GET", `/privacy/consents?${query}`);
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], query);
  }
});

test("what was agreed to does not age, and goes with the person", async () => {
  const her = browser();
  await msci.admin("PUT", "/settings", { retention: { signalDays: 30 } });
  const old = Date.now() - 29 * 86_400_000;
  await msci.collect(her.batch({ ...her.view("/"), type: "consent", purposes: { analytics: "granted" }, time: old }, her.view("/old", { time: old }), her.user("Consents2")));
  await msci.admin("PUT", "/settings", { retention: { signalDays: 7 } });
  const log = () => msci.admin("GET", "/privacy/consents?authId=Consents2");
  // Retention works when somebody comes, a day at the earliest: the next signal is one of another life's settings.
  await until(async () => (await profile(msci, her.cookieId)).body.unifiedactivity.length === 0, "what is too old has gone");
  assert.deepEqual((await log()).body.consents.map((/** @type {any} */ consent) => consent.purposes), [{ analytics: "granted" }]);
  await msci.admin("PUT", "/settings", { retention: { signalDays: 365 } });
  const { body } = await msci.admin("POST", "/privacy/erase", { authId: "Consents2" });
  await until(async () => (await msci.admin("GET", `/jobs/${body.job}`)).body.state === "done", "the erasure is done");
  assert.equal((await log()).status, 404);
});
