// @ts-check
// What is not rewritten is the site's own, to the byte, also where an experience covers all of the site, where the
// tracking script is put into its pages, and in a preview: each answer is compared with the site's, asked the same way.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { EDGE } from "../../tools/serve.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

/** @typedef {Record<string, string>} Headers */

const HTML = "text/html; charset=utf-8";
const DATE = "Mon, 01 Jan 2024 00:00:00 GMT";
const page = (/** @type {string} */ title) => `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1>${"<p>word</p>".repeat(200)}</body></html>`;
const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const DOCUMENT = Buffer.from(Array.from({ length: 40_000 }, (_, i) => (i * 31) % 251));
/** Files of the site, whose parts and newer versions it is asked for. @type {Record<string, [string, string | Buffer]>} */
const FILES = {
  "/shop/": [HTML, page("Shop")],
  "/shop/file.pdf": ["application/pdf", DOCUMENT],
  "/shop/stock.json": ["application/json", JSON.stringify(Array.from({ length: 300 }, (_, i) => ({ i })))],
  "/shop/pixel.png": ["image/png", PIXEL],
};
/** Answers that are no page to be rewritten. @type {Record<string, [number, Headers, string | Buffer]>} */
const OTHER = {
  "/missing": [404, { "content-type": HTML, etag: '"m"', "cache-control": "public, max-age=60" }, page("own 404")],
  "/broken": [500, { "content-type": HTML, "x-own": "1" }, page("own 500")],
  "/moved": [302, { location: "/elsewhere", "content-type": HTML }, page("moved")],
  "/refused": [403, { "content-type": HTML, "set-cookie": "own=1; Path=/" }, page("own 403")],
};
/** Pages that arrive packed. @type {Record<string, [string, Buffer]>} */
const PACKED = {
  "/packed/gzip": ["gzip", gzipSync(page("gzip"), { level: 1 })],
  "/packed/gzip-best": ["gzip", gzipSync(page("gzip"), { level: 9 })],
  "/packed/br": ["br", brotliCompressSync(page("br"))],
  "/packed/two": ["gzip", Buffer.concat([gzipSync(page("first")), gzipSync("<p>second")])],
};

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
/** @type {import("node:http").Server} */
let site;
let siteBase = "";
/** The edge Worker itself: what stands before it here packs anew what is not packed as the browser likes best. */
let edge = "";
/** Of the last request that reached the site. @type {import("node:http").IncomingHttpHeaders} */
let reached = {};
/** Of somebody who is known to be there. @type {Record<string, string>} */
let cookies = {};

/** Answers piece by piece what it is told, as it comes. @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
function echo(request, response) {
  const type = request.headers["content-type"] ?? "text/plain";
  response.writeHead(request.method === "POST" ? 201 : 200, { "content-type": type, "x-method": request.method ?? "" });
  response.flushHeaders();
  request.on("data", (piece) => response.write(piece)).on("end", () => response.end());
}

/** As a server of files would answer (RFC 9110). @type {import("node:http").RequestListener} */
function files(request, response) {
  const path = request.url ?? "";
  reached = request.headers;
  if (path.startsWith("/any/")) return void echo(request, response);
  const other = OTHER[path];
  if (other) return void response.writeHead(other[0], other[1]).end(other[2]);
  const packed = PACKED[path];
  if (packed) return void response.writeHead(200, { "content-type": HTML, "content-encoding": packed[0] }).end(packed[1]);
  const [type, body] = FILES[path] ?? ["text/plain", "nothing here"];
  const validators = { etag: `"${type}-${body.length}"`, "last-modified": DATE };
  const { "if-none-match": match, "if-modified-since": since, range } = request.headers;
  if (match ? match === validators.etag : since === DATE) return void response.writeHead(304, validators).end();
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const bytes = Buffer.from(body);
  if (first === undefined) {
    response.writeHead(200, { ...validators, "content-type": type, "content-length": bytes.length, "accept-ranges": "bytes" }).end(bytes);
    return;
  }
  const part = bytes.subarray(Number(first), Number(last) + 1);
  const said = { "content-type": type, "content-length": part.length, "content-range": `bytes ${first}-${last}/${bytes.length}` };
  response.writeHead(206, { ...validators, ...said }).end(part);
}

