// @ts-check
// Who gets into the console, and whose forms count there.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser } from "../support/signals.mjs";
import { find } from "../../tools/lib.mjs";
import { ADMIN_TOKEN, IDENTITY_SECRET, answer, system } from "../support/system.mjs";

const CONSOLE = "/_msci/console/";
const SESSION = "__Host-msci_console";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/**
 * A form as a browser sends it from the console's own page.
 * @param {string} path
 * @param {Record<string, string>} fields
 * @param {{ cookies?: Record<string, string>, headers?: Record<string, string> }} [as]
 */
const post = (path, fields, { cookies, headers } = {}) =>
  answer(msci.base + CONSOLE + path, {
    method: "POST",
    cookies,
    headers: { origin: msci.base, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(fields).toString(),
  });

/** Signed in: the cookie, and what its forms say. */
async function signedIn() {
  const { cookies } = await post("sign-in", { token: ADMIN_TOKEN, to: "" });
  const { body } = await msci.fetch(`${CONSOLE}sign-out`, { cookies });
  const [, form = ""] = /name="form" value="([^"]+)"/.exec(body) ?? [];
  assert.notEqual(form, "");
  return { cookies, form };
}

test("nobody sees a page without a session, and a page that asks for a piece of itself is loaded again", async () => {
  for (const path of ["", "customers", "tracking", "jobs"]) {
    const { status, body } = await msci.fetch(CONSOLE + path);
    assert.equal(status, 401);
    assert.match(body, /Admin token/);
    assert.match(body, new RegExp(`name="to" value="${path}"`));
  }
  const piece = await msci.fetch(`${CONSOLE}jobs`, { headers: { "hx-request": "true" } });
  assert.deepEqual([piece.status, piece.headers.get("hx-refresh"), piece.body], [401, "true", ""]);
  assert.equal((await msci.fetch(`${CONSOLE}customers`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })).status, 401);
});

test("the admin token opens a session of twelve hours that only the console's own pages have", async () => {
  const { status, headers } = await post("sign-in", { token: ` ${ADMIN_TOKEN} `, to: "customers" });
  assert.deepEqual([status, headers.get("location")], [303, `${CONSOLE}customers`]);
  const cookie = headers.get("set-cookie") ?? "";
  assert.match(cookie, /^__Host-msci_console=\d+\.[0-9a-f]{32}\.built-in\.[\w-]{43}; Path=\/; Max-Age=43200; Secure; HttpOnly; SameSite=Strict$/);
  const page = await msci.fetch(`${CONSOLE}customers`, { cookies: { [SESSION]: cookie.slice(SESSION.length + 1).split(";")[0] ?? "" } });
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("cache-control"), "no-store");
  assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(page.body, /<script>|<style|style=|onclick=/);
});

test("another token opens nothing, and says so", async () => {
  for (const token of ["", "admin", `${ADMIN_TOKEN}x`]) {
    const { status, body, cookies } = await post("sign-in", { token, to: "" });
    assert.deepEqual([status, cookies], [403, {}]);
    assert.match(body, /This is not a token for the console/);
  }
});

test("where a session leads is a page of the console, whatever the form says", async () => {
  const { headers } = await post("sign-in", { token: ADMIN_TOKEN, to: "//evil.example/" });
  assert.equal(headers.get("location"), `${CONSOLE}//evil.example/`);
});

test("a session that was touched, or that another token made, is none", async () => {
  const { cookies } = await signedIn();
  const value = cookies[SESSION] ?? "";
  const [expires, nonce, id, mac] = value.split(".");
  for (const forged of [`${Number(expires) + 1}.${nonce}.${id}.${mac}`, `${expires}.${nonce}.0123456789abcdef.${mac}`, `${expires}.${nonce}.${id}.`, `${expires}.${nonce}.${id}`, `x${value}`]) {
    assert.equal((await msci.fetch(CONSOLE, { cookies: { [SESSION]: forged } })).status, 401, forged);
  }
});

