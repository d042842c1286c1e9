// @ts-check
// Personal pages behind caches that others share: not a byte of one visitor's content reaches another.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { cachingProxy } from "../support/caching-proxy.mjs";
import { chance } from "../support/chance.mjs";
import { browser } from "../support/signals.mjs";
import { answer, system, until } from "../support/system.mjs";

const VISITORS = 40;
const REQUESTS = 10_000;
const page = (/** @type {string} */ path) => `<!doctype html><html><head><title>${path}</title></head><body><h1>Hello</h1><p>${path}</p></body></html>`;
/** What a site says of its pages, by path; each of them would let a shared cache keep it, but for the last two. */
const SAID = /** @type {Record<string, Record<string, string>>} */ ({
  "/public": { "cache-control": "public, max-age=600", etag: '"p1"' },
  "/shared": { "cache-control": "max-age=0, s-maxage=600", etag: '"p2"' },
  "/old": { "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT", etag: '"p3"' },
  "/expires": { expires: "Fri, 01 Jan 2100 00:00:00 GMT", "cdn-cache-control": "max-age=600", "surrogate-control": "max-age=600" },
  "/vary": { "cache-control": "public, max-age=600", vary: "Accept-Encoding", etag: 'W/"p4"' },
  "/silent": {},
  "/own": { "cache-control": "private, max-age=60" },
});

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("node:http").Server} */
let origin;
/** @type {Awaited<ReturnType<typeof cachingProxy>>} */
let cache;

before(async () => {
  origin = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^\/plain/, "");
    const said = SAID[path] ?? {};
    if (said.etag && request.headers["if-none-match"] === said.etag) response.writeHead(304, said).end();
    else response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...said }).end(page(path));
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
  cache = await cachingProxy(msci.base);
  await msci.admin("PUT", "/segments/named", { filter: "FullName ne null" });
  await msci.admin("PUT", "/experiences/greeting", {
    audience: "IsMemberOfSegment('named')",
    pages: Object.keys(SAID),
    changes: [{ selector: "h1", action: "setText", value: "Hello {{ FullName }}" }],
  });
});
after(async () => {
  cache?.close();
  await msci.stop();
  origin.closeAllConnections();
  origin.close();
});

/** @param {string} path @param {Record<string, string>} [cookies] */
const get = (path, cookies) => answer(cache.base + path, { cookies, headers: { accept: "text/html" } });

test("E4 ten thousand requests of mixed visitors through a shared cache: nobody sees another's page", async () => {
  const luck = chance(44);
  const visitors = await Promise.all(Array.from({ length: VISITORS }, async (_, n) => {
    const own = browser();
    const name = `Visitor-${n}-${own.cookieId.slice(0, 8)}`;
    const told = await msci.collect(own.batch(own.view("/"), own.user(undefined, { name })));
    return { name, cookies: { _msci: own.cookieId, ...told.cookies } };
  }));
  for (const { name, cookies } of visitors) await until(async () => (await get("/silent", cookies)).body.includes(name), `${name} is greeted`);
  const names = /Visitor-\d+-[0-9a-f]{8}/g;
  const paths = [...Object.keys(SAID), ...Object.keys(SAID).map((path) => `/plain${path}`)];
  let personal = 0;
  const work = Array.from({ length: REQUESTS }, () => ({ path: luck.pick(paths), who: luck.happens(0.7) ? luck.pick(visitors) : undefined }));
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one = work.pop(); one; one = work.pop()) {
      const { path, who } = one;
      const { status, body, headers } = await get(path, who?.cookies);
      assert.equal(status, 200);
      const found = [...new Set(body.match(names) ?? [])];
      assert.deepEqual(found, found.length > 0 ? [who?.name] : [], path);
      if (path.startsWith("/plain")) assert.equal(found.length, 0, path);
      if (found.length > 0) {
        personal += 1;
        assert.equal(headers.get("cache-control"), "private, no-store");
        for (const name of ["etag", "last-modified", "expires", "cdn-cache-control", "surrogate-control"]) assert.equal(headers.get(name), null, name);
      }
    }
  }));
  assert.ok(cache.counts.hits > 1_000, `the cache did answer: ${cache.counts.hits} times`);
  assert.ok(personal > 1_000, `${personal} were personal`);
});

test("E4 a page that shared caches may keep carries no cookie: two new visitors have two cookieIds", async () => {
  for (const path of ["/plain/public", "/plain/shared", "/plain/expires", "/plain/vary"]) {
    for (let i = 0; i < 2; i++) assert.equal((await get(path)).cookies._msci, undefined, path);
  }
  const [one, two] = [await get("/plain/silent"), await get("/plain/silent")];
  assert.ok(one.cookies._msci && two.cookies._msci);
  assert.notEqual(one.cookies._msci, two.cookies._msci);
  assert.match(one.headers.get("cache-control") ?? "", /private/);
});
