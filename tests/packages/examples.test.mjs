// @ts-check
// The examples, each opened in real Chromium behind the running system: a visitor is seen and signs in.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { origin } from "../support/origin.mjs";
import { pack, program, project, run } from "../support/package.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html; charset=utf-8", ".js": "text/javascript" });
const source = (/** @type {string} */ path) => readFileSync(join(root, "examples", path), "utf8");
const page = (/** @type {string} */ head, body = "") =>
  `<!doctype html><html><head><title>t</title><link rel="icon" href="data:,">${head}</head><body>${body}</body></html>`;

/** Ends when the whole file does. @type {(() => unknown)[]} */
const ends = [];
const whole = { after: (/** @type {() => unknown} */ work) => void ends.unshift(work) };
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
let base = "";
/** What the site behind serves, by path. @type {(path: string) => string | Buffer | undefined} */
let files = () => undefined;
/** Headers of its pages. @type {Record<string, string>} */
let headers = {};

before(async () => {
  const port = await origin(whole, (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    const file = files(pathname);
    response.writeHead(file === undefined ? 404 : 200, { "content-type": TYPES[extname(pathname)] ?? "text/html", ...headers });
    response.end(file);
  });
  msci = await system(whole, { origin: `http://127.0.0.1:${port}` });
  await seed({ base: msci.base, adminToken: msci.adminToken });
  base = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(whole);
});
after(async () => {
  for (const end of ends) await end();
});

/** @param {{ after(work: () => unknown): void }} t */
async function visitor(t) {
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  const page = await context.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  const seen = async () => {
    const id = await until(async () => (await context.cookies()).find(({ name }) => name === "_msci")?.value, "there is a cookie");
    return (await profile(msci, id)).body;
  };
  /** Waits for a view in the timeline. */
  const viewed = () => until(async () => (await seen()).unifiedactivity?.some((/** @type {any} */ it) => it.msdynci_activitytype === "View"), "the view arrives");
  const signedIn = (/** @type {string} */ key) => until(async () => (await seen()).msdynci_loyaltysignups_loyaltyid === key, "the visitor is known");
  return { page, faults, viewed, signedIn };
}

/** Inserts a Custom HTML tag as tag managers do: elements that are copies, in a container that nobody sees. @param {Page} page @param {string} html */
const insert = (page, html) =>
  page.evaluate((html) => {
    const hidden = document.createElement("div");
    hidden.style.cssText = "display:none;visibility:hidden";
    document.body.append(hidden);
    const parsed = document.createElement("div");
    parsed.innerHTML = html;
    for (const node of parsed.childNodes) {
      if (!(node instanceof HTMLScriptElement)) {
        hidden.append(node.cloneNode(true));
        continue;
      }
      const script = document.createElement("script");
      for (const { name, value } of node.attributes) script.setAttribute(name, value);
      script.nonce = /** @type {any} */ (document.querySelector("script[nonce]"))?.nonce ?? "";
      script.text = node.text;
      hidden.append(script);
    }
  }, html);

test("one tag: a static page is tracked, sends an event and signs in", async (t) => {
  files = (path) => (path === "/" ? source("script-tag/index.html") : undefined);
  const { page, faults, viewed, signedIn } = await visitor(t);
  await page.goto(`${base}/`);
  await viewed();
  await page.click("#subscribe");
  await page.waitForFunction(() => document.querySelector("#result")?.textContent === "subscribed");
  await page.fill("input[name=loyalty]", "Loyalty1");
  await page.click("#sign-in button");
  await page.waitForFunction(() => document.querySelector("#result")?.textContent === "merged");
  await signedIn("Loyalty1");
  assert.ok((await (await page.goto(`${base}/`))?.text())?.includes("Welcome back, Abbie!"), "the next page is personal");
  assert.deepEqual(faults, []);
});

