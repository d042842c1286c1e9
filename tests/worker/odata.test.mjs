// @ts-check
// Every documented form of the read API, asked of a known customer, an unknown visitor, an imported customer
// without web activity, and of names that nobody has.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { CURRENT, LEGACY, shop } from "../support/odata.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {Awaited<ReturnType<typeof shop>>} */
let at;
before(async () => {
  msci = await system();
  at = await shop(msci);
});
after(() => msci.stop());

/** @param {string} path @param {Parameters<typeof at.ask>[1]} [how] */
async function rows(path, how) {
  const answer = await at.ask(path, how);
  assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  assert.equal(answer.headers.get("odata-version"), "4.0");
  return answer.body.value;
}
const list = (/** @type {any[]} */ of, /** @type {string} */ column) => of.map((row) => row[column]);

const PEOPLE = "msdynci_customerprofiles";
/** Names are put in for {KNOWN} and so on. @param {string} text */
const named = (text) =>
  text.replaceAll("{KNOWN}", at.known).replaceAll("{UNKNOWN}", at.unknown).replaceAll("{IMPORTED}", at.imported)
    .replaceAll("{HER}", at.her.cookieId).replaceAll("{HIM}", at.him.cookieId).replaceAll("{NOBODY}", at.nobody);

/** Form, address, the column to look at, what it should hold. @type {[string, string, string, any[]][]} */
const FORMS = [
  ["2", `${PEOPLE}?$filter=msdynci_customerid eq '{KNOWN}'`, "msdynci_fullname", ["Abbie Moss"]],
  ["2, unknown", `${PEOPLE}?$filter=msdynci_customerid eq '{UNKNOWN}'`, "msdynci_known", [false]],
  ["2, imported", `${PEOPLE}?$filter=msdynci_customerid eq '{IMPORTED}'`, "msdynci_loyaltyid", ["Loyalty2"]],
  ["2, nobody", `${PEOPLE}?$filter=msdynci_customerid eq '{NOBODY}'`, "msdynci_known", []],
  ["3", `${PEOPLE}?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty1'`, "msdynci_fullname", ["Abbie Moss"]],
  ["3, imported", `${PEOPLE}?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty2'`, "msdynci_customerid", ["{IMPORTED}"]],
  ["3, nobody", `${PEOPLE}?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty9999'`, "msdynci_customerid", []],
  ["4", `${PEOPLE}?$select=msdynci_fullname&$filter=msdynci_customerid eq '{KNOWN}'`, "msdynci_fullname", ["Abbie Moss"]],
  ["5", `${PEOPLE}?$filter=msdynci_customerid eq '{KNOWN}' or msdynci_customerid eq '{IMPORTED}'&$orderby=msdynci_loyaltyid desc`, "msdynci_loyaltyid", ["Loyalty2", "Loyalty1"]],
  ["5, by key", `${PEOPLE}?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty2' or msdynci_loyaltysignups_loyaltyid eq 'Loyalty1'&$orderby=msdynci_loyaltyid`, "msdynci_loyaltyid", ["Loyalty1", "Loyalty2"]],
  ["6", `${PEOPLE}?$filter=contains(msdynci_lastname,'OSS')&$top=10&$orderby=msdynci_fullname`, "msdynci_lastname", ["Moss", ...Array(9).fill("Rossi")]],
  ["7", `msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\\"HighLifetimeValue\\"') and msdynci_customerid eq '{KNOWN}'&$select=msdynci_customerid`, "msdynci_customerid", ["{KNOWN}"]],
  ["7, plain quotes", `msdynci_segmentmemberships?$filter=contains(msdynci_segments,'"HighLifetimeValue"') and msdynci_customerid eq '{KNOWN}'`, "msdynci_customerid", ["{KNOWN}"]],
  ["7, encoded", `msdynci_segmentmemberships?$filter=contains(msdynci_segments,%27%5C%22HighLifetimeValue%5C%22%27)%20and%20msdynci_customerid%20eq%20%27{KNOWN}%27`, "msdynci_customerid", ["{KNOWN}"]],
  ["7, part of a name", `msdynci_segmentmemberships?$filter=contains(msdynci_segments,'"HighLife"')`, "msdynci_customerid", []],
  ["8", "msdynci_segmentmemberships?$filter=msdynci_customerid eq '{KNOWN}'&$select=msdynci_segments", "msdynci_segments", ['["HighLifetimeValue","LoyalCustomers"]']],
  ["8, of the unknown", "msdynci_segmentmemberships?$filter=msdynci_customerid eq '{UNKNOWN}'&$select=msdynci_segments", "msdynci_segments", ['["ReviewReaders"]']],
  ["10 views", "msdynci_p13nviews(cookieid='{HER}',top=10)", "msdynci_viewtitle", ["Aurora"]],
  ["10 views, unknown", "msdynci_p13nviews(cookieid='{HIM}',top=10)", "msdynci_viewuri", ["/reviews/1"]],
  ["10 actions", "msdynci_p13nactions(cookieid='{HER}',top=10)", "msdynci_actionname", ["Buy"]],
  ["10 actions, unknown", "msdynci_p13nactions(cookieid='{HIM}',top=10)", "msdynci_actionname", []],
  ...["msdynci_p13nprofile", "msdynci_unifiedactivities"].flatMap((set) => /** @type {[string, string, string, any[]][]} */ ([
    [`11 ${set}`, `${set}?$filter=msdynci_customerid eq '{KNOWN}'`, "msdynci_activitytype", ["order_completed", "Action", "View"]],
    [`11 ${set}, time`, `${set}?$filter=msdynci_customerid eq '{KNOWN}' and msdynci_activitytime gt 2024-01-01T00:00:00Z and msdynci_activitytime lt 2099-01-01T00:00:00Z`, "msdynci_title", ["order_completed", "Buy", "Aurora"]],
    [`11 ${set}, type`, `${set}?$filter=msdynci_customerid eq '{KNOWN}' and msdynci_activitytype eq 'view'`, "msdynci_externalurl", ["https://shop.example/coffee-machines/premium/1?a=1"]],
    [`11 ${set}, display`, `${set}?$filter=msdynci_customerid eq '{KNOWN}' and msdynci_activitytypedisplay eq 'order_completed'`, "msdynci_semanticdata", ['{"kind":"machine","total":1250.5}']],
    [`11 ${set}, in order`, `${set}?$filter=msdynci_customerid eq '{KNOWN}'&$orderby=msdynci_activitytime asc`, "msdynci_activitytype", ["View", "Action", "order_completed"]],
    [`11 ${set}, unknown`, `${set}?$filter=msdynci_customerid eq '{UNKNOWN}'`, "msdynci_title", ['It\'s "good"']],
    [`11 ${set}, imported`, `${set}?$filter=msdynci_customerid eq '{IMPORTED}'`, "msdynci_title", []],
    [`11 ${set}, nobody`, `${set}?$filter=msdynci_customerid eq '{NOBODY}'`, "msdynci_title", []],
  ])),
  ["12, all", "msdynci_unifiedactivities?$orderby=msdynci_activitytype", "msdynci_activitytype", ["Action", "order_completed", "View", "View"]],
  ["13", "msdynci_pageviews(cookieid='{HER}',top=10)", "msdynci_viewname", ["aurora"]],
  ["13", "msdynci_p13npageviews(cookieid='{HER}',top=10)", "msdynci_viewname", ["aurora"]],
  ["13", "msdynci_pageclicks(cookieid='{HER}',top=10)", "msdynci_actiontype", ["LClick"]],
  ["13", "msdynci_p13npageclicks(cookieid='{HER}',top=10)", "msdynci_actiontype", ["LClick"]],
  ["13", "msdynci_personalizationprofiles?$filter=msdynci_customerid eq '{UNKNOWN}'", "msdynci_activitytype", ["View"]],
  ["14", "msdynci_customermeasures?$filter=msdynci_customerid eq '{KNOWN}'", "msdynci_measures", ['{"LifetimeValue":1250.5,"PageViews":1}']],
  ["14, imported", "msdynci_customermeasures?$filter=msdynci_customerid eq '{IMPORTED}'", "msdynci_measures", ['{"LifetimeValue":null,"PageViews":0}']],
  ["15 views", "msdynci_personalizationviews?$orderby=msdynci_viewuri desc&$top=1", "msdynci_viewtitle", ["Aurora"]],
  ["15 views of a cookie", "msdynci_personalizationviews?$filter=msdynci_userlocalid eq '{HIM}'", "msdynci_viewuri", ["/reviews/1"]],
  ["15 actions", "msdynci_personalizationactions?$filter=msdynci_actiontype eq 'LClick'", "msdynci_userlocalid", ["{HER}"]],
  ["15 users", "msdynci_personalizationusers", "msdynci_userauthid", ["Loyalty1"]],
  ["15 cookies", "msdynci_personalizationcookies?$orderby=msdynci_known", "msdynci_userlocalid", ["{HIM}", "{HER}"]],
  ["15 keys", "msdynci_alternatekeys?$filter=msdynci_alternatevalue eq 'Loyalty2'", "msdynci_customerid", ["{IMPORTED}"]],
  ["alias", `${PEOPLE}?$filter=msdynci_customerid eq @p1&@p1='{KNOWN}'`, "msdynci_fullname", ["Abbie Moss"]],
  ["lambda", `${PEOPLE}?$filter=UnifiedActivity/any(a: contains(a/ViewUri,'/reviews/'))`, "msdynci_customerid", ["{UNKNOWN}"]],
  ["count of a collection", `${PEOPLE}?$filter=UnifiedActivity/$count($filter=ActivityType eq 'View' and ActivityTime gt now() sub duration'P1D') ge 1 and msdynci_known eq true`, "msdynci_customerid", ["{KNOWN}"]],
  ["measure", `${PEOPLE}?$filter=Measures/LifetimeValue gt 1000`, "msdynci_customerid", ["{KNOWN}"]],
  ["skip", `${PEOPLE}?$filter=msdynci_lastname eq 'Rossi'&$orderby=msdynci_firstname&$skip=2&$top=2`, "msdynci_firstname", ["Kofi", "Lars"]],
  ["endswith", `${PEOPLE}?$filter=endswith(msdynci_lastname,'ANAKA')&$orderby=msdynci_firstname desc&$top=2`, "msdynci_firstname", ["Zoë", "Yuki"]],
  ["startswith, toupper", `${PEOPLE}?$filter=startswith(toupper(msdynci_lastname),'MO') and msdynci_firstname in ('Liam','Abbie')&$orderby=msdynci_fullname`, "msdynci_fullname", ["Abbie Moss", "Liam Moreau"]],
  ["tolower", `${PEOPLE}?$filter=endswith(tolower(msdynci_email),'.moss@example.com')`, "msdynci_fullname", ["Abbie Moss"]],
  ["length", `${PEOPLE}?$filter=length(msdynci_lastname) eq 9 and length(msdynci_firstname) eq 3&$orderby=msdynci_fullname`, "msdynci_fullname", ["Mia Lindqvist", "Zoë Lindqvist"]],
  ["not, lt", `${PEOPLE}?$filter=not (msdynci_tier eq 'Gold') and msdynci_spend lt 100 and msdynci_lastname eq 'Keller'&$orderby=msdynci_spend`, "msdynci_firstname", ["Noah", "Mia"]],
  ["le", `${PEOPLE}?$filter=msdynci_spend le 74 and msdynci_lastname eq 'Keller'&$orderby=msdynci_spend desc`, "msdynci_firstname", ["Liam", "Mia", "Noah"]],
  ["gt", `${PEOPLE}?$filter=msdynci_spend gt 1554&$orderby=msdynci_spend`, "msdynci_fullname", ["Kofi Rossi", "Zoë Silva"]],
  ["ne, ge, or", `${PEOPLE}?$filter=msdynci_lastname eq 'Rossi' and msdynci_tier ne 'Gold' and (msdynci_spend lt 20 or msdynci_spend ge 1545)&$orderby=msdynci_spend`, "msdynci_firstname", ["Yuki", "Ines"]],
  ["all", `${PEOPLE}?$filter=UnifiedActivity/any() and UnifiedActivity/all(a: a/ActivityType eq 'View')`, "msdynci_customerid", ["{UNKNOWN}"]],
  ["now() add", "msdynci_unifiedactivities?$filter=msdynci_activitytime lt now() add duration'PT1H' and msdynci_activitytype eq 'Action'", "msdynci_title", ["Buy"]],
  ["now() add, not yet", "msdynci_unifiedactivities?$filter=msdynci_activitytime gt now() add duration'PT1H'", "msdynci_title", []],
  ["a time add", "msdynci_unifiedactivities?$filter=msdynci_activitytime add duration'P1D' gt now() and msdynci_activitytype eq 'Action'", "msdynci_title", ["Buy"]],
  ["search", `${PEOPLE}?$search=abbie`, "msdynci_fullname", ["Abbie Moss"]],
  ["search, all of its words", `${PEOPLE}?$search=rossi "Zoë"`, "msdynci_fullname", ["Zoë Rossi"]],
];

