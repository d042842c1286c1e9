// @ts-check
// The builder of filters: what it writes, the server reads as the same again, and what its scripts ask the console
// for is the admin API, in one's own session.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { normal, read, text } from "../../www/console/filter.js";
import { FIELDS } from "../../www/console/fields.js";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { chance } from "../support/chance.mjs";
import { signIn } from "../support/session.mjs";
import { idle } from "../support/jobs.mjs";
import { system } from "../support/system.mjs";

/** @typedef {import("../../www/console/filter.js").Part} Part */
/** @typedef {import("../../www/console/filter.js").Group} Group */

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {Awaited<ReturnType<typeof signIn>>} */
let session;
before(async () => {
  msci = await system();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await idle(msci);
  session = await signIn(msci);
});
after(() => msci.stop());

const TYPES = { Tier: "text", Spend: "number", FirstName: "text" };

/** @param {string} filter @param {string} [over] */
const tree = async (filter, over = "customers") => (await session.post("tree", { filter, over })).body;
const spelt = (/** @type {string} */ _, /** @type {string} */ name) => name;

/** Groups drawn by chance, of all that the builder can make. @param {ReturnType<typeof chance>} random */
function drawn(random) {
  const one = random.pick;
  const word = () => one(["Gold", "it's", "", "ä é", "50% (x)", "and", "null", "/a/b?c='d'", "-1"]);
  const number = () => one([0, -1, 1.5, 1e21, 1000, 0.000001]);
  /** @param {"attribute" | "measure"} is @param {string} name @param {string} type @returns {Part} */
  const condition = (is, name, type) => {
    const value = () => (type === "number" ? number() : type === "bool" ? one([true, false]) : word());
    const texts = type === "text" ? ["contains", "excludes", "startswith", "endswith"] : [];
    const op = one(["eq", "ne", "in", "empty", "filled", ...texts, ...(type === "number" ? ["gt", "ge", "lt", "le"] : [])]);
    return { is, name, op, value: op === "empty" || op === "filled" ? null : op === "in" ? [value(), value()] : value() };
  };
  const field = () => {
    const [name, type] = one([...FIELDS, /** @type {[string, string]} */ (["Properties/total", one(["text", "number", "bool"])])]);
    return condition("attribute", name, type);
  };
  /** @param {number} depth @param {() => Part} leaf @returns {Group} */
  const group = (depth, leaf) => ({
    is: one(["all", "any", "none"]),
    of: Array.from({ length: random.below(4) }, () => (depth > 0 && random.below(3) === 0 ? group(depth - 1, leaf) : leaf())),
  });
  const leaf = () => {
    switch (random.below(4)) {
      case 0:
        return /** @type {Part} */ ({ is: "segment", name: one(["LoyalCustomers", "PremiumBrowsers"]), op: one(["in", "out"]) });
      case 1:
        return condition("measure", "LifetimeValue", "number");
      case 2: {
        const ms = one([86_400_000 * 30, 3_600_000, 90_000, 60_000, 1000]);
        return /** @type {Part} */ ({
          is: "activity",
          op: one(["ge", "gt", "le", "lt", "eq", "ne"]),
          count: random.below(4),
          within: one([null, { op: one(["gt", "ge"]), ms }]),
          where: group(1, field),
        });
      }
      default: {
        const [name, type] = one(Object.entries(TYPES));
        return condition("attribute", name, type);
      }
    }
  };
  return { customers: group(2, leaf), activities: group(2, field) };
}

