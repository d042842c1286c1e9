// @ts-check
// The whole idea, in a real browser against the running system: browse, be tracked, sign in, be merged
// at once, get a personal page from the first byte, and lose nothing when the plug is pulled.
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
/** @type {import("playwright-core").BrowserContext} */
let visitor;
/** @type {import("playwright-core").Page} */
let page;
/** Batches as they were answered. @type {{ sent: any, answer: any }[]} */
const batches = [];
/** @type {string[]} */
const faults = [];
let site = "";

before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // Browsers trust localhost with Secure cookies.
  site = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(undefined);
  visitor = await chromium.newContext();
  page = await visitor.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("response", async (response) => {
    if (!response.url().endsWith("/_msci/collect")) return;
    const sent = response.request().postDataJSON();
    batches.push({ sent, answer: await response.json().catch(() => undefined) });
  });
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/** @param {string} path @returns {Promise<string>} the HTML as the server sent it */
async function open(path) {
  const response = await page.goto(site + path);
  return (await response?.text()) ?? "";
}

const signals = () => batches.flatMap((batch) => batch.sent.signals.map((/** @type {any} */ s) => ({ ...s, path: s.uri && new URL(s.uri).pathname })));
const viewed = (/** @type {string} */ path) => () => signals().some((s) => s.type === "view" && s.path === path);
const cookie = async (/** @type {string} */ name) => (await visitor.cookies(site)).find((c) => c.name === name);

test("a stranger's home page is plain, and the visit is tracked with a first-party cookie", async () => {
  const html = await open("/");
  assert.ok(html.includes("Good coffee, every morning."));
  assert.ok(!html.includes("msci-x"));
  await until(viewed("/"), "the view of / was sent");
  const id = await cookie("_msci");
  assert.match(id?.value ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(id?.httpOnly, false);
  const seen = await until(async () => {
    const answer = await profile(msci, id?.value ?? "");
    return answer.status === 200 && answer.body;
  }, "the visitor has a profile");
  assert.equal(seen.msdynci_known, false);
});

test("two premium product pages later the hero promotes the premium machine, in the HTML itself", async () => {
  await page.goto(`${site}/coffee-machines/premium`);
  await page.locator("main a[href='/coffee-machines/premium/aurora-dual-boiler']").first().click();
  await until(viewed("/coffee-machines/premium/aurora-dual-boiler"), "the first product's view was sent");
  await open("/coffee-machines/premium/solstice-lever");
  await until(viewed("/coffee-machines/premium/solstice-lever"), "the second product's view was sent");
  const html = await open("/");
  assert.ok(html.includes("The Aurora is waiting for you."));
  assert.match(html, /<meta name="msci-x" content="premium-hero:treated">/);
  assert.equal(await page.locator("#hero-title").innerText(), "The Aurora is waiting for you.");
  const view = await until(() => signals().find((s) => s.type === "view" && s.exposures), "the exposure came with the view");
  assert.equal(view.exposures, "premium-hero:treated");
  // The click left with the page it was made on, where the driver no longer looks; the profile has it.
  const id = (await cookie("_msci"))?.value ?? "";
  await until(async () => {
    const { body } = await profile(msci, id);
    return body.unifiedactivity.some((/** @type {any} */ a) => a.msdynci_activitytype === "Action");
  }, "the click is in the profile");
});

test("after sign-in the next page greets by name and shows the segment's code", async () => {
  await open("/sign-in");
  await page.fill("#loyalty-id", "Loyalty1");
  await page.click("#sign-in");
  await page.waitForURL("**/account");
  const merged = await until(() => batches.find((b) => b.answer?.user), "setUser was answered");
  assert.deepEqual(merged.answer.user, { status: "merged" });
  const proof = await cookie("__Host-msci_p");
  assert.deepEqual([proof?.httpOnly, proof?.secure, proof?.sameSite], [true, true, "Lax"]);
  const html = await open("/");
  assert.ok(html.includes("Welcome back, Abbie!"));
  assert.ok(html.includes("<code>GRAZIE15</code>"));
  assert.ok(html.includes("The Aurora is waiting for you."));
});

test("an order moves the measure, and the customer has every signal exactly once", async () => {
  await open("/coffee-machines/premium/aurora-dual-boiler");
  await page.click("#add-to-cart");
  await open("/cart");
  await page.click("#place-order");
  await until(() => signals().some((s) => s.type === "event" && s.name === "order_completed"), "the order was sent");
  // What leaves with a page is answered after it is gone; the next page sends what had no answer.
  await page.evaluate(() => /** @type {any} */ (window).MSCI.flush());
  const id = (await cookie("_msci"))?.value ?? "";
  const seen = await profile(msci, id);
  assert.equal(seen.body.msdynci_known, true);
  assert.equal(seen.body.msdynci_loyaltysignups_loyaltyid, "Loyalty1");
  assert.equal(seen.body.measures.LifetimeValue, 1890);
  const kinds = new Set(["view", "action", "event"]);
  // Behind its time, an activity's id has the beginning of the stream and the number there.
  const named = (/** @type {string} */ s, /** @type {number} */ seq) =>
    `${s.slice(0, 3)}-9${s.slice(3, 6)}-${s.slice(6, 8)}${s.slice(9, 11)}${seq.toString(16).padStart(8, "0")}`;
  const sent = new Set(
    batches.flatMap((b) => b.sent.signals.filter((/** @type {any} */ s) => kinds.has(s.type)).map((/** @type {any} */ s) => named(b.sent.stream, s.seq))),
  );
  const stored = seen.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_activityid.slice(15));
  assert.equal(new Set(stored).size, stored.length, "nothing twice");
  assert.deepEqual([...sent].filter((key) => !stored.includes(key)), [], "nothing lost");
});

test("pulling the plug of the whole system loses nothing", async () => {
  const id = (await cookie("_msci"))?.value ?? "";
  const earlier = await profile(msci, id);
  await msci.kill9();
  await msci.restart();
  const later = await profile(msci, id);
  assert.deepEqual(later.body.unifiedactivity, earlier.body.unifiedactivity);
  assert.deepEqual(later.body.segmentmembership, earlier.body.segmentmembership);
  assert.ok((await open("/")).includes("Welcome back, Abbie!"));
});

test("signing out makes a stranger of the browser", async () => {
  await open("/account");
  const known = (await cookie("_msci"))?.value;
  await page.click("#sign-out");
  await until(async () => (await cookie("_msci"))?.value !== known, "reset gave a new cookieId");
  // The answer to a setUser may come after the reset's and leave a proof: it opens nothing, and goes.
  const html = await open("/");
  assert.ok(html.includes("Good coffee, every morning.") && !html.includes("Abbie"));
  await until(async () => (await cookie("__Host-msci_p")) === undefined || (await open("/")) === "", "the proof is gone");
});

test("no page of the visit had an error", () => assert.deepEqual(faults, []));