before(async () => {
  site = createServer(files).listen(0, "127.0.0.1");
  await once(site, "listening");
  siteBase = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (site.address()).port}`;
  msci = await faultySystem(undefined, { origin: siteBase, beside: [] });
  edge = (await msci.miniflare().unsafeGetDirectURL(EDGE)).origin;
  const own = browser();
  await msci.admin("PUT", "/segments/viewers", { filter: "UnifiedActivity/any(a: a/ActivityType eq 'View')" });
  await msci.admin("PUT", "/experiences/all", {
    audience: "IsMemberOfSegment('viewers')",
    pages: ["*"],
    changes: [{ selector: "h1", action: "setText", value: "yours" }],
  });
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
  const told = await msci.collect(own.batch(own.view("/")));
  cookies = { _msci: own.cookieId, ...told.cookies };
  await until(async () => (await get("/shop/", NAVIGATION)).includes("<h1>yours</h1>"), "pages are personal");
});
after(async () => {
  await msci.stop();
  site.closeAllConnections();
  site.close();
});

/** What browsers and tools send with a request. @type {Headers} */
const NAVIGATION = { accept: "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate" };
const SCRIPT = { accept: "*/*", "sec-fetch-dest": "empty", "sec-fetch-mode": "cors" };
const TOOL = { accept: "*/*" };
const AXIOS = { accept: "application/json, text/plain, */*" };
const IMAGE = { accept: "image/avif,image/webp,*/*;q=0.8", "sec-fetch-dest": "image" };

/**
 * The answer as it is on the wire, without what hangs on the connection.
 * @param {string} base @param {string} path @param {Headers} headers @param {string} [method] @param {Buffer} [body]
 * @returns {Promise<{ status: number | undefined, headers: Record<string, unknown>, body: Buffer }>}
 */
async function raw(base, path, headers, method = "GET", body) {
  /** @type {import("node:http").IncomingMessage} */
  const answer = await new Promise((resolve, reject) => {
    const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join("; ");
    ask(base + path, { method, headers: { cookie, ...headers }, agent: false }, resolve).on("error", reject).end(body);
  });
  const parts = [];
  for await (const part of answer) parts.push(part);
  const { date: _, connection: __, "keep-alive": ___, "transfer-encoding": ____, ...told } = answer.headers;
  return { status: answer.statusCode, headers: told, body: Buffer.concat(parts) };
}

/** @param {string} path @param {Headers} headers */
const get = async (path, headers) => (await raw(msci.base, path, headers)).body.toString();

/** The Worker's answer is the site's. @param {string} path @param {Headers} headers */
async function untouched(path, headers, method = "GET") {
  const own = await raw(siteBase, path, headers, method);
  reached = {};
  const got = await raw(msci.base, path, headers, method);
  for (const name of ["range", "if-none-match", "if-modified-since"]) assert.equal(reached[name], headers[name], `${name} of ${path}`);
  assert.deepEqual(got, own, `${method} ${path} ${JSON.stringify(headers)}`);
  return got;
}

/** Ways in which every page of the site is another one. @type {[string, () => Promise<() => Promise<void>>][]} */
const WAYS = [
  ["an experience covers everything", async () => async () => {}],
  ["the tracking script is put into pages", async () => {
    await msci.admin("PUT", "/settings", { injectScript: true });
    await until(async () => (await get("/shop/", NAVIGATION)).includes("/_msci/msci.js"), "it is");
    return async () => {
      await msci.admin("PUT", "/settings", { injectScript: false });
      await until(async () => !(await get("/shop/", NAVIGATION)).includes("/_msci/msci.js"), "it is no more");
    };
  }],
  ["a preview runs", async () => {
    const link = await msci.admin("POST", "/preview", { persona: { name: "Zoe", segments: ["viewers"] }, uri: "/shop/" });
    const opened = await msci.fetch(new URL(link.body.url).pathname);
    const before = cookies;
    cookies = { ...cookies, ...opened.cookies };
    assert.ok((await get("/shop/", NAVIGATION)).includes("Preview as"));
    return async () => void (cookies = before);
  }],
];

for (const [where, begin] of WAYS) {
  test(`E3 where ${where}, parts, conditions and HEAD are answered by the site, and what is no page passes as it is`, async () => {
    const end = await begin();
    try {
      for (const path of Object.keys(FILES)) {
        const etag = `"${FILES[path]?.[0]}-${FILES[path]?.[1].length}"`;
        // A part is never rewritten, whoever asks for it.
        for (const asker of [NAVIGATION, SCRIPT, TOOL, AXIOS, IMAGE, {}]) {
          assert.equal((await untouched(path, { ...asker, range: "bytes=10-59" })).status, 206);
          assert.equal((await untouched(path, { ...asker, range: "bytes=10-59", "if-range": etag })).status, 206);
          assert.equal((await untouched(path, asker, "HEAD")).status, 200);
        }
        for (const asker of [SCRIPT, TOOL, AXIOS, IMAGE, {}]) {
          assert.equal((await untouched(path, { ...asker, "if-none-match": etag })).status, 304);
          assert.equal((await untouched(path, { ...asker, "if-modified-since": DATE })).status, 304);
        }
        // Scripts take pieces of pages, and pages of data.
        for (const asker of [SCRIPT, AXIOS, IMAGE]) assert.equal((await untouched(path, asker)).status, 200);
        if (!path.endsWith("/")) for (const asker of [NAVIGATION, TOOL, {}]) assert.equal((await untouched(path, asker)).status, 200);
      }
      for (const path of Object.keys(OTHER)) for (const asker of [NAVIGATION, SCRIPT, TOOL, {}]) await untouched(path, asker);
      // A copy that the browser has is of the site's own page.
      const { status, headers, body } = await raw(msci.base, "/shop/", { ...NAVIGATION, "if-none-match": `"${HTML}-${page("Shop").length}"` });
      assert.deepEqual([status, headers["last-modified"], body.includes("<h1>yours</h1>")], [200, undefined, true]);
      assert.ok((await get("/shop/", TOOL)).includes("<h1>yours</h1>"), "tools may see the page as well");
    } finally {
      await end();
    }
  });
}

test("E3 a visitor to whom nothing applies has their copy of the page confirmed", async () => {
  const before = cookies;
  cookies = {};
  try {
    assert.equal((await untouched("/shop/", { ...NAVIGATION, "if-none-match": `"${HTML}-${page("Shop").length}"` })).status, 304);
  } finally {
    cookies = before;
  }
});

test("E5 what is no page does not wait for the profile", async () => {
  // Longer than anybody waits.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 600_000 });
  const headers = { ...TOOL, cookie: `_msci=${cookies["_msci"]}` };
  const json = () => fetch(`${msci.base}/shop/stock.json`, { headers, signal: AbortSignal.timeout(20_000) });
  await msci.under([{ on: "kv.get", does: "hold" }, { on: "stub", match: "read", does: "hold" }], async () => {
    assert.equal(await (await json()).text(), FILES["/shop/stock.json"]?.[1]);
    assert.ok((await msci.told()).held > 0, "the profile was on its way");
  });
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
});

for (const [where, begin] of WAYS.slice(0, 2)) {
  test(`E3 where ${where}, every method and its body reach the site, and its answer comes back`, async () => {
    const end = await begin();
    try {
      const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 17) % 256));
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"]) {
        for (const type of ["application/octet-stream", HTML]) {
          const headers = { ...NAVIGATION, "content-type": type, "content-length": String(body.length) };
          const own = await raw(siteBase, "/any/thing", headers, method, body);
          assert.deepEqual([own.headers["x-method"], own.body.equals(body)], [method, true]);
          const got = await raw(msci.base, "/any/thing", headers, method, body);
          assert.deepEqual(got, own, `${method} of ${type}`);
        }
        // And without one.
        assert.deepEqual(await raw(msci.base, "/any/", NAVIGATION, method), await raw(siteBase, "/any/", NAVIGATION, method), method);
      }
    } finally {
      await end();
    }
  });
}

test("E3 a body that is still being sent reaches the site in pieces, and so does the answer come back", async () => {
  const asked = ask(`${msci.base}/any/stream`, { method: "POST", headers: { "content-type": "text/plain" }, agent: false });
  asked.write("the first half, ");
  // Nobody has ended the request: what is answered now was streamed on both ways.
  const [answer] = /** @type {[import("node:http").IncomingMessage]} */ (await once(asked, "response"));
  let text = "";
  answer.setEncoding("utf8").on("data", (piece) => (text += piece));
  await until(() => text === "the first half, ", "the first half is back");
  asked.end("the second half");
  await once(answer, "end");
  assert.equal(text, "the first half, the second half");
});

test("E1 pages that arrive packed go on as the bytes they are, where nothing applies to them", async () => {
  const before = cookies;
  cookies = {};
  try {
    for (const [path, [coding, bytes]] of Object.entries(PACKED)) {
      for (const accepted of ["gzip, deflate, br, zstd", "gzip", "br", coding]) {
        const headers = { ...NAVIGATION, "accept-encoding": accepted };
        const got = await raw(edge, path, headers);
        assert.equal(got.headers["content-encoding"], coding, `${path} for ${accepted}`);
        assert.ok(got.body.equals(bytes), `${path} for ${accepted}: ${got.body.length} bytes of ${bytes.length}`);
      }
    }
  } finally {
    cookies = before;
  }
});

test("E1 a page that arrives packed is unpacked to be rewritten, and packed again in the same way", async () => {
  for (const [path, [coding]] of Object.entries(PACKED).slice(0, 3)) {
    const { status, headers, body } = await raw(edge, path, { ...NAVIGATION, "accept-encoding": "gzip, br" });
    assert.deepEqual([status, headers["content-encoding"], headers["content-length"]], [200, coding, undefined], path);
    const text = (coding === "gzip" ? gunzipSync(body) : brotliDecompressSync(body)).toString();
    const own = page(coding).replace(`<h1>${coding}</h1>`, "<h1>yours</h1>").replace("</head>", '<meta name="msci-x" content="all:treated"></head>');
    assert.equal(text, own, path);
  }
});
