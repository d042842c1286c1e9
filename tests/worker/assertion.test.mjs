// @ts-check
// Cloudflare Access in front: whom it vouches for is let in as the settings say, and nobody else.
import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { answer, system } from "../support/system.mjs";

const ISSUER = "https://shop.cloudflareaccess.example";
const AUDIENCE = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const others = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/**
 * An assertion as Access makes it.
 * @param {Record<string, unknown>} claims
 * @param {{ header?: Record<string, unknown>, by?: typeof keys }} [how]
 */
function assertion(claims, { header = {}, by = keys } = {}) {
  const part = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const all = { aud: [AUDIENCE], iss: ISSUER, iat: now, nbf: now, exp: now + 600, email: "bob@shop.example", type: "app", ...claims };
  const signed = `${part({ alg: "RS256", typ: "JWT", kid: "k1", ...header })}.${part(all)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(by.privateKey, "base64url")}`;
}

/** @param {string} path @param {string} text @param {RequestInit & { headers?: Record<string, string> }} [init] */
const through = (path, text, init = {}) =>
  answer(`${msci.base}/_msci/${path}`, { ...init, headers: { "cf-access-jwt-assertion": text, "content-type": "application/json", ...init.headers } });

const put = (/** @type {string} */ text) => through("admin/v1/segments/Gold", text, { method: "PUT", body: '{"filter":"true"}' });

test("until the settings say whom to believe nobody is vouched for", async () => {
  assert.equal((await through("admin/v1/settings", assertion({}))).status, 401);
  for (const wrong of [{ issuer: ISSUER }, { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [] } }, { issuer: ISSUER, audience: AUDIENCE, jwks: "x" }]) {
    assert.equal((await msci.admin("PUT", "/settings", { access: wrong })).status, 400, JSON.stringify(wrong));
  }
  const jwks = { keys: [{ ...keys.publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256", use: "sig" }] };
  const roles = { "ann@shop.example": "Administrator", editors: "Contributor" };
  const { status, body } = await msci.admin("PUT", "/settings", { access: { issuer: ISSUER, audience: AUDIENCE, jwks, roles } });
  assert.deepEqual([status, body.access.roles], [200, roles]);
});

test("who is vouched for has the role that the settings give, and is a Viewer otherwise", async () => {
  const [bob, ann, editor] = [assertion({}), assertion({ email: "ann@shop.example" }), assertion({ groups: ["editors"] })];
  assert.equal((await through("admin/v1/segments", bob)).status, 200);
  assert.equal((await through("api/data/v9.2/", bob)).status, 200);
  assert.deepEqual([(await put(bob)).status, (await put(editor)).status], [403, 200]);
  assert.equal((await through("admin/v1/tokens", editor)).status, 403);
  assert.equal((await through("admin/v1/tokens", ann)).status, 200);
  assert.equal((await through("admin/v1/settings", bob)).body.access, undefined);
  const { body } = await msci.admin("GET", "/audit");
  const put200 = body.items.find((/** @type {any} */ entry) => entry.route === "segments/Gold" && entry.status === 200);
  assert.deepEqual([put200.token, put200.name], ["access", "bob@shop.example"]);
});

test("an assertion that is forged, over, or for somewhere else opens nothing", async () => {
  const good = assertion({ email: "ann@shop.example" });
  const [header, claims, signature = ""] = good.split(".");
  const none = Buffer.from('{"alg":"none","kid":"k1"}').toString("base64url");
  const swapped = assertion({ email: "ann@shop.example" }).split(".")[1];
  for (const forged of [
    assertion({ email: "ann@shop.example" }, { by: others }),
    assertion({ email: "ann@shop.example" }, { header: { kid: "k2" } }),
    assertion({ email: "ann@shop.example" }, { header: { alg: "HS256" } }),
    assertion({ email: "ann@shop.example", aud: ["other"] }),
    assertion({ email: "ann@shop.example", iss: "https://other.example" }),
    assertion({ email: "ann@shop.example", exp: Math.floor(Date.now() / 1000) }),
    `${assertion({}).split(".")[0]}.${swapped}.${assertion({}).split(".")[2]}`,
    `${none}.${claims}.`,
    `${header}.${claims}.${signature.slice(0, -6)}AAAAAA`,
    `${header}.${claims}`,
    "",
  ]) {
    assert.equal((await through("admin/v1/settings", forged)).status, 401, forged);
    assert.equal((await through("console/", forged)).status, 401);
  }
  assert.equal((await through("admin/v1/settings", good)).status, 200);
});

test("in the console nobody has to sign in who came through Access, and forms count in one's own name alone", async () => {
  const ann = assertion({ email: "ann@shop.example" });
  const page = await through("console/tracking", ann);
  assert.equal(page.status, 200);
  const [, form = ""] = /name="form" value="([^"]+)"/.exec(page.body) ?? [];
  const save = (/** @type {string} */ by) =>
    through("console/tracking", by, {
      method: "POST",
      headers: { origin: msci.base, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ form, table: "", verification: "off", consent: "implied" }).toString(),
    });
  assert.equal((await save(assertion({ email: "eve@shop.example" }))).status, 403);
  assert.equal((await save(ann)).status, 303);
  // Another assertion about the same person is as good.
  assert.equal((await save(assertion({ email: "ann@shop.example", exp: Math.floor(Date.now() / 1000) + 900 }))).status, 303);
});
