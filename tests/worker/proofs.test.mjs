// @ts-check
// Who tries to be somebody else (scenarios G1, A14, F44): what is refused, what it costs, and what is learned of it.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { faultySystem } from "../support/faults/system.mjs";
import { browser, curveToken, profile, token } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
before(async () => {
  msci = await faultySystem();
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People", identity: { verification: "required" } });
  await msci.admin("POST", "/tables/People/rows", "Id,FirstName\nHer,Ada\n", { "content-type": "text/csv" });
  await msci.admin("POST", "/keys", { kind: "identity", alg: "ES256", publicKey: { ...pair.publicKey.export({ format: "jwk" }), kid: "curve" } });
  // Somebody is there already, with a browser of their own.
  const her = browser();
  const { body } = await msci.collect(her.batch(her.view("/hers"), her.user("Her", { token: signed("Her", {}) })), { cookies: { _msci: her.cookieId } });
  assert.equal(body.user.status, "merged");
});
after(() => msci.stop());

const seconds = () => Math.floor(Date.now() / 1000);
let nonce = 0;
/** @param {string} sub @param {Record<string, unknown>} claims @param {Record<string, unknown>} [header] */
const signed = (sub, claims, header) => token(msci.identitySecret, { sub, jti: ++nonce, ...claims }, header);
const stats = async () => (await msci.admin("GET", "/stats")).body;
/** How many tokens were refused for this reason. @param {string} reason */
const refusedFor = async (reason) => (await stats()).tokensRefused[reason] ?? 0;

/**
 * A new browser that says it is this person.
 * @param {string} authId
 * @param {string | ((cookieId: string) => string)} [proof]
 * @param {{ cookies?: Record<string, string>, headers?: Record<string, string> }} [as]
 */
async function claim(authId, proof, as) {
  const who = browser();
  const given = typeof proof === "function" ? proof(who.cookieId) : proof;
  const batch = who.batch(who.view("/"), who.user(authId, given === undefined ? {} : { token: given }));
  const answer = await msci.collect(batch, { cookies: { _msci: who.cookieId }, ...as });
  return { who, batch, answer };
}

/** An answer without what is the browser's own. @param {{ who: { cookieId: string, stream: string }, answer: any }} of */
const bare = ({ who, answer }) => {
  const text = JSON.stringify([answer.status, answer.body, answer.cookies]).replaceAll(who.cookieId, "C").replaceAll(who.stream, "S");
  return text.replace(/"_msci_v":"\w+\.(\d+)"/, '"_msci_v":"T.$1"');
};

/** What objects did in between. @param {{ costs: Record<string, any> }} from @param {{ costs: Record<string, any> }} to */
const spent = (from, to) =>
  ["collect", "ship", "use_token", "import", "read"].map((call) => {
    const of = (/** @type {typeof from} */ told) => told.costs[`ProfileObject ${call}`] ?? { calls: 0, read: 0, written: 0 };
    return [call, of(to).calls - of(from).calls, of(to).read - of(from).read, of(to).written - of(from).written];
  });

const secretOfTheCurve = () => pair.publicKey.export({ format: "pem", type: "spki" });
const used = /** @type {Record<string, string>} */ ({});
/** Ways to be refused, with the reason that is counted. @type {[string, string, (sub: string) => string | ((cookieId: string) => string)][]} */
const attacks = [
  ["forged: claims of another token under this one's signature", "signature", (sub) => {
    const [header, , mac] = signed("Attacker", {}).split(".");
    return `${header}.${signed(sub, {}).split(".")[1]}.${mac}`;
  }],
  ["truncated", "signature", (sub) => signed(sub, {}).slice(0, -1)],
  ["without a signature", "malformed", (sub) => signed(sub, {}).split(".").slice(0, 2).join(".")],
  ["expired", "expired", (sub) => signed(sub, { exp: seconds() - 1 })],
  ["valid for longer than an hour", "too_long", (sub) => signed(sub, { exp: seconds() + 7200 })],
  ["not valid yet", "too_early", (sub) => signed(sub, { nbf: seconds() + 3000 })],
  ["replayed by another browser", "replayed", (sub) => used[sub] ?? ""],
  ["made for another browser", "cookie", (sub) => signed(sub, { cid: browser().cookieId })],
  ["alg none", "algorithm", (sub) => `${signed(sub, {}, { alg: "none" }).split(".").slice(0, 2).join(".")}.`],
  ["alg None, signed", "algorithm", (sub) => signed(sub, {}, { alg: "None" })],
  ["alg of no key", "algorithm", (sub) => signed(sub, {}, { alg: "HS512" })],
  ["signed with another key", "signature", (sub) => token("another secret of the same length", { sub })],
  ["signed with another key on the curve", "signature", (sub) => curveToken(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey, { sub })],
  ["the public key as a secret", "signature", (sub) => token(secretOfTheCurve(), { sub })],
  ["the public key as a secret, by its kid", "unknown_key", (sub) => token(secretOfTheCurve(), { sub }, { alg: "HS256", kid: "curve" })],
  ["a kid of nobody", "unknown_key", (sub) => signed(sub, {}, { alg: "HS256", kid: "nobody" })],
  ["a kid of another algorithm", "unknown_key", (sub) => curveToken(pair.privateKey, { sub }, { alg: "ES256", kid: "built-in" })],
  ["about somebody else", "subject", () => signed("Attacker", {})],
  ["for another table", "audience", (sub) => signed(sub, { aud: "Elsewhere" })],
];

