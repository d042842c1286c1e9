// @ts-check
// Decisions of the running system, applied in the browser: on pages of the same site that the Worker does not stand in
// front of (another port of this machine is another origin of the same site), as the edge itself would have made them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { origin } from "../support/origin.mjs";
import { becomes, guard, shown } from "../support/personal.mjs";
import { call, cookieId } from "../support/sdk.mjs";
import { loader } from "../support/sdk-site.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let chromium;
/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** Ends when the whole file does. @type {(() => unknown)[]} */
const ends = [];
const whole = { after: (/** @type {() => unknown} */ work) => void ends.unshift(work) };
/** The Worker, in front of the site; and the site alone, another origin. */
let front = "";
let alone = "";
/** Bodies of the site's pages by path. @type {Record<string, string>} */
const bodies = {};
/** More of the pages' configuration. @type {object} */
let wants = { apply: true };

before(async () => {
  const port = await origin(whole, (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    // Only the site's own origin has the SDK in its pages: those behind the Worker are the edge's.
    const own = `http://${request.headers.host}` === alone;
    const cfg = { ingestionKey: "local", endpointUrl: `${front}/_msci/`, personalization: wants };
    const sdk = `${guard()}<script>${loader()}(window,document,${JSON.stringify({ src: `${front}/_msci/msci.js`, cfg })})</script>`;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<!doctype html><html><head><title>Shop</title><link rel="icon" href="data:,">${own ? sdk : ""}</head><body>${bodies[pathname] ?? pathname}</body></html>`);
  });
  msci = await system(whole, { origin: `http://127.0.0.1:${port}` });
  front = msci.base.replace("127.0.0.1", "localhost");
  alone = `http://localhost:${port}`;
  await msci.admin("PUT", "/settings", { origins: [alone], profileDeadlineMs: 10_000 });
  chromium = await launch(whole);
});
after(async () => {
  for (const end of ends) await end();
});

/** @param {string} name @param {object} experience */
async function experience(name, experience) {
  const { status, body } = await msci.admin("PUT", `/experiences/${name}`, experience);
  assert.ok(status < 300, JSON.stringify(body));
}

/**
 * A visitor who becomes a customer with these attributes, on a page of the site alone.
 * @param {{ after(work: () => unknown): void }} t
 * @param {Record<string, string>} attributes
 */
async function customer(t, attributes) {
  const columns = Object.fromEntries(Object.keys(attributes).map((name) => [name, "string"]));
  await msci.admin("PUT", "/tables/Members", { primaryKey: "MemberId", columns });
  await msci.admin("PUT", "/settings", { trackingTable: "Members" });
  const { body } = await msci.admin("POST", "/tables/Members/rows", `${JSON.stringify({ MemberId: "M1", ...attributes })}\n`, { "content-type": "application/x-ndjson" });
  assert.deepEqual(body.rejected, []);
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  const page = await context.newPage();
  /** @type {string[]} */
  const faults = [];
  context.on("weberror", (error) => faults.push(String(error.error())));
  context.on("dialog", (dialog) => void (faults.push(`dialog ${dialog.message()}`), dialog.dismiss()));
  await page.goto(`${alone}/start`);
  assert.equal((await call(page, "setUser", { authId: "M1" })).status, "merged");
  return { context, page, faults };
}

test("every action does in the browser what it does at the edge, for the same customer", async (t) => {
  bodies["/same"] = `
    <h1 id="text">Good <b>coffee</b></h1><div id="html">old</div><p class="all">one</p><p class="all">two</p><div><p class="all">three</p></div>
    <a id="link" href="/old">link</a><input id="field" value="old"><ul id="list"><li>first</li></ul>
    <table><tbody id="rows"><tr><td>1</td></tr></tbody></table><svg id="drawing" width="9" height="9"><rect width="3" height="3"></rect></svg>
    <p id="order">middle</p><p id="gone">gone</p><textarea id="area">old</textarea><select id="choice"><option>a</option></select>
    <p id="late">set, then added to</p><p id="first">added to, then set</p><p id="class" class="old">old</p><p id="nobody">as it was</p>`;
  const { context, page, faults } = await customer(t, { Tier: "Gold", FirstName: "Abbie <3" });
  await experience("same", {
    audience: "Tier eq 'Gold'",
    pages: ["/same"],
    changes: [
      { selector: "#text", action: "setText", value: "Welcome, {{ FirstName }} & <i>friends</i>" },
      { selector: "#html", action: "setHtml", value: "<b>{{ FirstName }}</b>, 5 &lt; 6 <p>unclosed" },
      { selector: ".all", action: "append", value: " <i>of {{ Tier }}</i>" },
      { selector: "p.all", action: "prepend", value: "<i class=all>0</i>" },
      { selector: "#link", action: "setAttribute", name: "href", value: "/q?name={{ FirstName }}" },
      { selector: "#link", action: "setAttribute", name: "title", value: "for \"{{ FirstName }}\"" },
      { selector: "#field", action: "setAttribute", name: "value", value: "{{ FirstName }}" },
      { selector: "#list", action: "append", value: "<li>last</li><li>very last</li>" },
      { selector: "#list > li", action: "before", value: "<li>before</li>" },
      { selector: "#rows", action: "append", value: "<tr><td>2</td></tr>" },
      { selector: "#drawing", action: "append", value: "<circle r=\"2\"></circle>" },
      { selector: "#order", action: "before", value: "<p>b1</p>text" },
      { selector: "p#order", action: "before", value: "<p>b2</p>" },
      { selector: "#order", action: "after", value: "<p>a1</p>" },
      { selector: "p#order", action: "after", value: "<p>a2</p>" },
      { selector: "#gone", action: "remove" },
      { selector: "#area", action: "setText", value: "{{ FirstName }}" },
      { selector: "#choice", action: "append", value: "<option>b</option>" },
      { selector: "#late", action: "setText", value: "set" },
      { selector: "#late", action: "append", value: "<i>added</i>" },
      { selector: "#first", action: "append", value: "<i>added</i>" },
      { selector: "#first", action: "setHtml", value: "<b>set</b>" },
      { selector: "#class", action: "setAttribute", name: "class", value: "fresh" },
      { selector: ".fresh", action: "setText", value: "never: nobody had that class" },
      { selector: "#nobody", action: "setText", value: "{{ Missing }}" },
      { selector: "title", action: "setText", value: "{{ FirstName }}'s shop" },
    ],
  });
  const edge = await context.newPage();
  await edge.goto(`${front}/same`);
  await page.goto(`${alone}/same`);
  await becomes(page, "#text", "Welcome, Abbie <3 & <i>friends</i>");
  await shown(page);
  const markup = (/** @type {Page} */ page) => page.evaluate(() => [document.title, ...document.body.innerHTML.split("\n")]);
  const [atEdge, inBrowser] = [await markup(edge), await markup(page)];
  assert.equal(atEdge[0], "Abbie <3's shop");
  assert.deepEqual(inBrowser, atEdge);
  assert.equal(await edge.locator("meta[name=msci-x]").getAttribute("content"), await page.locator("meta[name=msci-x]").getAttribute("content"));
  assert.deepEqual(faults, []);
});

test("a page on another host of the site is decided as its own visitor, and what they saw is in their timeline", async (t) => {
  bodies["/"] = '<h1 id="hero">Good coffee</h1>';
  await msci.admin("PUT", "/segments/Readers", { filter: "UnifiedActivity/$count ge 2" });
  await experience("readers", { audience: "IsMemberOfSegment('Readers')", pages: ["/"], changes: [{ selector: "#hero", action: "setText", value: "You read a lot" }] });
  const context = await chromium.newContext();
  atEnd(t, () => context.close());
  const page = await context.newPage();
  await page.goto(`${alone}/one`);
  await call(page, "flush");
  await page.goto(`${alone}/two`);
  await call(page, "flush");
  await page.goto(`${alone}/`);
  await becomes(page, "#hero", "You read a lot");
  await call(page, "flush");
  const { acknowledged, rejected } = await call(page, "status");
  assert.deepEqual([acknowledged, rejected], [2, []]);
  const { body } = await profile(msci, await cookieId(context, alone));
  const types = body.unifiedactivity.map((/** @type {any} */ activity) => activity.msdynci_activitytype);
  assert.deepEqual(types.sort(), ["View", "View", "View", "experience_viewed"]);
  // Of a stranger's browser with the cookie alone, nothing is personal of a known customer: E10 holds here as well.
  const foreign = await msci.fetch("/_msci/decisions?uri=/", { headers: { origin: "http://evil.example" } });
  assert.deepEqual([foreign.headers.get("access-control-allow-origin"), foreign.headers.get("access-control-allow-credentials")], [null, null]);
});

const NASTY = [
  "<script>window.ran=1</script>",
  "<img src=x onerror=window.ran=1>",
  "<svg onload=window.ran=1>",
  "\"><img src=x onerror=window.ran=1>",
  "' onmouseover='window.ran=1",
  "\" onfocus=\"window.ran=1\" autofocus=\"",
  "javascript:window.ran=1",
  " java\tscript:window.ran=1",
  "JaVaScRiPt:window.ran=1//",
  "data:text/html,<script>window.ran=1</script>",
  "</title><script>window.ran=1</script>",
  "</textarea><img src=x onerror=window.ran=1>",
  "<iframe srcdoc='<script>parent.ran=1</script>'>",
  "<details open ontoggle=window.ran=1>",
  "{{ constructor }}<!--<img src=x onerror=window.ran=1>-->",
  "x onmouseover=window.ran=1 y",
];
/** Each place a name can get to. */
const SINKS = /** @type {object[]} */ ([
  { action: "setText", value: "{{ N }}" },
  { action: "setHtml", value: "<b title=\"{{ N }}\">{{ N }}</b>" },
  { action: "setHtml", value: "<a href=\"{{ N }}\">a</a><a href='{{ N }}'>b</a><i title='{{ N }}'>c</i>" },
  { action: "append", value: "<i>{{ N }}</i>" },
  { action: "prepend", value: "{{ N }}" },
  { action: "before", value: "<u>{{ N }}</u>" },
  { action: "after", value: "<img src=\"{{ N }}\" alt='{{ N }}'><a href=\"/search?q={{ N }}\">go</a>" },
  { action: "setAttribute", name: "title", value: "{{ N }}" },
  { action: "setAttribute", name: "href", value: "{{ N }}" },
  { action: "setAttribute", name: "data-x", value: "{{ N }}" },
  { action: "setAttribute", name: "src", value: "{{ N }}" },
]);

test("E2 no name runs anything, in any action and any place of it, in the browser or at the edge", async (t) => {
  const names = Object.fromEntries(NASTY.map((name, at) => [`N${at}`, name]));
  const { page, faults } = await customer(t, { Tier: "Nasty", ...names });
  for (const [n, sink] of SINKS.entries()) {
    const path = `/nasty-${n}`;
    bodies[path] = NASTY.map((_, n) => `<p><a id="e${n}" href="#">link</a></p>`).join("");
    const changes = NASTY.map((_, n) => ({ selector: `#e${n}`, ...JSON.parse(JSON.stringify(sink).replaceAll("{{ N }}", `{{ N${n} }}`)) }));
    await experience(`nasty-${n}`, { audience: "Tier eq 'Nasty'", pages: [path], changes });
    for (const at of [alone, front]) {
      await page.goto(at + path);
      await until(async () => (await page.locator("meta[name=msci-x]").count()) === 1, "it is decided");
      const ran = await page.evaluate(async () => {
        document.addEventListener("submit", (event) => event.preventDefault());
        for (const node of document.querySelectorAll("body *")) {
          for (const type of ["mouseover", "focus", "toggle", "load", "error"]) node.dispatchEvent(new Event(type));
          const link = /** @type {any} */ (node);
          // Where a click would lead out of the page it is not worth more.
          if (/^javascript:/i.test(link.href ?? "")) link.click();
        }
        // What was to fail before has failed by then.
        await new Promise((done) => Object.assign(new Image(), { onerror: done }).setAttribute("src", "data:,"));
        return /** @type {any} */ (window).ran;
      });
      assert.equal(ran, undefined, at + JSON.stringify(sink));
      const links = await page.evaluate(() =>
        [...document.querySelectorAll("body *")].flatMap((node) => [...node.attributes].filter(({ name, value }) => /^(on[a-z]+|srcdoc)$/.test(name) || (/^(href|src|action)$/.test(name) && /^\s*(javascript|data|vbscript):/i.test(value.replace(/[\t\n]/g, "")))).map(({ name, value }) => `${name}=${value}`)),
      );
      assert.deepEqual(links, [], at + JSON.stringify(sink));
    }
  }
  assert.deepEqual(faults, []);
});
