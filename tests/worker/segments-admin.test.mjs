// @ts-check
// Segments as an administrator defines and looks at them: who is in one, and what a change moves.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { finished, idle, imports, jobs } from "../support/jobs.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
beforeEach(async () => {
  msci = await system();
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Tier: "string", Spend: "number", City: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
});
afterEach(() => msci.stop());

/** @param {string} name */
const segment = async (name) => (await msci.admin("GET", `/segments/${name}`)).body;
/** @param {string} name @param {string} filter */
const save = async (name, filter) => {
  const answer = await msci.admin("PUT", `/segments/${name}`, { filter });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
};
/** Who is in a segment, by authId. @param {string} name @param {number} [top] */
async function members(name, top = 500) {
  const all = [];
  let skiptoken = "";
  for (;;) {
    const { body } = await msci.admin("GET", `/segments/${name}/members?top=${top}&skiptoken=${skiptoken}`);
    all.push(...body.customers);
    if (!body.skiptoken) return { all, ids: all.map((row) => row.authId).sort(), count: body.count };
    skiptoken = body.skiptoken;
  }
}
/** Entered and left by customers without an object since the last call: "+Segment Id". */
async function moves() {
  const rows = await msci.index("SELECT segment, key, entered FROM moved JOIN imported_row ON object = customer ORDER BY id");
  await msci.index("DELETE FROM moved");
  return rows.map(({ segment, key, entered }) => `${entered ? "+" : "-"}${segment} ${key}`).sort();
}
const PEOPLE = [
  { Id: "Ann", Tier: "Gold", Spend: 10 },
  { Id: "Bob", Tier: "Gold", Spend: 200 },
  { Id: "Cyd", Tier: "Silver", Spend: 300 },
  { Id: "Dan", Tier: null, Spend: null },
];

/** Known customers with web activity: their object is asked. @param {string} authId @param {number} views */
async function visits(authId, views) {
  const her = browser();
  await msci.collect(her.batch(...Array.from({ length: views }, (_, n) => her.view(`/reviews/${n}`)), her.user(authId)));
  await until(async () => (await msci.admin("GET", `/customers?search=${her.cookieId}`)).body.count === 1, `${authId} is listed`);
  return her;
}

test("D4 a segment is saved, and customers who were there already are in it once its job is done", async () => {
  await imports(msci, "People", PEOPLE);
  const eve = await visits("Eve", 3);
  await visits("Bob", 1);
  await idle(msci);
  await save("Golden", "Tier eq 'Gold'");
  await save("Readers", "UnifiedActivity/$count($filter=contains(ViewUri,'/reviews/')) ge 3");
  await save("Both", "IsMemberOfSegment('Golden') or IsMemberOfSegment('Readers')");
  const [job] = await jobs(msci, "evaluate");
  const done = await finished(msci, job.id);
  // Those without an object at least: an object may have followed by its own alarm before the job counted.
  assert.ok(done.total >= 2 && done.done === done.total, JSON.stringify(done));
  assert.deepEqual((await members("Golden")).ids, ["Ann", "Bob"]);
  assert.deepEqual((await members("Readers")).ids, ["Eve"]);
  assert.deepEqual((await members("Both")).ids, ["Ann", "Bob", "Eve"]);
  assert.deepEqual([(await segment("Both")).members, (await segment("Both")).evaluating ?? null], [3, null]);
  assert.deepEqual((await profile(msci, eve.cookieId)).body.segmentmembership, ["Both", "Readers"]);
  // Bob's object speaks for him.
  assert.deepEqual(await moves(), ["+Both Ann", "+Golden Ann"]);
});

test("D4 a segment is changed, and who was in it before and after neither leaves nor enters", async () => {
  await imports(msci, "People", PEOPLE);
  await save("Rich", "Spend ge 100");
  await idle(msci);
  assert.deepEqual(await moves(), ["+Rich Bob", "+Rich Cyd"]);
  const since = (await members("Rich")).all.map((row) => [row.authId, row.since]);
  assert.ok(since.every(([, at]) => !Number.isNaN(Date.parse(at))));
  await save("Rich", "Spend ge 250 or Spend eq 10");
  await idle(msci);
  assert.deepEqual((await members("Rich")).ids, ["Ann", "Cyd"]);
  assert.deepEqual(await moves(), ["+Rich Ann", "-Rich Bob"]);
  const cyd = (await members("Rich")).all.find((row) => row.authId === "Cyd");
  assert.ok(since.some(([id, at]) => id === "Cyd" && at === cyd.since), "since when does not change");
  // What means the same moves nobody.
  await save("Rich", "(Spend eq 10) or (Spend ge 250)");
  await idle(msci);
  assert.deepEqual(await moves(), []);
  const rested = await msci.admin("PUT", "/segments/Rich", { filter: "Spend ge 100", active: false });
  assert.equal(rested.status, 200);
  await idle(msci);
  assert.deepEqual([(await members("Rich")).ids, (await segment("Rich")).members], [[], 0]);
});

