// @ts-check
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { browser, PROFILE } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

const get = (/** @type {string} */ query) =>
  msci.fetch(PROFILE + query, { headers: { authorization: `Bearer ${msci.adminToken}` } });

test("the profile of a cookie says what is known, and no more than is asked for", async () => {
  const her = browser();
  await msci.collect(her.batch(her.view("/a"), her.user(undefined, { name: "Ada", email: "ada@example.com" })));
  const bare = await get(`(cookieid='${her.cookieId}')`);
  assert.equal(bare.status, 200);
  assert.equal(bare.headers.get("odata-version"), "4.0");
  assert.equal(bare.body.msdynci_known, false);
  assert.deepEqual(bare.body.msdynci_cookieids, [her.cookieId]);
  assert.equal(bare.body.msdynci_fullname, "Ada");
  assert.equal(bare.body.msdynci_email, "ada@example.com");
  for (const part of ["segmentmembership", "measures", "unifiedactivity"]) assert.ok(!(part in bare.body));
  const encoded = await get(`(cookieid=%27${her.cookieId}%27,include=%5B%27unifiedactivity%27%5D)`);
  const [activity] = encoded.body.unifiedactivity;
  assert.deepEqual([activity.msdynci_activitytype, activity.msdynci_title, activity.msdynci_externalurl], ["View", "Page /a", "/a"]);
});

test("a cookie nobody has, and what is no cookie, is not found; asking brings nothing into being", async () => {
  const nobody = randomUUID();
  for (const id of [nobody, nobody, "x", "'; DROP TABLE signal; --"]) {
    const answer = await get(`(cookieid='${encodeURIComponent(id)}')`);
    assert.ok([404, 400].includes(answer.status), String(answer.status));
    assert.match(answer.body.error.code, /^(profile_not_found|invalid_request)$/);
  }
});

test("a question that is none says what is wrong", async () => {
  for (const [query, status] of /** @type {[string, number][]} */ ([
    ["()", 400],
    ["(cookieid=)", 400],
    ["(cookieid='x',include=['everything'])", 400],
    ["(nope='x')", 400],
    ["", 404],
    ["s", 404],
  ])) {
    const answer = await get(query);
    assert.equal(answer.status, status, query);
    assert.ok(answer.body.error.message.length > 5);
  }
});
