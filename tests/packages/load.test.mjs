// @ts-check
// What `load` does and does not do: on a server, and in pages whose SDK comes, comes late, or never does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { pack, project, run } from "../support/package.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const source = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
const NOT_LOADED = { status: "refused", reason: "not_loaded" };

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
let base = "";
before(async () => {
  msci = await system();
  // Browsers trust localhost with Secure cookies.
  base = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(undefined);
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/**
 * A page with the package and nothing else, on the running system; `window.load` is its `load`.
 * @param {{ after(work: () => unknown): void }} t
 * @param {{ script?: (route: import("playwright-core").Route) => unknown, policy?: string, clock?: boolean, head?: string }} [options]
 *   `script` stands in for the network when the SDK's script is asked for; with `clock` time stands still
 */
async function blank(t, { script, policy, clock, head = "" } = {}) {
  const visitor = await chromium.newContext();
  atEnd(t, () => visitor.close());
  const page = await visitor.newPage();
  if (clock) {
    await page.clock.install({ time: 0 });
    await page.clock.pauseAt(1_000);
  }
  const headers = { "content-type": "text/html", ...(policy && { "content-security-policy": policy }) };
  const module = 'import { MSCI } from "/msci-sdk.js"; window.load = MSCI.load;';
  const body = `<!doctype html>${head}<script type="module" nonce="page">${module}</script>`;
  await page.route("**/blank", (route) => route.fulfill({ headers, body }));
  await page.route("**/msci-sdk.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: source("sdk/npm/index.js") }),
  );
  if (script) await page.route("**/msci.js", script);
  await page.goto(`${base}/blank`);
  return page;
}

/** A network that answers when it is told to. */
function held() {
  /** @type {() => void} */
  let release = () => {};
  /** @type {Promise<void>} */
  const released = new Promise((resolve) => (release = resolve));
  const script = async (/** @type {import("playwright-core").Route} */ route) => {
    await released;
    await route.continue();
  };
  return { script, release };
}

const scripts = (/** @type {import("playwright-core").Page} */ page) =>
  page.evaluate(() => [...document.querySelectorAll("script")].map((script) => script.src).filter(Boolean));

test("the package knows every method of the snippet, and the types know every method of the package", () => {
  const [, snippet = ""] = /"(initialize [^"]*)"/.exec(source("sdk/js/loader.js")) ?? [];
  const [, list = ""] = /METHODS = \[([^\]]*)\]/.exec(source("sdk/npm/index.js")) ?? [];
  const [, instance = ""] = /export interface Instance \{([\s\S]*?)\n\}/.exec(source("sdk/npm/index.d.ts")) ?? [];
  const methods = [...list.matchAll(/"(\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(methods, snippet.split(" "));
  assert.deepEqual([...instance.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1]), methods);
});

test("on a server importing it, even twice, does nothing, and load says that there is no browser", async (t) => {
  const { tarball } = await pack(t);
  const main = `
    const state = () => Object.entries(Object.getOwnPropertyDescriptors(globalThis)).map(([name, { value }]) => [name, value]);
    const touched = [];
    for (const name of ["window", "document", "navigator", "setTimeout", "fetch"]) {
      const value = globalThis[name];
      Object.defineProperty(globalThis, name, { configurable: true, get: () => (touched.push(name), value) });
    }
    const before = state();
    const resources = process.getActiveResourcesInfo().length;
    const { MSCI } = await import("msci-sdk");
    const again = await import(import.meta.resolve("msci-sdk") + "?again");
    const after = state();
    const same = before.length === after.length && before.every(([name, value], at) => after[at][0] === name && Object.is(after[at][1], value));
    const idle = process.getActiveResourcesInfo().length === resources;
    const early = [...touched];
    const code = await MSCI.load({ ingestionKey: "local" }).catch((error) => error.code);
    console.log(JSON.stringify({ exports: Object.keys(again), same, idle, early, code }));
  `;
  const path = await project(t, tarball, { files: { "main.js": main } });
  const printed = await run(process.execPath, ["main.js"], path);
  assert.deepEqual(JSON.parse(printed), { exports: ["MSCI"], same: true, idle: true, early: [], code: "no_browser" });
});

test("load does not wait for the SDK; calls made before it is there run in order once it is", async (t) => {
  const network = held();
  const page = await blank(t, { script: network.script });
  await page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    w.msci = await w.load({ ingestionKey: "local", autoCapture: {} });
    w.settled = Promise.all(["one", "two", "three"].map((name) => w.msci.trackEvent({ name }))).then(() => w.msci.flush());
  });
  network.release();
  await page.evaluate(() => /** @type {any} */ (window).settled);
  const status = await page.evaluate(() => /** @type {any} */ (window).msci.status());
  assert.equal(status.wasm, "ok");
  const { body } = await profile(msci, status.cookieId);
  const names = body.unifiedactivity.map((/** @type {any} */ activity) => activity.msdynci_activitytype);
  assert.deepEqual([...names].reverse(), ["one", "two", "three"]);
});

