// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { snippet } from "../../examples/contoso-coffee/snippet.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

const table = { primaryKey: "Id", columns: { Tier: "string", Spend: "number", Vip: "boolean" } };
const rows = (/** @type {string} */ body, type = "text/csv") =>
  msci.admin("POST", "/tables/People/rows", body, { "content-type": type });

test("without the administrator's token nothing is told and nothing changes", async () => {
  for (const authorization of ["", "Bearer wrong", `Basic ${msci.adminToken}`, msci.adminToken]) {
    for (const path of ["/_msci/admin/v1/settings", "/_msci/api/data/v9.2/msdynci_p13nprofile(cookieid='x')"]) {
      const answer = await msci.fetch(path, { headers: { authorization } });
      assert.deepEqual([answer.status, answer.body.error.code], [401, "unauthorized"]);
    }
    const put = await msci.fetch("/_msci/admin/v1/settings", {
      method: "PUT",
      headers: { authorization, "content-type": "application/json" },
      body: '{"injectScript":true}',
    });
    assert.equal(put.status, 401);
  }
  assert.equal((await msci.admin("GET", "/settings")).body.injectScript, false);
});

test("settings of a new system are the documented ones, and a change merges deeply", async () => {
  const { body } = await msci.admin("GET", "/settings");
  assert.deepEqual(body, {
    trackingTable: null,
    identity: { verification: "off", maxLinksPerDay: 50, maxLinks: 5000 },
    consent: { mode: "implied", honourGpc: true },
    retention: { unknownIdleDays: 7, signalDays: 365, indexDays: 30 },
    cookie: { domain: null, maxAgeDays: 365 },
    origins: [],
    decisionFields: ["FirstName"],
    decisionSegments: [],
    capture: { history: "path+query", sendAfterGrant: true, queryParameters: "all" },
    injectScript: false,
    profileDeadlineMs: 75,
    apiRequestsPer300s: 60000,
    index: { databases: 1 },
  });
  const put = await msci.admin("PUT", "/settings", { retention: { signalDays: 400 } });
  assert.deepEqual(put.body.retention, { unknownIdleDays: 7, signalDays: 400, indexDays: 30 });
});

test("settings that do not exist or do not fit are refused, and nothing is stored", async () => {
  const before = (await msci.admin("GET", "/settings")).body;
  for (const bad of [{ nope: 1 }, { retention: { days: 1 } }, { profileDeadlineMs: "x" }, { capture: { queryParameters: "none" } }, { trackingTable: "Nope" }]) {
    const answer = await msci.admin("PUT", "/settings", bad);
    assert.equal(answer.status, 400, JSON.stringify(bad));
  }
  for (const [body, status] of /** @type {[string, number][]} */ ([["[]", 400], ["{", 400], ['{"a":1,"a":2}', 400], ["x".repeat(70_000), 413]])) {
    assert.equal((await msci.admin("PUT", "/settings", body)).status, status);
  }
  assert.deepEqual((await msci.admin("GET", "/settings")).body, before);
});

test("a table takes CSV and JSON Lines, with a verdict for every bad line", async () => {
  assert.equal((await msci.admin("PUT", "/tables/People", table)).status, 200);
  const csv = '\ufeffId,Tier,Spend,Vip\r\nA,Gold,1.5,true\r\n,Gold,1,true\r\nB,"two\nlines",,\r\nC,x,much,true\r\nA,Gold,2,true\r\nD,short\r\n';
  const done = await rows(csv);
  assert.deepEqual([done.body.received, done.body.created], [6, 2]);
  const verdicts = done.body.rejected.map((/** @type {any} */ r) => [r.line, r.code]);
  assert.deepEqual(verdicts, [[3, "key_invalid"], [6, "invalid_value"], [7, "duplicate_key"], [8, "wrong_column_count"]]);
  const lines = '{"Id":"A","Tier":"Gold","Spend":1.5,"Vip":true}\n\n{"Id":"E","Spend":"5"}\n{"Id":"F","Nope":1}\nnonsense\n{"Id":"B","Tier":"Silver"}';
  const again = await rows(lines, "application/x-ndjson");
  const { received, created, updated, unchanged, rejected } = again.body;
  assert.deepEqual([received, created, updated, unchanged, rejected.length], [5, 0, 1, 1, 3]);
  assert.equal((await msci.admin("GET", "/tables/People")).body.rows, 2);
  const strange = await rows("Id,Nope\nA,1\n");
  assert.deepEqual([strange.status, strange.body.error.code], [400, "unknown_column"]);
});

test("a table's key cannot change", async () => {
  const answer = await msci.admin("PUT", "/tables/People", { ...table, primaryKey: "Tier" });
  assert.deepEqual([answer.status, answer.body.error.code], [400, "key_is_fixed"]);
});

