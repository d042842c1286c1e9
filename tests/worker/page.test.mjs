// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser, token } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // No page goes without its profile because this machine is busy.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
});
after(() => msci.stop());

/**
 * The home page as a browser with these cookies gets it.
 * @param {Record<string, string>} [cookies]
 * @param {string} [path]
 */
const page = (cookies, path = "/") => msci.fetch(path, { cookies, headers: { accept: "text/html" } });
const ORDINARY = "Good coffee, every morning.";
const PREMIUM = "The Aurora is waiting for you.";

/** A visitor who has seen two premium machines; cookies as the answers set them. */
async function premiumBrowser() {
  const her = browser();
  const cookies = { _msci: her.cookieId };
  const premium = "http://localhost/coffee-machines/premium/";
  const answer = await msci.collect(her.batch(her.view(`${premium}aurora`), her.view(`${premium}solstice`)), { cookies });
  return { her, cookies: { ...cookies, ...answer.cookies } };
}

test("a stranger gets the site's own page", async () => {
  const plain = await page();
  assert.equal(plain.status, 200);
  assert.ok(plain.body.includes(ORDINARY));
  assert.ok(!plain.body.includes("msci-x"));
  assert.ok(plain.headers.get("etag"), "the site's validator stays");
  assert.ok(plain.cookies._msci, "the visitor gets a cookie on a page that only this browser keeps");
});

test("two premium product pages later the hero promotes the premium machine, in the HTML itself", async () => {
  const { cookies } = await premiumBrowser();
  const personal = await page(cookies);
  assert.ok(personal.body.includes(PREMIUM) && !personal.body.includes(ORDINARY));
  assert.match(personal.body, /<a id="hero-link"[^>]*href="\/coffee-machines\/premium\/aurora-dual-boiler"/);
  assert.match(personal.body, /<meta name="msci-x" content="premium-hero:treated">/);
  assert.equal(personal.headers.get("cache-control"), "private, no-store");
  assert.equal(personal.headers.get("etag"), null);
});

test("a copy of the plain page is not revalidated into a personal one's place", async () => {
  const plain = await page();
  const { cookies } = await premiumBrowser();
  const again = await msci.fetch("/", {
    cookies,
    headers: { accept: "text/html", "if-none-match": plain.headers.get("etag") ?? "" },
  });
  assert.equal(again.status, 200);
  assert.ok(again.body.includes(PREMIUM));
});

test("after sign-in the next page welcomes by name and shows the code of the segment", async () => {
  const { her, cookies } = await premiumBrowser();
  const proof = token(msci.identitySecret, { sub: "Loyalty1", aud: "LoyaltySignUps", cid: her.cookieId });
  const merged = await msci.collect(her.batch(her.user("Loyalty1", { token: proof })), { cookies });
  const personal = await page({ ...cookies, ...merged.cookies });
  assert.ok(personal.body.includes("Welcome back, Abbie!"));
  assert.ok(personal.body.includes("<code>GRAZIE15</code>"));
  assert.ok(personal.body.includes(PREMIUM), "what the visitor did before signing in came along");
});

test("E10 the cookie alone, without the proof, gets a stranger's page and decisions", async () => {
  const { her, cookies } = await premiumBrowser();
  await msci.collect(her.batch(her.user("Loyalty12")), { cookies });
  const stolen = await page({ _msci: her.cookieId });
  assert.ok(stolen.body.includes(ORDINARY));
  const decisions = await msci.fetch("/_msci/decisions?uri=/", { cookies: { _msci: her.cookieId } });
  assert.deepEqual(decisions.body, { known: false, segments: [], fields: {}, experiences: [] });
});

