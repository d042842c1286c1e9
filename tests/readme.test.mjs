// @ts-check
// Every snippet of the README, run as a newcomer would.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { seed } from "../examples/contoso-coffee/seed.mjs";
import { atEnd } from "./support/at-end.mjs";
import { launch } from "./support/chromium.mjs";
import { call, go } from "./support/sdk.mjs";
import { browser, profile } from "./support/signals.mjs";
import { system, until } from "./support/system.mjs";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
/** @param {string} language */
const blocks = (language) =>
  [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter((block) => block[1] === language).map((block) => block[2] ?? "");

test("every command of the README does what it says", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.event("order_completed", { total: 700 })));
  const env = { ...process.env, SITE: msci.base, TOKEN: msci.adminToken, COOKIE: her.cookieId, RECEIVER: "http://127.0.0.1:9/" };
  const scripts = blocks("sh");
  assert.equal(scripts.length, 13);
  const answers = scripts.map((script) => execFileSync("bash", ["-ec", script], { env, encoding: "utf8" }));
  for (const answer of answers) assert.ok(!answer.includes('"error"'), answer);
  assert.match(JSON.parse(answers[0] ?? "").script, /^<script>/);
  assert.equal(JSON.parse(answers[1] ?? "").identity.verification, "required");
  assert.deepEqual(JSON.parse(answers[2] ?? "").customers.map((/** @type {any} */ customer) => customer.known)[0], true);
  assert.match(JSON.parse(answers[3] ?? "").job, /^[0-9a-f]{32}$/);
  assert.match(JSON.parse(answers[11] ?? "").secret, /^whsec_/);
  assert.match(answers[8] ?? "", /"comparisons".*"asStranger":null.*\/_msci\/preview\//s);
  const seen = JSON.parse(answers[9] ?? "");
  assert.equal(seen.measures.Spent, 700);
  assert.ok(seen.segmentmembership.includes("BigSpenders"));
  assert.deepEqual(JSON.parse(answers[10] ?? "").value, [{ msdynci_fullname: "Abbie Moss", msdynci_tier: "Gold" }]);
  assert.deepEqual(JSON.parse(answers[12] ?? "").consent.inputs, ["tcf", "googleConsentMode"]);
  await msci.admin("PUT", "/settings", { consent: { mode: "implied", inputs: [] } });
  const page = await msci.fetch("/", { cookies: { _msci: her.cookieId, _msci_v: "x.1" }, headers: { accept: "text/html" } });
  assert.ok(page.body.includes("A gift for you, friend."));
});

test("the token of the README merges where a token is required", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  const source = blocks("js")[0] ?? "";
  const { identityToken } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  // Two at once: each of a person's devices has a token of its own, also within a second.
  for (const her of [browser(), browser()]) {
    const token = identityToken("Loyalty1", msci.identitySecret);
    const answer = await msci.collect(her.batch(her.user("Loyalty1", { token })), { cookies: { _msci: her.cookieId } });
    assert.deepEqual(answer.body.user, { status: "merged" });
  }
});

test("the token of the README that is signed with a private key merges, as long as its public key is there", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  const source = blocks("js")[2] ?? "";
  const { curveToken } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = await msci.admin("POST", "/keys", { kind: "identity", alg: "ES256", publicKey: publicKey.export({ format: "jwk" }) });
  const signIn = async (/** @type {string | undefined} */ kid) => {
    const her = browser();
    const token = curveToken("Loyalty1", privateKey, kid);
    return (await msci.collect(her.batch(her.user("Loyalty1", { token })), { cookies: { _msci: her.cookieId } })).body.user.status;
  };
  assert.deepEqual([await signIn(key.body.id), await signIn(undefined)], ["merged", "merged"]);
  await msci.admin("DELETE", `/keys/${key.body.id}`);
  assert.equal(await signIn(key.body.id), "refused");
});

test("a page that the Worker is not in front of, with the tag of the README, is changed in the browser", async (t) => {
  const msci = await system(t);
  const change = { selector: "#offer", action: "setText", value: "A gift for you." };
  await msci.admin("PUT", "/experiences/gift", { audience: "UnifiedActivity/$count ge 1", pages: ["/own"], changes: [change] });
  const { guard } = (await msci.admin("GET", "/snippet")).body;
  const page = await (await launch(t)).newPage();
  const base = msci.base.replace("127.0.0.1", "localhost");
  const body = `<!doctype html><title>t</title><link rel="icon" href="data:,">${guard}${blocks("html")[1]}<p id="offer">Nothing</p>`;
  await page.route("**/own", (route) => route.fulfill({ contentType: "text/html", body }));
  await go(page, `${base}/own`);
  await call(page, "flush");
  await page.reload();
  await until(async () => (await page.locator("#offer").textContent()) === "A gift for you.", "it is applied");
  const told = await page.evaluate(() => /** @type {any} */ (window).dataLayer[0]);
  assert.deepEqual(told, { event: "msci_decisions", msci_known: false, msci_segments: "", msci_experiences: "gift:treated" });
});

test("a page with the one tag of the README, or with the package, is tracked and signs in", async (t) => {
  const tag = blocks("html")[0] ?? "";
  const site = createServer((request, response) => {
    const packaged = request.url?.startsWith("/npm");
    if (request.url === "/msci-sdk.js") {
      response.writeHead(200, { "content-type": "text/javascript" });
      response.end(readFileSync(new URL("../sdk/npm/index.js", import.meta.url)));
      return;
    }
    const map = '<script type="importmap">{"imports":{"msci-sdk":"/msci-sdk.js"}}</script>';
    const head = packaged ? `${map}<script type="module">${blocks("ts")[0]}</script>` : tag;
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><html><head><title>t</title>${head}</head><body>${request.url}</body></html>`);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  atEnd(t, () => {
    site.closeAllConnections();
    site.close();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  const msci = await system(t, { origin: `http://127.0.0.1:${port}` });
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const chromium = await launch(t);
  const base = msci.base.replace("127.0.0.1", "localhost");
  for (const path of ["/tag", "/npm"]) {
    const context = await chromium.newContext();
    const page = await context.newPage();
    await page.goto(base + path);
    const cookie = await until(async () => (await context.cookies()).find((c) => c.name === "_msci")?.value, "there is a cookie");
    const types = async () => {
      const { body } = await profile(msci, cookie);
      return (body.unifiedactivity ?? []).map((/** @type {any} */ a) => a.msdynci_activitytype);
    };
    await until(async () => (await types()).includes("View"), `the view of ${path} arrives`);
    if (path === "/npm") await until(async () => (await types()).includes("newsletter_opened"), "the event arrives");
    const signIn = (blocks("js")[1] ?? "").replace(", token", "");
    const status = await page.evaluate(`(async () => { ${signIn}; return status; })()`);
    assert.equal(status, "merged");
    await context.close();
  }
});
