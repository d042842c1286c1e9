// @ts-check
// An older and a newer program on the same storage, and on both ends of a call.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { EDGE } from "../../tools/serve.mjs";
import { browser, profile } from "../support/signals.mjs";
import { stored } from "../support/stored.mjs";
import { system, until } from "../support/system.mjs";

let state = "";
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), "msci-test-"));
  msci = await system(undefined, { state });
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
afterEach(async () => {
  await msci.stop();
  rmSync(state, { recursive: true, force: true });
});

/**
 * Stops the system, works on what it has stored, and starts it again.
 * @template T
 * @param {(stored: import("../support/stored.mjs").Stored) => Promise<T>} work
 */
async function between(work) {
  await msci.stop();
  const result = await stored(state, work);
  msci = await system(undefined, { state });
  return result;
}

/** The objects that ever held something, with their tables. @param {import("../support/stored.mjs").Stored} stored */
async function filled({ objects, dump }) {
  /** @type {{ id: string, tables: Record<string, any[]> }[]} */
  const all = [];
  for (const id of objects()) {
    const tables = await dump(id);
    if (tables.signal) all.push({ id, tables });
  }
  return all;
}

/** A value of a small row. @param {any[] | undefined} rows @param {string} key */
const body = (rows, key) => JSON.parse(rows?.find((row) => row.key === key)?.body ?? "null");

/** A visitor, and a customer with two devices. */
async function people() {
  const [her, phone, laptop] = [browser(), browser(), browser()];
  const old = Date.now() - 86_400_000;
  await msci.collect(her.batch(her.view("/hers", { time: old }), her.event("order_completed", { total: 3 }), her.user(undefined, { email: "her@example.com" })));
  await msci.collect(phone.batch(phone.view("/phone", { time: old }), phone.user("Loyalty2", { name: "Phone" })));
  await msci.collect(laptop.batch(laptop.view("/laptop"), laptop.user("Loyalty2")));
  /** What the read API says of each; the address that it names changes with the port. */
  const told = () =>
    Promise.all(
      [her, phone, laptop].map(async ({ cookieId }) => {
        const { "@odata.context": _, ...body } = (await profile(msci, cookieId)).body;
        return body;
      }),
    );
  await until(async () => {
    const known = await msci.admin("GET", `/customers?search=${laptop.cookieId}`);
    const unknown = await msci.admin("GET", `/customers?kind=unknown&search=${her.cookieId}`);
    const kv = Object.values(await msci.snapshots()).join("");
    return known.body.count && unknown.body.count && kv.includes(laptop.cookieId) && kv.includes(her.cookieId);
  }, "all copies are made");
  return { her, phone, laptop, told };
}

/** The schema's first version, out of the present one: the tables as they were, the rows as they were written. */
const FIRST_SCHEMA = [
  ...["meta", "profile", "measure", "membership", "link", "stream", "outbox"].map((table) => [`ALTER TABLE ${table} DROP COLUMN sum`]),
  ["ALTER TABLE signal RENAME TO newer"],
  ["DROP INDEX signal_position"],
  ["DROP INDEX signal_time"],
  [
    "CREATE TABLE signal (cookie TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, position INTEGER NOT NULL, " +
      "time INTEGER NOT NULL, type TEXT NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (cookie, stream, seq)) WITHOUT ROWID",
  ],
  ["CREATE INDEX signal_position ON signal (cookie, position)"],
  ["CREATE INDEX signal_time ON signal (time)"],
  ["INSERT INTO signal SELECT cookie, stream, seq, position, time, type, fields FROM newer"],
  ["DROP TABLE newer"],
  ["DELETE FROM meta WHERE key = 'oldest'"],
  ["UPDATE meta SET body = '1' WHERE key = 'schema'"],
  ["UPDATE meta SET body = json_remove(body, '$.first_seen', '$.refused') WHERE key = 'log'"],
  ["UPDATE link SET body = json_remove(body, '$.first_seen', '$.ended', '$.made')"],
  ["UPDATE outbox SET body = json_remove(body, '$.index', '$.indexed', '$.activities', '$.unindex', '$.repeat')"],
];

test("F23 objects with the first schema are brought to the present one, with all they have", async () => {
  const { told, her, phone } = await people();
  const before = await told();
  const made = await between(async (stored) => {
    const all = await filled(stored);
    for (const { id } of all) await stored.run(id, FIRST_SCHEMA);
    return filled(stored);
  });
  assert.equal(made.length, 4);
  for (const { tables } of made) {
    assert.equal(body(tables.meta, "schema"), 1);
    assert.ok(!tables.signal?.some((row) => "source" in row));
  }

  assert.deepEqual(await told(), before);
  // It goes on: signals, a page with both old and new rows, retention's memory.
  const later = await msci.collect(phone.batch(phone.view("/later")));
  assert.equal(later.body.accepted, 1);
  assert.deepEqual((await msci.collect(her.batch(her.user("Loyalty3")))).body.user, { status: "merged" });
  const known = (await profile(msci, her.cookieId)).body;
  assert.equal(known.measures.LifetimeValue, 3);
  assert.equal(known.msdynci_firstseen, before[0].msdynci_firstseen);
  const now = await between(filled);
  for (const { tables } of now) {
    assert.equal(body(tables.meta, "schema"), 3);
    assert.ok(tables.signal?.every((row) => row.source === "browser"));
    const times = tables.signal?.filter((row) => row.type !== "consent").map((row) => row.time) ?? [];
    assert.equal(body(tables.meta, "oldest"), Math.min(...times));
    const log = body(tables.meta, "log");
    if (log) assert.equal(log.first_seen, Math.min(...times));
  }
});