test("every form of the current root answers as documented", async (t) => {
  for (const [form, path, column, expected] of FORMS) {
    await t.test(`form ${form}`, async () => {
      assert.deepEqual(list(await rows(named(path)), column), expected.map((value) => (typeof value === "string" ? named(value) : value)));
    });
  }
});

test("form 1 lists everybody: those seen, and those only imported", async () => {
  const all = await rows(PEOPLE);
  assert.equal(all.length, 102);
  assert.deepEqual(list(all, "msdynci_customerid"), list(all, "msdynci_customerid").sort());
  for (const id of [at.known, at.unknown, at.imported]) assert.ok(list(all, "msdynci_customerid").includes(id));
});

test("form 7 finds those who were only imported too, once the job has been with them", async () => {
  const members = () => rows(`msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\\"LoyalCustomers\\"')&$select=msdynci_customerid`);
  // Every second of the hundred has Gold or Platinum, and Abbie.
  await until(async () => (await members()).length === 51, "all are judged", 30_000);
  assert.equal((await rows(`${PEOPLE}?$filter=IsMemberOfSegment('LoyalCustomers')`)).length, 51);
});

test("form 9: the profile of a cookie, with what is asked for", async () => {
  const { body } = await at.ask(named("msdynci_p13nprofile(cookieid='{HER}',include=['segmentmembership','measures','unifiedactivity'])"));
  assert.deepEqual(
    [body.msdynci_known, body.msdynci_cookieids, body.msdynci_loyaltysignups_loyaltyid, body.segmentmembership, body.measures.LifetimeValue],
    [true, [at.her.cookieId], "Loyalty1", ["HighLifetimeValue", "LoyalCustomers"], 1250.5],
  );
  assert.deepEqual(list(body.unifiedactivity, "msdynci_activitytype"), ["order_completed", "Action", "View"]);
  for (const name of ["msdynci_p13nprofile", "msdynci_personalizationprofiles"]) {
    const bare = await at.ask(named(`${name}(cookieid='{HIM}')`));
    assert.equal(bare.body.msdynci_customerid, at.unknown);
    for (const part of ["segmentmembership", "measures", "unifiedactivity"]) assert.ok(!(part in bare.body));
  }
  const aliased = await at.ask(`msdynci_p13nprofile(cookieid=@c)?@c='${at.her.cookieId}'`);
  assert.equal(aliased.body.msdynci_customerid, at.known);
});

