// @ts-check
// Experiences: what may be saved, who is in which bucket, what they led to, and why a page is as it is.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { finished } from "../support/jobs.mjs";
import { browser, profile } from "../support/signals.mjs";
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

const change = (/** @type {string} */ value, more = {}) => ({ selector: "#hero-title", action: "setText", value, ...more });

/** Puts an experience. @param {string} name @param {Record<string, unknown>} definition */
async function put(name, definition) {
  const answer = await msci.admin("PUT", `/experiences/${name}`, definition);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** What the page's marker says of an experience. @param {Record<string, string>} cookies @param {string} name */
async function bucket(cookies, name, path = "/") {
  const { body } = await msci.fetch(path, { cookies, headers: { accept: "text/html" } });
  const marker = /<meta name="msci-x" content="([^"]*)">/.exec(body)?.[1] ?? "";
  return marker.split(",").find((/** @type {string} */ pair) => pair.startsWith(`${name}:`))?.split(":")[1];
}

const results = async (/** @type {string} */ name) => (await msci.admin("GET", `/experiences/${name}/results`)).body;
/** Buckets by name: exposed and converted. @param {any} results */
const counts = ({ buckets }) => Object.fromEntries(buckets.map((/** @type {any} */ b) => [b.name, [b.exposed, b.converted]]));

test("an experience beyond its bounds, or that would do nothing or harm, is refused when it is saved", async () => {
  const good = { pages: ["/"], changes: [change("x")] };
  const variant = (/** @type {string} */ name) => ({ name, weight: 1, changes: [change("x")] });
  for (const [code, wrong] of /** @type {[string, Record<string, unknown>][]} */ ([
    ["invalid_definition", { pages: [] }],
    ["invalid_definition", { pages: ["/?q=*"] }],
    ["invalid_definition", { changes: [change("x".repeat(16_385))] }],
    ["invalid_definition", { changes: [change("x", { selector: "a:hover" })] }],
    ["invalid_definition", { changes: [change("x", { selector: "h1 + p" })] }],
    ["invalid_definition", { changes: [change("<p onclick=\"f('{{ FirstName }}')\">", { action: "setHtml" })] }],
    ["invalid_definition", { changes: [change("<script>let n = '{{ FirstName }}'</script>", { action: "append" })] }],
    ["invalid_definition", { changes: [change("x", { action: "setAttribute", name: "onclick" })] }],
    ["invalid_definition", { changes: [{ action: "redirect", value: "/" }] }],
    ["invalid_definition", { changes: undefined, variants: [variant("a"), variant("a")] }],
    ["invalid_definition", { changes: undefined, variants: [variant("holdout")] }],
    ["invalid_definition", { from: "2030-01-02T00:00:00Z", until: "2030-01-01T00:00:00Z" }],
    ["invalid_definition", { holdout: 1.1 }],
    ["invalid_filter", { goal: "Nope eq 1" }],
    ["unsupported_in_definition", { goal: "ActivityTime gt now() sub duration'P1D'" }],
    ["invalid_definition", { gaol: "x" }],
  ])) {
    const answer = await msci.admin("PUT", "/experiences/wrong", { ...good, ...wrong });
    assert.deepEqual([answer.status, answer.body.error?.code], [400, code], JSON.stringify([wrong, answer.body]));
  }
  assert.equal((await msci.admin("GET", "/experiences/wrong")).status, 404);
  const reserved = await msci.admin("PUT", "/experiences/explain", good);
  assert.equal(reserved.body.error.code, "invalid_name");
});

test("E7 whoever is held out is so on every visit, and after the merge too", async () => {
  await put("e7", { pages: ["/"], holdout: 0.5, changes: [change("Seven")], priority: 9 });
  const seen = { treated: 0, holdout: 0 };
  for (let i = 0; seen.treated < 2 || seen.holdout < 2; i++) {
    assert.ok(i < 60, "half of the visitors are held out");
    const her = browser();
    const cookies = { _msci: her.cookieId };
    const first = await msci.collect(her.batch(her.view("/")), { cookies });
    const own = await bucket({ ...cookies, ...first.cookies }, "e7");
    assert.ok(own === "treated" || own === "holdout", String(own));
    seen[own]++;
    assert.equal(await bucket({ ...cookies, ...first.cookies }, "e7"), own);
    const merged = await msci.collect(her.batch(her.user(`Seven${i}`)), { cookies });
    assert.equal(merged.body.user.status, "merged");
    const known = { ...cookies, ...merged.cookies };
    assert.equal((await profile(msci, her.cookieId)).body.msdynci_known, true);
    assert.equal(await bucket(known, "e7"), own, "the bucket survives the merge");
    // A second browser of the same person is in the first one's bucket from its merge on.
    const phone = browser();
    const joined = await msci.collect(phone.batch(phone.view("/"), phone.user(`Seven${i}`)), { cookies: { _msci: phone.cookieId } });
    assert.equal(await bucket({ _msci: phone.cookieId, ...joined.cookies }, "e7"), own);
  }
  await msci.admin("DELETE", "/experiences/e7");
});

