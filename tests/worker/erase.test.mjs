// @ts-check
// Erasure: nothing of a person is left, nothing that was under way brings anything back, and the person may
// come again.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { atEnd } from "../support/at-end.mjs";
import { SECRET, receiver } from "../support/receiver.mjs";
import { browser, profile, token } from "../support/signals.mjs";
import { stored } from "../support/stored.mjs";
import { system, until } from "../support/system.mjs";

const state = mkdtempSync(join(tmpdir(), "msci-test-"));
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system(undefined, { state });
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // No page goes without its profile because this machine is busy.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
});
after(async () => {
  await msci.stop();
  rmSync(state, { recursive: true, force: true });
});

/** Everything an object holds but what names it. @param {{ body: any }} answer */
const uris = (answer) => answer.body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl);

/** @param {string} search */
const count = async (search) => {
  const known = await msci.admin("GET", `/customers?kind=known&search=${search}`);
  const unknown = await msci.admin("GET", `/customers?kind=unknown&search=${search}`);
  return known.body.count + unknown.body.count;
};

/** @param {string} search */
const listed = (search) => until(async () => (await count(search)) > 0, `${search} is listed`);

/** Erases, and waits for the job's end. @param {Record<string, string>} whom */
async function erase(whom) {
  const asked = await msci.admin("POST", "/privacy/erase", whom);
  assert.equal(asked.status, 200, JSON.stringify(asked.body));
  return until(async () => {
    const { body } = await msci.admin("GET", `/jobs/${asked.body.job}`);
    return body.state === "done" && body;
  }, "the erasure is done");
}

/** @param {string} authId */
const mail = (authId) => `${authId.toLowerCase()}@erased.example`;

/** A customer with two devices, a history on both, and an imported row. @param {string} authId */
async function person(authId) {
  const [phone, laptop] = [browser(), browser()];
  await msci.collect(phone.batch(phone.view("/phone"), phone.user(authId, { name: "Erna Lösch" })));
  await msci.collect(laptop.batch(laptop.view("/laptop"), laptop.event("order_completed", { total: 2000 })));
  const merged = await msci.collect(laptop.batch(laptop.user(authId, { email: mail(authId) })), {
    cookies: { _msci: laptop.cookieId },
  });
  assert.equal(merged.body.user.status, "merged");
  const { body } = await profile(msci, phone.cookieId);
  assert.equal(body.msdynci_cookieids.length, 2);
  await listed(phone.cookieId);
  return { authId, phone, laptop, cookies: merged.cookies, customerId: body.msdynci_customerid };
}

for (const by of ["customerId", "cookieId", "authId"]) {
  test(`F42 erased by ${by}, a customer is gone everywhere, and what comes late is refused`, async () => {
    const { phone, laptop, authId, customerId, cookies } = await person(`Erased-by-${by}`);
    const asked = { customerId, cookieId: laptop.cookieId, authId }[by] ?? "";
    const job = await erase({ [by]: asked });
    assert.deepEqual([job.kind, job.done, job.total], ["erase", 1, 1]);

    for (const { cookieId } of [phone, laptop]) {
      assert.equal((await profile(msci, cookieId)).status, 404);
      assert.equal((await msci.admin("GET", `/customers/${customerId}/timeline`)).status, 404);
    }
    assert.equal((await msci.admin("GET", `/customers/${customerId}`)).status, 404);
    for (const trace of [phone.cookieId, laptop.cookieId, authId, "lösch"]) {
      await until(async () => (await count(trace)) === 0, `${trace} is in no list`);
    }
    // The proof opens nothing.
    const page = await msci.fetch("/", { cookies: { _msci: laptop.cookieId, ...cookies }, headers: { accept: "text/html" } });
    assert.ok(!page.body.includes("GRAZIE15") && page.body.includes("Good coffee, every morning."));

    // Late, from before: of a page that was open, of a stream that was offline.
    const late = { time: Date.now() - 60_000 };
    const offline = browser({ cookieId: phone.cookieId });
    for (const of of [phone, offline]) {
      const answer = await msci.collect(of.batch(of.view("/late", late), of.user(authId, late)));
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.body.rejected.map((/** @type {any} */ r) => r.code), ["erased", "erased"]);
      assert.deepEqual([answer.body.accepted, answer.body.duplicate], [0, 0]);
      assert.notEqual(answer.body.cookieId, phone.cookieId, "the browser goes on under another cookieId");
    }
    assert.equal((await profile(msci, phone.cookieId)).status, 404);
    // Of a device that was never linked: its `setUser` is older than the erasure.
    const device = browser();
    const refused = await msci.collect(device.batch(device.view("/late", late), device.user(authId, late)));
    assert.deepEqual(refused.body.user, { status: "refused", reason: "erased" });
    assert.deepEqual(refused.body.rejected.map((/** @type {any} */ r) => r.code), ["erased", "erased"]);
    assert.equal((await profile(msci, device.cookieId)).status, 404);
    assert.equal((await msci.admin("GET", `/customers/${customerId}`)).status, 404);
    assert.equal(await count(authId), 0);
    const again = await erase({ [by]: asked });
    assert.equal(again.state, "done", "erasing again is no fault");
  });
}

