// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
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

/** What must not depend on the link's history. @param {{ body: any }} answer */
const told = ({ body }) => ({
  known: body.msdynci_known,
  cookies: [...body.msdynci_cookieids].sort(),
  name: body.msdynci_fullname,
  email: body.msdynci_email,
  segments: body.segmentmembership,
  measures: body.measures,
  firstSeen: body.msdynci_firstseen,
  lastSeen: body.msdynci_lastseen,
  activities: body.unifiedactivity,
});

test("A9 after an unlink both are what they would have been without the link", async () => {
  const [phone, laptop] = [browser(), browser()];
  const premium = "/coffee-machines/premium/";
  await msci.collect(phone.batch(phone.view("/phone"), phone.user("Loyalty20", { name: "Phone" })));
  const customer = await profile(msci, phone.cookieId);
  await msci.collect(laptop.batch(
    laptop.view(`${premium}a`),
    laptop.view(`${premium}b`),
    laptop.event("order_completed", { total: 0.1 }),
    laptop.user(undefined, { email: "laptop@example.com", name: "Laptop" }),
  ));
  const visitor = await profile(msci, laptop.cookieId);
  assert.deepEqual(visitor.body.segmentmembership, ["PremiumBrowsers"]);

  const merged = await msci.collect(laptop.batch(laptop.user("Loyalty20")), { cookies: { _msci: laptop.cookieId } });
  assert.equal(merged.body.user.status, "merged");
  const both = await profile(msci, laptop.cookieId);
  assert.equal(both.body.msdynci_cookieids.length, 2);
  assert.equal(both.body.measures.PageViews, 3);

  const id = both.body.msdynci_customerid;
  const done = await msci.admin("POST", `/customers/${id}/unlink`, { cookieId: laptop.cookieId });
  assert.deepEqual(done.body, { unlinked: true });
  assert.deepEqual(told(await profile(msci, phone.cookieId)), told(customer));
  const again = await profile(msci, laptop.cookieId);
  // The `user` signal that made the link stays in the log of its browser; it is no activity.
  assert.deepEqual({ ...told(again), lastSeen: 0 }, { ...told(visitor), lastSeen: 0 });

  // The browser's proof opens nothing any more: it sees what the cookie alone says, once the copies have followed.
  await until(async () => {
    const page = await msci.fetch("/", {
      cookies: { _msci: laptop.cookieId, ...merged.cookies },
      headers: { accept: "text/html" },
    });
    return page.body.includes("The Aurora is waiting for you.") && !page.body.includes("Welcome back");
  }, "the page is that of the cookie alone");

  await msci.collect(laptop.batch(laptop.view("/later")));
  assert.equal((await profile(msci, laptop.cookieId)).body.measures.PageViews, 3);
  assert.equal((await profile(msci, phone.cookieId)).body.measures.PageViews, 1);

  const relinked = await msci.collect(laptop.batch(laptop.user("Loyalty20")));
  assert.equal(relinked.body.user.status, "merged");
  assert.equal((await profile(msci, laptop.cookieId)).body.measures.PageViews, 4);
});

test("only a link that is there can be taken back", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("Loyalty21")));
  const id = (await profile(msci, her.cookieId)).body.msdynci_customerid;
  const stranger = browser();
  for (const [customer, cookieId, status] of /** @type {[string, unknown, number][]} */ ([
    [id, stranger.cookieId, 404],
    ["0".repeat(32), her.cookieId, 404],
    ["nonsense", her.cookieId, 404],
    [id, "nonsense", 400],
    [id, undefined, 400],
  ])) {
    assert.equal((await msci.admin("POST", `/customers/${customer}/unlink`, { cookieId })).status, status);
  }
  assert.equal((await profile(msci, her.cookieId)).body.msdynci_known, true);
});

test("A10 more links than the settings allow are refused, and the signals stay with the cookie", async () => {
  await msci.admin("PUT", "/settings", { identity: { maxLinks: 1 } });
  try {
    const [first, second] = [browser(), browser()];
    await msci.collect(first.batch(first.view("/"), first.user("Loyalty22")));
    const refused = await msci.collect(second.batch(second.view("/mine"), second.user("Loyalty22")), {
      cookies: { _msci: second.cookieId },
    });
    assert.deepEqual(refused.body.user, { status: "refused", reason: "too_many_links" });
    assert.equal(refused.cookies["__Host-msci_p"], undefined);
    const stays = await profile(msci, second.cookieId);
    assert.equal(stays.body.msdynci_known, false);
    assert.equal(stays.body.measures.PageViews, 1);
  } finally {
    await msci.admin("PUT", "/settings", { identity: { maxLinks: 5000 } });
  }
});

test("forget purges the visitor's own log, here and at the customer, and leaves the customer", async () => {
  const [phone, laptop] = [browser(), browser()];
  await msci.collect(phone.batch(phone.view("/phone"), phone.user("Loyalty23")));
  await msci.collect(laptop.batch(laptop.view("/secret"), laptop.user("Loyalty23")));
  const foreign = await msci.fetch("/_msci/forget", {
    method: "POST",
    cookies: { _msci: laptop.cookieId },
    headers: { origin: "https://evil.example" },
  });
  assert.equal(foreign.status, 403);
  const forgotten = await msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: laptop.cookieId } });
  assert.deepEqual(forgotten.body, { forgotten: true });
  assert.deepEqual(forgotten.cookies, { _msci: "", "__Host-msci_p": "", _msci_v: "" });
  const customer = await profile(msci, phone.cookieId);
  assert.deepEqual(customer.body.msdynci_cookieids, [phone.cookieId]);
  assert.deepEqual(customer.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl), ["/phone"]);
  assert.deepEqual((await profile(msci, laptop.cookieId)).body.unifiedactivity, []);
});

test("A15 an idle unknown profile goes, and the next visit with the same cookie starts a fresh one", async () => {
  const her = browser();
  await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 0 } });
  try {
    await msci.collect(her.batch(her.view("/")));
    await until(async () => (await profile(msci, her.cookieId)).status === 404, "the idle profile is gone");
  } finally {
    await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 7 } });
  }
  await until(async () => {
    await msci.collect(her.batch(her.view("/again")));
    return (await profile(msci, her.cookieId)).status === 200;
  }, "the next visit starts a profile");
  const fresh = await profile(msci, her.cookieId);
  assert.ok(fresh.body.unifiedactivity.every((/** @type {any} */ a) => a.msdynci_externalurl === "/again"));
});