for (const [name, reason, forge] of attacks) {
  test(`G1 ${name}: refused, counted, and the same whether the authId exists or not`, async () => {
    if (reason === "replayed") {
      for (const sub of ["Her", "Nobody"]) {
        used[sub] = signed(sub, {});
        assert.equal((await claim(sub, used[sub])).answer.body.user.status, "merged");
      }
    }
    const before = await refusedFor(reason);
    const told = await msci.told();
    const known = await claim("Her", forge("Her"));
    const between = await msci.told();
    const unknown = await claim("Nobody", forge("Nobody"));
    const end = await msci.told();
    assert.deepEqual(known.answer.body.user, { status: "refused", reason: "token_invalid" });
    assert.equal(known.answer.cookies["__Host-msci_p"], undefined);
    assert.equal(bare(known), bare(unknown));
    // And for the same work, by what objects were asked and what they read and wrote.
    assert.deepEqual(spent(told, between), spent(between, end));
    await until(async () => (await refusedFor(reason)) === before + 2, `two more are counted as ${reason}`);
  });
}

test("G1 an attacker's own valid token with a victim's cookieId in the body links nothing", async () => {
  const [victim, attacker] = [browser(), browser()];
  await msci.collect(victim.batch(victim.view("/victim")), { cookies: { _msci: victim.cookieId } });
  const own = { cookies: { _msci: attacker.cookieId } };
  for (const proof of [signed("Attacker", {}), signed("Attacker", { cid: attacker.cookieId })]) {
    const { body, cookies } = await msci.collect({ ...attacker.batch(attacker.user("Attacker", { token: proof })), cookieId: victim.cookieId }, own);
    assert.deepEqual(body.user, { status: "refused", reason: "token_invalid" });
    assert.deepEqual(cookies, {});
  }
  const seen = (await profile(msci, victim.cookieId)).body;
  assert.deepEqual([seen.msdynci_known, seen.unifiedactivity.length], [false, 1]);
});

test("G1 a token that names no browser is its first one's, also when that one sends it again", async () => {
  const proof = signed("Twice", {});
  const first = await claim("Twice", proof);
  assert.equal(first.answer.body.user.status, "merged");
  const again = await msci.collect(first.batch, { cookies: { _msci: first.who.cookieId } });
  assert.deepEqual([again.body.duplicate, again.body.user.status], [2, "merged"]);
  const later = await msci.collect(first.who.batch(first.who.user("Twice", { token: proof })), { cookies: { _msci: first.who.cookieId } });
  assert.equal(later.body.user.status, "already");
  assert.equal((await claim("Twice", proof)).answer.body.user.reason, "token_invalid");
});

