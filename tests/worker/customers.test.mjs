// @ts-check
// Customers as an administrator lists and reads them, and the jobs that keep lists and objects equal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { finished, idle, imports, jobs } from "../support/jobs.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(() => msci.stop());

/** @param {Record<string, unknown>} [query] */
const list = async (query = {}) => {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const answer = await msci.admin("GET", `/customers?${text}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};

/** All rows of a list, page by page. @param {Record<string, unknown>} query */
async function all(query) {
  const rows = [];
  let skiptoken = "";
  for (;;) {
    const page = await list({ ...query, skiptoken });
    assert.ok(page.customers.length <= Number(query.top ?? 50));
    rows.push(...page.customers);
    if (!page.skiptoken) return { rows, count: page.count };
    assert.notEqual(page.skiptoken, skiptoken);
    skiptoken = page.skiptoken;
  }
}

/** The row of a list whose cookies hold this one. @param {string} kind @param {string} cookieId */
const listed = async (kind, cookieId) =>
  (await list({ kind, search: cookieId })).customers.find((/** @type {any} */ row) => row.cookieIds.includes(cookieId));

/** @param {string} kind @param {{ cookieId: string }} of */
const appears = (kind, { cookieId }) => until(() => listed(kind, cookieId), `${cookieId} is listed as ${kind}`);
/** @param {string} kind @param {{ cookieId: string }} of */
const goes = (kind, { cookieId }) =>
  until(async () => !(await listed(kind, cookieId)), `${cookieId} is no longer listed as ${kind}`);

/** @param {any[]} rows */
const ids = (rows) => rows.map((row) => row.customerId);

test("a visitor is listed as unknown, with what is known", async () => {
  const her = browser();
  const before = Date.now() - 5000;
  await msci.collect(her.batch(her.view("/", { time: before }), her.user(undefined, { email: "her@example.com" })));
  const row = await until(async () => {
    const row = await listed("unknown", her.cookieId);
    return row?.attributes.Email && row;
  }, "the visitor is listed");
  assert.equal(row.known, false);
  assert.deepEqual([row.authId ?? null, row.cookieIds], [null, [her.cookieId]]);
  assert.deepEqual(row.attributes, { Email: "her@example.com" });
  assert.ok(Math.abs(Date.parse(row.firstSeen) - before) < 1000);
  assert.ok(Date.parse(row.lastSeen) > Date.parse(row.firstSeen));
  assert.equal(row.customerId, (await profile(msci, her.cookieId)).body.msdynci_customerid);
  assert.equal(await listed("known", her.cookieId), undefined);
});

test("A1 after the merge the visitor is gone from Unknown, and the customer has the cookie", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/a")));
  const unknown = await appears("unknown", her);
  await msci.collect(her.batch(her.user("Loyalty41")));
  await goes("unknown", her);
  const known = await appears("known", her);
  assert.equal(known.authId, "Loyalty41");
  assert.equal(known.known, true);
  assert.equal(known.attributes.FirstName, "Aino");
  assert.notEqual(known.customerId, unknown.customerId);
  const visitors = await all({ kind: "unknown", top: 500 });
  assert.ok(!ids(visitors.rows).includes(unknown.customerId) && visitors.rows.every((row) => row.cookieIds.length === 1));
  const same = (await all({ kind: "known", top: 500 })).rows.filter((row) => row.authId === "Loyalty41");
  assert.equal(same.length, 1, "the imported row is not listed beside it");
});

test("imported customers without web activity are listed as known, behind those who were seen", async () => {
  const him = browser();
  await msci.collect(him.batch(him.view("/"), him.user("Loyalty42")));
  await appears("known", him);
  const { rows, count } = await all({ kind: "known", top: 500 });
  assert.equal(rows.length, count);
  assert.equal(new Set(rows.map((row) => row.authId)).size, 101);
  const seen = rows.map((row) => row.lastSeen !== null);
  assert.ok(seen.indexOf(false) === seen.lastIndexOf(true) + 1, "seen first");
  const quiet = rows.find((row) => row.authId === "Loyalty50");
  assert.deepEqual([quiet.known, quiet.cookieIds, quiet.firstSeen, quiet.lastSeen], [true, [], null, null]);
  assert.equal(quiet.attributes.LastName, "Silva");
});

test("paging through a list meets everybody once, in the same order whatever the page", async () => {
  const visitors = Array.from({ length: 7 }, () => browser());
  await Promise.all(visitors.map((visitor) => msci.collect(visitor.batch(visitor.view("/paged")))));
  const rows = await Promise.all(visitors.map((visitor) => appears("unknown", visitor)));
  // Some at the same instant, which no client can bring about: the id decides.
  const seenAt = (/** @type {any} */ row, /** @type {string} */ time) =>
    msci.index("UPDATE customer SET last_seen = ? WHERE id = ?", Date.parse(time), row.customerId);
  for (const row of rows.slice(0, 4)) await seenAt(row, rows[0].lastSeen);
  for (const kind of ["unknown", "known"]) {
    const whole = await all({ kind, top: 500 });
    assert.equal(whole.rows.length, whole.count);
    assert.equal(new Set(ids(whole.rows)).size, whole.count);
    const seen = whole.rows.map((row) => row.lastSeen ?? "");
    assert.deepEqual(seen, [...seen].sort().reverse(), "newest first");
    for (const top of kind === "unknown" ? [1, 3] : [7, 50]) {
      const paged = await all({ kind, top });
      assert.deepEqual(ids(paged.rows), ids(whole.rows), `${kind} by ${top}`);
      assert.equal(paged.count, whole.count);
    }
  }
  for (const row of rows) await seenAt(row, row.lastSeen);
  assert.equal((await list()).customers[0].known, true, "known is what is asked for when nothing is");
});

/** What the orders sort by, and whether a row has none of it. */
const SORTS = /** @type {const} */ (["lastSeen", "firstSeen", "authId"]);

/**
 * Rows in an order, as JavaScript sorts them: whoever was never seen last, those at the same place by their id.
 * @param {any[]} rows @param {typeof SORTS[number]} sort @param {string} order
 */
function inOrder(rows, sort, order) {
  const sign = order === "desc" ? -1 : 1;
  const compare = (/** @type {string} */ one, /** @type {string} */ other) => Buffer.compare(Buffer.from(one), Buffer.from(other));
  return [...rows].sort((one, other) => {
    const [a, b] = [one[sort], other[sort]];
    if ((a === null) !== (b === null)) return a === null ? 1 : -1;
    // Those with an imported row alone have no sighting to be sorted by: by their id, whatever the direction.
    if (a === null) return compare(one.customerId, other.customerId);
    return sign * (compare(a, b) || compare(one.customerId, other.customerId));
  });
}

test("a list is sorted by each of its columns, in both directions, and paging meets everybody once, also where places are the same", async () => {
  const visitors = Array.from({ length: 6 }, () => browser());
  const guests = [51, 52, 53, 54].map((n) => ({ ...browser(), authId: `Loyalty${n}` }));
  await Promise.all(visitors.map((visitor, at) => msci.collect(visitor.batch(visitor.view("/sorted", { time: Date.now() - at * 60_000 })))));
  for (const [at, guest] of guests.entries()) {
    const her = browser({ cookieId: guest.cookieId });
    await msci.collect(her.batch(her.view("/sorted", { time: Date.now() - at * 3_600_000 }), her.user(guest.authId)));
  }
  const unknown = await Promise.all(visitors.map((visitor) => appears("unknown", visitor)));
  const known = await Promise.all(guests.map((guest) => appears("known", guest)));
  // Some at the same instant, which no client can bring about: the id decides.
  const tied = [...unknown.slice(0, 3), ...known.slice(0, 3)];
  for (const row of tied) {
    await msci.index("UPDATE customer SET first_seen = ?1, last_seen = ?1 WHERE id = ?2", Date.parse(tied[0].firstSeen), row.customerId);
  }
  for (const kind of ["known", "unknown"]) {
    const everybody = ids((await all({ kind, top: 500 })).rows).sort();
    for (const sort of SORTS) {
      if (kind === "unknown" && sort === "authId") continue;
      for (const order of ["asc", "desc"]) {
        const whole = await all({ kind, sort, order, top: 500 });
        assert.deepEqual(ids(whole.rows).sort(), everybody);
        assert.deepEqual(ids(whole.rows), ids(inOrder(whole.rows, sort, order)), `${kind} by ${sort} ${order}`);
        for (const top of [3, 40]) {
          const paged = await all({ kind, sort, order, top });
          assert.deepEqual(ids(paged.rows), ids(whole.rows), `${kind} by ${sort} ${order}, ${top} at once`);
          assert.equal(paged.count, whole.count);
        }
      }
      const usual = sort === "authId" ? "asc" : "desc";
      assert.deepEqual(await list({ kind, sort }), await list({ kind, sort, order: usual }), `${sort} usually is ${usual}`);
    }
  }
  assert.deepEqual(await list(), await list({ kind: "known", sort: "lastSeen", order: "desc" }));
  for (const row of tied) {
    await msci.index("UPDATE customer SET first_seen = ?1, last_seen = ?2 WHERE id = ?3", Date.parse(row.firstSeen), Date.parse(row.lastSeen), row.customerId);
  }
});

test("what a search finds is sorted too, with and without web activity, and paged", async () => {
  for (const order of ["asc", "desc"]) {
    const search = "loyalty5";
    const { rows, count } = await all({ kind: "known", search, sort: "authId", order, top: 2 });
    const found = rows.map((row) => row.authId);
    const expected = ["Loyalty5", ...Array.from({ length: 10 }, (_, at) => `Loyalty5${at}`)];
    assert.deepEqual(found, order === "asc" ? expected : expected.toReversed());
    assert.equal(count, expected.length);
    assert.ok(rows.some((row) => row.lastSeen) && rows.some((row) => !row.lastSeen));
    const byTime = (await all({ kind: "known", search, sort: "firstSeen", order, top: 2 })).rows;
    assert.deepEqual(ids(byTime), ids(inOrder(byTime, "firstSeen", order)));
    assert.equal(byTime.length, count);
  }
});

test("an order that there is not is refused with those that there are, and a token of another order, or of another list, too", async () => {
  const refused = async (/** @type {Record<string, string>} */ query) => {
    const { status, body } = await msci.admin("GET", `/customers?${new URLSearchParams(query)}`);
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"], JSON.stringify(query));
    return body.error.message;
  };
  assert.equal(await refused({ sort: "name" }), "sort should be one of lastSeen, firstSeen, authId");
  assert.equal(await refused({ sort: "last_seen; DROP TABLE customer" }), "sort should be one of lastSeen, firstSeen, authId");
  assert.equal(await refused({ kind: "unknown", sort: "authId" }), "sort should be one of lastSeen, firstSeen");
  assert.equal(await refused({ order: "down" }), "order should be asc or desc");
  const { skiptoken } = await list({ kind: "unknown", sort: "firstSeen", order: "asc", top: 1 });
  assert.equal((await list({ kind: "unknown", sort: "firstSeen", order: "asc", top: 1, skiptoken })).customers.length, 1);
  for (const other of /** @type {Record<string, string>[]} */ ([{ sort: "lastSeen", order: "asc" }, { sort: "firstSeen" }, {}])) {
    assert.equal(await refused({ kind: "unknown", ...other, skiptoken }), "skiptoken should be one that an earlier answer gave");
  }
  await refused({ kind: "known", sort: "firstSeen", order: "asc", skiptoken });
  for (const token of ["authId.asc", "authId.asc..x", `authId.asc.${"0".repeat(32)}`, `authId.asc.${"0".repeat(32)}.${"x".repeat(600)}`]) {
    await refused({ sort: "authId", skiptoken: token });
  }
});

test("a search finds texts and ids in any case, and nothing else", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("Loyalty43", { email: "Needle@Example.com" })));
  await appears("known", her);
  const found = async (/** @type {string} */ search) => {
    const { rows, count } = await all({ kind: "known", search });
    assert.equal(rows.length, count, search);
    return rows.map((row) => row.authId);
  };
  assert.deepEqual(await found(her.cookieId), ["Loyalty43"]);
  assert.deepEqual(await found("loyalty43"), ["Loyalty43"]);
  // One who was never seen.
  assert.deepEqual(await found("LOYALTY60"), ["Loyalty60"]);
  assert.deepEqual(await found("noah silva"), ["Loyalty42"]);
  for (const nobody of ["%", "_", "' OR 1=1 --", "nobody at all"]) {
    assert.deepEqual(await found(nobody), [], nobody);
  }
});

test("a search finds what JSON writes in another way", async () => {
  await imports(msci, "LoyaltySignUps", [{ LoyaltyId: "Odd1", FirstName: 'Say "Hi"\t\\o/ Ünal' }]);
  for (const search of ['"HI"', "\t\\O", "\\o/", "Ünal", "y"]) {
    assert.ok((await all({ kind: "known", search })).rows.some((row) => row.authId === "Odd1"), search);
  }
  for (const search of ["\\t", "\\u0009", '\\"']) {
    assert.ok(!(await all({ kind: "known", search })).rows.some((row) => row.authId === "Odd1"), search);
  }
  await msci.admin("POST", "/privacy/erase", { authId: "Odd1" });
  await until(async () => (await list({ search: "Odd1" })).count === 0, "nobody after this one sees it");
});

test(
  "a search does not look at the names of columns",
  async () => {
    for (const search of ["FirstName", '":"', "null"]) assert.equal((await list({ kind: "known", search })).count, 0, search);
  },
);

test("what a list cannot be asked is refused", async () => {
  for (const query of [
    "kind=all", "kind=KNOWN", "top=0", "top=501", "top=-1", "top=x", "top=1.5", "skiptoken=x", "skiptoken=1.x",
    "skiptoken=x.00000000000000000000000000000001", `search=${"x".repeat(257)}`,
  ]) {
    const { status, body } = await msci.admin("GET", `/customers?${query}`);
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"], query);
  }
  assert.equal((await msci.admin("POST", "/customers", {})).status, 405);
  const id = "0".repeat(32);
  for (const query of ["top=0", "skiptoken=x", "skiptoken=1.2.3", "skiptoken=1.a.b.c"]) {
    const { status, body } = await msci.admin("GET", `/customers/${id}/timeline?${query}`);
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"], query);
  }
  const stranger = await msci.fetch("/_msci/admin/v1/customers");
  assert.equal(stranger.status, 401);
});

test("one customer is told whole, known, unknown or only imported", async () => {
  const [her, him] = [browser(), browser()];
  await msci.collect(her.batch(her.view("/coffee-machines/premium/a"), her.view("/coffee-machines/premium/b")));
  await msci.collect(him.batch(him.view("/"), him.event("order_completed", { total: 1200 }), him.user("Loyalty44")));
  const unknown = (await profile(msci, her.cookieId)).body.msdynci_customerid;
  const visitor = await msci.admin("GET", `/customers/${unknown}`);
  assert.equal(visitor.status, 200);
  const { known, cookieIds, authId, measures, segments, links, attributes } = visitor.body;
  assert.deepEqual(
    { known, cookieIds, authId, segments, links, attributes },
    { known: false, cookieIds: [her.cookieId], authId: null, segments: ["PremiumBrowsers"], links: [], attributes: {} },
  );
  assert.equal(measures.PageViews, 2);

  const id = (await profile(msci, him.cookieId)).body.msdynci_customerid;
  const customer = (await msci.admin("GET", `/customers/${id}`)).body;
  assert.deepEqual([customer.customerId, customer.known, customer.table, customer.authId], [id, true, "LoyaltySignUps", "Loyalty44"]);
  assert.deepEqual(customer.cookieIds, [him.cookieId]);
  assert.equal(customer.measures.LifetimeValue, 1200);
  assert.ok(customer.segments.includes("HighLifetimeValue"));
  assert.equal(customer.attributes.LoyaltyId, "Loyalty44");
  assert.deepEqual(customer.links.map((/** @type {any} */ link) => [link.cookieId, link.customerId, link.pending]), [[him.cookieId, id, false]]);
  assert.ok(Math.abs(Date.parse(customer.links[0].since) - Date.now()) < 60_000);

  const quiet = (await list({ search: "Loyalty61" })).customers[0];
  const imported = (await msci.admin("GET", `/customers/${quiet.customerId}`)).body;
  assert.deepEqual([imported.known, imported.authId, imported.cookieIds, imported.links], [true, "Loyalty61", [], []]);
  assert.equal(imported.attributes.FullName, quiet.attributes.FullName);
  assert.deepEqual([imported.firstSeen, imported.segments, imported.measures], [null, [], {}]);

  for (const nobody of ["0".repeat(32), "00000000-0000-0000-0000-000000000001", "nonsense", "%2e%2e"]) {
    assert.equal((await msci.admin("GET", `/customers/${nobody}`)).status, 404, nobody);
  }
});

test("each membership says since when, and by what: a signal, a merge, the row, the clock, the definitions, or nothing that is known", async () => {
  const [her, him, seer] = [browser(), browser(), browser()];
  const why = async (/** @type {string} */ id) => {
    const { memberships, segments } = (await msci.admin("GET", `/customers/${id}`)).body;
    assert.deepEqual(memberships.map((/** @type {any} */ of) => of.segment).sort(), [...segments].sort());
    return Object.fromEntries(memberships.map((/** @type {any} */ of) => [of.segment, of]));
  };
  const idOf = async (/** @type {{ cookieId: string }} */ of) => (await profile(msci, of.cookieId)).body.msdynci_customerid;
  await msci.admin("PUT", "/segments/MenuReaders", { filter: "UnifiedActivity/any(a: a/ViewUri eq '/menu')" });
  await msci.admin("PUT", "/segments/GoneQuiet", { filter: "UnifiedActivity/any(a: a/ViewUri eq '/quiet') and not (UnifiedActivity/any(a: a/ViewUri eq '/quiet' and a/ActivityTime gt now() sub duration'P1D'))" });
  await idle(msci);
  const before = Date.now();
  await msci.collect(her.batch(her.view("/menu", { title: "The menu" }), her.view("/other"), her.event("order_completed", { total: 1200 })));
  const seen = await why(await idOf(her));
  assert.deepEqual(
    [seen.MenuReaders.cause, seen.MenuReaders.activity.type, seen.MenuReaders.activity.uri, seen.MenuReaders.activity.title],
    ["signal", "View", "/menu", "The menu"],
  );
  assert.ok(Math.abs(Date.parse(seen.MenuReaders.since) - before) < 60_000 && Date.parse(seen.MenuReaders.activity.time) <= Date.parse(seen.MenuReaders.since));
  assert.deepEqual([seen.HighLifetimeValue.cause, seen.HighLifetimeValue.activity.type], ["signal", "order_completed"]);

  // Of the customer whom she becomes, the merge is what did it.
  await msci.collect(her.batch(her.user("Loyalty71")));
  const merged = await why(await idOf(her));
  assert.deepEqual([merged.MenuReaders.cause, merged.MenuReaders.activity.uri], ["merge", "/menu"]);

  // Imported, and never seen on the web.
  await imports(msci, "LoyaltySignUps", [{ LoyaltyId: "Why1", FirstName: "Whitney" }]);
  await msci.admin("PUT", "/segments/Whitneys", { filter: "FirstName eq 'Whitney'" });
  const imported = await until(async () => {
    const quiet = (await list({ search: "Why1" })).customers[0];
    return quiet && Object.values(await why(quiet.customerId)).find(({ segment }) => segment === "Whitneys");
  }, "the row is judged");
  assert.deepEqual([imported.cause, imported.activity], ["import", null]);

  // A definition that comes later, and time that passes.
  await msci.collect(him.batch(him.view("/late")));
  await msci.admin("PUT", "/segments/LateOnes", { filter: "UnifiedActivity/any(a: a/ViewUri eq '/late')" });
  await idle(msci);
  assert.equal((await why(await idOf(him))).LateOnes.cause, "definition");
  await msci.collect(seer.batch(seer.view("/quiet", { time: Date.now() - 24 * 3_600_000 + 1500 })));
  const quiet = await until(async () => (await why(await idOf(seer))).GoneQuiet, "the clock has moved it");
  assert.deepEqual([quiet.cause, quiet.activity], ["time", null]);
  for (const name of ["MenuReaders", "GoneQuiet", "Whitneys", "LateOnes"]) await msci.admin("DELETE", `/segments/${name}`);
  await msci.admin("POST", "/privacy/erase", { authId: "Why1" });
  await until(async () => (await list({ search: "Why1" })).count === 0, "nobody after this one sees it");
});

test("asked for a cookie's own id after the merge, the customer answers", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/")));
  const own = (await profile(msci, her.cookieId)).body.msdynci_customerid;
  await msci.collect(her.batch(her.user("Loyalty45")));
  const told = (await msci.admin("GET", `/customers/${own}`)).body;
  assert.deepEqual([told.known, told.authId], [true, "Loyalty45"]);
  assert.notEqual(told.customerId, own);
  const timeline = (await msci.admin("GET", `/customers/${own}/timeline`)).body;
  assert.equal(timeline.activities.length, 2);
});

test("the timeline has every kind of signal, newest first, each once whatever the page", async () => {
  const her = browser();
  const laptop = browser();
  const now = Date.now();
  await msci.collect(her.batch(
    her.view("/first", { time: now - 9000, properties: { colour: "red" } }),
    { seq: 50, time: now - 8000, type: "action", name: "Buy", actionType: "LClick", elementId: "buy" },
    her.event("order_completed", { total: 5 }, { time: now - 7000 }),
    { seq: 51, time: now - 6000, type: "consent", purposes: { analytics: "granted" } },
    her.user("Loyalty46", { time: now - 5000, email: "timeline@example.com" }),
  ));
  // At one instant, the order is that of the stream.
  await msci.collect(laptop.batch(...[1, 2, 3, 4].map((n) => laptop.view(`/laptop/${n}`, { time: now - 4000 }))));
  await msci.collect(laptop.batch(laptop.user("Loyalty46", { time: now - 3000 })));
  const id = (await profile(msci, her.cookieId)).body.msdynci_customerid;
  const pages = async (/** @type {number} */ top) => {
    const rows = [];
    let skiptoken = "";
    do {
      const { body } = await msci.admin("GET", `/customers/${id}/timeline?top=${top}&skiptoken=${skiptoken}`);
      assert.ok(body.activities.length <= top);
      rows.push(...body.activities);
      skiptoken = body.skiptoken;
    } while (skiptoken);
    return rows;
  };
  const whole = await pages(100);
  assert.deepEqual(
    whole.map((row) => [row.kind, row.type, row.title]),
    [
      ["user", "User", ""],
      ["view", "View", "Page /laptop/4"],
      ["view", "View", "Page /laptop/3"],
      ["view", "View", "Page /laptop/2"],
      ["view", "View", "Page /laptop/1"],
      ["user", "User", ""],
      ["consent", "Consent", ""],
      ["event", "order_completed", "order_completed"],
      ["action", "Action", "Buy"],
      ["view", "View", "Page /first"],
    ],
  );
  assert.deepEqual(whole.at(-1).properties, { colour: "red" });
  assert.equal(whole.at(-1).id, `${her.cookieId}:${her.stream}:1`);
  assert.deepEqual(whole[6].purposes, { analytics: "granted" });
  const times = whole.map((row) => row.time);
  assert.deepEqual(times, [...times].sort().reverse());
  for (const top of [1, 3, 10]) assert.deepEqual(await pages(top), whole, `by ${top}`);
  const quiet = (await list({ search: "Loyalty62" })).customers[0].customerId;
  const empty = await msci.admin("GET", `/customers/${quiet}/timeline`);
  assert.deepEqual(empty.body, { activities: [], skiptoken: null });
});

test("an imported row that changes reaches the customer's object, its segments and the lists", async () => {
  const [gold, quiet] = [browser(), browser()];
  const table = "/tables/LoyaltySignUps/rows";
  const csv = { "content-type": "text/csv" };
  await msci.admin("POST", table, "LoyaltyId,FirstName,Tier\nPush1,Ada,Gold\nPush2,Bob,Bronze\nPush3,Cy,Bronze\n", csv);
  // While its job runs, the next import joins it.
  await idle(msci);
  await msci.collect(gold.batch(gold.view("/"), gold.user("Push1")));
  await msci.collect(quiet.batch(quiet.view("/"), quiet.user("Push2")));
  await until(async () => (await listed("known", gold.cookieId))?.attributes.FirstName === "Ada", "the list has the row");
  await appears("known", quiet);
  assert.deepEqual((await profile(msci, gold.cookieId)).body.segmentmembership, ["LoyalCustomers"]);
  const before = (await profile(msci, quiet.cookieId)).body;
  const earlier = (await jobs(msci, "push")).length;

  const changed = "LoyaltyId,FirstName,Tier\nPush1,Adele,Bronze\nPush2,Bob,Bronze\nPush3,Cyd,Gold\n";
  const done = (await msci.admin("POST", table, changed, csv)).body;
  assert.deepEqual([done.updated, done.unchanged], [2, 1]);
  const [push, ...more] = await jobs(msci, "push");
  assert.equal(more.length + 1, earlier + 1);
  await finished(msci, push.id);
  const after = (await profile(msci, gold.cookieId)).body;
  assert.deepEqual([after.msdynci_firstname, after.segmentmembership, after.measures.PageViews], ["Adele", [], 1]);
  assert.deepEqual((await profile(msci, quiet.cookieId)).body, before, "a row that stayed the same moves nothing");
  await until(async () => (await listed("known", gold.cookieId))?.attributes.FirstName === "Adele", "the list follows");
  assert.equal((await list({ search: "Push3" })).customers[0].attributes.FirstName, "Cyd");
  // A page, which reads the snapshot, follows too.
  const snapshot = await until(
    async () => {
      const text = (await msci.snapshots())[`p:${after.msdynci_customerid}`] ?? "";
      return text.includes("Adele") && JSON.parse(text);
    },
    "the snapshot follows",
  );
  assert.deepEqual(snapshot.segments, []);
  // Nothing new, no job.
  await msci.admin("POST", table, changed, csv);
  assert.equal((await jobs(msci, "push")).length, earlier + 1);
});

test("who is forgotten, expires or is unlinked leaves the list it was in", async () => {
  const [forgetful, idle, laptop, phone] = [browser(), browser(), browser(), browser()];
  await msci.collect(forgetful.batch(forgetful.view("/"), forgetful.user("Loyalty47")));
  await appears("known", forgetful);
  await msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: forgetful.cookieId } });
  await goes("known", forgetful);
  assert.equal((await list({ search: "Loyalty47" })).count, 1, "the customer stays");

  await msci.collect(phone.batch(phone.view("/"), phone.user("Loyalty48")));
  await msci.collect(laptop.batch(laptop.view("/"), laptop.user("Loyalty48")));
  const { customerId } = await appears("known", laptop);
  await msci.admin("POST", `/customers/${customerId}/unlink`, { cookieId: laptop.cookieId });
  await appears("unknown", laptop);
  await goes("known", laptop);
  assert.deepEqual((await appears("known", phone)).cookieIds, [phone.cookieId]);

  await msci.collect(idle.batch(idle.view("/")));
  await appears("unknown", idle);
  await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 0 } });
  try {
    // Any look at it is enough for it to notice.
    await until(async () => (await profile(msci, idle.cookieId)).status === 404, "the idle visitor expired");
    await goes("unknown", idle);
  } finally {
    await msci.admin("PUT", "/settings", { retention: { unknownIdleDays: 7 } });
  }
});

test("an index that was lost is made again from the objects, and what is nobody's is swept away", async () => {
  const [her, him, gone] = [browser(), browser(), browser()];
  await msci.collect(her.batch(her.view("/rebuilt/a"), her.event("order", { total: 1 })));
  await msci.collect(him.batch(him.view("/rebuilt/b"), him.user("Loyalty49")));
  await msci.collect(gone.batch(gone.view("/rebuilt/c"), gone.user("Loyalty49")));
  await appears("unknown", her);
  await appears("known", gone);
  /** What the index holds, but for its own records of when it was written, and by which definitions. */
  const held = async () => ({
    customers: await msci.index(
      "SELECT id, tag, known, auth, first_seen, last_seen, search, json_remove(body, '$.n') FROM customer WHERE gone = 0 ORDER BY id",
    ),
    cookies: await msci.index("SELECT object, customer, place FROM cookie ORDER BY object"),
    activities: await msci.index("SELECT * FROM activity ORDER BY object, stream, seq"),
  });
  const quiet = () =>
    until(async () => {
      const one = JSON.stringify(await held());
      await new Promise((next) => setTimeout(next, 300));
      return one === JSON.stringify(await held());
    }, "the index is quiet");
  await quiet();
  const before = await held();
  assert.ok(before.customers.length > 5 && before.activities.length > 10);
  const lists = async () => [await all({ kind: "known", top: 500 }), await all({ kind: "unknown", top: 500 })];
  const shown = await lists();

  for (const table of ["customer", "cookie", "activity"]) await msci.index(`DELETE FROM ${table}`);
  assert.equal((await list({ kind: "unknown" })).count, 0);
  const orphan = "00000000-0000-0000-0000-00000000dead";
  const stale = { cookieIds: [], attributes: { FullName: "Nobody" } };
  await msci.index(
    "INSERT INTO customer VALUES (?, 'tag', 7, 0, 0, NULL, 1, 1, 'nobody', ?, NULL, 1)", orphan, JSON.stringify(stale),
  );
  await msci.index("INSERT INTO cookie VALUES (?, ?, 1, 1)", orphan, orphan);
  await msci.index("INSERT INTO activity VALUES (?, 'stream', 1, 1, 'View', '', '{}')", orphan);
  assert.equal((await list({ kind: "unknown", search: "nobody" })).count, 1);

  const { body } = await msci.admin("POST", "/index/rebuild");
  const job = await finished(msci, body.job);
  assert.equal(job.kind, "rebuild");
  assert.ok(job.done >= before.customers.length && job.total === job.done);
  await until(async () => JSON.stringify(await held()) === JSON.stringify(before), "the index is what it was");
  assert.deepEqual(await lists(), shown);
});

test("an index whose tables are gone is made again", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/again")));
  await appears("unknown", her);
  const shown = ids((await all({ kind: "unknown", top: 500 })).rows).sort();
  for (const table of ["customer", "cookie", "activity"]) await msci.index(`DROP TABLE ${table}`);
  await until(async () => (await msci.admin("GET", "/customers")).status === 200, "the tables are there again");
  const { body } = await msci.admin("POST", "/index/rebuild");
  await finished(msci, body.job);
  await until(
    async () => JSON.stringify(ids((await all({ kind: "unknown", top: 500 })).rows).sort()) === JSON.stringify(shown),
    "all are listed again",
  );
});

test("jobs are listed, the newest first, told one by one, and can be cancelled", async () => {
  const first = (await msci.admin("POST", "/index/rebuild")).body.job;
  await finished(msci, first);
  const second = (await msci.admin("POST", "/index/rebuild")).body.job;
  assert.notEqual(first, second);
  const { items } = (await msci.admin("GET", "/jobs")).body;
  const order = items.map((/** @type {any} */ job) => job.id);
  assert.ok(order.indexOf(second) < order.indexOf(first));
  assert.deepEqual(Object.keys(items[0]).sort(), ["done", "error", "id", "kind", "state", "total"]);
  await finished(msci, second);
  const told = (await msci.admin("GET", `/jobs/${first}`)).body;
  assert.deepEqual([told.id, told.kind, told.state, told.error], [first, "rebuild", "done", null]);
  assert.equal((await msci.admin("DELETE", `/jobs/${first}`)).body.state, "done", "what is over stays over");
  const third = (await msci.admin("POST", "/index/rebuild")).body.job;
  const cancelled = (await msci.admin("DELETE", `/jobs/${third}`)).body.state;
  assert.ok(["cancelled", "done"].includes(cancelled));
  assert.equal((await msci.admin("GET", `/jobs/${third}`)).body.state, cancelled);
  assert.equal((await msci.admin("GET", "/jobs/nonsense")).status, 404);
  assert.equal((await msci.admin("DELETE", "/jobs/nonsense")).status, 404);
  assert.equal((await msci.admin("PUT", "/jobs", {})).status, 405);
});