test("a definition with a fault is refused with its place, and nothing is stored", async () => {
  const change = { selector: "h1", action: "setText", value: "Hello" };
  for (const [path, body] of Object.entries({
    "/segments/Base": { filter: "true" },
    "/segments/Middle": { filter: "IsMemberOfSegment('Base')" },
    "/segments/Top": { filter: "not IsMemberOfSegment('Middle')" },
    "/measures/Kept": { aggregate: "count" },
    "/experiences/kept": { pages: ["/"], changes: [change] },
  })) assert.equal((await msci.admin("PUT", path, body)).status, 200);
  const stored = async () => {
    const told = ["/segments", "/measures", "/experiences"].map(async (path) => (await msci.admin("GET", path)).body);
    const versions = Object.keys(await msci.snapshots()).filter((key) => key.startsWith("cfg:"));
    return { told: await Promise.all(told), versions: versions.sort() };
  };
  /** @typedef {[string, string, number][]} Faults filter, code, position */
  const parentheses = "(".repeat(10 * 1024);
  const deep = `${"(".repeat(1500)}true${")".repeat(1500)}`;
  const ofCustomers = /** @type {Faults} */ ([
    ["Vip eq true and Tear eq 'Gold'", "invalid_filter", 16],
    ["IsMemberOfSegment('Nobody')", "invalid_filter", 18],
    ["Vip eq true and Measures/Nothing gt 1", "invalid_filter", 16],
    ["Tier eq 5", "invalid_filter", 8],
    ["Vip eq true and Spend", "invalid_filter", 16],
    ["Tier eq 'Gold", "invalid_filter", 8],
    ["(Tier eq 'Gold'", "invalid_filter", 15],
    [parentheses, "invalid_filter", 4096],
    [deep, "invalid_filter", 21],
    ["UnifiedActivity/any(a: Tier eq 'x')", "unsupported_in_definition", 23],
    ["UnifiedActivity/$count gt Spend", "unsupported_in_definition", 0],
    ["Spend gt 1 and now() gt 2024-01-01T00:00:00Z", "unsupported_in_definition", 15],
    ["Vip eq true and UnifiedActivity/all(a: a/ActivityTime gt now() sub duration'P1D')", "unsupported_in_definition", 39],
    ["UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'P7D') ge 1000", "invalid_filter", 0],
  ]);
  const ofActivities = /** @type {Faults} */ ([
    ["ActivityType eq 'View' and Nope eq 1", "invalid_filter", 27],
    ["Title eq 5", "invalid_filter", 9],
    ["contains(Title,'open", "invalid_filter", 15],
    [parentheses, "invalid_filter", 4096],
    [deep, "invalid_filter", 21],
    ["Title ne 'now()' and ActivityTime gt now() sub duration'P30D'", "unsupported_in_definition", 37],
    ["UnifiedActivity/any(a: true)", "unsupported_in_definition", 0],
    ["Title ne null and IsMemberOfSegment('Base')", "unsupported_in_definition", 18],
  ]);
  const before = await stored();
  /** @param {string} path @param {Record<string, unknown>} body @param {Faults[0]} fault */
  const refused = async (path, body, [filter, code, at]) => {
    const { status, body: answer } = await msci.admin("PUT", path, body);
    assert.deepEqual([status, answer.error?.code], [400, code], `${path} ${filter.slice(0, 99)}`);
    const [, place] = /at position (\d+)$/.exec(answer.error.message) ?? [];
    assert.equal(Number(place), at, `${path} ${filter.slice(0, 99)}: ${answer.error.message}`);
  };
  for (const name of ["Base", "New"]) for (const fault of ofCustomers) await refused(`/segments/${name}`, { filter: fault[0] }, fault);
  for (const fault of /** @type {[string, ...Faults[0]][]} */ ([
    ["New", "IsMemberOfSegment('New')", "segment_cycle", 0],
    ["Base", "Vip eq true or not IsMemberOfSegment('base')", "segment_cycle", 19],
    ["Middle", "IsMemberOfSegment('Base') and IsMemberOfSegment('Top')", "segment_cycle", 30],
    ["Base", "Tier eq 'Gold' or IsMemberOfSegment('Top')", "segment_cycle", 18],
  ])) await refused(`/segments/${fault[0]}`, { filter: fault[1] }, [fault[1], fault[2], fault[3]]);
  for (const fault of ofCustomers) await refused("/experiences/kept", { audience: fault[0], pages: ["/"], changes: [change] }, fault);
  for (const fault of ofActivities) {
    await refused("/experiences/new", { goal: fault[0], pages: ["/"], changes: [change] }, fault);
    for (const name of ["Kept", "New"]) await refused(`/measures/${name}`, { aggregate: "count", filter: fault[0] }, fault);
  }
  const attribute = { selector: "a", action: "setAttribute", name: "onclick", value: "x" };
  assert.equal((await msci.admin("PUT", "/experiences/x", { pages: ["/"], changes: [attribute] })).status, 400);
  assert.equal((await msci.admin("PUT", "/segments/bad%20name", { filter: "true" })).status, 400);
  assert.deepEqual(await stored(), before);
  assert.ok(before.versions.length > 5, "each change that holds is a version");
  for (const path of ["/segments/Top", "/segments/Middle", "/segments/Base", "/measures/Kept", "/experiences/kept"]) {
    assert.equal((await msci.admin("DELETE", path)).status, 200);
  }
});