test("D4 a segment is deleted, and is gone from every customer; renamed, only its name differs", async () => {
  await imports(msci, "People", PEOPLE);
  const eve = await visits("Eve", 1);
  await save("Old", "Tier eq 'Gold' or UnifiedActivity/$count gt 0");
  await idle(msci);
  assert.deepEqual((await members("Old")).ids, ["Ann", "Bob", "Eve"]);
  await moves();
  await save("New", "Tier eq 'Gold' or UnifiedActivity/$count gt 0");
  assert.equal((await msci.admin("DELETE", "/segments/Old")).status, 200);
  assert.equal((await msci.admin("GET", "/segments/Old")).status, 404);
  assert.equal((await msci.admin("GET", "/segments/Old/members")).status, 404);
  await idle(msci);
  assert.deepEqual(await msci.index("SELECT DISTINCT segment FROM membership"), [{ segment: "New" }]);
  assert.deepEqual((await members("New")).ids, ["Ann", "Bob", "Eve"]);
  assert.deepEqual(await moves(), ["+New Ann", "+New Bob"], "of what is no more there is nobody to tell");
  assert.deepEqual((await profile(msci, eve.cookieId)).body.segmentmembership, ["New"]);
  const [{ object }] = await msci.index("SELECT object FROM imported_row WHERE key = 'Ann'");
  assert.deepEqual((await msci.admin("GET", `/customers/${object}`)).body.segments, ["New"]);
});

test("D4 a measure that changes moves those who hang on it", async () => {
  await msci.admin("PUT", "/measures/Reads", { aggregate: "count", filter: "contains(ViewUri,'/reviews/')" });
  await save("Keen", "Measures/Reads ge 2");
  await visits("Eve", 2);
  await visits("Fay", 1);
  await idle(msci);
  await until(async () => (await members("Keen")).count === 1, "Eve is in it");
  await msci.admin("PUT", "/measures/Reads", { aggregate: "count", filter: "ActivityType eq 'View' and contains(ViewUri,'/1')" });
  await idle(msci);
  assert.deepEqual((await members("Keen")).ids, []);
  await msci.admin("PUT", "/measures/Reads", { aggregate: "count" });
  await save("Keen", "Measures/Reads ge 1");
  await idle(msci);
  assert.deepEqual((await members("Keen")).ids, ["Eve", "Fay"]);
});

test("a row that is imported moves its customer, and nobody else", async () => {
  await save("Rich", "Spend ge 100");
  await imports(msci, "People", PEOPLE);
  await idle(msci);
  assert.deepEqual(await moves(), ["+Rich Bob", "+Rich Cyd"]);
  await imports(msci, "People", [{ Id: "Ann", Tier: "Gold", Spend: 1000 }, { Id: "Bob", Tier: "Gold", Spend: 5 }, { Id: "Gus", Spend: 1 }]);
  await idle(msci);
  assert.deepEqual((await members("Rich")).ids, ["Ann", "Cyd"]);
  assert.deepEqual(await moves(), ["+Rich Ann", "-Rich Bob"]);
});

test("who signs in after an import goes on with the segments that the row had led to", async () => {
  await imports(msci, "People", PEOPLE);
  await save("Rich", "Spend ge 100");
  await save("Quiet", "UnifiedActivity/$count eq 0");
  await idle(msci);
  const before = (await members("Rich")).all.find((row) => row.authId === "Bob");
  await moves();
  const bob = await visits("Bob", 2);
  await until(async () => !(await members("Quiet")).ids.includes("Bob"), "he is quiet no more");
  const after = (await members("Rich")).all.find((row) => row.authId === "Bob");
  assert.deepEqual([after.since, after.customerId], [before.since, before.customerId]);
  assert.deepEqual(after.cookieIds, [bob.cookieId]);
  // From now on his object alone says who he is: the job leaves him to it.
  await imports(msci, "People", [{ Id: "Bob", Tier: "Gold", Spend: 1 }]);
  await until(async () => !(await members("Rich")).ids.includes("Bob"), "he is rich no more");
  await idle(msci);
  assert.deepEqual(await moves(), []);
});

test("who is erased is in no segment, and nobody hears of it any more", async () => {
  await imports(msci, "People", PEOPLE);
  await save("Rich", "Spend ge 100");
  await visits("Cyd", 1);
  await idle(msci);
  for (const authId of ["Bob", "Cyd"]) {
    const { body } = await msci.admin("POST", "/privacy/erase", { authId });
    await finished(msci, body.job);
  }
  await until(async () => (await members("Rich")).count === 0, "both are out of it");
  assert.deepEqual(await msci.index("SELECT * FROM moved"), []);
});