test("F23 after the upgrade lists have everybody once the index is rebuilt", async () => {
  const { told, her, phone } = await people();
  const before = await told();
  await between(async (stored) => {
    for (const { id } of await filled(stored)) await stored.run(id, FIRST_SCHEMA);
  });
  for (const table of ["customer", "cookie", "activity"]) await msci.index(`DROP TABLE ${table}`);
  await until(async () => (await msci.admin("GET", "/customers")).status === 200, "the tables are there again");
  await msci.admin("POST", "/index/rebuild");
  for (const [kind, of] of /** @type {const} */ ([["unknown", her], ["known", phone]])) {
    await until(async () => (await msci.admin("GET", `/customers?kind=${kind}&search=${of.cookieId}`)).body.count === 1, `${kind} is listed`);
  }
  assert.deepEqual(await told(), before);
});

test(
  "F23 an index of the version before this one is brought to the present schema, with its imported rows",
  async () => {
    for (const table of ["customer", "cookie", "activity", "imported_row"]) await msci.index(`DROP TABLE ${table}`);
    const row = JSON.stringify({ LoyaltyId: "Loyalty2", FirstName: "Early" });
    // At once: an alarm of the test before may bring an empty one to the present schema meanwhile.
    const index = await msci.miniflare().getD1Database("INDEX", EDGE);
    await index.batch([
      index.prepare(
        "CREATE TABLE identity_row (source TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT, " +
          "object TEXT, PRIMARY KEY (source, key)) WITHOUT ROWID",
      ),
      index.prepare("INSERT INTO identity_row VALUES ('LoyaltySignUps', 'Loyalty2', 1, ?, NULL)").bind(row),
    ]);
    await msci.restart();
    const her = browser();
    await msci.collect(her.batch(her.view("/"), her.user("Loyalty2")));
    assert.equal((await profile(msci, her.cookieId)).body.msdynci_firstname, "Early");
    assert.equal((await msci.admin("GET", "/customers")).status, 200);
  },
);

test(
  "F23 after the upgrade known customers are listed without a rebuild",
  async () => {
    const { phone } = await people();
    await between(async (stored) => {
      for (const { id } of await filled(stored)) await stored.run(id, FIRST_SCHEMA);
    });
    for (const table of ["customer", "cookie", "activity"]) await msci.index(`DELETE FROM ${table}`);
    await profile(msci, phone.cookieId);
    await until(async () => (await msci.admin("GET", `/customers?search=${phone.cookieId}`)).body.count === 1, "the customer is listed", 5000);
  },
);

test("F23 a migration that is interrupted leaves the old schema whole, and the next start migrates", async () => {
  const { told, her } = await people();
  const before = await told();
  /** Of one object, a late statement fails: most of the new schema is there when it does. */
  const FAULT = [["UPDATE meta SET body = 'no JSON' || body WHERE key = 'log'"]];
  const hers = await between(async (stored) => {
    const all = await filled(stored);
    for (const { id } of all) await stored.run(id, FIRST_SCHEMA);
    const { id } = all.find(({ tables }) => body(tables.meta, "log")?.cookie === her.cookieId) ?? { id: "" };
    await stored.run(id, FAULT);
    return { id, tables: await stored.dump(id) };
  });
  const failed = await profile(msci, her.cookieId);
  assert.ok(failed.status >= 500, `it answers ${failed.status}`);
  const refused = await msci.collect(her.batch(her.view("/during")));
  assert.ok(refused.status >= 500, "nothing is acknowledged");
  const [, ...others] = await told();
  assert.deepEqual(others, before.slice(1), "nobody else is touched");

  const left = await between(async (stored) => {
    const tables = await stored.dump(hers.id);
    await stored.run(hers.id, [["UPDATE meta SET body = substr(body, 8) WHERE key = 'log'"]]);
    return tables;
  });
  assert.deepEqual(left, hers.tables, "not a column, not a row of the new schema");
  const [whole] = await told();
  assert.deepEqual(whole, before[0]);
});

/** A field that a newer version might write into a row. */
const LATER = "UPDATE %s SET body = json_set(body, '$.later', json('{\"of\":\"tomorrow\"}')), sum = NULL WHERE json_type(body) = 'object'";