test("D4 a segment saved later counts what happened before, and is gone once deleted", async () => {
  const her = browser();
  await msci.collect(her.batch(her.event("order", { total: 40 }), her.event("order", { total: 70.25 })));
  await msci.admin("PUT", "/measures/Spent", { aggregate: "sum", property: "total", filter: "ActivityType eq 'order'" });
  await msci.admin("PUT", "/segments/Spenders", { filter: "Measures/Spent gt 100" });
  const inside = await profile(msci, her.cookieId);
  assert.equal(inside.body.measures.Spent, 110.25);
  assert.deepEqual(inside.body.segmentmembership, ["Spenders"]);
  await msci.admin("DELETE", "/segments/Spenders");
  assert.deepEqual((await profile(msci, her.cookieId)).body.segmentmembership, []);
  assert.equal((await msci.admin("DELETE", "/segments/Spenders")).status, 404);
});

test("the demo shop's snippet is the one that the product offers", async () => {
  const { body } = await msci.admin("GET", "/snippet");
  assert.equal(body.script, snippet);
  const loader = snippet.slice("<script>".length, snippet.indexOf("(window,document,"));
  assert.ok(loader.length <= 700, `the loader has ${loader.length} bytes`);
});

test("what no Worker has is not found, in the same words", async () => {
  const headers = { authorization: `Bearer ${msci.adminToken}` };
  for (const path of ["/_msci/nope", "/_msci/admin", "/_msci/admin/v1/nope", "/_msci/api/nope", "/_msci/consoles"]) {
    const { status, body } = await msci.fetch(path, { headers });
    assert.deepEqual([status, body], [404, { error: { code: "not_found", message: "there is nothing at this address" } }], path);
  }
});

test("with an administrator's host set, nothing of the administration answers elsewhere", async () => {
  const guarded = await system(undefined, { adminHost: "admin.example" });
  try {
    assert.equal((await guarded.admin("GET", "/settings")).status, 404);
    const elsewhere = await guarded.fetch("/_msci/api/data/v9.2/", { headers: { authorization: `Bearer ${guarded.adminToken}` } });
    assert.deepEqual([elsewhere.status, elsewhere.body.error.code], [404, "not_found"]);
    assert.equal((await guarded.fetch("/_msci/health")).status, 200);
  } finally {
    await guarded.stop();
  }
});

test("names in the code are the names in the files that the Workers are deployed by", () => {
  const read = (/** @type {string} */ file) => readFileSync(new URL(`../../edge-worker/${file}`, import.meta.url), "utf8");
  const [edge, console, api] = [read("wrangler.toml"), read("wrangler.console.toml"), read("wrangler.api.toml")];
  const names = ["names.rs", "names/access.rs", "names/edge.rs", "names/console.rs"].map((file) => read(`src/${file}`)).join("");
  const constant = (/** @type {string} */ name) => names.match(new RegExp(`const ${name}: &str = "(.*)";`))?.[1];
  for (const toml of [edge, console, api]) {
    for (const name of ["PROFILE", "CONFIG"]) assert.ok(toml.includes(`{ name = "${constant(name)}",`), name);
    for (const name of ["SNAPSHOTS", "INDEX"]) assert.ok(toml.includes(`binding = "${constant(name)}"`), name);
  }
  for (const toml of [edge, console]) assert.ok(toml.includes(`${constant("VAR_INGESTION_KEY")} = `));
  for (const toml of [console, api]) assert.ok(toml.includes(`#   ${constant("VAR_ADMIN_TOKEN")} `));
  assert.ok(console.includes(`{ name = "${constant("JOBS")}",`) && !edge.includes(`"${constant("JOBS")}"`));
});

test("the other Workers use the edge Worker's objects, store and database, and the edge nothing of theirs", async () => {
  const { unstable_readConfig } = await import("wrangler");
  const [edge, console, api] = ["wrangler.toml", "wrangler.console.toml", "wrangler.api.toml"].map((file) =>
    unstable_readConfig({ config: fileURLToPath(new URL(`../../edge-worker/${file}`, import.meta.url)) }));
  const owners = (/** @type {typeof edge} */ config) => config?.durable_objects.bindings.map((/** @type {any} */ one) => [one.name, one.script_name]);
  assert.deepEqual(owners(edge), [["PROFILE", undefined], ["CONFIG", undefined]]);
  assert.deepEqual(owners(console), [["PROFILE", edge?.name], ["CONFIG", edge?.name], ["JOBS", undefined]]);
  assert.deepEqual(owners(api), [["PROFILE", edge?.name], ["CONFIG", edge?.name]]);
  for (const other of [console, api]) {
    assert.deepEqual(other?.kv_namespaces, edge?.kv_namespaces);
    assert.deepEqual(other?.d1_databases, edge?.d1_databases);
    assert.equal(other?.compatibility_date, edge?.compatibility_date);
  }
  for (const one of [edge, console, api]) assert.deepEqual(one?.services ?? [], []);
});