test("what the builder makes is written, read by the server, and the same again", async (t) => {
  const seed = Number(process.env.MSCI_SEED ?? 7);
  const random = chance(seed);
  let read_ = 0;
  for (let round = 0; round < 400; round++) {
    const made = drawn(random);
    for (const over of /** @type {const} */ (["customers", "activities"])) {
      const group = normal(made[over]);
      const filter = text(made[over]);
      assert.equal(text(group), filter, `seed ${seed}`);
      if (filter === "") continue;
      const answer = await tree(filter, over);
      // What is too large for the language is told, with its place.
      if (answer.fault) {
        assert.match(answer.fault, /more than|longer|nested deeper|a count is compared/, `seed ${seed}: ${filter}`);
        continue;
      }
      read_ += 1;
      assert.deepEqual(read(answer.tree, spelt, over === "activities"), group, `seed ${seed}: ${filter}`);
    }
  }
  t.diagnostic(`${read_} filters of 800`);
  assert.ok(read_ > 500, `${read_} were read`);
});

test("filters that people write are read into parts, and others stay texts", async () => {
  const parts = async (/** @type {string} */ filter) => {
    const { tree: told } = await tree(filter);
    const group = read(told, spelt);
    return group && text(group);
  };
  for (const [filter, again] of [
    ["Tier in ('Gold','Platinum') and IsMemberOfSegment('HighLifetimeValue')", "Tier in ('Gold','Platinum') and IsMemberOfSegment('HighLifetimeValue')"],
    ["(Spend ge 1000) or (Measures/LifetimeValue ge 1000)", "Spend ge 1000 or Measures/LifetimeValue ge 1000"],
    ["not UnifiedActivity/any(x: x/ActivityType eq 'View')", "UnifiedActivity/$count($filter=ActivityType eq 'View') eq 0"],
    [
      "UnifiedActivity/$count($filter=contains(ViewUri,'/pricing') and ActivityTime gt now() sub duration'P7D') ge 3",
      "UnifiedActivity/$count($filter=contains(ViewUri,'/pricing') and ActivityTime gt now() sub duration'P7D') ge 3",
    ],
    ["UnifiedActivity/$count ge 1", "UnifiedActivity/any()"],
  ]) {
    assert.equal(await parts(filter ?? ""), again);
  }
  for (const beyond of ["tolower(Tier) eq 'gold'", "1000 le Spend", "UnifiedActivity/all(a: a/ActivityType eq 'View')", "UnifiedActivity/any(a: a/ActivityTime gt 2024-01-01T00:00:00Z)"]) {
    assert.equal(await parts(beyond), null, beyond);
  }
});

test("every field of activities that the builder offers is one that the server knows", async () => {
  for (const [name, type] of FIELDS) {
    const value = { text: "'x'", number: "1", bool: "true" }[type];
    assert.ok((await tree(`${name} eq ${value}`, "activities")).tree, name);
  }
  const { body } = await session.get("names");
  assert.deepEqual(body.attributes.find((/** @type {[string]} */ [name]) => name === "Spend"), ["Spend", "number"]);
});

test("scripts of the console's pages ask the admin API, in their own session and from there alone", async () => {
  assert.equal((await session.get("data/segments/LoyalCustomers")).body.name, "LoyalCustomers");
  assert.equal((await msci.fetch("/_msci/console/data/segments")).status, 401);
  const write = (/** @type {Record<string, string>} */ headers) =>
    session.fetch("data/segments/Mine", { method: "PUT", body: JSON.stringify({ filter: "Tier eq 'Gold'" }), headers: { "content-type": "application/json", ...headers } });
  const own = { origin: msci.base, "sec-fetch-site": "same-origin" };
  assert.equal((await write(own)).status, 403);
  assert.equal((await write({ "x-msci-form": session.form })).status, 403);
  assert.equal((await write({ ...own, "x-msci-form": "other" })).status, 403);
  assert.equal((await write({ ...own, origin: "https://shop.example", "x-msci-form": session.form })).status, 403);
  assert.equal((await msci.admin("GET", "/segments/Mine")).status, 404);
  assert.equal((await write({ ...own, "x-msci-form": session.form })).status, 200);
  const bad = await session.fetch("data/segments/Mine", { method: "PUT", body: '{"filter":"Nope eq 1"}', headers: { "content-type": "application/json", ...own, "x-msci-form": session.form } });
  assert.deepEqual([bad.status, bad.body.error.code], [400, "invalid_filter"]);
});