test("a cookie nobody has, and what is no cookie, is not found; asking brings nothing into being", async () => {
  for (const name of ["msdynci_p13nprofile", "msdynci_p13nviews", "msdynci_pageclicks"]) {
    for (const id of [at.nobody, at.nobody, "x", "''; DROP TABLE signal; --"]) {
      const answer = await at.ask(`${name}(cookieid='${id}')`);
      assert.deepEqual([answer.status, answer.body.error.code], [404, "profile_not_found"]);
    }
  }
});

test("form 15: a row by its key", async () => {
  const [view] = await rows("msdynci_personalizationviews?$orderby=msdynci_signaltimestamp&$top=1&$filter=msdynci_userauthid ne null");
  const one = await at.ask(`msdynci_personalizationviews(${view.msdynci_signalid})`);
  assert.equal(one.status, 200);
  assert.deepEqual({ ...one.body, "@odata.context": undefined }, { ...view, "@odata.context": undefined });
  for (const [path, column] of [
    [`msdynci_personalizationactions?$top=1`, "msdynci_signalid"],
    [`msdynci_unifiedactivities?$top=1`, "msdynci_activityid"],
    [`msdynci_personalizationusers?$top=1`, "msdynci_userlocalid"],
    [`msdynci_personalizationcookies?$top=1`, "msdynci_userlocalid"],
    [`msdynci_alternatekeys?$top=1`, "msdynci_customerid"],
    [`${PEOPLE}?$top=1`, "msdynci_customerid"],
    ["msdynci_customermeasures?$top=1", "msdynci_customerid"],
    ["msdynci_segmentmemberships?$top=1", "msdynci_customerid"],
  ]) {
    const [first] = await rows(path ?? "");
    const set = path?.split("?")[0];
    for (const key of [`'${first[column ?? ""]}'`, `${column}='${first[column ?? ""]}'`]) {
      const found = await at.ask(`${set}(${key})`);
      assert.deepEqual([found.status, found.body[column ?? ""]], [200, first[column ?? ""]], `${set}(${key})`);
    }
    assert.equal((await at.ask(`${set}(${randomUUID()})`)).body.error.code, "row_not_found");
  }
  // A known customer's id, as the GUID that it is in other systems.
  const guid = at.imported.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  assert.equal((await at.ask(`msdynci_alternatekeys(${guid})`)).body.msdynci_alternatevalue, "Loyalty2");
});

