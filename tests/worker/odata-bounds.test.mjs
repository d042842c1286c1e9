// @ts-check
// What one question of the read API may cost: pages, searches, requests.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { CURRENT, LEGACY, reader } from "../support/odata.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const PEOPLE = "msdynci_customerprofiles";

/** So many imported customers, past the product. @param {Awaited<ReturnType<typeof system>>} msci @param {number} from @param {number} to @param {string} [filler] SQL */
const people = (msci, from, to, filler = "''") =>
  msci.index(
    `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to - 1})
     INSERT INTO imported_row SELECT 'LoyaltySignUps', 'Extra' || i, 1,
       json_object('LoyaltyId', 'Extra' || i, 'FirstName', 'F' || (i % 10), 'LastName', ${filler}), printf('%032x', i), 0, 0 FROM n`,
  );

/** Every row of a list, page by page. @param {ReturnType<typeof reader>} ask @param {string} path @param {Record<string, string>} [headers] */
async function walked(ask, path, headers) {
  /** @type {any[]} */
  const all = [];
  const sizes = [];
  let next = path;
  for (;;) {
    const { status, body } = await ask(next, { headers });
    assert.equal(status, 200, JSON.stringify(body).slice(0, 300));
    all.push(...body.value);
    sizes.push(body.value.length);
    if (!body["@odata.nextLink"]) return { all, sizes };
    next = decodeURIComponent(body["@odata.nextLink"].slice(body["@odata.nextLink"].indexOf(CURRENT) + CURRENT.length));
  }
}

test("lists come in pages that hold every row once, in any order", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await people(msci, 0, 11_900);
  const ask = reader(msci);
  const { all, sizes } = await walked(ask, `${PEOPLE}?$select=msdynci_customerid`);
  assert.deepEqual(sizes, [5000, 5000, 2001]);
  assert.equal(new Set(all.map((row) => row.msdynci_customerid)).size, 12_001);
  const preferred = await ask(PEOPLE, { headers: { prefer: "odata.maxpagesize=7, respond-async" } });
  assert.equal(preferred.body.value.length, 7);
  assert.equal(preferred.headers.get("preference-applied"), "odata.maxpagesize=7");
  assert.equal((await ask("Customer", { root: LEGACY })).body.value.length, 100);
  for (const order of ["msdynci_firstname", "msdynci_firstname desc,msdynci_tier", "msdynci_tier desc", "msdynci_customerid desc"]) {
    const walk = await walked(ask, `${PEOPLE}?$filter=msdynci_firstname in ('F1','Mia','Yuki')&$orderby=${order}&$select=msdynci_customerid,msdynci_firstname`, { prefer: "odata.maxpagesize=500" });
    assert.equal(new Set(walk.all.map((row) => row.msdynci_customerid)).size, walk.all.length);
    assert.equal(walk.all.length, 1190 + 20);
    if (order === "msdynci_firstname") assert.deepEqual(walk.all.map((row) => row.msdynci_firstname), walk.all.map((row) => row.msdynci_firstname).sort());
  }
  const top = await walked(ask, `${PEOPLE}?$top=1200&$skip=10&$select=msdynci_customerid`, { prefer: "odata.maxpagesize=500" });
  assert.deepEqual(top.sizes, [500, 500, 200]);
  assert.deepEqual(top.all, all.slice(10, 1210));
  assert.deepEqual((await ask(`${PEOPLE}?$top=0&$count=true`)).body, {
    "@odata.context": `${msci.base}${CURRENT}$metadata#${PEOPLE}`, "@odata.count": 12_001, value: [],
  });
});

test("a page ends where it has grown large, whatever was asked for", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await people(msci, 0, 200, "hex(randomblob(30000))");
  const { all, sizes } = await walked(reader(msci), PEOPLE);
  assert.equal(new Set(all.map((row) => row.msdynci_customerid)).size, 301);
  // 60 KB each: some 70 of them fill an answer.
  assert.ok(sizes.length >= 3 && (sizes[0] ?? 0) <= 75, sizes.join());
  const her = browser();
  const properties = { text: "x".repeat(8000) };
  for (let n = 0; n < 30; n++) await msci.collect(her.batch(...Array.from({ length: 25 }, () => her.event("long", properties))));
  const { msdynci_customerid: id } = (await reader(msci)(`msdynci_p13nprofile(cookieid='${her.cookieId}')`)).body;
  const own = await walked(reader(msci), `msdynci_unifiedactivities?$filter=msdynci_customerid eq '${id}'`);
  assert.equal(new Set(own.all.map((row) => row.msdynci_activityid)).size, 750);
  assert.ok(own.sizes.length >= 2, own.sizes.join());
});

test("a filter has bounds, and says where it goes beyond them", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const ask = reader(msci);
  const terms = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => `msdynci_firstname eq 'a${i}'`).join(" or ");
  assert.equal((await ask(`${PEOPLE}?$filter=${terms(25)}`)).status, 200);
  const list = Array.from({ length: 90 }, (_, i) => `'a${i}'`).join(",");
  assert.equal((await ask(`${PEOPLE}?$filter=msdynci_firstname in (${list})`)).status, 200);
  for (const [filter, code] of [
    [terms(40), "invalid_filter"],
    [`msdynci_firstname eq '${"x".repeat(4096)}'`, "invalid_filter"],
    [`${"(".repeat(21)}true${")".repeat(21)}`, "invalid_filter"],
    ["(".repeat(3000), "invalid_filter"],
    [`${"not ".repeat(30)}msdynci_known`, "invalid_filter"],
  ]) {
    const answer = await ask(`${PEOPLE}?$filter=${filter}`);
    assert.deepEqual([answer.status, answer.body.error?.code], [400, code], filter?.slice(0, 80));
    assert.match(answer.body.error.message, /at position \d+$/);
  }
  assert.equal((await ask(`${PEOPLE}?$filter=${"x".repeat(16_000)}`)).status, 400);
});