test("F22 after a rollback the older program goes on with rows and a schema that are newer", async () => {
  const { told, her, phone } = await people();
  const before = await told();
  await between(async (stored) => {
    for (const { id } of await filled(stored)) {
      await stored.run(id, [
        ...["meta", "profile", "link", "outbox"].map((table) => [LATER.replace("%s", table)]),
        ["UPDATE meta SET body = '4' WHERE key = 'schema'"],
        ["ALTER TABLE signal ADD COLUMN weight INTEGER NOT NULL DEFAULT 7"],
        ["CREATE TABLE newer (key TEXT PRIMARY KEY)"],
      ]);
    }
  });
  assert.deepEqual(await told(), before);
  await msci.collect(her.batch(her.view("/later")));
  await msci.collect(phone.batch(phone.view("/later")));
  const objects = await between(filled);
  assert.equal(objects.length, 4);
  for (const { tables } of objects) {
    assert.equal(body(tables.meta, "schema"), 4);
    assert.ok(tables.newer && tables.signal?.every((row) => row.weight === 7));
    for (const [table, key] of [["meta", "log"], ["meta", "known"], ["profile", "head"], ["link", "own"], ["outbox", "owed"]]) {
      const row = body(tables[table ?? ""], key ?? "");
      if (row) assert.deepEqual(row.later, { of: "tomorrow" }, `${table}/${key}`);
    }
  }
  assert.equal((await told())[0].measures.PageViews, 2);
});

test("F22 calls as the version before this one made them are answered as it expects", async () => {
  // The words of that version; its times are of the day they were written.
  const file = new URL("../../core/src/object/tests/earlier.json", import.meta.url);
  const earlier = JSON.parse(readFileSync(file, "utf8").replaceAll("1790000000000", String(Date.now())));
  const [cookie, customer] = [earlier.page.object, earlier.page.customer.id];
  const read = { read: { activities: 10 } };
  assert.equal((await msci.object(cookie, read)).body, "nothing");
  for (const [i, collect] of earlier.collect.entries()) {
    const { status, body } = await msci.object(cookie, { collect });
    assert.equal(status, 200);
    // What that version did not know, it does not look at.
    const { missing, met, ...known } = body.answer;
    assert.deepEqual(known, earlier.collected[i]);
    for (const field of ["customer", "tag", "version", "pending"]) assert.ok(field in body, field);
  }
  assert.deepEqual((await msci.object(cookie, read)).body, { linked: customer });
  const [snapshot, activities] = (await msci.object(customer, read)).body.profile;
  for (const field of Object.keys(earlier.snapshot)) assert.ok(field in snapshot, field);
  assert.deepEqual([snapshot.customer, snapshot.auth, snapshot.measures.PageViews], [customer, earlier.snapshot.auth, 3]);
  assert.equal(activities.length, 3);
  // A page that is shipped again, as by a cookie's object that is still the older program's.
  const shipped = (await msci.object(customer, { ship: { ...earlier.page, log: "0".repeat(32) } })).body;
  for (const field of ["outcome", "tag", "version"]) assert.ok(field in shipped, field);
  assert.equal((await msci.object(customer, { import: earlier.import })).body, null);
  assert.equal((await msci.object(cookie, { unlink: customer })).body, "done");
  assert.equal((await msci.object(customer, { drop: earlier.drop })).body, null);
  assert.equal((await msci.object(cookie, "forget")).body, null);
  const nobody = (await msci.object(customer, read)).body.profile[0];
  assert.deepEqual([nobody.cookieIds, nobody.measures.PageViews], [[], 0]);
});

test("F23 an index of a version without memberships gets them, of customers with an object and of those without", async () => {
  const { phone } = await people();
  await until(async () => (await msci.admin("GET", "/segments/LoyalCustomers")).body.members > 0, "there are members");
  const members = async () => (await msci.index("SELECT segment, customer FROM membership ORDER BY segment, customer"));
  await until(async () => (await msci.admin("GET", "/jobs")).body.items.every((/** @type {any} */ job) => job.state !== "running"), "all is quiet", 30_000);
  const before = await members();
  for (const table of ["membership", "moved", "judged"]) await msci.index(`DROP TABLE ${table}`);
  await msci.index("DROP INDEX imported_news");
  await msci.index("CREATE INDEX imported_behind ON imported_row (object) WHERE marked = 1 AND pushed < version");
  await msci.index("UPDATE customer SET body = json_remove(body, '$.n')");
  await msci.index("UPDATE imported_row SET pushed = 0 WHERE marked = 0");
  const rows = () => msci.index("SELECT source, key, version, body, object, marked FROM imported_row ORDER BY source, key");
  const imported = await rows();
  await msci.restart();
  await msci.admin("POST", "/index/rebuild");
  await until(async () => JSON.stringify(await members()) === JSON.stringify(before), "the memberships are there", 30_000);
  assert.deepEqual(await rows(), imported);
  assert.equal((await profile(msci, phone.cookieId)).status, 200);
});