test("form 15: every set is ordered, cut off, filtered and counted", async () => {
  const third = browser();
  const act = (/** @type {string} */ name) => third.event("", {}, { type: "action", actionType: "LClick", name });
  await msci.collect(third.batch(third.view("/forms/b"), third.view("/forms/a"), act("Two"), act("One"), third.user("Loyalty5")));
  await until(async () => (await rows("msdynci_personalizationusers")).length === 2 && (await rows("msdynci_personalizationactions")).length === 3, "the index has it");
  for (const [set, column, ordered] of /** @type {[string, string, string[]][]} */ ([
    ["msdynci_personalizationviews", "msdynci_viewuri", ["/forms/a", "/forms/b", "/reviews/1", "https://shop.example/coffee-machines/premium/1?a=1"]],
    ["msdynci_personalizationactions", "msdynci_actionname", ["Buy", "One", "Two"]],
    ["msdynci_personalizationusers", "msdynci_userauthid", ["Loyalty1", "Loyalty5"]],
    ["msdynci_personalizationcookies", "msdynci_userlocalid", [at.her.cookieId, at.him.cookieId, third.cookieId].sort()],
    ["msdynci_alternatekeys", "msdynci_alternatevalue", Array.from({ length: 101 }, (_, n) => `Loyalty${n + 1}`).sort()],
  ])) {
    assert.deepEqual(list(await rows(`${set}?$orderby=${column}`), column), ordered, set);
    assert.deepEqual(list(await rows(`${set}?$orderby=${column} desc`), column), ordered.toReversed(), set);
    assert.deepEqual(list(await rows(`${set}?$orderby=${column}&$top=1&$skip=1`), column), [ordered[1]], set);
    assert.deepEqual(list(await rows(`${set}?$filter=${column} eq '${ordered[0]}'`), column), [ordered[0]], set);
    const counted = await at.ask(`${set}?$count=true&$top=1&$filter=${column} ne '${ordered[0]}'`);
    assert.deepEqual([counted.body["@odata.count"], counted.body.value.length], [ordered.length - 1, 1], set);
    assert.equal(String((await at.ask(`${set}/$count`)).body), String(ordered.length), set);
  }
});