test("a search beyond what may be looked at is refused, with advice; who is named, or a list without a search, is not", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const ask = reader(msci);
  const her = browser();
  await msci.collect(her.batch(her.view("/here")));
  const { msdynci_customerid: id } = (await ask(`msdynci_p13nprofile(cookieid='${her.cookieId}')`)).body;
  await until(async () => (await ask("msdynci_unifiedactivities")).body.value.length === 1, "the view is in the index");
  const costly = async (/** @type {string} */ path) => {
    const answer = await ask(path);
    if (answer.status === 400) assert.equal(answer.body.error.code, "query_too_costly", path);
    else assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.status === 400 ? answer.body.error.message : undefined;
  };
  const searches = [
    "msdynci_unifiedactivities?$filter=msdynci_title eq 'x'",
    "msdynci_personalizationviews?$orderby=msdynci_viewuri",
    "msdynci_unifiedactivities/$count",
    "msdynci_unifiedactivities?$apply=aggregate($count as n)",
    `${PEOPLE}?$filter=UnifiedActivity/any(a: a/ActivityType eq 'View')`,
  ];
  for (const path of searches) assert.equal(await costly(path), undefined, path);
  const old = Date.now() - 86_400_000;
  await msci.index("INSERT INTO cookie VALUES ('o', ?1, 0, 0)", randomUUID());
  await msci.index(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)
     INSERT INTO activity SELECT 'o', 'c0ffee00-0000-4000-8000-000000000000', i, ?1 + i, 'View', 'old', '{"uri":"/"}' FROM n`,
    old,
  );
  for (const path of searches) assert.match((await costly(path)) ?? "", /10,000 activities; name a customer/, path);
  for (const path of [
    "msdynci_unifiedactivities?$top=3",
    "msdynci_unifiedactivities?$filter=msdynci_title eq 'x' and msdynci_activitytime gt now() sub duration'PT1H'",
    `msdynci_unifiedactivities?$filter=msdynci_customerid eq '${id}' and msdynci_title ne 'x'`,
    `msdynci_personalizationviews?$filter=msdynci_userlocalid eq '${her.cookieId}'`,
    `msdynci_unifiedactivities/$count?$filter=msdynci_customerid eq '${id}'`,
    `msdynci_unifiedactivities?$apply=filter(msdynci_customerid eq '${id}')/aggregate($count as n)`,
  ]) assert.equal(await costly(path), undefined, path);
  const some = (await ask("msdynci_unifiedactivities?$top=1&$skip=5000")).body.value[0];
  assert.equal((await ask(`msdynci_unifiedactivities(${some.msdynci_activityid})`)).body.msdynci_activityid, some.msdynci_activityid);

  const wide = [`${PEOPLE}?$filter=msdynci_firstname eq 'F3'&$top=1`, `${PEOPLE}?$orderby=msdynci_lastname&$top=1`, `${PEOPLE}/$count`, "msdynci_customermeasures?$filter=contains(msdynci_measures,'x')", "msdynci_segmentmemberships"];
  for (const path of wide) assert.equal(await costly(path), undefined, path);
  for (let from = 0; from < 200_000; from += 50_000) await people(msci, from, from + 50_000);
  for (const path of wide) assert.match((await costly(path)) ?? "", /200,000 customers; name them/, path);
  for (const path of [`${PEOPLE}?$top=3`, `${PEOPLE}?$filter=msdynci_customerid eq '${id}'`, `${PEOPLE}?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty1'`]) {
    assert.equal(await costly(path), undefined, path);
  }
});

test("requests beyond the setting are refused with the time to wait; each answer says how many are left", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const ask = reader(msci);
  const left = (/** @type {Awaited<ReturnType<typeof ask>>} */ answer) => Number(answer.headers.get("x-ms-ratelimit-burst-remaining-xrm-requests"));
  const first = await ask("msdynci_alternatekeys?$top=1");
  const second = await ask("msdynci_nope");
  assert.ok(left(first) > 50_000 && left(second) < left(first), `${left(first)}, ${left(second)}`);
  await msci.admin("PUT", "/settings", { apiRequestsPer300s: 620 });
  let answer = await until(async () => {
    const now = await ask("msdynci_alternatekeys?$top=1");
    return now.status === 429 ? now : left(now) < 620 ? now : undefined;
  }, "the setting holds");
  let granted = 0;
  while (answer.status === 200) {
    answer = await ask("msdynci_alternatekeys?$top=1");
    assert.ok(++granted <= 621, "the bound holds");
  }
  assert.deepEqual([answer.status, answer.body.error.code, left(answer)], [429, "too_many_requests", 0]);
  const wait = Number(answer.headers.get("retry-after"));
  assert.ok(wait >= 1 && wait <= 301, String(wait));
  // Who has no token is told that, whatever others have used up; and the setting can be raised again.
  assert.equal((await msci.fetch(CURRENT)).status, 401);
  await msci.admin("PUT", "/settings", { apiRequestsPer300s: 60_000 });
  await until(async () => (await ask("msdynci_alternatekeys?$top=1")).status === 200, "there are requests again");
});