test("F42 an erased browser goes on under one new cookieId, and the person may sign up again with what is new", async () => {
  const { phone, laptop, authId, customerId } = await person("Erased-and-back");
  await erase({ customerId });

  const now = phone.batch(phone.view("/new"), phone.event("x"));
  const first = await msci.collect(now, { cookies: { _msci: phone.cookieId } });
  assert.equal(first.body.accepted, 2);
  const { cookieId } = first.body;
  assert.notEqual(cookieId, phone.cookieId);
  assert.equal(first.cookies._msci, cookieId);
  const resent = await msci.collect(now, { cookies: { _msci: phone.cookieId } });
  assert.deepEqual([resent.body.cookieId, resent.body.accepted, resent.body.duplicate], [cookieId, 0, 2]);
  const fresh = await profile(msci, cookieId);
  assert.deepEqual([fresh.body.msdynci_known, uris(fresh)], [false, [null, "/new"]]);
  const other = await msci.collect(laptop.batch(laptop.view("/new-too")), { cookies: { _msci: laptop.cookieId } });
  assert.ok(![phone.cookieId, laptop.cookieId, cookieId].includes(other.body.cookieId), "each browser for itself");

  // The next page load goes on with the new cookieId, in a new stream, and signs up.
  const next = browser({ cookieId });
  const merged = await msci.collect(next.batch(next.user(authId), next.view("/signed-in")), { cookies: { _msci: cookieId } });
  assert.deepEqual(merged.body.user, { status: "merged" });
  const { body } = await profile(msci, cookieId);
  assert.equal(body.msdynci_customerid, customerId, "the same id names the same customer");
  assert.deepEqual(body.msdynci_cookieids, [cookieId]);
  assert.deepEqual(body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl), ["/signed-in", null, "/new"]);
  assert.deepEqual([body.msdynci_fullname, body.msdynci_email, body.measures.PageViews], [undefined, undefined, 2]);
  assert.ok(!body.measures.LifetimeValue);
  await listed(cookieId);

  // A device that was offline all the time: its history is older than the erasure.
  const device = browser();
  const old = { time: Date.now() - 3_600_000 };
  const joined = await msci.collect(device.batch(device.view("/old", old), device.view("/now"), device.user(authId)));
  assert.equal(joined.body.user.status, "merged");
  const told = await profile(msci, cookieId);
  assert.ok(uris(told).includes("/now") && !uris(told).includes("/old"));
});

test("F42 a visitor whom nobody knows is erased by cookieId", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user(undefined, { email: "unknown@erased.example" })));
  await listed(her.cookieId);
  await erase({ cookieId: her.cookieId });
  assert.equal((await profile(msci, her.cookieId)).status, 404);
  await until(async () => (await count(her.cookieId)) === 0, "the visitor is in no list");
  const late = await msci.collect(her.batch(her.view("/late", { time: Date.now() - 60_000 })));
  assert.equal(late.body.rejected[0].code, "erased");
});

test("F42 an imported customer who was never seen is erased, and others stay", async () => {
  await erase({ authId: "Loyalty71" });
  assert.equal(await count("Loyalty71"), 0);
  assert.equal(await count("Loyalty72"), 1);
  assert.equal((await msci.admin("GET", "/tables/LoyaltySignUps")).body.rows, 100);
});