test("form 10: up to 200 of them, newest first by their time", async () => {
  const her = browser();
  const now = Date.now();
  // What is sent first happened last.
  const back = Array.from({ length: 205 }, (_, n) => her.view(`/back/${n}`, { time: now - n * 1000 }));
  const clicks = ["c", "b", "a"].map((name, n) => her.event("", {}, { type: "action", actionType: "LClick", name, time: now - n * 1000 - 500 }));
  await msci.collect(her.batch(...back, ...clicks));
  const uris = Array.from({ length: 200 }, (_, n) => `/back/${n}`);
  for (const name of ["msdynci_p13nviews", "msdynci_pageviews", "msdynci_p13npageviews"]) {
    assert.deepEqual(list(await rows(`${name}(cookieid='${her.cookieId}',top=200)`), "msdynci_viewuri"), uris);
    assert.deepEqual(list(await rows(`${name}(cookieid='${her.cookieId}',top=10)`), "msdynci_viewuri"), uris.slice(0, 10));
  }
  for (const name of ["msdynci_p13nactions", "msdynci_pageclicks", "msdynci_p13npageclicks"]) {
    assert.deepEqual(list(await rows(`${name}(cookieid='${her.cookieId}',top=2)`), "msdynci_actionname"), ["c", "b"]);
    assert.deepEqual(list(await rows(`${name}(cookieid='${her.cookieId}',top=200)`), "msdynci_actionname"), ["c", "b", "a"]);
  }
});

test("parts of a time: year, month, day, hour, date, in UTC, of the index and of an object", async () => {
  const old = browser();
  const time = new Date(Date.now() - 20 * 86_400_000);
  time.setUTCHours(23, 30, 30, 0);
  await msci.collect(old.batch(old.event("dated", {}, { time: time.getTime() })));
  const [{ msdynci_customerid: id }] = await until(async () => {
    const found = await rows("msdynci_unifiedactivities?$filter=msdynci_activitytype eq 'dated'");
    return found.length === 1 && found;
  }, "the index has it");
  const next = new Date(time.getTime() + 3_600_000);
  const day = (/** @type {Date} */ of) => of.toISOString().slice(0, 10);
  for (const [of, right, wrong] of /** @type {[string, unknown, unknown][]} */ ([
    ["year({})", time.getUTCFullYear(), time.getUTCFullYear() + 1],
    ["month({})", time.getUTCMonth() + 1, time.getUTCMonth()],
    ["day({})", time.getUTCDate(), time.getUTCDate() + 1],
    ["hour({})", 23, 22],
    ["date({})", day(time), day(next)],
    ["hour({} add duration'PT1H')", 0, 1],
    ["date({} add duration'PT1H')", day(next), day(time)],
    ["date({} sub duration'P1D')", day(new Date(time.getTime() - 86_400_000)), day(time)],
  ])) {
    for (const [value, found] of [[right, ["dated"]], [wrong, []]]) {
      const holds = (/** @type {string} */ field) => `${of.replace("{}", field)} eq ${value}`;
      for (const key of ["", ` and msdynci_customerid eq '${id}'`]) {
        const path = `msdynci_unifiedactivities?$filter=msdynci_activitytype eq 'dated' and ${holds("msdynci_activitytime")}${key}`;
        assert.deepEqual(list(await rows(path), "msdynci_activitytype"), found, path);
      }
      const path = `${PEOPLE}?$filter=UnifiedActivity/any(a: a/ActivityType eq 'dated' and ${holds("a/ActivityTime")})`;
      assert.equal((await rows(path)).length, /** @type {string[]} */ (found).length, path);
    }
  }
});

test("columns are those of the reference, and long addresses arrive whole", async () => {
  const prefixed = (/** @type {string} */ names) => names.split(" ").map((name) => `msdynci_${name}`).sort();
  const keys = async (/** @type {string} */ path) => Object.keys((await rows(path))[0]).sort();
  const view = "signalid signalname signaltimestamp signaltimezone sdkversion hostdomain sessionid sessiondurationms userlocalid userauthid viewname viewtitle viewtype viewuri viewpreviousviews referreruri referrerpagetitle optimizelycampaignidentifier optimizelyexperimentidentifier";
  assert.deepEqual(await keys("msdynci_personalizationviews"), prefixed(view));
  assert.deepEqual(await keys("msdynci_personalizationactions"), prefixed(`${view} actionname actiontype actiontarget actionelementid actionisoutbound actionelapsedtimems clickcoordinates`));
  assert.deepEqual(await keys("msdynci_unifiedactivities"), prefixed("activityid activityname activitytime activitytype activitytypedisplay title externalurl semanticdata customerid"));
  assert.deepEqual(await keys("msdynci_segmentmemberships"), prefixed("customerid segments segmentprovider"));
  assert.deepEqual(await keys("msdynci_customermeasures"), prefixed("customerid measures"));
  assert.deepEqual(await keys("msdynci_alternatekeys"), prefixed("alternatevalue customerid datasourcename entityname"));
  assert.deepEqual(await keys(PEOPLE), prefixed("customerid known fullname firstname lastname email cookieids firstseen lastseen loyaltysignups_loyaltyid loyaltyid spend tier"));
  const [seen] = await rows(named("msdynci_personalizationviews?$filter=msdynci_userlocalid eq {HER}"));
  assert.deepEqual(
    [seen.msdynci_signalname, seen.msdynci_signaltimezone, seen.msdynci_sdkversion, seen.msdynci_hostdomain, seen.msdynci_sessionid, seen.msdynci_userauthid, seen.msdynci_viewtype, seen.msdynci_viewpreviousviews, seen.msdynci_referreruri],
    ["View", "Europe/Madrid", "1.0.0", "shop.example", "s1", "Loyalty1", "page", "/", "https://search.example/"],
  );
  assert.ok(seen.msdynci_sessiondurationms > 40_000 && seen.msdynci_sessiondurationms < 70_000, String(seen.msdynci_sessiondurationms));
  const long = browser();
  const uri = `/${"long/".repeat(200)}`;
  await msci.collect(long.batch(long.view(uri)));
  const [whole] = await rows(`msdynci_personalizationviews?$filter=msdynci_userlocalid eq '${long.cookieId}'`);
  assert.equal(whole.msdynci_viewuri, uri);
});