test("E7 variants are shown by their weights, each visitor's own on every visit, in decisions, and after the merge", async () => {
  const variants = [["a", 1, "Variant A"], ["b", 3, "Variant B"]].map(([name, weight, value]) => ({ name, weight, changes: [change(String(value))] }));
  await put("weighed", { pages: ["/"], variants, priority: 9 });
  const seen = { a: 0, b: 0 };
  for (let i = 0; i < 60; i++) {
    const her = browser();
    /** @type {Record<string, string>} */
    const cookies = { _msci: her.cookieId };
    Object.assign(cookies, (await msci.collect(her.batch(her.view("/")), { cookies })).cookies);
    const own = await bucket(cookies, "weighed");
    assert.ok(own === "a" || own === "b", String(own));
    seen[own]++;
    if (seen[own] > 3) continue;
    const shown = async () => {
      const { body } = await msci.fetch("/", { cookies, headers: { accept: "text/html" } });
      const { body: told } = await msci.fetch("/_msci/decisions?uri=/", { cookies });
      const { variant, changes } = told.experiences.find((/** @type {any} */ one) => one.name === "weighed");
      return [body.includes("Variant A"), body.includes("Variant B"), variant, changes[0].value];
    };
    const expected = [own === "a", own === "b", own, own === "a" ? "Variant A" : "Variant B"];
    assert.deepEqual(await shown(), expected);
    const merged = await msci.collect(her.batch(her.user(`Weighed${i}`)), { cookies });
    assert.equal(merged.body.user.status, "merged");
    Object.assign(cookies, merged.cookies);
    assert.deepEqual(await shown(), expected, "the variant survives the merge");
  }
  assert.ok(seen.a >= 2 && seen.b > seen.a, JSON.stringify(seen));
  await msci.admin("DELETE", "/experiences/weighed");
});

test("an experience is shown from its beginning on, and no longer than until its end", async (t) => {
  const timed = await faultySystem(t);
  const HOUR = 3_600_000;
  const at = (/** @type {number} */ hours) => new Date(Date.now() + hours * HOUR).toISOString();
  const definition = { pages: ["/"], from: at(1), until: at(2), changes: [change("For an hour")] };
  assert.equal((await timed.admin("PUT", "/experiences/timed", definition)).status, 200);
  assert.equal((await timed.admin("PUT", "/experiences/always", { pages: ["/"], changes: [change("Always", { selector: "#hero-text" })] })).status, 200);
  const page = async () => (await timed.fetch("/", { headers: { accept: "text/html" } })).body;
  await until(async () => (await page()).includes("Always"), "the definitions hold");
  const marker = async () => /name="msci-x" content="([^"]*)"/.exec(await page())?.[1];
  for (const [hours, shown] of /** @type {[number, boolean][]} */ ([[0, false], [1.5, true], [2.5, false]])) {
    await timed.clock(hours * HOUR);
    assert.equal((await page()).includes("For an hour"), shown, `after ${hours} h`);
    assert.equal(await marker(), shown ? "always:treated,timed:treated" : "always:treated");
    const { body } = await timed.fetch("/_msci/decisions?uri=/");
    assert.equal(body.experiences.some((/** @type {any} */ one) => one.name === "timed"), shown);
  }
});