test("G7 a later import does not bring back who was erased, unless it says that they are new", async () => {
  const rows = ["Loyalty1001", "Loyalty1002"].map((LoyaltyId) => JSON.stringify({ LoyaltyId, FirstName: "Ida" })).join("\n");
  const load = async (query = "") => {
    const headers = { authorization: `Bearer ${msci.adminToken}`, "content-type": "application/x-ndjson" };
    const { status, body } = await msci.fetch(`/_msci/admin/v1/tables/LoyaltySignUps/rows${query}`, { method: "POST", headers, body: rows });
    return { status, ...body };
  };
  assert.equal((await load()).created, 2);
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("Loyalty1001")));
  await erase({ authId: "Loyalty1001" });
  await until(async () => (await count("Loyalty1001")) === 0, "she is in no list");
  const again = await load();
  assert.deepEqual(again.rejected.map((/** @type {any} */ { line, code }) => [line, code]), [[1, "erased"]]);
  assert.deepEqual([again.received, again.created, again.updated, again.unchanged], [2, 0, 0, 1]);
  assert.equal(await count("Loyalty1001"), 0);
  assert.equal((await load("?erased=maybe")).status, 400);
  assert.equal((await load("?erased=anew")).created, 1);
  await until(async () => (await count("Loyalty1001")) === 1, "she is a customer again");
});

test("F42 an erasure in the middle of a merge and of signals leaves nothing, and counts what came too late", async () => {
  const { phone, laptop, authId, customerId } = await person("Erased-meanwhile");
  const erased = async () => (await msci.admin("GET", "/stats")).body.rejected.erased ?? 0;
  const counted = await erased();
  const third = browser();
  await msci.collect(third.batch(third.view("/third")));
  const before = { time: Date.now() - 1000 };
  await Promise.all([
    erase({ customerId }),
    msci.collect(third.batch(third.user(authId, before))),
    ...Array.from({ length: 10 }, () => msci.collect(phone.batch(phone.view("/meanwhile", before)))),
    ...Array.from({ length: 10 }, () => msci.collect(laptop.batch(laptop.view("/meanwhile", before)))),
  ]);
  for (const { cookieId } of [phone, laptop]) assert.equal((await profile(msci, cookieId)).status, 404);
  // Merged before, it went with the customer; after, the customer did not take it.
  assert.equal((await profile(msci, third.cookieId)).status, 404);
  assert.equal((await msci.admin("GET", `/customers/${customerId}`)).status, 404);
  await until(async () => (await count(authId)) === 0, "nobody of it is in a list");
  const late = await msci.collect(phone.batch(phone.view("/late", before), phone.user(authId, before)));
  assert.deepEqual(late.body.rejected.map((/** @type {any} */ r) => r.code), ["erased", "erased"]);
  await until(async () => (await erased()) >= counted + 2, "what came too late is counted");
  await settled();
  assert.deepEqual(found(await everything(), [authId, mail(authId), phone.cookieId, laptop.cookieId, third.cookieId]), []);
});

test("what an erasure cannot be asked is refused, and nothing is erased", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/stays")));
  for (const bad of [{}, { cookieId: "x" }, { customerId: "x" }, { authId: "null" }, { cookieId: her.cookieId, authId: "x" }, { cookieId: 7 }]) {
    const { status, body } = await msci.admin("POST", "/privacy/erase", bad);
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"], JSON.stringify(bad));
  }
  assert.equal((await msci.admin("GET", "/privacy/erase")).status, 405);
  const stranger = await msci.fetch("/_msci/admin/v1/privacy/erase", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ cookieId: her.cookieId }),
  });
  assert.equal(stranger.status, 401);
  assert.equal((await profile(msci, her.cookieId)).status, 200);
});

/** Live rows, KV and index as text, with where it stands. */
async function everything() {
  const kv = await msci.snapshots();
  /** @type {[string, string][]} */
  const held = [["KV", JSON.stringify(kv)]];
  // Every table that there is, whatever it is called.
  const own = "type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";
  const tables = (await msci.index(`SELECT name FROM sqlite_master WHERE ${own}`)).map(({ name }) => String(name));
  for (const known of ["customer", "delivery", "membership"]) assert.ok(tables.includes(known), tables.join());
  for (const table of tables) held.push([`${table} of the index`, JSON.stringify(await msci.index(`SELECT * FROM "${table}"`))]);
  await msci.stop();
  held.push(["the log of the runtime", msci.printed.join("")]);
  await stored(state, async ({ objects, dump }) => {
    for (const kind of ["ProfileObject", "ConfigObject", "JobObject"]) {
      for (const id of objects(kind)) held.push([`${kind} ${id}`, JSON.stringify(await dump(id, kind))]);
    }
  });
  msci = await system(undefined, { state });
  return held;
}