test("whoever is named is read from the object: nothing acknowledged is missing, even at once", async () => {
  const her = browser();
  for (let n = 1; n <= 10; n++) {
    await msci.collect(her.batch(her.view(`/fresh/${n}`)));
    const newest = await rows(`msdynci_p13nviews(cookieid='${her.cookieId}',top=1)`);
    assert.equal(newest[0].msdynci_viewuri, `/fresh/${n}`);
    assert.equal((await rows(`msdynci_personalizationviews?$filter=msdynci_userlocalid eq ${her.cookieId}`)).length, n);
  }
});

test("the legacy root answers its forms", async (t) => {
  /** @type {[string, string, any[]][]} */
  const forms = [
    ["Customer?$filter=CustomerId eq '{KNOWN}'", "FullName", ["Abbie Moss"]],
    ["customer?$filter=customerID eq '{UNKNOWN}'", "Known", [false]],
    ["Customer?$filter=LoyaltySignUps_LoyaltyId eq 'Loyalty2'", "CustomerId", ["{IMPORTED}"]],
    ["Customer?$filter=CustomerId in ('{KNOWN}','{NOBODY}')", "CustomerId", ["{KNOWN}"]],
    ['Customer?$top=10&$skip=0&$search="abbie"', "FullName", ["Abbie Moss"]],
    ["Customer?select=*&$filter=IsMemberOfSegment('ReviewReaders')&$top=10", "CustomerId", ["{UNKNOWN}"]],
    ["Customer?$filter=CustomerId eq '{KNOWN}'&IsMemberOfSegment('HighLifetimeValue')", "CustomerId", ["{KNOWN}"]],
    ["Customer?$filter=CustomerId eq '{KNOWN}'&IsMemberOfSegment('ReviewReaders')", "CustomerId", []],
    ["UnifiedActivity?$filter=CustomerId eq '{KNOWN}' and ActivityType eq 'View'", "Title", ["Aurora"]],
    ["Customer_Measure?$filter=CustomerId eq '{KNOWN}'", "Measures", ['{"LifetimeValue":1250.5,"PageViews":1}']],
  ];
  for (const [path, column, expected] of forms) {
    await t.test(path, async () => assert.deepEqual(list(await rows(named(path), { root: LEGACY }), column), expected.map((value) => (typeof value === "string" ? named(value) : value))));
  }
  const [expanded] = await rows(named("Customer?$expand=UnifiedActivity,Customer_Measure&$filter=CustomerId eq '{KNOWN}'"), { root: LEGACY });
  assert.deepEqual(list(expanded.UnifiedActivity, "ActivityType"), ["order_completed", "Action", "View"]);
  assert.equal(JSON.parse(expanded.Customer_Measure.Measures).LifetimeValue, 1250.5);
  const first = await at.ask("Customer", { root: LEGACY });
  assert.equal(first.body.value.length, 100);
  const rest = await msci.fetch(first.body["@odata.nextLink"].slice(msci.base.length), { headers: { authorization: `Bearer ${msci.adminToken}` } });
  assert.ok(rest.body.value.length >= 2 && !("@odata.nextLink" in rest.body));
});

test("expansions are bounded and go on where they end", async () => {
  const her = browser();
  await msci.collect(her.batch(...Array.from({ length: 30 }, (_, n) => her.view(`/many/${n}`))));
  const { msdynci_customerid: id } = (await at.ask(`msdynci_p13nprofile(cookieid='${her.cookieId}')`)).body;
  const path = `${PEOPLE}('${id}')?$expand=msdynci_unifiedactivity($filter=msdynci_activitytype eq 'View';$orderby=msdynci_activitytime;$top=25;$select=msdynci_externalurl),msdynci_customersegment`;
  const { body } = await at.ask(path);
  assert.equal(body.msdynci_unifiedactivity.length, 25);
  assert.deepEqual(Object.keys(body.msdynci_unifiedactivity[0]), ["msdynci_externalurl"]);
  assert.equal(body.msdynci_customersegment.msdynci_segments, "[]");
  const all = (await at.ask(`${PEOPLE}('${id}')?$expand=msdynci_unifiedactivity`)).body;
  assert.equal(all.msdynci_unifiedactivity.length, 30);
  assert.ok(!("msdynci_unifiedactivity@odata.nextLink" in all));
});

