// @ts-check
// The key ring: keys of pages with their origins, keys of the site's servers, and how one takes the place of another.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, curveToken, token } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

const state = mkdtempSync(join(tmpdir(), "msci-test-"));
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => {
  msci = await system(undefined, { state });
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { FirstName: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People", identity: { verification: "required" } });
});
after(async () => {
  await msci.stop();
  rmSync(state, { recursive: true, force: true });
});

let people = 0;
/** What becomes of a `setUser` of somebody new with this token. @param {(claims: Record<string, unknown>) => string} sign */
async function signIn(sign) {
  const her = browser();
  const sub = `Key${++people}`;
  const { body } = await msci.collect(her.batch(her.user(sub, { token: sign({ sub }) })), { cookies: { _msci: her.cookieId } });
  return body.user.reason ?? body.user.status;
}
const keys = async () => (await msci.admin("GET", "/keys")).body.items;
const make = (/** @type {Record<string, unknown>} */ asked) => msci.admin("POST", "/keys", asked);

test("a secret takes another one's place without anybody being signed out, and the old one ends at once", async () => {
  const made = await make({ kind: "identity", alg: "HS256", name: "2027" });
  assert.equal(made.status, 200);
  const { id, secret } = made.body;
  assert.ok(secret.length >= 32 && made.body.kind === "identity" && made.body.alg === "HS256");
  // Both at once, the new one by its kid or without.
  assert.equal(await signIn((claims) => token(msci.identitySecret, claims)), "merged");
  assert.equal(await signIn((claims) => token(secret, claims)), "merged");
  assert.equal(await signIn((claims) => token(secret, claims, { alg: "HS256", kid: id })), "merged");
  assert.equal(await signIn((claims) => token(msci.identitySecret, claims, { alg: "HS256", kid: "built-in" })), "merged");
  assert.equal(await signIn((claims) => token(msci.identitySecret, claims, { alg: "HS256", kid: id })), "token_invalid");
  assert.deepEqual((await msci.admin("DELETE", `/keys/${id}`)).body, { deleted: true });
  assert.equal(await signIn((claims) => token(secret, claims)), "token_invalid");
  assert.equal(await signIn((claims) => token(msci.identitySecret, claims)), "merged");
  assert.equal((await msci.admin("DELETE", `/keys/${id}`)).status, 404);
});

test("a public key checks what its private half signed, as a JWK and as PEM", async () => {
  const [one, two] = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  assert.ok(one && two);
  const jwk = await make({ kind: "identity", alg: "ES256", publicKey: { ...one.publicKey.export({ format: "jwk" }), kid: "site-2027" } });
  assert.deepEqual([jwk.status, jwk.body.id, jwk.body.secret], [200, "site-2027", undefined]);
  const pem = await make({ kind: "identity", alg: "ES256", publicKey: two.publicKey.export({ format: "pem", type: "spki" }) });
  assert.equal(pem.status, 200);
  assert.equal(await signIn((claims) => curveToken(one.privateKey, claims, { alg: "ES256", kid: "site-2027" })), "merged");
  assert.equal(await signIn((claims) => curveToken(two.privateKey, claims)), "merged");
  assert.equal(await signIn((claims) => curveToken(two.privateKey, claims, { alg: "ES256", kid: "site-2027" })), "token_invalid");
  const { publicKey } = (await keys()).find((/** @type {any} */ key) => key.id === pem.body.id);
  const { x, y } = two.publicKey.export({ format: "jwk" });
  assert.deepEqual([publicKey.x, publicKey.y], [x, y], "it is shown: it is public");
  for (const id of ["site-2027", pem.body.id]) await msci.admin("DELETE", `/keys/${id}`);
  assert.equal(await signIn((claims) => curveToken(one.privateKey, claims)), "token_invalid");
});