test("Google Tag Manager: a tag that is inserted after load tracks the page and signs in, with a nonce too", async (t) => {
  const { gtm } = (await msci.admin("GET", "/snippet")).body;
  assert.equal(source("google-tag-manager/tag.html").trim(), gtm);
  for (const policy of ["", "script-src 'nonce-page' 'wasm-unsafe-eval'; connect-src 'self'"]) {
    headers = policy ? { "content-security-policy": policy } : {};
    files = () => page('<script nonce="page">window.dataLayer = [{ loyaltyNumber: "Loyalty2" }];</script>');
    const { page: tab, faults, viewed, signedIn } = await visitor(t);
    await tab.goto(`${base}/`, { waitUntil: "load" });
    await insert(tab, gtm);
    await viewed();
    // The tag manager replaces its variables.
    await insert(tab, source("google-tag-manager/sign-in.html").replace("{{Loyalty number}}", '"Loyalty2"'));
    await signedIn("Loyalty2");
    // Once more, as a trigger may: it is the same instance.
    await insert(tab, gtm);
    assert.equal(await tab.evaluate(() => document.querySelectorAll("script[src*='msci.js']").length), 1);
    assert.deepEqual(faults, []);
  }
  headers = {};
});

test("Google Tag Manager: what goes into a tag is ECMAScript 5, and none of its variables", async () => {
  const { parse } = createRequire(import.meta.url)("acorn");
  const { gtm } = (await msci.admin("GET", "/snippet")).body;
  for (const tag of [gtm, source("google-tag-manager/sign-in.html").replace("{{Loyalty number}}", "null")]) {
    const [, script = ""] = /^<script>([\s\S]*)<\/script>\s*$/.exec(tag) ?? [];
    assert.ok(parse(script, { ecmaVersion: 5 }).body.length > 0);
    assert.doesNotMatch(tag, /\{\{|document\.write/);
  }
});

test("WordPress: the plugin prints the snippet, and names who is signed in", async (t) => {
  const plugin = source("wordpress/msci.php");
  const [, printed = ""] = /\?>\n([\s\S]*?)\n\t<\?php/.exec(plugin) ?? [];
  const loader = readFileSync(join(root, "dist/sdk/loader.js"), "utf8");
  assert.ok(printed.startsWith(`<script>${loader}(window,document,`), "the loader is the product's");
  /** What PHP prints. @param {object | null} user */
  const head = (user) =>
    printed.replace(/<\?php echo wp_json_encode\( (.*?), JSON_HEX_TAG \); \?>/g, (_, value) => JSON.stringify(value === "$key" ? "local" : user));
  for (const user of [null, { authId: "Loyalty3" }]) {
    files = () => page(head(user), "<h1>My blog</h1>");
    const { page: tab, faults, viewed, signedIn } = await visitor(t);
    await tab.goto(`${base}/`);
    await viewed();
    if (user) await signedIn(user.authId);
    assert.deepEqual(faults, []);
  }
});

test("Optimizely: its SDK decides on the segments of MSCI", async (t) => {
  await msci.admin("PUT", "/settings", { decisionSegments: ["HighLifetimeValue"] });
  const { tarball } = await pack(t);
  const path = await project(t, tarball, { from: "optimizely" });
  symlinkSync(join(root, "node_modules/@optimizely"), join(path, "node_modules/@optimizely"));
  await run(program("vite"), ["build", "--logLevel", "warn"], path);
  files = (asked) => {
    const name = asked === "/" ? "index.html" : asked.slice(1);
    return readdirSync(join(path, "dist"), { recursive: true, encoding: "utf8" }).includes(name) ? readFileSync(join(path, "dist", name)) : undefined;
  };
  const { page, faults, viewed } = await visitor(t);
  const offer = (/** @type {string} */ text) => page.waitForFunction((text) => document.querySelector("#offer")?.textContent === text, text);
  await page.goto(`${base}/`);
  await offer("New machines every month.");
  await viewed();
  await page.evaluate(() => /** @type {any} */ (window).MSCI.setUser({ authId: "Loyalty1" }));
  await page.reload();
  await offer("A free espresso course with any machine.");
  assert.deepEqual(faults, []);
});

test("every example says what it is", () => {
  for (const name of readdirSync(join(root, "examples"))) assert.match(source(`${name}/README.md`), /^# /, name);
});