test("$apply counts, adds up and groups", async () => {
  const told = await rows(named("msdynci_unifiedactivities?$apply=filter(msdynci_customerid eq '{KNOWN}')/groupby((msdynci_activitytype),aggregate($count as n,Properties/total with sum as total,msdynci_activitytime with max as last))&$orderby=msdynci_activitytype"));
  assert.deepEqual(told.map((/** @type {any} */ row) => [row.msdynci_activitytype, row.n, row.total]), [["Action", 1, null], ["View", 1, null], ["order_completed", 1, 1250.5]]);
  assert.match(told[0].last, /^\d{4}-\d\d-\d\dT/);
  const [all] = await rows("msdynci_customermeasures?$apply=aggregate(Measures/LifetimeValue with max as most,$count as n)");
  assert.equal(all.most, 1250.5);
  // Everybody imported, a hundred of them never seen, has no views.
  const views = await rows("msdynci_customermeasures?$apply=groupby((Measures/PageViews),aggregate($count as n,Measures/LifetimeValue with sum as spent))&$orderby=Measures/PageViews&$top=1");
  assert.deepEqual(views, [{ Measures: { PageViews: 0 }, n: 100, spent: null }]);
  const kinds = await rows("msdynci_unifiedactivities?$apply=filter(Properties/kind ne null)/groupby((Properties/kind))");
  assert.deepEqual(kinds, [{ Properties: { kind: "machine" } }]);
});

test("counting: in the answer, and as text", async () => {
  const counted = await at.ask(`${PEOPLE}?$count=true&$top=1&$filter=msdynci_lastname eq 'Rossi'`);
  assert.deepEqual([counted.body["@odata.count"], counted.body.value.length], [10, 1]);
  for (const [path, expected] of /** @type {[string, RegExp][]} */ ([
    [`${PEOPLE}/$count?$filter=msdynci_lastname eq 'Rossi'`, /^10$/],
    [named("msdynci_unifiedactivities/$count?$filter=msdynci_customerid eq '{KNOWN}'"), /^3$/],
    [named(`${PEOPLE}/$count?$filter=msdynci_customerid eq '{NOBODY}'`), /^0$/],
    ["msdynci_alternatekeys/$count", /^101$/],
    [named("msdynci_personalizationviews/$count?$filter=msdynci_userlocalid eq '{HER}'"), /^1$/],
  ])) {
    const answer = await at.ask(path, { headers: { accept: "text/plain" } });
    assert.match(String(answer.body), expected, path);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
  }
});

test("formats: metadata none, minimal and full; a doubled slash; the service document", async () => {
  const ask = (/** @type {string} */ accept) => at.ask("msdynci_unifiedactivities?$top=1", { headers: { accept } });
  const [none, minimal, full] = [
    await ask("application/json;odata.metadata=none"),
    await ask("application/json;odata.metadata=minimal, text/plain;q=0.5"),
    await ask("application/json; odata.metadata=full"),
  ];
  assert.ok(!("@odata.context" in none.body));
  assert.match(minimal.body["@odata.context"], /\/_msci\/api\/data\/v9\.2\/\$metadata#msdynci_unifiedactivities$/);
  assert.match(minimal.headers.get("content-type") ?? "", /odata\.metadata=minimal/);
  const row = full.body.value[0];
  assert.equal(row["@odata.type"], "#MSCI.msdynci_unifiedactivity");
  assert.equal(row["msdynci_activitytime@odata.type"], "#DateTimeOffset");
  const itself = await msci.fetch(row["@odata.id"].slice(msci.base.length), { headers: { authorization: `Bearer ${msci.adminToken}` } });
  assert.equal(itself.body.msdynci_activityid, row.msdynci_activityid);
  assert.equal((await ask("text/html")).status, 406);
  assert.equal((await rows("/msdynci_unifiedactivities?$top=1")).length, 1);
  assert.equal((await rows("msdynci_unifiedactivities?$top=1&$format=json")).length, 1);
  for (const root of [CURRENT, CURRENT.slice(0, -1), LEGACY]) {
    const service = await at.ask("", { root });
    assert.equal(service.body.value.length, 9);
    for (const { url } of service.body.value) assert.equal((await at.ask(`${url}?$top=1`, { root: root.replace(/\/?$/, "/") })).status, 200);
  }
});

test("who may not ask, and what is not there, is told so", async () => {
  const bare = await msci.fetch(CURRENT + PEOPLE);
  assert.deepEqual([bare.status, bare.body.error.code, bare.headers.get("odata-version")], [401, "unauthorized", "4.0"]);
  assert.equal((await msci.fetch(LEGACY + "Customer", { headers: { authorization: "Bearer no" } })).status, 401);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    const answer = await at.ask(PEOPLE, { method });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
  }
  assert.equal((await at.ask(PEOPLE, { method: "HEAD" })).status, 200);
  /** @type {[string, number, string][]} */
  const bad = [
    ["msdynci_nope", 404, "resource_not_found"],
    ["customerprofiles", 404, "resource_not_found"],
    [`${PEOPLE}/msdynci_fullname/x`, 404, "resource_not_found"],
    ["msdynci_p13nprofile()", 400, "invalid_query"],
    ["msdynci_p13nprofile(cookieid=)", 400, "invalid_query"],
    ["msdynci_p13nprofile(nope='x')", 400, "invalid_query"],
    [named("msdynci_p13nprofile(cookieid='{HER}',include=['everything'])"), 400, "invalid_query"],
    [named("msdynci_p13nviews(cookieid='{HER}',top=201)"), 400, "invalid_query"],
    [named("msdynci_p13nviews(cookieid='{HER}',top=0)"), 400, "invalid_query"],
    [`${PEOPLE}?$filter=msdynci_nope eq 1`, 400, "invalid_filter"],
    [`${PEOPLE}?$filter=msdynci_fullname eq 1`, 400, "invalid_filter"],
    [`${PEOPLE}?$filter=msdynci_fullname eq 'x`, 400, "invalid_filter"],
    [`${PEOPLE}?$filter=IsMemberOfSegment('Nope')`, 400, "invalid_filter"],
    [`${PEOPLE}?$FILTER=true`, 400, "unknown_option"],
    [`${PEOPLE}?$levels=2`, 400, "unknown_option"],
    [`${PEOPLE}?$select=nope`, 400, "invalid_query"],
    [`${PEOPLE}?$orderby=msdynci_fullname up`, 400, "invalid_query"],
    [`${PEOPLE}?$top=ten`, 400, "invalid_query"],
    [`${PEOPLE}?$skiptoken=nope`, 400, "invalid_query"],
  ];
  for (const [path, status, code] of bad) {
    const answer = await at.ask(path);
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], path);
    assert.ok(answer.body.error.message.length > 5);
  }
  const { message } = (await at.ask(`${PEOPLE}?$filter=msdynci_known eq true and msdynci_nope eq 1`)).body.error;
  assert.match(message, /at position 26$/);
});