test("results count people by where they saw an experience first, and goals from then on, through merge, unlink and resend", async () => {
  const goal = "ActivityType eq 'order_completed'";
  const [anna, bob, phone, held] = [browser(), browser(), browser(), browser()];
  const old = Date.now() - 3_600_000;
  const shown = (/** @type {any} */ of, /** @type {string} */ exposures, more = {}) => of.view("/", { exposures, ...more });
  const hers = anna.batch(
    anna.event("order_completed", { total: 1 }, { time: old - 1 }),
    shown(anna, "other:x,trial:a", { time: old }),
    anna.event("order_completed", { total: 2 }, { time: old + 1 }),
  );
  await msci.collect(hers);
  await msci.collect(hers);
  await put("trial", { pages: ["/trial"], active: false, goal, holdout: 0.1, variants: ["a", "b"].map((name) => ({ name, weight: 1, changes: [change(name)] })) });
  // What was before the experience was defined is counted by its job.
  const is = async (/** @type {Record<string, [number, number]>} */ expected) => {
    /** @type {any} */
    let last;
    await until(async () => JSON.stringify(counts((last = await results("trial")))) === JSON.stringify(expected), `${JSON.stringify(expected)} is counted`, 30_000)
      .catch((error) => assert.fail(`${error}: ${JSON.stringify(last)}`));
  };
  await is({ a: [1, 1], b: [0, 0], holdout: [0, 0] });

  await msci.collect(bob.batch(bob.event("order_completed", { total: 1 }, { time: old }), shown(bob, "trial:b", { time: old + 1 })));
  await msci.collect(held.batch(shown(held, "trial:holdout"), held.event("order_completed", { total: 9 })));
  await is({ a: [1, 1], b: [1, 0], holdout: [1, 1] });

  // Bob's other device saw it later, in another bucket, and ordered: one person, where he saw it first.
  await msci.collect(phone.batch(shown(phone, "trial:a"), phone.event("order_completed", { total: 3 })));
  await is({ a: [2, 2], b: [1, 0], holdout: [1, 1] });
  await msci.collect(bob.batch(bob.user("Trial1")), { cookies: { _msci: bob.cookieId } });
  await msci.collect(phone.batch(phone.user("Trial1")), { cookies: { _msci: phone.cookieId } });
  await is({ a: [1, 1], b: [1, 1], holdout: [1, 1] });

  const { body } = await profile(msci, bob.cookieId);
  await msci.admin("POST", `/customers/${body.msdynci_customerid}/unlink`, { cookieId: phone.cookieId });
  await is({ a: [2, 2], b: [1, 0], holdout: [1, 1] });

  const { comparisons, buckets } = await results("trial");
  assert.deepEqual(comparisons.map((/** @type {any} */ c) => [c.variant, c.against, c.lift, c.few, c.confidence]), [
    ["a", "holdout", 0, true, 0.95],
    ["b", "holdout", -1, true, 0.95],
  ]);
  assert.ok(comparisons.every((/** @type {any} */ c) => c.interval[0] < c.interval[1]));
  assert.deepEqual(buckets.map((/** @type {any} */ b) => b.rate), [1, 0, 1]);

  // An index that was lost is made again.
  await msci.index("DELETE FROM outcome");
  const { body: job } = await msci.admin("POST", "/index/rebuild", {});
  await finished(msci, job.job);
  await is({ a: [2, 2], b: [1, 0], holdout: [1, 1] });

  // Who wants to be forgotten leaves no result; who is only gone stays in it.
  await msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: held.cookieId } });
  await is({ a: [2, 2], b: [1, 0], holdout: [0, 0] });
  await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 0 } });
  try {
    await until(async () => (await profile(msci, anna.cookieId)).status === 404, "the idle visitor expired");
    await is({ a: [2, 2], b: [1, 0], holdout: [0, 0] });
  } finally {
    await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 7 } });
  }
  const erased = await msci.admin("POST", "/privacy/erase", { cookieId: anna.cookieId });
  assert.equal(erased.status, 200);
  await is({ a: [1, 1], b: [1, 0], holdout: [0, 0] });
});

test("without a goal results show exposures alone, and of what is not there nothing", async () => {
  await put("plain", { pages: ["/plain"], changes: [change("x")] });
  const her = browser();
  await msci.collect(her.batch(her.view("/", { exposures: "plain:treated" })));
  await until(async () => (await results("plain")).buckets[0].exposed === 1, "the exposure is counted");
  assert.deepEqual(await results("plain"), { experience: "plain", buckets: [{ name: "treated", exposed: 1 }], comparisons: [] });
  assert.equal((await msci.admin("GET", "/experiences/nope/results")).status, 404);
  assert.equal((await msci.admin("POST", "/experiences/plain/results", {})).status, 405);
});

test("what a redirect shows is told by the page that it leads to, once", async () => {
  await put("move", { pages: ["/coffee-machines/basic"], changes: [{ action: "redirect", value: "/cart" }] });
  const her = browser();
  const cookies = { _msci: her.cookieId };
  const headers = { accept: "text/html" };
  const away = await msci.fetch("/coffee-machines/basic", { cookies, headers });
  assert.deepEqual([away.status, away.headers.get("location"), away.cookies._msci_x], [302, "/cart", "move:treated"]);
  const there = await msci.fetch("/cart", { cookies: { ...cookies, ...away.cookies }, headers });
  assert.match(there.body, /<meta name="msci-x" content="move:treated">/);
  assert.equal(there.headers.get("cache-control"), "private, no-store");
  assert.equal(there.cookies._msci_x, "", "and only by that one");
  for (const forged of ['"><script>', "a,b", "x".repeat(130)]) {
    const plain = await msci.fetch("/cart", { cookies: { ...cookies, _msci_x: forged }, headers });
    assert.ok(!plain.body.includes("msci-x"));
  }
  const image = await msci.fetch("/images/hero-premium.svg", { cookies: { ...cookies, ...away.cookies }, headers: { accept: "image/*" } });
  assert.equal(image.cookies._msci_x, undefined);
  // Where consent is required a browser that was never granted anything keeps nothing (C4).
  await msci.admin("PUT", "/settings", { consent: { mode: "required" } });
  try {
    const stranger = await until(async () => {
      const led = await msci.fetch("/coffee-machines/basic", { headers });
      return led.cookies._msci === undefined ? led : undefined;
    }, "the setting holds");
    assert.deepEqual([stranger.status, stranger.headers.get("location"), stranger.cookies], [302, "/cart", {}]);
    assert.equal((await msci.fetch("/coffee-machines/basic", { cookies, headers })).cookies._msci_x, "move:treated");
  } finally {
    await msci.admin("PUT", "/settings", { consent: { mode: "implied" } });
  }
  await msci.admin("DELETE", "/experiences/move");
});

