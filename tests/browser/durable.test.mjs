// @ts-check
// What was said is on the device until the edge has it: browsers that are killed, tabs that crash, storage that is
// full, broken or forbidden, cookies that go.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch, resident } from "../support/chromium.mjs";
import { gate } from "../support/gate.mjs";
import { call, cookieId, events, go, names, status, track } from "../support/sdk.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} Context */

const DOWN = { status: 503, headers: { "retry-after": "60" } };

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
/** @type {string[]} */
const faults = [];
before(async () => {
  msci = await system();
  chromium = await launch(undefined, { bfcache: true });
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
});

/** @param {Context} context */
const watched = (context) => context.on("weberror", (error) => faults.push(String(error.error())));

/** A browser that nobody has seen before, at a site of its own. @param {import("node:test").TestContext} t @param {() => void} [script] runs first in each page */
async function visit(t, script) {
  const site = await gate(msci.base, t);
  const context = watched(await chromium.newContext());
  atEnd(t, () => context.close());
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  await go(page, `${site.base}/`);
  return { site, context, page, id: () => cookieId(context, site.base) };
}

/** @param {Page} page */
const delivered = (page) => until(async () => (await status(page)).queued === 0, "everything is acknowledged");
/** In the order of their numbers: times are corrected by request. @param {string} id */
const stored = async (id) => (await events(msci, id)).sort((a, b) => +a.slice(1) - +b.slice(1));
/** Signals that arrived, by identity. @param {import("../support/gate.mjs").Gate} site */
const identities = (site) => new Set(site.signals().map(({ cookieId, stream, seq }) => `${cookieId}:${stream}:${seq}`));

/** Rows that wait in a page's IndexedDB. @param {Page} page @returns {Promise<number>} */
const rows = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opened = indexedDB.open("_msci");
        opened.onerror = reject;
        opened.onsuccess = () => {
          const counted = opened.result.transaction("signals").objectStore("signals").count();
          counted.onsuccess = () => {
            opened.result.close();
            resolve(counted.result);
          };
        };
      }),
  );

test("F24 F36 what a browser had when it was killed arrives once at its next visit, under the cookie it was made under", async (t) => {
  const site = await gate(msci.base, t);
  const browser = await resident(t);
  site.otherwise = DOWN;
  const page = await browser.context.newPage();
  await go(page, `${site.base}/`);
  await track(page, names(25));
  const id = (await status(page)).cookieId;
  assert.equal((await status(page)).queued, 26);
  await browser.kill9();
  const tried = identities(site);
  site.otherwise = "pass";
  site.arrived.length = 0;
  await browser.start();
  watched(browser.context);
  const next = await browser.context.newPage();
  await go(next, `${site.base}/next`);
  await delivered(next);
  // Young cookies do not survive a crash; whose the signals are does not hang on that.
  const now = (await status(next)).cookieId;
  assert.deepEqual(await stored(id), names(25));
  assert.equal(site.signals().length, 27);
  assert.ok([...tried].every((identity) => identities(site).has(identity)), "under the names they had");
  if (now !== id) assert.deepEqual(await stored(now), [], "nothing is joined by anything but the cookie");
  assert.equal(await rows(next), 0);
});

test("B5 F26 what a tab had when it crashed is sent by the next page of the site, once, and before its own", async (t) => {
  const { site, context, page, id } = await visit(t);
  await delivered(page);
  site.otherwise = DOWN;
  await track(page, names(5));
  const crashed = page.waitForEvent("crash");
  page.goto("chrome://crash").catch(() => {});
  await crashed;
  site.otherwise = "pass";
  site.arrived.length = 0;
  const next = await context.newPage();
  await go(next, `${site.base}/next`);
  await track(next, ["e6"]);
  await delivered(next);
  assert.deepEqual(site.signals().flatMap(({ name }) => name ?? []), names(6));
  assert.deepEqual(site.signals().slice(0, 5).map(({ seq }) => seq), [2, 3, 4, 5, 6]);
  assert.deepEqual(await stored(await id()), names(6));
  assert.equal(await rows(next), 0);
});

test("F26 a tab that is open already takes over when the network is back", async (t) => {
  const { site, context, page, id } = await visit(t);
  const other = await context.newPage();
  await go(other, `${site.base}/other`);
  for (const tab of [page, other]) await delivered(tab);
  site.otherwise = DOWN;
  await track(page, names(5));
  const crashed = page.waitForEvent("crash");
  page.goto("chrome://crash").catch(() => {});
  await crashed;
  await page.close();
  site.otherwise = "pass";
  await context.setOffline(true);
  await context.setOffline(false);
  await until(async () => (await stored(await id())).length === 5, "the other tab has sent them");
});