test("G1 a thief of a cookieId and of a used token sees nothing, though the cookie is linked", async () => {
  const [one, two] = [browser(), browser()];
  for (const who of [one, two]) {
    const { body } = await msci.collect(who.batch(who.user("Shared", { token: signed("Shared", { cid: who.cookieId }) })), { cookies: { _msci: who.cookieId } });
    assert.equal(body.user.status, "merged");
  }
  const proof = signed("Shared", {});
  assert.equal((await msci.collect(one.batch(one.user("Shared", { token: proof })), { cookies: { _msci: one.cookieId } })).body.user.status, "already");
  const stolen = await msci.collect(two.batch(two.user("Shared", { token: proof })), { cookies: { _msci: two.cookieId } });
  assert.deepEqual([stolen.body.user.reason, stolen.cookies["__Host-msci_p"]], ["token_invalid", undefined]);
  // And of the customer nothing is heard but the proof's owner hears it: not even that it changes.
  const silent = await msci.collect(two.batch(two.view("/")), { cookies: { _msci: two.cookieId } });
  assert.deepEqual([silent.body.version, silent.cookies._msci_v], [undefined, undefined]);
});

test("E10 who plants their own cookieId in somebody's browser sees nothing of them afterwards", async () => {
  const planted = browser();
  const attacker = { cookies: { _msci: planted.cookieId } };
  await msci.collect(planted.batch(planted.view("/planted")), attacker);
  // The victim signs in with it: their browser may see them, and it alone.
  const victim = browser({ cookieId: planted.cookieId });
  const merged = await msci.collect(victim.batch(victim.user("Her", { token: signed("Her", {}) })), attacker);
  assert.ok(merged.body.user.status === "merged" && merged.cookies["__Host-msci_p"]);
  for (const version of ["", merged.cookies._msci_v ?? ""]) {
    const cookies = { ...attacker.cookies, _msci_v: version };
    assert.deepEqual((await msci.fetch("/_msci/decisions?uri=/", { cookies })).body, { known: false, segments: [], fields: {}, experiences: [] });
  }
  const claims = await msci.collect(planted.batch(planted.user("Her")), attacker);
  assert.deepEqual([claims.body.user.status, claims.cookies], ["claimed", {}]);
  const own = await msci.collect(planted.batch(planted.user("Attacker", { token: signed("Attacker", {}) })), attacker);
  assert.equal(own.body.user.status, "rotated");
  assert.notEqual(own.body.cookieId, planted.cookieId, "their own profile is another cookieId's");
});

test("G1 a browser that goes on under another cookieId takes its token along", async () => {
  const { who } = await claim("First", (cid) => signed("First", { cid }));
  const proof = signed("Second", {});
  const rotated = await msci.collect(who.batch(who.user("Second", { token: proof })), { cookies: { _msci: who.cookieId } });
  assert.equal(rotated.body.user.status, "rotated");
  const next = browser({ cookieId: rotated.body.cookieId });
  const again = await msci.collect(next.batch(next.user("Second", { token: proof })), { cookies: { _msci: next.cookieId } });
  assert.equal(again.body.user.status, "already");
  assert.equal((await claim("Second", proof)).answer.body.user.reason, "token_invalid");
});

test("G1 forged, expired and other browsers' proof cookies open nothing and are counted", async () => {
  const { who, answer } = await claim("Her", (cid) => signed("Her", { cid }));
  const proof = answer.cookies["__Host-msci_p"] ?? "";
  const version = answer.cookies._msci_v ?? "";
  const see = async (/** @type {string} */ cookieId, /** @type {string} */ proof) =>
    (await msci.fetch("/_msci/decisions?uri=/", { cookies: { _msci: cookieId, "__Host-msci_p": proof, _msci_v: version } })).body.known;
  assert.equal(await see(who.cookieId, proof), true);
  const before = (await stats()).proofsRefused;
  const [customer, expires, mac] = proof.split(".");
  const forged = [`${customer}.${Number(expires) + 1}.${mac}`, `${customer}.1.${mac}`, proof.slice(0, -1), `${proof}.`, "x"];
  for (const value of forged) assert.equal(await see(who.cookieId, value), false, value);
  assert.equal(await see(browser().cookieId, proof), false);
  await until(async () => (await stats()).proofsRefused === before + forged.length + 1, "each is counted");
});

