// @ts-check
// The package as it is published, in fresh projects of three bundlers without a plug-in, and the built
// pages behind the running system: a visitor is seen and signs in.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import webpack from "webpack";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { origin } from "../support/origin.mjs";
import { pack, program, project, run } from "../support/package.mjs";
import { freePort } from "../support/process.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html; charset=utf-8", ".js": "text/javascript" });
// What the contract says is enough.
const POLICY = "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
const PAGE = '<!doctype html><title>t</title><link rel="icon" href="data:,"><script type="module" src="/main.js"></script><p id="result"></p>';
const SIGN_IN = `
const { status } = await msci.setUser({ authId: "Loyalty1" });
document.querySelector("#result").textContent = status;
`;

/** Ends when the whole file does. @type {(() => unknown)[]} */
const ends = [];
const whole = { after: (/** @type {() => unknown} */ work) => void ends.unshift(work) };
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
let base = "";
let tarball = "";
/** What the site behind serves at this moment. */
let folder = "";

before(async () => {
  const port = await origin(whole, (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    const file = join(folder, pathname === "/" ? "index.html" : pathname);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-security-policy": POLICY });
    response.end(readFileSync(file));
  });
  msci = await system(whole, { origin: `http://127.0.0.1:${port}` });
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // Browsers trust localhost with Secure cookies.
  base = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(whole);
  ({ tarball } = await pack(whole));
});
after(async () => {
  for (const end of ends) await end();
});

/**
 * A visitor of their own opens the page; `act` is what they do there. Then a view and a sign-in are there.
 * @param {string} url
 * @param {(page: import("playwright-core").Page) => Promise<unknown>} [act]
 */
async function visit(url, act = async () => {}) {
  const visitor = await chromium.newContext();
  const page = await visitor.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(message.text()));
  await page.goto(url);
  await act(page);
  const result = page.locator("#result");
  await until(async () => (await result.textContent()) !== "", "setUser has settled");
  assert.deepEqual([await result.textContent(), faults], ["merged", []]);
  const cookie = (await visitor.cookies()).find(({ name }) => name === "_msci")?.value ?? "";
  const seen = await until(async () => {
    const { body } = await profile(msci, cookie);
    return body.unifiedactivity?.some((/** @type {any} */ activity) => activity.msdynci_activitytype === "View") && body;
  }, "the view arrives");
  assert.equal(seen.msdynci_loyaltysignups_loyaltyid, "Loyalty1");
  return { visitor, page };
}

/** @param {import("playwright-core").Page} page */
async function signIn(page) {
  await page.fill("input[name=loyalty]", "Loyalty1");
  await page.click("#sign-in button");
}

test("the example builds with Vite, and its page behind MSCI is tracked, signs in and is personal", async (t) => {
  const path = await project(t, tarball, { from: "npm-vite" });
  await run(program("vite"), ["build", "--logLevel", "warn"], path);
  folder = join(path, "dist");
  const { visitor, page } = await visit(`${base}/`, signIn);
  await page.click("#subscribe");
  await until(async () => (await page.locator("#result").textContent()) === "subscribed", "the event was taken");
  const response = await page.goto(`${base}/`);
  assert.ok((await response?.text())?.includes('<h1 id="welcome">Welcome back, Abbie!</h1>'));
  await visitor.close();
});

test("the example works in Vite's development server, which passes on what is MSCI's", async (t) => {
  const path = await project(t, tarball, { from: "npm-vite" });
  const port = await freePort();
  const server = spawn(program("vite"), ["--port", String(port), "--strictPort", "--host", "127.0.0.1"], {
    cwd: path,
    env: { ...process.env, NODE_ENV: "", MSCI_URL: msci.base },
    stdio: "ignore",
  });
  atEnd(t, async () => {
    if (server.exitCode === null && server.kill()) await once(server, "exit");
  });
  const url = `http://localhost:${port}/`;
  await until(() => fetch(url.replace("localhost", "127.0.0.1")).then(() => true, () => false), "Vite answers");
  const { visitor } = await visit(url, signIn);
  await visitor.close();
});

test("the import that the console offers builds with webpack, and its page is tracked and signs in", async (t) => {
  const { npm } = (await msci.admin("GET", "/snippet")).body;
  const path = await project(t, tarball, { files: { "src/index.js": npm + SIGN_IN, "dist/index.html": PAGE } });
  /** @type {import("webpack").Stats | undefined} */
  const stats = await new Promise((resolve, reject) => {
    const output = { path: join(path, "dist"), filename: "main.js" };
    webpack({ context: path, mode: "production", output }, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
  assert.equal(stats?.toString({ all: false, errors: true, warnings: true }), "");
  folder = join(path, "dist");
  const { visitor } = await visit(`${base}/`);
  await visitor.close();
});

test("the import that the console offers builds with esbuild, and its page is tracked and signs in", async (t) => {
  const { npm } = (await msci.admin("GET", "/snippet")).body;
  const path = await project(t, tarball, { files: { "src/index.js": npm + SIGN_IN, "dist/index.html": PAGE } });
  await run(program("esbuild"), ["src/index.js", "--bundle", "--minify", "--format=esm", "--log-level=warning", "--outfile=dist/main.js"], path);
  folder = join(path, "dist");
  const { visitor } = await visit(`${base}/`);
  await visitor.close();
});

test("what an application does not use of the package is not in its bundle", async (t) => {
  const files = { "main.js": 'import "msci-sdk";\nimport { MSCI } from "msci-sdk";\nexport const own = 1;\n' };
  const path = await project(t, tarball, { files });
  const bundle = await run(program("esbuild"), ["main.js", "--bundle", "--minify", "--format=esm", "--log-level=error"], path);
  assert.match(bundle, /^var \w+=1;export\{\w+ as own\};\s*$/);
});
