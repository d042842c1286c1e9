// @ts-check
// Two tabs of one real browser, and a browser whose clock is wrong.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { launch } from "../support/chromium.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
let site = "";
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // Browsers trust localhost with Secure cookies.
  site = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(undefined);
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page @param {string} method @param {unknown[]} parameters @returns {Promise<any>} */
const call = (page, method, ...parameters) =>
  page.evaluate(([method, parameters]) => /** @type {any} */ (window).MSCI[/** @type {string} */ (method)](.../** @type {any[]} */ (parameters)), /** @type {const} */ ([method, parameters]));

/** @param {Page} page */
const cookieId = async (page) => (await page.context().cookies(site)).find((cookie) => cookie.name === "_msci")?.value ?? "";

/** Names of the events in a profile, oldest first. @param {{ body: any }} answer @returns {string[]} */
const events = (answer) =>
  answer.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_activitytype).filter((/** @type {string} */ type) => !["View", "Action"].includes(type)).reverse();
/** @param {{ body: any }} answer */
const authId = (answer) => answer.body.msdynci_loyaltysignups_loyaltyid;

/** Two tabs of a new browser that were here before. */
async function tabs() {
  const visitor = await chromium.newContext();
  const [one, two] = [await visitor.newPage(), await visitor.newPage()];
  await one.goto(`${site}/`);
  const first = await until(() => cookieId(one), "the visitor has a cookie");
  await two.goto(`${site}/reviews/`);
  for (const page of [one, two]) await call(page, "trackEvent", { name: "before" });
  for (const page of [one, two]) await call(page, "flush");
  assert.equal(await cookieId(two), first);
  return { visitor, one, two, first };
}

test("F8 two tabs call setUser with different ids at once: one is linked, the other is rotated, later signals go right", async () => {
  const { visitor, one, two, first } = await tabs();
  const answers = await Promise.all([call(one, "setUser", { authId: "Loyalty81" }), call(two, "setUser", { authId: "Loyalty82" })]);
  assert.deepEqual(answers.map((answer) => answer.status).sort(), ["merged", "rotated"]);
  const linked = answers[0].status === "merged" ? 0 : 1;
  const [winner, other] = linked === 0 ? [one, two] : [two, one];
  const rotated = await cookieId(other);
  assert.notEqual(rotated, first);
  await call(other, "trackEvent", { name: "other_later" });
  await call(winner, "trackEvent", { name: "winner_later" });
  for (const page of [other, winner]) await call(page, "flush");
  const [mine, theirs] = [await profile(msci, first), await profile(msci, rotated)];
  assert.deepEqual([authId(mine), authId(theirs)], linked === 0 ? ["Loyalty81", "Loyalty82"] : ["Loyalty82", "Loyalty81"]);
  assert.deepEqual([events(mine), events(theirs)], [["before", "before", "winner_later"], ["other_later"]]);
  assert.deepEqual([mine.body.msdynci_cookieids, theirs.body.msdynci_cookieids], [[first], [rotated]]);
  // The next page of either tab belongs to whom the browser's cookie names.
  await winner.goto(`${site}/`);
  await call(winner, "trackEvent", { name: "next_page" });
  await call(winner, "flush");
  const now = await cookieId(winner);
  const ones = [mine, theirs][[first, rotated].indexOf(now)];
  assert.ok(ones, "the cookie is one of the two");
  const later = await profile(msci, now);
  assert.equal(authId(later), authId(ones));
  assert.equal(events(later).at(-1), "next_page");
  await visitor.close();
});

test("F9 two tabs call setUser with the same id at once: one link, and the second hears `already`", async () => {
  const { visitor, one, two, first } = await tabs();
  const answers = await Promise.all([one, two].map((page) => call(page, "setUser", { authId: "Loyalty83" })));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), ["already", "merged"]);
  for (const page of [one, two]) {
    await call(page, "trackEvent", { name: "later" });
    await call(page, "flush");
    assert.equal(await cookieId(page), first);
  }
  const known = await profile(msci, first);
  assert.deepEqual([authId(known), events(known)], ["Loyalty83", ["before", "before", "later", "later"]]);
  const { body } = await msci.admin("GET", `/customers/${known.body.msdynci_customerid}`);
  assert.equal(body.links.length, 1);
  await visitor.close();
});

