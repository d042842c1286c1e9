// @ts-check
// Personal pages behind caches that others share: not a byte of one visitor's content reaches another.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { cachingProxy } from "../support/caching-proxy.mjs";
import { chance } from "../support/chance.mjs";
import { imports } from "../support/jobs.mjs";
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

/** Headers that speak to one kind of shared cache each, past `Cache-Control`; nobody else lets these pages be kept. */
const TARGETED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];
for (const name of TARGETED) SAID[`/${name}`] = { [name]: name.startsWith("x-") ? "600" : "max-age=600" };
/** Pages that no cache keeps, so that who asks is always who is answered. */
const OWN = ["/silent", "/own", ...TARGETED.map((name) => `/${name}`)];

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
  await msci.admin("PUT", "/tables/Members", { primaryKey: "MemberId", columns: { Perk: "string" } });
  // What a page says is part of these tests, how fast a busy machine is, is not.
  await msci.admin("PUT", "/settings", { trackingTable: "Members", profileDeadlineMs: 10_000 });
  await msci.admin("PUT", "/segments/named", { filter: "FullName ne null" });
  await msci.admin("PUT", "/segments/members", { filter: "Perk ne null" });
  await msci.admin("PUT", "/experiences/greeting", {
    audience: "IsMemberOfSegment('named')",
    pages: Object.keys(SAID),
    holdout: 0.3,
    changes: [{ selector: "h1", action: "setText", value: "Hello {{ FullName }}" }],
  });
  await msci.admin("PUT", "/experiences/perk", {
    audience: "IsMemberOfSegment('members')",
    pages: Object.keys(SAID),
    changes: [{ selector: "p", action: "after", value: "<i>{{ Perk }}</i>" }],
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

/** @typedef {{ name: string, perk: string | undefined, cookies: Record<string, string>, body: string }} Visitor */

/** Every third signs in, and has what only members have. @param {number} n @returns {Promise<Visitor>} */
async function visitor(n) {
  const own = browser();
  const name = `Visitor-${n}-${own.cookieId.slice(0, 8)}`;
  const perk = n % 3 === 0 ? `Perk-${n}-${own.cookieId.slice(-8)}` : undefined;
  if (perk) await imports(msci, "Members", [{ MemberId: name, Perk: perk }]);
  const told = await msci.collect(own.batch(own.view("/"), own.user(perk && name, { name })), { cookies: { _msci: own.cookieId } });
  /** @type {Record<string, string>} */
  const cookies = { _msci: own.cookieId, ...told.cookies };
  assert.equal(Boolean(cookies["__Host-msci_p"]), Boolean(perk), "members have a proof");
  const body = await until(async () => {
    // As it is without a cache.
    const { body } = await msci.fetch("/silent", { cookies, headers: { accept: "text/html" } });
    return body.includes("greeting:") && (!perk || body.includes(perk)) && body;
  }, `${name} is known`);
  return { name, perk, cookies, body };
}

test("E4 ten thousand requests of strangers, unknown visitors, customers and those held out, through a shared cache: nobody sees another's page or gets another's cookie", async () => {
  const luck = chance(44);
  const visitors = await Promise.all(Array.from({ length: VISITORS }, (_, n) => visitor(n)));
  const held = visitors.filter(({ body }) => body.includes("greeting:holdout"));
  assert.ok(held.length >= 3 && held.length <= VISITORS - 10, `${held.length} are held out`);
  assert.ok(held.some(({ perk }) => perk) && held.some(({ perk }) => !perk));
  /** Who got a cookie with this value. @type {Map<string, unknown>} */
  const owners = new Map(visitors.flatMap((who) => Object.values(who.cookies).map((value) => [value, who])));
  const paths = [...Object.keys(SAID), ...Object.keys(SAID).map((path) => `/plain${path}`)];
  const counts = { personal: 0, members: 0, cookies: 0, strangers: 0 };
  const work = Array.from({ length: REQUESTS }, () => ({ path: luck.pick(paths), who: luck.happens(0.7) ? luck.pick(visitors) : undefined }));
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one = work.pop(); one; one = work.pop()) {
      const { path, who } = one;
      const { status, body, headers, cookies } = await get(path, who?.cookies);
      assert.equal(status, 200);
      const plain = page(path.replace(/^\/plain/, ""));
      const own = who && !path.startsWith("/plain") ? who.body.replaceAll("/silent", path) : plain;
      if (OWN.includes(path) || body !== plain) assert.equal(body, own, path);
      if (body !== plain) {
        counts.personal += 1;
        if (who?.perk) counts.members += 1;
        assert.equal(headers.get("cache-control"), "private, no-store");
        for (const name of ["etag", "last-modified", "expires", ...TARGETED]) assert.equal(headers.get(name), null, name);
      }
      for (const [name, value] of Object.entries(cookies)) {
        counts.cookies += 1;
        if (!who) counts.strangers += 1;
        if (name === "_msci" && who) assert.equal(value, who.cookies["_msci"], path);
        // A stranger is somebody else each time.
        /** @type {unknown} */
        const owner = owners.get(value) ?? who ?? one;
        assert.equal(owner, who ?? one, `${name} of ${path}`);
        owners.set(value, owner);
      }
    }
  }));
  assert.ok(cache.counts.hits > 1_000, `the cache did answer: ${cache.counts.hits} times`);
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 500, `${count} ${what}`);
});

test("E4 a page that shared caches may keep carries no cookie: two new visitors have two cookieIds", async () => {
  for (const path of ["/plain/public", "/plain/shared", "/plain/expires", "/plain/vary", ...TARGETED.map((name) => `/plain/${name}`)]) {
    for (let i = 0; i < 2; i++) assert.equal((await get(path)).cookies._msci, undefined, path);
  }
  const [one, two] = [await get("/plain/silent"), await get("/plain/silent")];
  assert.ok(one.cookies._msci && two.cookies._msci);
  assert.notEqual(one.cookies._msci, two.cookies._msci);
  assert.match(one.headers.get("cache-control") ?? "", /private/);
});

test("E4 two new visitors to one public page out of the cache have two cookieIds, and the page gives neither to the other", async () => {
  const hits = cache.counts.hits;
  const ids = [];
  for (let i = 0; i < 2; i++) {
    const first = await get("/plain/public");
    assert.deepEqual([first.status, first.cookies], [200, {}]);
    // The script on the page makes the id, and the edge's own answer, which nobody keeps, sets it.
    const own = browser();
    const told = await answer(`${msci.base}/_msci/collect`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: msci.ingestionKey, sentAt: Date.now(), ...own.batch(own.view("/plain/public")) }),
    });
    assert.equal(told.cookies["_msci"], own.cookieId);
    assert.match(told.headers.get("cache-control") ?? "", /no-store/);
    assert.deepEqual((await get("/plain/public", told.cookies)).cookies, {});
    const next = await get("/plain/silent", told.cookies);
    ids.push(next.cookies["_msci"]);
    assert.equal(ids[i], own.cookieId);
  }
  assert.notEqual(ids[0], ids[1]);
  assert.ok(cache.counts.hits > hits, "the second one's page came out of the cache");
});