/** Where a text is found. @param {[string, string][]} held @param {string[]} traces */
const found = (held, traces) =>
  held.flatMap(([place, text]) => traces.filter((trace) => text.includes(trace)).map((trace) => `${trace} in ${place}`));

/** Waits until no object has anything of an erasure to do: tell others, copy, write its file anew. */
async function settled() {
  const names = new Set();
  for (const { object } of await msci.index("SELECT object FROM cookie UNION SELECT id FROM customer")) names.add(object);
  for (const name of names) {
    await until(async () => (await msci.object(name, "erasing")).body === false, `nothing is owed by ${name}`, 20_000);
  }
}

/** Bytes of all files but the index's, whose free pages are the platform's to use again (SECURITY.md). @param {string[]} traces */
function remains(traces) {
  const files = readdirSync(state, { recursive: true, encoding: "utf8", withFileTypes: true }).filter((file) => file.isFile());
  return files
    .map((file) => join(file.parentPath ?? file.path, file.name))
    .filter((file) => !relative(state, file).startsWith("d1"))
    .filter((file) => traces.some((trace) => readFileSync(file).includes(trace)));
}

test("G7 after an erasure nothing names the person, also at cookies that were taken from them and that are somebody else's by now, in messages of activations, or in a claim", async (t) => {
  const [fails, works] = [await receiver(t), await receiver(t)];
  fails.answers(() => 500);
  await msci.admin("PUT", "/measures/Spent", { aggregate: "sum", property: "total" });
  await msci.admin("PUT", "/segments/Spender", { filter: "Measures/Spent gt 1000" });
  for (const [name, to] of /** @type {const} */ ([["fails", fails], ["works", works]])) {
    const put = await msci.admin("PUT", `/activations/${name}`, { segment: "Spender", on: ["entered"], url: to.url, secret: SECRET });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    atEnd(t, () => msci.admin("DELETE", `/activations/${name}`));
  }
  const { phone, laptop, authId, customerId } = await person("Erased-with-traces");
  await until(async () => (await msci.admin("GET", "/activations/works/deliveries?state=delivered")).body.items.length > 0, "a message is delivered", 20_000);
  await until(async () => (await msci.admin("GET", "/activations/fails/deliveries?state=pending")).body.items[0]?.attempts > 0, "one is not", 20_000);
  const purposes = { storage: "granted", analytics: "granted", personalization: "denied" };
  await msci.collect(phone.batch({ ...phone.view("/"), type: "consent", purposes }));
  const theirs = { name: "Erna Lösch", email: mail(authId), localId: "Erna-local" };
  const unlinked = async () => {
    const her = browser();
    await msci.collect(her.batch(her.user(undefined, { name: "Somebody" }), her.view("/before"), her.user(authId, theirs), her.view("/after")));
    assert.deepEqual((await msci.admin("POST", `/customers/${customerId}/unlink`, { cookieId: her.cookieId })).body, { unlinked: true });
    return her;
  };
  const [lost, moved] = [await unlinked(), await unlinked()];
  // One says it again without a proof, the other is somebody else's.
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  atEnd(t, () => msci.admin("PUT", "/settings", { identity: { verification: "off" } }));
  const again = () => msci.collect(lost.batch(lost.user(authId, theirs)));
  await until(async () => (await again()).body.user.status === "claimed", "it is a claim");
  const proof = token(msci.identitySecret, { sub: "Olga-Loyalty", cid: moved.cookieId });
  const merged = await msci.collect(moved.batch(moved.user("Olga-Loyalty", { name: "Olga", token: proof }), moved.view("/as-olga")), { cookies: { _msci: moved.cookieId } });
  assert.deepEqual(merged.body.user, { status: "merged" });
  await until(async () => (await count(lost.cookieId)) * (await count(moved.cookieId)) > 0, "both are listed");
  await settled();

  const traces = [authId, mail(authId), "Erna Lösch", "Erna-local", phone.cookieId, laptop.cookieId];
  const before = found(await everything(), traces);
  for (const trace of traces) assert.ok(before.some((line) => line.startsWith(trace)), `${trace} was there before`);
  await erase({ customerId });
  await until(async () => (await count(authId)) + (await count(mail(authId))) + (await count(laptop.cookieId)) === 0, "the copies are gone");
  await settled();
  assert.deepEqual(found(await everything(), traces), []);
  assert.deepEqual(remains(traces), []);
  // What those two looked at is theirs.
  const [still, olgas] = [(await profile(msci, lost.cookieId)).body, (await profile(msci, moved.cookieId)).body];
  assert.deepEqual(uris({ body: still }), ["/after", "/before"]);
  assert.deepEqual([still.msdynci_known, still.msdynci_fullname, still.msdynci_email], [false, "Somebody", undefined]);
  assert.deepEqual(uris({ body: olgas }).filter(Boolean), ["/as-olga", "/after", "/before"]);
  assert.deepEqual([olgas.msdynci_known, olgas.msdynci_fullname, olgas.msdynci_email], [true, "Olga", undefined]);
  const resent = await msci.collect(lost.batch({ ...lost.user(authId, theirs), seq: 3 }));
  assert.equal(resent.body.rejected[0]?.code, "erased", "what comes again of it is refused");
});

