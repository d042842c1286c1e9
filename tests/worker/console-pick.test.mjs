// @ts-check
// The page that elements are picked on: a stranger's, sandboxed by its own headers, whoever opens it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { system } from "../support/system.mjs";

test("what the site's page says of frames, cookies and policies gives way, and nobody's cookies go along", async (t) => {
  /** @type {import("node:http").IncomingHttpHeaders[]} */
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.headers);
    if (request.url === "/gone") return void response.writeHead(404, { "content-type": "text/html" }).end("<h1>gone</h1>");
    if (request.url === "/image") return void response.setHeader("content-type", "image/png").end("x");
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "x-frame-options": "DENY",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cross-origin-opener-policy": "same-origin",
      "set-cookie": "session=1",
      refresh: "0; url=/elsewhere",
      etag: '"1"',
    });
    response.end('<!doctype html><html><head><title>x</title><link rel="stylesheet" href="style.css"><script src="/_msci/msci.js"></script></head><body><h1>Shop</h1></body></html>');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => (server.closeAllConnections(), server.close()));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const msci = await system(t, { origin: `http://127.0.0.1:${port}` });
  const link = async (/** @type {string} */ uri) => {
    const { status, body } = await msci.admin("POST", "/preview", { uri, pick: true });
    assert.equal(status, 200, JSON.stringify(body));
    return body.url.slice(msci.base.length);
  };
  const path = await link("/a/b?c=\"d'");
  const cookies = { _msci: "3f43317e-d1ef-4cd3-9917-2d3342111d1a", session: "mine" };
  for (let time = 0; time < 2; time++) {
    const { status, headers, body } = await msci.fetch(path, { cookies, headers: { accept: "text/html" } });
    assert.equal(status, 200);
    assert.equal(headers.get("content-security-policy"), `sandbox allow-scripts; frame-ancestors ${msci.base}`);
    assert.deepEqual(["x-frame-options", "cross-origin-opener-policy", "set-cookie", "refresh", "etag"].filter((name) => headers.has(name)), []);
    assert.equal(headers.get("cache-control"), "private, no-store");
    assert.ok(body.startsWith(`<!doctype html><html><head><base href="${msci.base}/a/b?c=%22d%27">`), body);
    assert.ok(body.includes(`<script src="/_msci/preview/pick.js" data-to="${msci.base}"></script>`));
    assert.ok(!body.includes('src="/_msci/msci.js"'), "nothing is tracked");
  }
  assert.deepEqual(asked.filter(({ cookie }) => cookie), []);
  assert.equal((await msci.fetch("/_msci/preview/pick.js")).headers.get("content-type"), "text/javascript; charset=utf-8");
  for (const nothing of ["/gone", "/image"]) {
    const answer = await msci.fetch(await link(nothing));
    assert.deepEqual([answer.status, answer.body.error.code], [404, "no_page"]);
  }
  for (const uri of ["javascript:alert(1)", "data:text/html,x", "x".repeat(3000)]) assert.equal((await msci.admin("POST", "/preview", { uri, pick: true })).status, 400);
  assert.equal((await msci.fetch(`${path.slice(0, -3)}abc`)).status, 410);
});