test("G5: quotes, comments and SQL in every literal are data, never code", async () => {
  const evils = ["' OR '1'='1", "'; DROP TABLE customer; --", "\" OR \"\"=\"", "/* x */", "%00", "x') UNION SELECT body FROM customer --", "$.x", "\\'", "?1", "{{7*7}}"];
  for (const evil of evils) {
    const literal = encodeURIComponent(evil.replaceAll("'", "''"));
    for (const filter of [`msdynci_fullname eq '${literal}'`, `contains(msdynci_fullname,'${literal}')`, `msdynci_fullname in ('${literal}')`, `msdynci_loyaltysignups_loyaltyid eq '${literal}'`, `msdynci_customerid eq '${literal}'`]) {
      const answer = await msci.fetch(`${CURRENT}${PEOPLE}?$filter=${filter}`, { headers: { authorization: `Bearer ${msci.adminToken}` } });
      assert.deepEqual([answer.status, answer.body.value], [200, []], filter);
    }
    const wild = encodeURIComponent(evil);
    for (const path of [`${PEOPLE}?$filter=${wild}`, `${PEOPLE}?$orderby=${wild}`, `${PEOPLE}?$select=${wild}`, `${PEOPLE}?$apply=${wild}`, `${PEOPLE}?$expand=${wild}`, `${PEOPLE}?$skiptoken=${wild}`, `${PEOPLE}?$top=${wild}`, `${PEOPLE}(${wild})`, `${PEOPLE}?$search=${wild}`, `${wild}`]) {
      const answer = await msci.fetch(CURRENT + path, { headers: { authorization: `Bearer ${msci.adminToken}` } });
      if (path.includes("$search")) assert.ok(answer.status === 400 || answer.body.value.length === 0, path);
      else assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
    }
  }
  const token = Buffer.from(JSON.stringify([null, ["' OR 1=1 --"]])).toString("base64url");
  assert.ok((await rows(`${PEOPLE}?$skiptoken=${token}`)).length > 0);
  assert.equal((await rows(PEOPLE)).length >= 102, true);
});

test("an unlinked cookie's activities leave the customer in the lists too", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/to-be-unlinked"), her.user("Loyalty3")));
  const { msdynci_customerid: id } = (await at.ask(`msdynci_p13nprofile(cookieid='${her.cookieId}')`)).body;
  const owner = async () => list(await rows("msdynci_unifiedactivities?$filter=msdynci_externalurl eq '/to-be-unlinked'"), "msdynci_customerid");
  await until(async () => (await owner())[0] === id, "the index knows whose it is");
  await msci.admin("POST", `/customers/${id}/unlink`, { cookieId: her.cookieId });
  assert.deepEqual(await rows(`msdynci_unifiedactivities?$filter=msdynci_customerid eq '${id}'`), []);
  await until(async () => (await owner())[0] !== id, "the index knows whose it is now");
  assert.equal((await owner()).length, 1);
});