test("G7 who was only ever claimed is not named any more where they were claimed, also by a claim that comes to the index late", async (t) => {
  const { authId, customerId } = await person("Erased-where-claimed");
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  atEnd(t, () => msci.admin("PUT", "/settings", { identity: { verification: "off" } }));
  const [early, late, other] = [browser(), browser(), browser()];
  const says = { name: "Erna Lösch", email: mail(authId) };
  /** @param {typeof early} of @param {string} whom @param {Record<string, unknown>} [more] */
  const claims = async (of, whom, more) =>
    (await msci.collect(of.batch(of.view("/own"), of.user(whom, { ...says, ...more })))).body.user?.status === "claimed";
  await until(() => claims(early, authId), "it is a claim");
  assert.ok(await claims(other, "Somebody-else", { name: "Other", email: "other@claimed.example" }));
  const waiting = async () => (await msci.admin("GET", "/customers?kind=claiming&top=500")).body.customers.flatMap((/** @type {any} */ row) => row.cookieIds);
  await until(async () => [early, other].every(async ({ cookieId }) => (await waiting()).includes(cookieId)), "both are listed");
  const before = Date.now();
  await erase({ customerId });
  assert.ok(await claims(late, authId, { time: before }));
  await until(async () => (await count(authId)) + (await count(mail(authId))) === 0, "nobody of it is in a list");
  for (const { cookieId } of [early, late]) {
    await until(async () => (await profile(msci, cookieId)).body.msdynci_email === undefined, "nobody is called so");
    assert.ok(uris(await profile(msci, cookieId)).includes("/own"), "what they looked at is theirs");
  }
  assert.equal((await profile(msci, other.cookieId)).body.msdynci_email, "other@claimed.example");
  await until(async () => String(await waiting()) === other.cookieId, "one claim waits");
  await settled();
  const traces = [authId, mail(authId), "Erna Lösch"];
  assert.deepEqual(found(await everything(), traces), []);
  assert.deepEqual(remains(traces), []);
});

test("G7 after an erasure no file of an object, no live row, no snapshot and no log has the authId, e-mail, name or cookieId", async () => {
  const { phone, laptop, authId, customerId } = await person("Erased-without-trace");
  // Devices that came and went leave rows of their own.
  const forgotten = browser();
  await msci.collect(forgotten.batch(forgotten.view("/"), forgotten.user(authId)));
  await msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: forgotten.cookieId } });
  const traces = [authId, mail(authId), "Erna Lösch", phone.cookieId, laptop.cookieId];
  const before = found(await everything(), traces);
  for (const trace of traces) assert.ok(before.some((line) => line.startsWith(trace)), `${trace} was there before`);
  await erase({ customerId });
  await until(async () => (await count(authId)) + (await count(laptop.cookieId)) === 0, "the copies are gone");
  assert.deepEqual(found(await everything(), traces), []);
  // Byte by byte, with whatever is in free pages.
  assert.deepEqual(remains(traces), []);
});

test(
  "G7 an erased cookieId is not kept as the root of another visitor's on the same browser",
  async () => {
    const { phone, customerId } = await person("Erased-at-a-shared-browser");
    const next = browser({ cookieId: phone.cookieId });
    assert.equal((await msci.collect(next.batch(next.user("Loyalty74")))).body.user.status, "rotated");
    await erase({ customerId });
    await until(async () => (await count(phone.cookieId)) === 0, "the copies are gone");
    assert.deepEqual(found(await everything(), [phone.cookieId]), []);
  },
);
