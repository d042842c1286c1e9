// @ts-check
// E2: what a visitor is called is text, wherever a page shows it, in real Chromium.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch } from "../support/chromium.mjs";
import { imports } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";
import { payloads } from "../support/xss.mjs";

const PER_PAGE = 25;
const FIELDS = Array.from({ length: PER_PAGE }, (_, n) => `F${n}`);
/** Each way in which a value gets into a page: the element that waits for it, and the change to it. */
const SINKS = /** @type {Record<string, { html: (id: string) => string, change: (slot: string) => Record<string, string> }>} */ ({
  text: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "setText", value: `Hello ${slot}!` }) },
  html: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "setHtml", value: `<b title="${slot}" class='${slot}'>Hello ${slot}</b>` }) },
  append: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "append", value: `<i data-x="${slot}">${slot}</i>` }) },
  prepend: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "prepend", value: slot }) },
  before: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "before", value: `<u>${slot}</u>` }) },
  after: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "after", value: `<u>${slot}</u>` }) },
  title: { html: (id) => `<p id="${id}">-</p>`, change: (slot) => ({ action: "setAttribute", name: "title", value: slot }) },
  link: { html: (id) => `<a id="${id}" href="/x">-</a>`, change: (slot) => ({ action: "setAttribute", name: "href", value: slot }) },
  query: { html: (id) => `<a id="${id}" href="/x">-</a>`, change: (slot) => ({ action: "setAttribute", name: "href", value: `/search?q=${slot}#${slot}` }) },
  image: { html: (id) => `<img id="${id}" src="/x.png" alt="">`, change: (slot) => ({ action: "setAttribute", name: "src", value: `/images/${slot}.png` }) },
  form: { html: (id) => `<form id="${id}" action="/x"><button>-</button></form>`, change: (slot) => ({ action: "setAttribute", name: "action", value: slot }) },
});
const PAGE =
  `<!doctype html><html><head><meta charset="utf-8"><title>x</title><script>pwned = () => { window.ran = (window.ran ?? 0) + 1; };</script></head><body>` +
  Object.entries(SINKS).flatMap(([sink, { html }]) => FIELDS.map((field) => html(`${sink}-${field}`))).join("\n") +
  "</body></html>";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("node:http").Server} */
let origin;
/** @type {import("playwright-core").Browser} */
let chromium;
before(async () => {
  origin = createServer((request, response) => {
    const html = request.url === "/";
    response.writeHead(html ? 200 : 404, { "content-type": html ? "text/html" : "text/plain" }).end(html ? PAGE : "");
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
  chromium = await launch(undefined);
});
after(async () => {
  await chromium?.close();
  await msci.stop();
  origin.closeAllConnections();
  origin.close();
});

test("E2 a thousand names that are scripts are text in every kind of slot", async () => {
  const all = payloads();
  assert.ok(all.length >= 1_000, `${all.length} payloads`);
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: Object.fromEntries(FIELDS.map((field) => [field, "string"])) });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
  const groups = Array.from({ length: Math.ceil(all.length / PER_PAGE) }, (_, n) => all.slice(n * PER_PAGE, (n + 1) * PER_PAGE));
  await imports(msci, "People", groups.map((group, n) => ({ Id: `P${n}`, ...Object.fromEntries(group.map((text, i) => [FIELDS[i], text])) })));
  for (const [sink, { change }] of Object.entries(SINKS)) {
    const { status, body } = await msci.admin("PUT", `/experiences/${sink}`, {
      pages: ["/"],
      changes: FIELDS.map((field) => ({ selector: `#${sink}-${field}`, ...change(`{{ ${field} }}`) })),
    });
    assert.equal(status, 200, JSON.stringify(body));
  }

  // Where a browser keeps secure cookies without https.
  const base = msci.base.replace("127.0.0.1", "localhost");
  let shown = 0;
  for (const [n, group] of groups.entries()) {
    const own = browser();
    const batch = { key: msci.ingestionKey, sentAt: Date.now(), ...own.batch(own.view("/"), own.user(`P${n}`)), cookieId: undefined };
    const context = await chromium.newContext();
    const page = await context.newPage();
    page.on("dialog", (dialog) => void dialog.dismiss());
    await page.goto(base);
    await page.evaluate((body) => fetch("/_msci/collect", { method: "POST", body }), JSON.stringify(batch));
    await until(async () => {
      await page.goto(base, { waitUntil: "load" });
      return (await page.textContent("#text-F0"))?.startsWith("Hello ");
    }, "the page is personal");
    const found = await page.evaluate((texts) => {
      const texted = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
      // Everything that a visitor can do to an element.
      for (const element of document.querySelectorAll("*")) {
        for (const type of ["mouseover", "focus", "animationstart", "toggle", "error", "load"]) element.dispatchEvent(new Event(type));
      }
      return {
        ran: /** @type {any} */ (window).ran ?? 0,
        texts: texts.map((_, i) => texted(`text-F${i}`)),
        html: texts.map((_, i) => texted(`html-F${i}`)),
        titles: texts.map((_, i) => document.getElementById(`title-F${i}`)?.title ?? ""),
        handlers: [...document.querySelectorAll("*")].flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith("on"))),
        tags: [...new Set([...document.querySelectorAll("*")].map(({ localName }) => localName))].sort(),
        scripts: document.scripts.length,
        schemes: [...new Set([...document.querySelectorAll("a, form")].map((element) => new URL(/** @type {any} */ (element).href ?? /** @type {any} */ (element).action).protocol))],
      };
    }, group);
    assert.equal(found.ran, 0, `of ${JSON.stringify(group)}`);
    assert.deepEqual(found.handlers, []);
    assert.equal(found.scripts, 1);
    assert.deepEqual(found.tags.filter((tag) => !"a b body button form h1 head html i img meta p script title u".split(" ").includes(tag)), []);
    assert.deepEqual(found.schemes, ["http:"]);
    for (const [i, text] of group.entries()) {
      // No parser of HTML lets a NUL be.
      if (text.includes("\u0000")) continue;
      assert.equal(found.texts[i], `Hello ${text}!`);
      assert.equal(found.html[i], `Hello ${text}`);
      assert.equal(found.titles[i], text);
      shown += 1;
    }
    await context.close();
  }
  assert.ok(shown >= 950, `${shown} names were shown as they are`);
});
