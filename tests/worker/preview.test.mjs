// @ts-check
// Previews: the site as somebody else would see it, by a link that is good for one visit, without a trace.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // No page goes without its profile because this machine is busy.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
});
after(() => msci.stop());

const COOKIE = "__Host-msci_preview";
const html = { accept: "text/html" };

/** @param {Record<string, unknown>} asked @returns {Promise<string>} path of the link */
async function link(asked) {
  const { status, body } = await msci.admin("POST", "/preview", asked);
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(body.url.startsWith(`${msci.base}/_msci/preview/`), body.url);
  const left = Date.parse(body.expires) - Date.now();
  assert.ok(left > 540_000 && left <= 600_000, body.expires);
  return body.url.slice(msci.base.length);
}

/** Opens a link. @param {Record<string, unknown>} asked */
async function preview(asked) {
  const opened = await msci.fetch(await link(asked));
  assert.equal(opened.status, 302);
  return { opened, cookies: { [COOKIE]: opened.cookies[COOKIE] ?? "" } };
}

/** The customer of an authId. @param {string} key */
async function customer(key) {
  const { customers } = (await msci.admin("GET", `/customers?search=${key}`)).body;
  return customers.find((/** @type {any} */ one) => one.authId === key);
}

const VIP = { name: "A <b>VIP</b>", attributes: { FirstName: "Zoë" }, segments: ["HighLifetimeValue", "LoyalCustomers"] };

test("a link leads once to the page, without its secret, with a cookie that scripts cannot read", async () => {
  const path = await link({ persona: VIP, uri: "/coffee-machines/?sort=price#top" });
  const all = await Promise.all(Array.from({ length: 20 }, () => msci.fetch(path)));
  const opened = all.filter(({ status }) => status === 302);
  assert.equal(opened.length, 1, "one of twenty at once");
  assert.ok(all.every(({ status, body }) => status === 302 || (status === 410 && body.error.code === "link_over")));
  const [one] = opened;
  assert.equal(one?.headers.get("location"), `${msci.base}/coffee-machines/?sort=price#top`);
  assert.equal(one?.headers.get("cache-control"), "no-store");
  assert.equal(one?.headers.get("referrer-policy"), "no-referrer");
  const set = one?.headers.getSetCookie().join() ?? "";
  for (const attribute of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"]) assert.ok(set.includes(attribute), set);
  assert.ok(!set.includes(path.split("/").at(-1) ?? ""));
  assert.equal((await msci.fetch(path)).status, 410);
});

test("a page is shown as the persona would see it, says so, and is nobody's to keep", async () => {
  const { cookies } = await preview({ persona: VIP, uri: "/" });
  const page = await msci.fetch("/", { cookies, headers: { ...html, "if-none-match": "*" } });
  assert.equal(page.status, 200);
  assert.ok(page.body.includes("Welcome back, Zoë!") && page.body.includes("<code>GRAZIE15</code>"));
  assert.ok(page.body.includes("Preview as A &lt;b>VIP&lt;/b>."), "its name is shown as text");
  assert.ok(page.body.includes('href="/_msci/preview/end"'));
  assert.equal(page.headers.get("cache-control"), "private, no-store");
  assert.equal(page.headers.get("etag"), null);
  assert.deepEqual(page.cookies, {}, "no cookieId is given");
  const plain = await msci.fetch("/cart", { cookies, headers: html });
  assert.ok(plain.body.includes("Preview as") && plain.headers.get("cache-control") === "private, no-store");
  const image = await msci.fetch("/images/hero-premium.svg", { cookies, headers: { accept: "image/*" } });
  assert.deepEqual(image.cookies, {});
  assert.ok(!String(image.body).includes("Preview as"));
  const decisions = await msci.fetch("/_msci/decisions?uri=/", { cookies });
  assert.deepEqual(decisions.body.fields, { FirstName: "Zoë" });
});

test("a page is shown as a customer would see it, known, unknown or only imported, and their profile stays as it is", async () => {
  const her = browser();
  const as = { _msci: her.cookieId };
  const premium = "http://localhost/coffee-machines/premium/";
  await msci.collect(her.batch(her.view(`${premium}aurora`), her.view(`${premium}solstice`)), { cookies: as });
  const unknown = (await profile(msci, her.cookieId)).body;
  const first = await preview({ customerId: unknown.msdynci_customerid, uri: "/" });
  const seen = await msci.fetch("/", { cookies: { ...first.cookies, _msci: her.cookieId }, headers: html });
  assert.ok(seen.body.includes("The Aurora is waiting for you."));
  assert.deepEqual((await profile(msci, her.cookieId)).body, unknown);

  const imported = await customer("Loyalty1");
  const second = await preview({ customerId: imported.customerId, uri: "/" });
  assert.ok((await msci.fetch("/", { cookies: second.cookies, headers: html })).body.includes("Welcome back, Abbie!"));
  assert.deepEqual(await customer("Loyalty1"), imported, "no object was made of it");

  await msci.collect(her.batch(her.user("Loyalty1")), { cookies: as });
  const known = (await profile(msci, her.cookieId)).body;
  const third = await preview({ customerId: known.msdynci_customerid, uri: "/" });
  const both = await msci.fetch("/", { cookies: third.cookies, headers: html });
  assert.ok(both.body.includes("Welcome back, Abbie!") && both.body.includes("The Aurora is waiting for you."));
  assert.deepEqual((await profile(msci, her.cookieId)).body, known);
});

test("nothing of a browser is tracked while it previews, and the script is empty", async () => {
  const { cookies } = await preview({ persona: VIP, uri: "/" });
  const script = await msci.fetch("/_msci/msci.js", { cookies });
  assert.equal(script.headers.get("cache-control"), "no-store");
  assert.ok(script.body.length < 100 && !script.body.includes("MSCI"));
  assert.ok((await msci.fetch("/_msci/msci.js")).body.length > 1000);
  // Nor is the one asked for that the browser may have at hand.
  const page = await msci.fetch("/", { cookies, headers: html });
  assert.ok((await msci.fetch("/")).body.includes("/_msci/msci.js"));
  assert.ok(page.body.includes("/_msci/preview/msci.js") && !page.body.includes("/_msci/msci.js"));
  assert.equal((await msci.fetch("/_msci/preview/msci.js")).body, script.body);

  const her = browser();
  const answer = await msci.collect(her.batch(her.view("/"), her.user("Loyalty3"), { seq: 3, type: "nonsense" }), {
    cookies: { ...cookies, _msci: her.cookieId },
  });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.body.accepted, answer.body.duplicate, answer.body.ack.upTo], [0, 0, 3]);
  assert.deepEqual(answer.body.rejected.map((/** @type {any} */ r) => r.code), ["preview", "preview", "invalid_field"]);
  assert.deepEqual(answer.cookies, {});
  assert.equal((await profile(msci, her.cookieId)).status, 404);
  assert.deepEqual((await customer("Loyalty3")).cookieIds, []);
});