test("a forged proof opens nothing", async () => {
  const { her, cookies } = await premiumBrowser();
  const merged = await msci.collect(her.batch(her.user("Loyalty13")), { cookies });
  const proof = merged.cookies["__Host-msci_p"] ?? "";
  assert.ok(proof);
  const thief = browser();
  for (const forged of [proof, `${proof}x`, proof.replace(/^./, (c) => (c === "0" ? "1" : "0"))]) {
    const seen = await page({ _msci: thief.cookieId, "__Host-msci_p": forged });
    assert.ok(seen.body.includes(ORDINARY) && !seen.body.includes("msci-x"));
  }
});

test("decisions say what the page would become", async () => {
  const { her, cookies } = await premiumBrowser();
  const merged = await msci.collect(her.batch(her.user("Loyalty1")), { cookies });
  const decisions = await msci.fetch(`/_msci/decisions?uri=${encodeURIComponent("/?q=1")}`, {
    cookies: { ...cookies, ...merged.cookies },
  });
  assert.equal(decisions.body.known, true);
  assert.deepEqual(decisions.body.fields, { FirstName: "Abbie" });
  const names = decisions.body.experiences.map((/** @type {any} */ e) => e.name);
  assert.deepEqual(names, ["loyal-welcome", "high-value-offer", "premium-hero"]);
});

test("the snapshot reaches KV, and a page is decided from it alone", async () => {
  const { cookies } = await premiumBrowser();
  // Without the version cookie only KV is asked about an unknown visitor.
  await until(async () => (await page({ _msci: cookies._msci })).body.includes(PREMIUM), "the snapshot in KV");
});

test("a reset takes the proof away from the browser", async () => {
  const reset = await msci.fetch("/_msci/reset", { method: "POST" });
  assert.deepEqual(reset.cookies, { "__Host-msci_p": "", _msci_v: "" });
});

test("an answer that comes after a reset brings nobody back", async () => {
  const { her, cookies } = await premiumBrowser();
  const late = await msci.collect(her.batch(her.user("Loyalty1")), { cookies });
  assert.ok(late.cookies["__Host-msci_p"]);
  assert.equal(late.cookies._msci, undefined, "the cookieId is no news, so it is not set");
  // The reset came in between: another cookieId, and then the proof for the old one.
  const fresh = browser();
  const after = { _msci: fresh.cookieId, "__Host-msci_p": late.cookies["__Host-msci_p"] ?? "" };
  const seen = await page(after);
  assert.ok(seen.body.includes(ORDINARY));
  assert.equal(seen.cookies["__Host-msci_p"], "", "a proof that opens nothing is taken away");
  const next = await msci.collect(fresh.batch(fresh.view("/")), { cookies: after });
  assert.equal(next.cookies["__Host-msci_p"], "");
});

test("a name that is markup is shown as text", async () => {
  const her = browser();
  const cookies = { _msci: her.cookieId };
  const row = { LoyaltyId: "Evil", FirstName: "<script>alert(1)</script>", Tier: "Gold", Spend: 5000 };
  await msci.admin("POST", "/tables/LoyaltySignUps/rows", JSON.stringify(row), { "content-type": "application/x-ndjson" });
  const merged = await msci.collect(her.batch(her.user("Evil")), { cookies });
  const seen = await page({ ...cookies, ...merged.cookies });
  assert.ok(seen.body.includes("Welcome back, &lt;script&gt;alert(1)&lt;/script&gt;!"));
  assert.ok(!seen.body.includes("<script>alert(1)</script>"));
});

test("with Global Privacy Control a page is neither personal nor marked with a cookie", async () => {
  const { cookies } = await premiumBrowser();
  const seen = await msci.fetch("/", { cookies, headers: { accept: "text/html", "sec-gpc": "1" } });
  assert.ok(seen.body.includes(ORDINARY));
  assert.deepEqual(seen.cookies, {});
});

test("E4 a page that shared caches may keep gets no cookie", async () => {
  const pricing = await page(undefined, "/pricing");
  assert.match(pricing.headers.get("cache-control") ?? "", /public/);
  assert.deepEqual(pricing.cookies, {});
});
