// @ts-check
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("node:http").Server} */
let origin;

const BROKEN = "<p>un<b>closed</b> <i>markup</p>\u0000 & <select><style>x</style></select> <!-- \xff";
/** @type {Record<string, [number, Record<string, string>, string | Buffer]>} */
const SITE = {
  "/": [200, { "content-type": "text/html", etag: '"1"' }, BROKEN],
  "/latin": [200, { "content-type": "text/html; charset=iso-8859-1" }, Buffer.from([0x3c, 0x70, 0x3e, 0xe9])],
  "/zipped": [200, { "content-type": "text/html", "content-encoding": "gzip" }, gzipSync(BROKEN)],
  "/missing": [404, { "content-type": "text/html" }, "<h1>own 404</h1>"],
  "/broken": [500, { "content-type": "text/html", "x-own": "1" }, "<h1>own 500</h1>"],
  "/moved": [302, { location: "/elsewhere" }, ""],
  "/data": [200, { "content-type": "application/json" }, '{"a":1}'],
};

before(async () => {
  origin = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    if (path === "/echo") {
      response.writeHead(200, { "content-type": "text/plain" });
      request.pipe(response);
      return;
    }
    const [status, headers, body] = SITE[path] ?? [200, { "content-type": "text/plain" }, request.url ?? ""];
    response.writeHead(status, headers).end(body);
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
});
after(async () => {
  await msci.stop();
  origin.closeAllConnections();
  origin.close();
});

test("E1 without an experience the site's bytes pass through unchanged", async () => {
  for (const path of ["/", "/latin", "/zipped", "/data"]) {
    const answer = await fetch(msci.base + path, { headers: { accept: "text/html" } });
    const expected = path === "/zipped" ? Buffer.from(BROKEN) : Buffer.from(SITE[path]?.[2] ?? "");
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), expected, path);
  }
});

test("E3 status, headers and redirects of the site are its own", async () => {
  for (const path of ["/missing", "/broken", "/moved", "/data"]) {
    const [status, headers] = SITE[path] ?? [0, {}];
    const answer = await msci.fetch(path, { headers: { accept: "text/html" } });
    assert.equal(answer.status, status);
    for (const [name, value] of Object.entries(headers)) assert.equal(answer.headers.get(name), value);
  }
});

test("queries, methods and bodies reach the site as they are", async () => {
  const query = await msci.fetch("/any?x=%20%2F&y=é");
  assert.equal(query.body, "/any?x=%20%2F&y=%C3%A9");
  const body = "x".repeat(300_000);
  const echoed = await msci.fetch("/echo", { method: "PUT", body });
  assert.equal(echoed.body, body);
});

test("an experience changes its element and nothing else", async () => {
  await msci.admin("PUT", "/experiences/title", {
    pages: ["/"],
    changes: [{ selector: "b", action: "setText", value: "changed" }],
  });
  const answer = await msci.fetch("/", { headers: { accept: "text/html" } });
  const marked = BROKEN.replace("<b>closed</b>", "<b>changed</b>");
  assert.equal(answer.body, marked);
  const other = await msci.fetch("/latin", { headers: { accept: "text/html" } });
  assert.equal(other.headers.get("cache-control"), "private");
  await msci.admin("DELETE", "/experiences/title");
});

test("an edit that cannot be made leaves the page whole", async () => {
  const put = await msci.admin("PUT", "/experiences/odd", {
    pages: ["/"],
    changes: [
      { selector: "p:nth-child(x)", action: "remove" },
      { selector: "p[=]", action: "remove" },
      { selector: "i", action: "setAttribute", name: "-", value: "x" },
      { selector: "select", action: "setHtml", value: "<option>x" },
      { selector: "b", action: "append", value: "!" },
    ],
  });
  assert.equal(put.status, 200);
  const answer = await msci.fetch("/", { headers: { accept: "text/html" } });
  assert.equal(answer.status, 200);
  assert.ok(answer.body.includes("<b>closed!</b>"));
  assert.ok(answer.body.endsWith(BROKEN.slice(BROKEN.indexOf("<style>"))), "the rest is there");
  await msci.admin("DELETE", "/experiences/odd");
});

test("a site that does not answer: a page of ours for documents, nothing for the rest", async () => {
  const dead = await system(undefined, { origin: "http://127.0.0.1:9" });
  try {
    const page = await dead.fetch("/", { headers: { accept: "text/html" } });
    assert.equal(page.status, 502);
    assert.match(page.body, /does not answer/);
    const image = await dead.fetch("/x.png", { headers: { accept: "image/*", "sec-fetch-dest": "image" } });
    assert.deepEqual([image.status, image.body], [502, ""]);
    assert.equal((await dead.fetch("/_msci/health")).status, 200);
  } finally {
    await dead.stop();
  }
});