test("F25 a tab that is closed leaves nothing behind that does not arrive, once", async (t) => {
  const { site, context, page, id } = await visit(t);
  await delivered(page);
  await track(page, names(3));
  await page.close();
  const next = await context.newPage();
  await go(next, `${site.base}/next`);
  await delivered(next);
  await until(async () => (await stored(await id())).length >= 3, "they are there");
  assert.deepEqual(await stored(await id()), names(3));
  assert.equal(await rows(next), 0);
});

test("F25 a page that is frozen with signals under way, and comes back, sends them again, and they are there once", async (t) => {
  const { site, page, id } = await visit(t);
  await delivered(page);
  await page.evaluate(() => void (/** @type {any} */ (window).mark = "the same page"));
  site.otherwise = "silent";
  site.arrived.length = 0;
  await track(page, names(3));
  await page.goto(`${site.base}/other`);
  await until(() => site.signals().filter(({ name }) => name).length >= 3, "the last flush arrived");
  // The page in between has found what the frozen one left: its requests hang too.
  await status(page);
  site.otherwise = "pass";
  await page.goBack({ waitUntil: "commit" });
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).mark), "the same page");
  await track(page, names(2, 4));
  await call(page, "flush");
  assert.deepEqual(await stored(await id()), names(5));
});

/** Storage that fails in each page, from the start: what it is, what breaks it, and where the rows go instead. @type {[string, () => void, string][]} */
const BROKEN = [
  [
    "IndexedDB is full",
    () => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    },
    "localStorage",
  ],
  [
    "all storage is full",
    () => {
      const full = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      IDBObjectStore.prototype.put = full;
      Storage.prototype.setItem = full;
    },
    "memory",
  ],
  [
    "IndexedDB is gone",
    () => {
      Object.defineProperty(window, "indexedDB", { value: undefined });
    },
    "localStorage",
  ],
  [
    "IndexedDB never answers",
    () => {
      IDBFactory.prototype.open = () => /** @type {any} */ ({});
    },
    "localStorage",
  ],
  [
    "every access to storage throws",
    () => {
      for (const name of ["indexedDB", "localStorage", "sessionStorage"]) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException("forbidden", "SecurityError");
          },
        });
      }
      Object.defineProperty(navigator, "locks", {
        value: {
          request() {
            throw new DOMException("forbidden", "SecurityError");
          },
        },
      });
    },
    "memory",
  ],
];
for (const [what, script, store] of BROKEN) {
  test(`F34 where ${what}, the page has no error, rows go to the next store, and signals arrive`, async (t) => {
    const { site, context, page, id } = await visit(t, script);
    await track(page, names(3));
    assert.equal((await status(page)).store, store);
    await delivered(page);
    assert.deepEqual(await stored(await id()), names(3));
    // What is in the next store survives a crash as well.
    if (store === "memory") return;
    site.otherwise = DOWN;
    await track(page, names(3, 4));
    const crashed = page.waitForEvent("crash");
    page.goto("chrome://crash").catch(() => {});
    await crashed;
    site.otherwise = "pass";
    const next = await context.newPage();
    await go(next, `${site.base}/next`);
    await until(async () => (await stored(await id())).length === 6, "they arrived");
    await delivered(next);
    const left = await next.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("_msci:")));
    assert.deepEqual(left, []);
  });
}

test("F34 where the origin's quota is used up, rows wait in localStorage, and go to IndexedDB again later", async (t) => {
  const site = await gate(msci.base, t);
  const context = watched(await chromium.newContext());
  atEnd(t, () => context.close());
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.base, quotaSize: 1 });
  await go(page, `${site.base}/`);
  await track(page, names(3));
  assert.equal((await status(page)).store, "localStorage");
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.base });
  await track(page, ["e4"]);
  assert.equal((await status(page)).store, "indexedDB");
  await delivered(page);
  assert.deepEqual(await stored(await cookieId(context, site.base)), names(4));
});

test("F34 a database of another version, or without our table, is one that is not there", async (t) => {
  for (const version of [1, 7]) {
    const { site, page, id } = await visit(t);
    await delivered(page);
    await page.goto("about:blank");
    site.pages["/bare"] = "";
    await page.goto(`${site.base}/bare`);
    await page.evaluate(
      (version) =>
        new Promise((resolve, reject) => {
          indexedDB.deleteDatabase("_msci");
          const opened = indexedDB.open("_msci", version);
          opened.onupgradeneeded = () => {};
          opened.onerror = reject;
          opened.onsuccess = () => resolve(opened.result.close());
        }),
      version,
    );
    await go(page, `${site.base}/next`);
    await track(page, names(2));
    assert.equal((await status(page)).store, "localStorage");
    await delivered(page);
    assert.deepEqual(await stored(await id()), names(2));
  }
});