test("an explanation says of every experience what the page shows", async () => {
  const her = browser();
  const cookies = { _msci: her.cookieId };
  const premium = "http://localhost/coffee-machines/premium/";
  const seen = await msci.collect(her.batch(her.view(`${premium}aurora`), her.view(`${premium}solstice`)), { cookies });
  await put("rival", { pages: ["/"], priority: -1, changes: [change("Rival"), change("{{ Email }}", { selector: "#hero-text" })] });
  const explain = async (/** @type {Record<string, unknown>} */ asked) => {
    const { status, body } = await msci.admin("POST", "/experiences/explain", asked);
    assert.equal(status, 200, JSON.stringify(body));
    return { ...body, by: Object.fromEntries(body.experiences.map((/** @type {any} */ e) => [e.name, e])) };
  };
  const told = await explain({ cookieId: her.cookieId, uri: "/?q=1" });
  assert.ok(told.version >= seen.body.version);
  assert.equal(told.version, (await msci.admin("GET", `/customers/${told.customerId}`)).body.version);
  assert.ok(told.n > 0 && told.bucketKey === told.customerId && told.known === false && told.asStranger === null);
  assert.deepEqual([told.by["premium-hero"].taken, told.by["premium-hero"].bucket], [true, "treated"]);
  assert.deepEqual(told.by["high-value-offer"].failed, ["IsMemberOfSegment('HighLifetimeValue')"]);
  assert.deepEqual(told.by.rival.changes, [
    { selector: "#hero-title", action: "setText", made: false, why: "lost", what: "premium-hero" },
    { selector: "#hero-text", action: "setText", made: false, why: "lost", what: "premium-hero" },
  ]);
  assert.equal((await explain({ cookieId: her.cookieId, uri: "/cart" })).by["premium-hero"].why, "other_page");
  const page = await msci.fetch("/", { cookies: { ...cookies, ...seen.cookies }, headers: { accept: "text/html" } });
  const marked = /msci-x" content="([^"]*)"/.exec(page.body)?.[1]?.split(",");
  const taken = told.experiences.filter((/** @type {any} */ e) => e.bucket).map((/** @type {any} */ e) => `${e.name}:${e.bucket}`);
  assert.deepEqual(marked, taken);
  assert.equal((await explain({ customerId: told.customerId, uri: "/" })).by["premium-hero"].taken, true);

  // A customer who was imported and never seen, and a cookie that nobody has.
  const { customers } = (await msci.admin("GET", "/customers?search=Loyalty1")).body;
  const { customerId } = customers.find((/** @type {any} */ one) => one.authId === "Loyalty1");
  assert.equal((await explain({ customerId, uri: "/" })).by["loyal-welcome"].taken, true);
  const stranger = await explain({ cookieId: browser().cookieId, uri: "/" });
  assert.deepEqual([stranger.asStranger, stranger.version, stranger.by["premium-hero"].why], ["no_profile", null, "other_audience"]);
  // Who wants no personal pages is told apart.
  await msci.collect(her.batch({ seq: 99, time: Date.now(), type: "consent", purposes: { personalization: "denied" } }), { cookies });
  assert.equal((await explain({ cookieId: her.cookieId, uri: "/" })).asStranger, "consent");
  for (const asked of [{}, { uri: "/" }, { cookieId: her.cookieId }, { cookieId: "x", uri: "/" }, { cookieId: her.cookieId, customerId: told.customerId, uri: "/" }]) {
    assert.equal((await msci.admin("POST", "/experiences/explain", asked)).body.error.code, "invalid_request");
  }
  assert.equal((await msci.admin("POST", "/experiences/explain", { customerId: "0".repeat(32), uri: "/" })).status, 404);
});
