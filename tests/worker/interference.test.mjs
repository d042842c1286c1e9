// @ts-check
// G2 on the real Workers: two systems that differ only in what they know of their known customers answer whoever has no
// valid token the same bytes, whatever is asked in whatever order. `core/tests/interference.rs` asks the decisions alone,
// and far more often. `MSCI_SEED` replays a run.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chance } from "../support/chance.mjs";
import { browser, token } from "../support/signals.mjs";
import { answer, system } from "../support/system.mjs";

const ROUNDS = 12;
const REQUESTS = 25;
const seed = Number(process.env.MSCI_SEED ?? Date.now() % 1_000_000);
/** @typedef {Awaited<ReturnType<typeof system>>} System */
/** @type {System[]} */
let systems = [];
/** Cookies that are linked in both, as a thief has them. @type {string[]} */
const stolen = [];

/** @param {System} msci @param {string} rows @param {number} elsewhere views of another browser of theirs */
async function inhabit(msci, rows, elsewhere) {
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { FirstName: "string", Tier: "string" } });
  await msci.admin("PUT", "/settings", {
    trackingTable: "People",
    identity: { verification: "required" },
    decisionFields: ["FirstName", "Tier"],
    decisionSegments: ["Gold", "Often"],
  });
  await msci.admin("PUT", "/segments/Gold", { filter: "Tier eq 'Gold'" });
  await msci.admin("PUT", "/measures/Views", { aggregate: "count", filter: "ActivityType eq 'View'" });
  await msci.admin("PUT", "/segments/Often", { filter: "Measures/Views ge 3" });
  for (const [name, audience] of Object.entries({ gold: "IsMemberOfSegment('Gold')", named: "FirstName ne null", often: "IsMemberOfSegment('Often')" })) {
    const changes = [{ selector: "h1", action: "append", value: `${name} {{ FirstName | default("you") }}` }];
    await msci.admin("PUT", `/experiences/${name}`, { audience, pages: ["/*"], changes });
  }
  if (rows) await msci.admin("POST", "/tables/People/rows", `Id,FirstName,Tier\n${rows}`, { "content-type": "text/csv" });
  for (const [place, cookieId] of stolen.entries()) {
    const sub = ["Ada", "Bob"][place] ?? "";
    const hers = browser({ cookieId });
    const proof = token(msci.identitySecret, { sub, cid: cookieId });
    const linked = await msci.collect(hers.batch(hers.view("/"), hers.user(sub, { token: proof })), { cookies: { _msci: cookieId } });
    assert.equal(linked.body.user.status, "merged");
    const other = browser();
    const views = Array.from({ length: elsewhere }, (_, n) => other.view(`/${n}`));
    const also = token(msci.identitySecret, { sub, cid: other.cookieId });
    if (elsewhere) await msci.collect(other.batch(other.user(sub, { token: also }), ...views), { cookies: { _msci: other.cookieId } });
  }
}

before(async () => {
  const dice = chance(seed);
  stolen.push(dice.guid(), dice.guid());
  systems = await Promise.all([system(), system()]);
  const [one, two] = systems;
  assert.ok(one && two);
  await inhabit(one, "Ada,Ada,Gold\nBob,Bob,None\n", 5);
  await inhabit(two, "Ada,Eve,None\n", 0);
});
after(() => Promise.all(systems.map((msci) => msci.stop())));

/**
 * A request by chance, the same for both.
 * @param {import("../support/chance.mjs").Chance} dice
 * @param {{ cookies: string[], stream: string, seq: number }} attacker
 */