test("A14 a claim changes nothing of the customer, is told like one of nobody, and is proven later with all that came before", async () => {
  const customer = async (/** @type {string} */ authId) => {
    const { body } = await msci.admin("GET", `/customers?kind=known&search=${authId}`);
    return body.customers.find((/** @type {any} */ row) => row.authId === authId);
  };
  await claim("Waits", (cid) => signed("Waits", { cid }));
  const before = await until(() => customer("Waits"), "the customer is listed");
  const detail = (await msci.admin("GET", `/customers/${before.customerId}`)).body;
  const [known, unknown] = [await claim("Waits"), await claim("Waits2")];
  assert.deepEqual(known.answer.body.user, { status: "claimed" });
  assert.equal(bare(known), bare(unknown));
  assert.equal(known.answer.cookies["__Host-msci_p"], undefined);
  const cookies = { _msci: known.who.cookieId, ...known.answer.cookies };
  assert.equal((await msci.fetch("/_msci/decisions?uri=/", { cookies })).body.known, false);
  const { body: visitor } = await profile(msci, known.who.cookieId);
  assert.equal(visitor.msdynci_known, false);
  await until(async () => {
    const { body } = await msci.admin("GET", "/customers?kind=unknown&top=500");
    return body.customers.some((/** @type {any} */ row) => row.customerId === visitor.msdynci_customerid);
  }, "the visitor is listed as unknown");
  const shown = (await msci.admin("GET", `/customers/${visitor.msdynci_customerid}`)).body;
  assert.deepEqual(shown.claims.map((/** @type {any} */ claim) => [claim.table, claim.authId, claim.times]), [["People", "Waits", 1]]);
  assert.deepEqual((await msci.admin("GET", `/customers/${before.customerId}`)).body, detail, "the customer is untouched");
  assert.equal(await customer("Waits2"), undefined, "and none is made");

  const { who } = known;
  const proven = await msci.collect(who.batch(who.user("Waits", { token: signed("Waits", {}) })), { cookies });
  assert.equal(proven.body.user.status, "merged");
  const merged = (await profile(msci, who.cookieId)).body;
  assert.deepEqual([merged.msdynci_known, merged.unifiedactivity.length], [true, 2]);
  const timeline = (await msci.admin("GET", `/customers/${before.customerId}/timeline`)).body.activities;
  assert.equal(timeline.filter((/** @type {any} */ signal) => signal.cookieId === who.cookieId || signal.id?.includes(who.cookieId)).length, 3, "the claim too");
});

test("F44 a replayed signal with another content is a duplicate, counted as a conflict, and changes nothing", async () => {
  const her = browser();
  const first = her.view("/first");
  await msci.collect(her.batch(first));
  const before = (await stats()).conflicts;
  const same = await msci.collect(her.batch({ ...first, time: first.time - 5 }));
  const other = await msci.collect(her.batch({ ...first, uri: "/other", title: "Other" }));
  const again = await msci.collect(her.batch({ ...first, title: "Another" }));
  for (const { body } of [same, other, again]) assert.deepEqual([body.accepted, body.duplicate], [0, 1]);
  await until(async () => (await stats()).conflicts === before + 2, "two conflicts are counted");
  const { unifiedactivity } = (await profile(msci, her.cookieId)).body;
  assert.deepEqual(unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl), ["/first"]);
});

test("tokens that prove nothing are looked at so often and no more, by network and by authId, and nobody else waits", async () => {
  const from = (/** @type {string} */ address) => ({ headers: { "cf-connecting-ip": address } });
  const send = async (/** @type {string} */ address, /** @type {string} */ proof, authId = "Her") => {
    const who = browser();
    const batch = who.batch(who.user(authId, { token: proof }));
    return msci.collect(batch, { cookies: { _msci: who.cookieId }, ...from(address) });
  };
  let refused = 0;
  let last = await send("203.0.113.7", "forged");
  while (last.status === 200 && refused < 1000) {
    refused += 1;
    last = await send("203.0.113.7", "forged", `Her${refused}`);
  }
  assert.equal(last.status, 429, `after ${refused}`);
  assert.ok(Number(last.headers.get("retry-after")) > 0 && refused >= 60 && refused < 200);
  // Not even a good one is looked at there, until a second has passed; elsewhere it is, and what has no token comes through
  // everywhere.
  await until(async () => {
    while ((await send("203.0.113.7", "forged", "Her0")).status === 200);
    return (await send("203.0.113.7", signed("Her", {}))).status === 429;
  }, "a good one is put off like the others");
  await until(async () => (await refusedFor("throttled")) >= 1, "it is counted");
  assert.equal((await send("198.51.100.1", signed("Her", {}))).body.user.status, "merged");
  const plain = browser();
  assert.equal((await msci.collect(plain.batch(plain.view("/")), from("203.0.113.7"))).body.accepted, 1);
  // Of one authId by many networks.
  let tries = 0;
  for (let net = 1; net < 255 && last.status === 429; net += 1) {
    for (let n = 0; n < 20; n += 1) {
      const answer = await send(`192.0.2.${net}`, "forged", "Sought");
      tries += 1;
      if (answer.status === 429) {
        last = answer;
        net = 1000;
        break;
      }
    }
  }
  assert.ok(tries > 250 && tries < 1000, `${tries} tries`);
  assert.equal((await send("198.51.100.2", signed("Her", {}))).body.user.status, "merged", "another authId");
});