test("a form counts only from the console's own page and in its own session", async () => {
  const [one, two] = [await signedIn(), await signedIn()];
  const fields = { table: "", verification: "required", consent: "implied" };
  const verification = async () => (await msci.admin("GET", "/settings")).body.identity.verification;
  const refused = [
    await post("tracking", fields, one),
    await post("tracking", { ...fields, form: two.form }, one),
    await post("tracking", { ...fields, form: one.form }, { ...one, headers: { origin: "https://shop.example", "sec-fetch-site": "cross-site" } }),
    await post("tracking", { ...fields, form: one.form }, { ...one, headers: { "sec-fetch-site": "same-site" } }),
    await post("tracking", { ...fields, form: one.form }, { ...one, headers: { origin: "null", "sec-fetch-site": "" } }),
    await post("sign-in", { token: ADMIN_TOKEN }, { headers: { origin: "https://shop.example", "sec-fetch-site": "cross-site" } }),
  ];
  assert.deepEqual(refused.map(({ status }) => status), refused.map(() => 403));
  assert.equal((await post("tracking", { ...fields, form: one.form })).status, 401, "without a session");
  assert.equal(await verification(), "off");
  const { status, headers } = await post("tracking", { ...fields, form: one.form }, one);
  assert.deepEqual([status, headers.get("location")], [303, `${CONSOLE}tracking?done=saved`]);
  assert.equal(await verification(), "required");
});

test("signing out takes the cookie away", async () => {
  const { cookies, form } = await signedIn();
  assert.equal((await post("sign-out", {}, { cookies })).status, 403);
  const out = await post("sign-out", { form }, { cookies });
  assert.deepEqual([out.status, out.cookies], [303, { [SESSION]: "" }]);
});

test("a form of more bytes than forms have is not read", async () => {
  const { cookies, form } = await signedIn();
  assert.equal((await post("segments", { form, name: "Big", filter: "x".repeat(300_000) }, { cookies })).status, 413);
});

test("what is not there is not found, in words", async () => {
  const { cookies } = await signedIn();
  for (const path of ["nothing", "customers/nobody", "segments/None", "a/b/c/d"]) {
    const { status, body } = await msci.fetch(CONSOLE + path, { cookies });
    assert.equal(status, 404, path);
    assert.match(body, /there is nothing at this address/);
  }
  assert.equal((await msci.fetch(`${CONSOLE}assets/nothing.js`)).status, 404);
  assert.equal((await answer(msci.base + CONSOLE, { method: "DELETE", cookies })).status, 405);
});

test("with a host of its own the console answers there and nowhere else", async (t) => {
  const other = await system(t, { adminHost: "admin.shop.example" });
  for (const path of ["", "customers", "assets/console.js"]) {
    assert.equal((await other.fetch(CONSOLE + path)).status, 404, path);
  }
});

test("the code that signs a token, as people copy it, makes one that links", async (t) => {
  const other = await system(t);
  await other.admin("PUT", "/tables/People", { primaryKey: "Id", columns: {} });
  await other.admin("PUT", "/settings", { trackingTable: "People", identity: { verification: "required" } });
  const folder = fileURLToPath(new URL("../../www/console/tokens/", import.meta.url));
  const env = { ...process.env, MSCI_IDENTITY_SECRET: IDENTITY_SECRET };
  const run = (/** @type {string} */ program, /** @type {string[]} */ ...args) => execFileSync(program, args, { env, encoding: "utf8" }).trim();
  const tokens = [
    run(process.execPath, "--input-type=module", "-e", `import { identityToken } from "file://${folder}token.mjs"; console.log(identityToken("Ann"));`),
    // Not on every machine.
    ...(find("python3") ? [run("python3", "-c", `exec(open("${folder}token.py").read()); print(identity_token("Ann"))`)] : []),
  ];
  for (const token of tokens) {
    const her = browser();
    const { body } = await other.collect(her.batch(her.user("Ann", { token })), { cookies: { _msci: her.cookieId } });
    assert.equal(body.user.status, "merged", JSON.stringify(body));
  }
});