test("no secret is ever told twice, nor kept in KV, printed, or part of a refusal", async () => {
  const secret = "a-secret-that-is-told-to-nobody-0123456789";
  const given = await make({ kind: "identity", alg: "HS256", id: "given", secret });
  assert.ok(given.status === 200 && !JSON.stringify(given.body).includes(secret), "who gives one knows it");
  const refused = [
    await make({ kind: "identity", alg: "HS256", id: "given", secret }),
    await make({ kind: "identity", alg: "ES256", id: "x", secret }),
    await make({ kind: "identity", alg: "HS256", publicKey: secret }),
    await make({ kind: "identity", alg: "ES256", publicKey: secret }),
  ];
  assert.deepEqual(refused.map(({ status }) => status), [409, 400, 400, 400]);
  assert.equal(await signIn((claims) => token(secret, claims)), "merged");
  await msci.admin("PUT", "/settings", { retention: { indexDays: 29 } });
  const told = JSON.stringify([refused, await keys(), await msci.snapshots(), msci.printed, (await msci.admin("GET", "/settings")).body]);
  for (const hidden of [secret, msci.identitySecret]) assert.ok(!told.includes(hidden));
  await msci.admin("DELETE", "/keys/given");
  const files = readdirSync(join(state, "kv"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of files) assert.ok(!readFileSync(join(file.parentPath, file.name)).includes(secret));
});

test("what can be no key is refused, and says where", async () => {
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const [asked, at] of /** @type {[any, string][]} */ ([
    [{}, "kind"],
    [{ kind: "identity" }, "alg"],
    [{ kind: "identity", alg: "none" }, "alg"],
    [{ kind: "identity", alg: "HS256", secret: "too short" }, "secret"],
    [{ kind: "identity", alg: "HS256", id: "no spaces" }, "id"],
    [{ kind: "identity", alg: "ES256", publicKey: jwk }, "publicKey"],
    [{ kind: "identity", alg: "ES256", publicKey: privateKey.export({ format: "jwk" }) }, "publicKey.d"],
    [{ kind: "identity", alg: "ES256", publicKey: privateKey.export({ format: "pem", type: "pkcs8" }) }, "publicKey"],
    [{ kind: "ingestion", origins: ["https://blog.example/path"] }, "origins[0]"],
    [{ kind: "ingestion", secret: "x" }, "secret"],
  ])) {
    const { status, body } = await make(asked);
    assert.deepEqual([status, body.error?.code], [400, "invalid_key"], JSON.stringify(asked));
    assert.ok(body.error.message.startsWith(`${at}: `), body.error.message);
  }
  assert.equal((await msci.admin("PUT", "/keys", {})).status, 405);
  for (const id of ["built-in", "local"]) assert.equal((await msci.admin("DELETE", `/keys/${id}`)).body.error.code, "built_in");
  const made = [];
  for (let n = 0; n < 8; n += 1) made.push((await make({ kind: "identity", alg: "HS256" })).body.id);
  assert.equal((await make({ kind: "identity", alg: "HS256" })).body.error.code, "too_many_keys");
  for (const id of made) await msci.admin("DELETE", `/keys/${id}`);
});

test("a page sends with its own key from its own origins, until that key is removed", async () => {
  const origin = "https://blog.example";
  const made = await make({ kind: "ingestion", name: "blog", origins: [origin] });
  const { key, id } = made.body;
  assert.equal(key, id);
  const send = (/** @type {string} */ key, /** @type {Record<string, string>} */ headers = {}) => {
    const her = browser();
    return msci.collect({ ...her.batch(her.view("/")), key }, { headers });
  };
  const code = (/** @type {any} */ answer) => answer.body.error?.code ?? answer.status;
  const own = new URL(msci.base).origin;
  const sent = await send(key, { origin });
  assert.deepEqual([sent.status, sent.headers.get("access-control-allow-origin")], [200, origin]);
  const preflight = await msci.fetch("/_msci/collect", { method: "OPTIONS", headers: { origin } });
  assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
  assert.equal(code(await send(key, { origin: "https://other.example" })), "origin_not_allowed");
  assert.equal(code(await send(key, { origin: own })), "origin_not_allowed", "the site's own pages have another key");
  assert.equal(code(await send(key)), 200, "a program has no origin");
  assert.equal(code(await send("local", { origin })), "origin_not_allowed", "and its origin has this key alone");
  assert.equal(code(await send("local", { origin: own })), 200);
  assert.equal(code(await send("unheard-of", { origin: own })), "unknown_key");
  const shown = (await keys()).filter((/** @type {any} */ key) => key.kind === "ingestion");
  assert.deepEqual(shown.map((/** @type {any} */ key) => [key.key, key.origins, key.builtIn]), [["local", [], true], [key, [origin], undefined]]);
  await msci.admin("DELETE", `/keys/${id}`);
  assert.equal(code(await send(key)), "unknown_key");
  assert.equal(code(await send(key, { origin })), "origin_not_allowed");
});

test("keys outlive a restart", async () => {
  const { id, secret } = (await make({ kind: "identity", alg: "HS256" })).body;
  await msci.restart();
  assert.equal(await signIn((claims) => token(secret, claims, { alg: "HS256", kid: id })), "merged");
  await msci.admin("DELETE", `/keys/${id}`);
});