test("G1 tokens that another browser used count like those that prove nothing, by network and by authId, and so do void proof cookies", async () => {
  const from = (/** @type {string} */ address) => ({ "cf-connecting-ip": address });
  const replay = (/** @type {string} */ address, /** @type {string} */ authId, /** @type {string} */ proof) =>
    claim(authId, proof, { headers: from(address) }).then(({ answer }) => answer);
  const proof = signed("Replayed", {});
  assert.equal((await replay("203.0.113.20", "Replayed", proof)).body.user.status, "merged");
  let refused = 0;
  let last = await replay("203.0.113.21", "Replayed", proof);
  while (last.status === 200 && refused < 300) {
    assert.deepEqual(last.body.user, { status: "refused", reason: "token_invalid" });
    refused += 1;
    last = await replay("203.0.113.21", "Replayed", proof);
  }
  assert.ok(last.status === 429 && refused >= 60 && refused < 200, `${last.status} after ${refused}`);
  assert.equal((await replay("203.0.113.22", "Replayed", signed("Replayed", {}))).body.user.status, "merged", "elsewhere a good one is looked at");
  let tries = 0;
  for (let net = 30; net < 90 && last.status === 429; net += 1) {
    for (let n = 0; n < 20; n += 1) {
      tries += 1;
      if ((await replay(`203.0.113.${net}`, "Replayed", proof)).status === 429) {
        net = 100;
        break;
      }
    }
  }
  assert.ok(tries > 200 && tries < 1000, `${tries} tries by many networks`);
  assert.equal((await replay("203.0.113.23", "Another", signed("Another", {}))).body.user.status, "merged", "another authId");

  // A void proof opens nothing, and is answered like none; tokens of the network that sends many wait.
  const bareOf = async (/** @type {Record<string, string>} */ more) => {
    const who = browser();
    const answer = await msci.collect(who.batch(who.view("/")), { cookies: { _msci: who.cookieId, ...more }, headers: from("203.0.113.100") });
    return { text: bare({ who, answer }), answer };
  };
  const plain = (await bareOf({})).answer;
  const waits = () => replay("203.0.113.100", "Waits", "forged");
  await until(async () => {
    for (let n = 0; n < 30; n += 1) {
      const { answer } = await bareOf({ "__Host-msci_p": `${"0".repeat(32)}.9999999999999.forged` });
      assert.deepEqual([answer.status, Object.keys(answer.body)], [200, Object.keys(plain.body)]);
      assert.equal(answer.cookies["__Host-msci_p"], "");
    }
    return (await waits()).status === 429;
  }, "tokens of that network wait");
  assert.equal((await replay("203.0.113.101", "Waits", "forged")).status, 200);
});

test("where the keys cannot be asked about, tokens wait after a minute and everything else goes on", async () => {
  const her = browser();
  const as = { cookies: { _msci: her.cookieId } };
  const batch = her.batch(her.user("Waiting", { token: signed("Waiting", { exp: seconds() + 1800 }) }));
  await msci.under([{ on: "stub", match: "/pulse", does: "refuse" }, { on: "stub", match: "/told", does: "refuse" }], async () => {
    await msci.clock(61_000);
    assert.equal((await msci.collect(her.batch(her.view("/")), as)).body.accepted, 1);
    const { status, headers } = await msci.collect(batch, as);
    assert.deepEqual([status, headers.get("retry-after")], [503, "1"]);
  });
  await until(async () => (await msci.collect(batch, as)).body.user?.status === "merged", "the same batch merges later");
});