function drawn(dice, attacker) {
  const cookieId = dice.pick([...stolen, ...attacker.cookies]);
  const own = dice.happens(0.7) ? cookieId : dice.pick(attacker.cookies);
  const customer = Array.from({ length: 32 }, () => dice.below(16).toString(16)).join("");
  const proof = dice.pick(["", "", `${customer}.${Date.now() + 1e9}.${"A".repeat(43)}`, "x.y.z"]);
  // A version of no life of the object: it is asked itself, where a copy would be as old as chance has it.
  const cookie = [`_msci=${own}`, "_msci_v=x.1", ...(proof ? [`__Host-msci_p=${proof}`] : [])].join("; ");
  const get = (/** @type {string} */ path) => ({ path, init: { headers: { cookie, accept: "text/html" } } });
  const kind = dice.below(10);
  if (kind < 2) return get(`/_msci/decisions?uri=${dice.pick(["/", "/x"])}`);
  if (kind < 4) return get(dice.pick(["/", "/coffee-machines/", "/nowhere"]));
  const post = (/** @type {string} */ path, /** @type {unknown} */ body) => ({
    path,
    init: { method: "POST", headers: { cookie, "content-type": "application/json" }, body: JSON.stringify(body) },
  });
  if (kind === 4 && dice.happens(0.3)) return post(dice.pick(["/_msci/forget", "/_msci/reset"]), {});
  const sub = dice.pick(["Ada", "Bob", "Eve", "Nobody"]);
  const forged = token("no secret of theirs", { sub, exp: 1 + Math.floor(Date.now() / 1000) + 300 }, { alg: dice.pick(["HS256", "ES256", "none"]) });
  const signal = () => {
    const time = Date.now();
    attacker.seq += dice.happens(0.9) ? 1 : 0;
    const named = { seq: attacker.seq, time };
    const which = dice.below(6);
    if (which < 3) return { ...named, type: "view", uri: dice.pick(["/", "/a", "/b"]) };
    if (which === 3) return { ...named, type: "consent", purposes: { analytics: dice.pick(["granted", "denied"]) } };
    return { ...named, type: "user", authId: sub, ...(dice.happens(0.5) && { token: forged }) };
  };
  const signals = Array.from({ length: dice.between(1, 3) }, signal);
  return post("/_msci/collect", { key: "local", cookieId, stream: attacker.stream, sentAt: Date.now(), signals });
}

/** What of an answer is the same for the same reason: not the names of objects' lives, nor the shop's nonces. @param {import("../support/system.mjs").Answer} answer */
function heard({ status, headers, body, cookies }) {
  const kept = ["cache-control", "content-type", "etag", "location", "retry-after", "vary"].map((name) => [name, headers.get(name)]);
  const { _msci_v: version, _msci: minted, ...rest } = cookies;
  return { status, kept, body, rest, version: version?.replace(/^\w+/, "life"), minted: minted !== undefined };
}

test("G2 whoever has no token hears the same of two systems that know different things", async () => {
  const dice = chance(seed + 1);
  let told = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const attacker = { cookies: [dice.guid(), dice.guid()], stream: dice.guid(), seq: 0 };
    for (let n = 0; n < REQUESTS; n += 1) {
      const { path, init } = drawn(dice, attacker);
      const [one, two] = await Promise.all(systems.map((msci) => answer(msci.base + path, init)));
      assert.ok(one && two);
      const same = (/** @type {System | undefined} */ msci, /** @type {any} */ heard) => JSON.parse(JSON.stringify(heard).replaceAll(msci?.base ?? "", "BASE").replace(/nonce[-=\\"]+[\w+/]+=*/g, "NONCE"));
      assert.deepEqual(same(systems[0], heard(one)), same(systems[1], heard(two)), `MSCI_SEED=${seed}, ${round}/${n}: ${path} ${JSON.stringify(init)}`);
      told += 1;
    }
  }
  assert.equal(told, ROUNDS * REQUESTS);
});

test("with a token the same systems are told apart", async () => {
  const known = await Promise.all(systems.map(async (msci) => {
    const her = browser();
    const proof = token(msci.identitySecret, { sub: "Ada", cid: her.cookieId });
    const { cookies } = await msci.collect(her.batch(her.user("Ada", { token: proof })), { cookies: { _msci: her.cookieId } });
    return (await msci.fetch("/_msci/decisions?uri=/", { cookies: { _msci: her.cookieId, ...cookies } })).body;
  }));
  assert.deepEqual(known.map((body) => body.fields.FirstName), ["Ada", "Eve"]);
  assert.notDeepEqual(known[0].segments, known[1].segments);
});