/** Why a script does not come: a stand-in for the network, or a policy of the page. */
const REASONS = /** @type {Record<string, Parameters<typeof blank>[1]>} */ ({
  "is blocked": { script: (route) => route.abort() },
  "is not found": { script: (route) => route.fulfill({ status: 404 }) },
  "is refused by the page's policy": { policy: "script-src 'nonce-page' 'wasm-unsafe-eval'" },
  "has no trusted address": { policy: "require-trusted-types-for 'script'" },
});
for (const [reason, options] of Object.entries(REASONS)) {
  test(`where the script ${reason}, load resolves and every call is refused`, { timeout: 60_000 }, async (t) => {
    // Time stands still: it is not the ten seconds that settle them.
    const page = await blank(t, { ...options, clock: true });
    const results = await page.evaluate(async () => {
      const load = /** @type {any} */ (window).load;
      const msci = await load({ ingestionKey: "local" });
      const waited = await Promise.all([msci.setUser({ authId: "Loyalty1" }), msci.status(), msci.flush()]);
      return [...waited, await msci.decisions(), (await load({ ingestionKey: "local" })) === msci];
    });
    assert.deepEqual(results, [NOT_LOADED, NOT_LOADED, NOT_LOADED, NOT_LOADED, true]);
  });
}

test("after ten seconds without the script calls are refused; a script that is later still takes over", { timeout: 60_000 }, async (t) => {
  const network = held();
  const page = await blank(t, { script: network.script, clock: true });
  await page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    w.msci = await w.load({ ingestionKey: "local" });
    w.user = w.msci.setUser({ authId: "Loyalty1" });
  });
  await page.clock.runFor(9_999);
  const pending = () => page.evaluate(() => Promise.race([/** @type {any} */ (window).user, "pending"]));
  assert.equal(await pending(), "pending");
  await page.clock.runFor(1);
  assert.deepEqual(await pending(), NOT_LOADED);
  network.release();
  await until(() => page.evaluate(async () => (await /** @type {any} */ (window).msci.status()).wasm), "the SDK takes over");
});

test("200 calls wait, more are refused at once", async (t) => {
  const network = held();
  const page = await blank(t, { script: network.script });
  const results = await page.evaluate(async () => {
    const msci = await /** @type {any} */ (window).load({ ingestionKey: "local", autoCapture: {} });
    const calls = Array.from({ length: 201 }, () => msci.setProperty("plan", "gold"));
    return [await Promise.race([calls[199], "pending"]), await Promise.race([calls[200], "pending"])];
  });
  assert.deepEqual(results, ["pending", NOT_LOADED]);
  network.release();
});

test("a second load joins the first, one by another name is another instance", async (t) => {
  const page = await blank(t);
  const joined = await page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    const [first, second] = await Promise.all([w.load({ ingestionKey: "local" }), w.load({ ingestionKey: "other", endpointUrl: "/x/" })]);
    const other = await w.load({ ingestionKey: "local", name: "Other", autoCapture: { click: true } });
    const statuses = await Promise.all([first.status(), other.status()]);
    return [first === second, first === w.MSCI, other === w.Other, first !== other, ...statuses.map(({ wasm }) => wasm)];
  });
  assert.deepEqual(joined, [true, true, true, true, "ok", "ok"]);
  assert.deepEqual(await scripts(page), [`${base}/_msci/msci.js`, `${base}/_msci/msci.js`]);
});

test("load joins the page's snippet, and the one tag", async (t) => {
  const { script } = (await msci.admin("GET", "/snippet")).body;
  const tag = '<script src="/_msci/msci.js" data-ingestion-key="local"></script>';
  for (const head of [script, tag]) {
    const page = await blank(t, { head });
    const [same, { wasm }] = await page.evaluate(async () => {
      const w = /** @type {any} */ (window);
      const there = w.MSCI;
      const instance = await w.load({ ingestionKey: "local" });
      return [instance === there, await instance.status()];
    });
    assert.deepEqual([same, wasm, await scripts(page)], [true, "ok", [`${base}/_msci/msci.js`]]);
  }
});

test("the script comes from endpointUrl", async (t) => {
  const page = await blank(t, { script: (route) => route.abort() });
  await page.evaluate(async () => {
    const load = /** @type {any} */ (window).load;
    for (const endpointUrl of [undefined, "/_msci/", "/a", "https://edge.example/b/"]) {
      await load({ ingestionKey: "local", name: `at ${endpointUrl}`, endpointUrl });
    }
  });
  const urls = [`${base}/_msci/msci.js`, `${base}/_msci/msci.js`, `${base}/a/msci.js`, "https://edge.example/b/msci.js"];
  assert.deepEqual(await scripts(page), urls);
});

test("a load that cannot be rejects with a code and changes nothing", async (t) => {
  const page = await blank(t);
  const codes = await page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    w.Taken = { status: "of somebody else" };
    /** @type {any[]} */
    const bad = [undefined, {}, { ingestionKey: "" }, { ingestionKey: "local", name: "Taken" }, { ingestionKey: "local", name: "location" }];
    const codes = await Promise.all(bad.map((options) => w.load(options).catch((/** @type {any} */ error) => error.code)));
    return [...codes, typeof w.MSCI, Object.keys(w.Taken).length];
  });
  const missing = "ingestion_key_missing";
  assert.deepEqual(codes, [missing, missing, missing, "name_taken", "name_taken", "undefined", 1]);
  assert.deepEqual(await scripts(page), []);
});

test("a nonce is enough for a page whose policy names nothing else", async (t) => {
  const page = await blank(t, { policy: "script-src 'nonce-page' 'wasm-unsafe-eval'; connect-src 'self'" });
  const status = await page.evaluate(async () => {
    const nonce = /** @type {HTMLScriptElement | null} */ (document.querySelector("script[nonce]"))?.nonce;
    const msci = await /** @type {any} */ (window).load({ ingestionKey: "local", nonce });
    await msci.flush();
    return msci.status();
  });
  assert.deepEqual([status.wasm, status.acknowledged], ["ok", 1]);
});