for (const [skew, what, number] of /** @type {[number, string, string][]} */ ([
  [2 * 3_600_000, "two hours ahead", "B8 F6"],
  [-2 * 3_600_000, "two hours behind", "B8 F6"],
  [10 * 365 * 86_400_000, "ten years ahead", "F6"],
  [-10 * 365 * 86_400_000, "ten years behind", "F6"],
])) {
  test(`${number} of a browser whose clock is ${what}, the stored times are right and in order`, async () => {
    const visitor = await chromium.newContext();
    await visitor.addInitScript((skew) => {
      const Real = Date;
      class Wrong extends Real {
        /** @param {any[]} parts */
        constructor(...parts) {
          if (parts.length === 0) super(Real.now() + skew);
          else super(.../** @type {[any]} */ (parts));
        }
        static now = () => Real.now() + skew;
      }
      globalThis.Date = /** @type {any} */ (Wrong);
    }, skew);
    const page = await visitor.newPage();
    const begun = Date.now();
    await page.goto(`${site}/`);
    const off = (await page.evaluate(() => Date.now())) - Date.now();
    assert.ok(Math.abs(off - skew) < 60_000, "the page's clock is wrong");
    const names = ["one", "two", "three", "four"];
    for (const name of names) await call(page, "trackEvent", { name });
    await call(page, "flush");
    const id = await cookieId(page);
    const seen = await profile(msci, id);
    assert.deepEqual(events(seen), names);
    for (const activity of seen.body.unifiedactivity) {
      const time = Date.parse(activity.msdynci_activitytime);
      assert.ok(time >= begun - 1000 && time <= Date.now() + 1000, `${activity.msdynci_activitytype}: ${activity.msdynci_activitytime}`);
    }
    // Its cookie and its queue live on: the next page is the same visitor.
    await page.goto(`${site}/reviews/`);
    await call(page, "trackEvent", { name: "next_page" });
    await call(page, "flush");
    assert.equal(await cookieId(page), id);
    assert.deepEqual(events(await profile(msci, id)), [...names, "next_page"]);
    await visitor.close();
  });
}

test("F6 a clock that jumps in the middle of a session moves no signal beyond five minutes ahead", async () => {
  const visitor = await chromium.newContext();
  await visitor.addInitScript(() => {
    const real = Date.now;
    /** @type {any} */ (globalThis).jump = 0;
    Date.now = () => real() + /** @type {any} */ (globalThis).jump;
  });
  const page = await visitor.newPage();
  await page.goto(`${site}/`);
  await call(page, "flush");
  // Each happens by one clock and is sent by another.
  for (const [jump, name] of /** @type {[number, string][]} */ ([[3_600_000, "back"], [-3_600_000, "forward"], [0, "right"]])) {
    await page.evaluate(
      async ([jump, name]) => {
        const window = /** @type {any} */ (globalThis);
        window.jump = jump;
        const tracked = window.MSCI.trackEvent({ name });
        window.jump = 0;
        await tracked;
        await window.MSCI.flush();
      },
      /** @type {const} */ ([jump, name]),
    );
  }
  const seen = await profile(msci, await cookieId(page));
  assert.deepEqual(events(seen).sort(), ["back", "forward", "right"]);
  const ahead = seen.body.unifiedactivity.map((/** @type {any} */ a) => Date.parse(a.msdynci_activitytime) - Date.now());
  assert.ok(Math.max(...ahead) <= 300_000, `${Math.max(...ahead)} ms ahead`);
  assert.ok(Math.max(...ahead) > 60_000 && Math.min(...ahead) < -3_000_000, "the clock did jump");
  await visitor.close();
});
