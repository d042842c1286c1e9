// @ts-check
// The tracking script that the edge puts into pages, in a browser that holds the page to its own policy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../support/chromium.mjs";
import { origin } from "../support/origin.mjs";
import { cookieId } from "../support/sdk.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const POLICY = "default-src 'none'; style-src 'nonce-ofStyles'; script-src 'nonce-ofScripts' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:";

test("E6 the injected script runs under a policy that names a nonce for it, and one for styles before, and tells of the view", async (t) => {
  const port = await origin(t, (_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY });
    response.end('<!doctype html><html><head><title>Shop</title><link rel="icon" href="data:,"><style nonce="ofStyles">p{color:red}</style></head><body><p>x</p></body></html>');
  });
  const msci = await system(t, { origin: `http://127.0.0.1:${port}` });
  await msci.admin("PUT", "/settings", { injectScript: true });
  await until(async () => (await msci.fetch("/", { headers: { accept: "text/html" } })).body.includes("/_msci/msci.js"), "the setting holds");
  const chromium = await launch(t);
  const context = await chromium.newContext();
  /** @type {string[]} */
  const violations = [];
  await context.exposeFunction("violated", (/** @type {string} */ what) => void violations.push(what));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => /** @type {any} */ (window).violated(`${event.effectiveDirective} ${event.blockedURI}`), true);
  });
  const page = await context.newPage();
  const site = msci.base.replace("127.0.0.1", "localhost");
  await page.goto(site);
  const id = await until(() => cookieId(context, site), "there is a cookie");
  await until(async () => {
    const { body } = await profile(msci, id);
    return body.unifiedactivity?.some((/** @type {any} */ activity) => activity.msdynci_activitytype === "View");
  }, "the view has arrived").catch((error) => assert.fail(`${error} ${violations.join("; ")}`));
  assert.deepEqual(violations, []);
});