test("a preview says what its viewer is held out of", async () => {
  const change = { selector: "#hero-title", action: "setText", value: "Held" };
  await msci.admin("PUT", "/experiences/held", { pages: ["/"], holdout: 1, changes: [change] });
  const { cookies } = await preview({ persona: VIP, uri: "/" });
  const page = await msci.fetch("/", { cookies, headers: html });
  await msci.admin("DELETE", "/experiences/held");
  assert.ok(page.body.includes("Held out of held. Nothing is tracked."));
});

test("a redirect leads on in a preview, and leaves nothing", async () => {
  await msci.admin("PUT", "/experiences/move", { pages: ["/cart"], changes: [{ action: "redirect", value: "/reviews/" }] });
  const { cookies } = await preview({ persona: VIP, uri: "/" });
  const away = await msci.fetch("/cart", { cookies, headers: html });
  await msci.admin("DELETE", "/experiences/move");
  assert.deepEqual([away.status, away.headers.get("location"), away.cookies], [302, "/reviews/", {}]);
});

test("the preview ends when one says so", async () => {
  const ended = await msci.fetch("/_msci/preview/end");
  assert.deepEqual([ended.status, ended.headers.get("location"), ended.cookies[COOKIE]], [302, `${msci.base}/`, ""]);
});

test("a forged, foreign or expired cookie or link shows nobody's page", async () => {
  const path = await link({ persona: VIP, uri: "/" });
  const secret = path.split("/").at(-1) ?? "";
  for (const forged of [`${secret}x`, secret.replace(/^./, (c) => (c === "A" ? "B" : "A")), "x", `${"a".repeat(5000)}.1.b`]) {
    assert.equal((await msci.fetch(`/_msci/preview/${forged}`)).status, 410);
  }
  const { cookies } = await preview({ persona: VIP, uri: "/" });
  const seal = cookies[COOKIE] ?? "";
  const [body, expires, mac] = seal.split(".");
  for (const value of [secret, `${seal}x`, `${body}.${Number(expires) + 1}.${mac}`, `x${seal}`]) {
    const page = await msci.fetch("/", { cookies: { [COOKIE]: value }, headers: html });
    assert.ok(page.body.includes("Good coffee, every morning.") && !page.body.includes("Preview as"));
  }
  // Purposes are kept apart: what opens a page opens no link.
  assert.equal((await msci.fetch(`/_msci/preview/${seal}`)).status, 410);
  assert.equal((await msci.fetch(path)).status, 302, "the link itself is still good");
});

test("a preview that makes no sense is refused", async () => {
  for (const asked of [
    {},
    { uri: "/" },
    { persona: {} },
    { persona: { nmae: "x" }, uri: "/" },
    { persona: { name: "x".repeat(2048) }, uri: "/" },
    { persona: {}, uri: "javascript:alert(1)" },
    { persona: {}, uri: `/${"x".repeat(2048)}` },
    { persona: {}, customerId: "0".repeat(32), uri: "/" },
  ]) {
    const { status, body } = await msci.admin("POST", "/preview", asked);
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"], JSON.stringify(asked));
  }
  assert.equal((await msci.admin("POST", "/preview", { customerId: "0".repeat(32), uri: "/" })).status, 404);
  assert.equal((await msci.admin("GET", "/preview")).status, 405);
  const other = await msci.admin("POST", "/preview", { persona: {}, uri: "https://shop.example/p/1" });
  assert.ok(other.body.url.startsWith("https://shop.example/_msci/preview/"));
});