test("a segment that is used cannot be deleted, and the answer says by what", async () => {
  await save("Base", "Tier eq 'Gold'");
  await save("Over", "IsMemberOfSegment('Base')");
  const refused = await msci.admin("DELETE", "/segments/Base");
  assert.deepEqual([refused.status, refused.body.error.code], [409, "in_use"]);
  assert.match(refused.body.error.message, /segment Over/);
  await msci.admin("DELETE", "/segments/Over");
  const change = { selector: "h1", action: "setText", value: "Hello" };
  await msci.admin("PUT", "/experiences/hello", { audience: "IsMemberOfSegment('Base')", pages: ["/"], changes: [change] });
  const again = await msci.admin("DELETE", "/segments/Base");
  assert.deepEqual([again.status, again.body.error.code], [409, "in_use"]);
  assert.match(again.body.error.message, /experience hello/);
  await msci.admin("PUT", "/measures/Spent", { aggregate: "sum", property: "total" });
  await save("Spenders", "Measures/Spent gt 1");
  const measure = await msci.admin("DELETE", "/measures/Spent");
  assert.deepEqual([measure.status, measure.body.error.code], [409, "in_use"]);
  await msci.admin("DELETE", "/experiences/hello");
  assert.equal((await msci.admin("DELETE", "/segments/Base")).status, 200);
});

test("members come page by page, each once", async () => {
  await imports(msci, "People", Array.from({ length: 45 }, (_, n) => ({ Id: `P${n}`, Spend: n })));
  await save("All", "Id ne null");
  await idle(msci);
  const whole = await members("All");
  assert.deepEqual([whole.all.length, whole.count], [45, 45]);
  assert.deepEqual(Object.keys(whole.all[0]).sort(), ["attributes", "authId", "cookieIds", "customerId", "firstSeen", "known", "lastSeen", "since"]);
  for (const top of [1, 7, 45]) assert.deepEqual((await members("All", top)).all, whole.all, `by ${top}`);
  for (const bad of ["top=0", "top=501", "top=x", "skiptoken=x"]) {
    const answer = await msci.admin("GET", `/segments/All/members?${bad}`);
    assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"], bad);
  }
  assert.equal((await msci.admin("POST", "/segments/All/members", {})).status, 405);
});

test("a filter is tried out before it is saved: how many it finds, and the first hundred", async () => {
  await imports(msci, "People", Array.from({ length: 150 }, (_, n) => ({ Id: `P${n}`, Tier: n % 2 ? "Gold" : "Silver", Spend: n })));
  await msci.admin("PUT", "/measures/Reads", { aggregate: "count", filter: "contains(ViewUri,'/reviews/')" });
  await save("Golden", "Tier eq 'Gold'");
  await visits("P1", 3);
  await visits("Eve", 1);
  await idle(msci);
  const preview = async (/** @type {string} */ filter) => {
    const { status, body } = await msci.admin("POST", "/segments/preview", { filter });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  for (const [filter, count, approximate] of /** @type {[string, number, boolean?][]} */ ([
    ["Tier eq 'gold'", 75],
    ["Spend lt 10 and Tier eq 'Silver'", 5],
    ["IsMemberOfSegment('Golden')", 75],
    ["Measures/Reads ge 3", 1],
    ["Id ne null", 150],
    ["true", 151],
    ["Spend gt 1e9", 0],
    ["UnifiedActivity/$count($filter=contains(ViewUri,'/reviews/') and ActivityTime gt now() sub duration'P7D') ge 1", 2],
    ["UnifiedActivity/any(a: contains(a/ViewUri,'/reviews/2'))", 1, true],
    ["UnifiedActivity/any(a: a/ActivityTime gt now() sub duration'P31D')", 2, true],
  ])) {
    const found = await preview(filter);
    assert.deepEqual([found.count, found.approximate], [count, approximate], filter);
    assert.equal(found.customers.length, Math.min(count, 100), filter);
  }
  const [one] = (await preview("Measures/Reads ge 3")).customers;
  assert.deepEqual([one.authId, one.attributes.Tier, one.cookieIds.length], ["P1", "Gold", 1]);
  const [bare] = (await preview("Spend eq 7")).customers;
  assert.deepEqual([bare.authId, bare.known, bare.attributes], ["P7", true, { Id: "P7", Tier: "Gold", Spend: 7 }]);
  assert.deepEqual((await msci.admin("GET", "/segments")).body.items.length, 1, "nothing is saved");
});

test("a bad filter is refused with its place, and nothing is tried", async () => {
  for (const [filter, code, place] of [
    ["Tear eq 'Gold'", "invalid_filter", "position 0"],
    ["Tier eq 'Gold", "invalid_filter", "position 8"],
    ["(".repeat(10_000), "invalid_filter", "position 4096"],
    ["IsMemberOfSegment('Nobody')", "invalid_filter", "position 18"],
    ["UnifiedActivity/any(a: Tier eq 'x')", "unsupported_in_definition", "position 23"],
  ]) {
    const { status, body } = await msci.admin("POST", "/segments/preview", { filter });
    assert.deepEqual([status, body.error.code], [400, code], filter);
    assert.ok(body.error.message.includes(place), body.error.message);
  }
  for (const bad of [{}, { filter: 7 }]) {
    assert.equal((await msci.admin("POST", "/segments/preview", bad)).status, 400);
  }
  assert.equal((await msci.admin("PUT", "/segments/preview", { filter: "true" })).status, 400);
});