test("F34 a database whose files are damaged does no harm, and is there again", async (t) => {
  const site = await gate(msci.base, t);
  const browser = await resident(t);
  const page = await browser.context.newPage();
  await go(page, `${site.base}/`);
  await track(page, ["e1"]);
  await delivered(page);
  await browser.kill9();
  const databases = join(browser.folder, "Default/IndexedDB");
  const files = readdirSync(databases, { recursive: true, encoding: "utf8" }).filter((file) => /\.(log|ldb)$|MANIFEST|CURRENT/.test(file));
  assert.ok(files.length > 0, "there is a database");
  for (const file of files) writeFileSync(join(databases, file), "not a database any more");
  await browser.start();
  watched(browser.context);
  const next = await browser.context.newPage();
  await go(next, `${site.base}/next`);
  await track(next, ["e2"]);
  await delivered(next);
  assert.equal((await stored((await status(next)).cookieId)).at(-1), "e2");
  assert.equal((await status(next)).store, "indexedDB");
});

test("F35 where cookies are blocked each page is a stranger for its own time, says so, and is not listed", async (t) => {
  const site = await gate(msci.base, t);
  const browser = await resident(t, { preferences: { profile: { default_content_setting_values: { cookies: 2 } } } });
  watched(browser.context);
  const page = await browser.context.newPage();
  const ids = new Set();
  for (const path of ["/one", "/two", "/three"]) {
    await go(page, site.base + path);
    const denied = await page.evaluate(() => {
      try {
        return void localStorage;
      } catch (error) {
        return [navigator.cookieEnabled, /** @type {Error} */ (error).name, document.cookie];
      }
    });
    assert.deepEqual(denied, [true, "SecurityError", ""]);
    await track(page, names(2));
    await delivered(page);
    const { cookieId, store } = await status(page);
    assert.equal(store, "memory");
    ids.add(cookieId);
    assert.deepEqual(await stored(cookieId), names(2));
  }
  assert.equal(ids.size, 3);
  assert.ok(site.arrived.every(({ batch }) => batch.ephemeral === true));
  await until(async () => {
    const { body } = await msci.admin("GET", "/customers?kind=unknown&top=100");
    const listed = body.customers.flatMap((/** @type {any} */ customer) => customer.cookieIds);
    assert.ok(!listed.some((/** @type {string} */ id) => ids.has(id)));
    return true;
  }, "the list is there");
});

test("F36 a cookie that is deleted in the middle of a visit: what the page says stays with the visitor, who keeps the name", async (t) => {
  const { site, context, page, id } = await visit(t);
  await track(page, ["e1"]);
  await delivered(page);
  const first = await id();
  await context.clearCookies();
  await track(page, ["e2"]);
  await delivered(page);
  assert.equal(await id(), first, "the answer names it again");
  await track(page, ["e3"]);
  await context.clearCookies();
  await go(page, `${site.base}/next`);
  await delivered(page);
  assert.deepEqual(await stored(first), names(3));
});

test("F36 a cookie that is deleted between two visits: what is left arrives at the old profile, the new one is another's", async (t) => {
  const { site, context, page, id } = await visit(t);
  await delivered(page);
  const first = await id();
  site.otherwise = DOWN;
  await track(page, names(2));
  // Nothing is on its way that could bring the cookie back.
  await until(async () => (await status(page)).transport === "retrying", "the edge asks for time");
  await page.goto("about:blank");
  await context.clearCookies();
  site.otherwise = "pass";
  await go(page, `${site.base}/next`);
  await track(page, ["e3"]);
  await delivered(page);
  const second = await id();
  assert.notEqual(second, first);
  assert.deepEqual([await stored(first), await stored(second)], [names(2), ["e3"]]);
});

test("F36 a cookie that another tab changes: what is queued keeps its own, the next page has the new one", async (t) => {
  const { site, context, page, id } = await visit(t);
  await delivered(page);
  const first = await id();
  site.otherwise = DOWN;
  await track(page, ["e1"]);
  const other = randomUUID();
  await context.addCookies([{ name: "_msci", value: other, url: site.base, sameSite: "Lax" }]);
  await track(page, ["e2"]);
  site.otherwise = "pass";
  await go(page, `${site.base}/next`);
  await track(page, ["e3"]);
  await delivered(page);
  assert.equal(await id(), other);
  assert.deepEqual([await stored(first), await stored(other)], [names(2), ["e3"]]);
});

test("no page of this file had an error", () => assert.deepEqual(faults, []));
