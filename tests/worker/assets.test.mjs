// @ts-check
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { get } from "node:http";
import { after, before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { system } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/**
 * The bytes as they are on the wire: `fetch` would unpack them.
 * @param {string} path
 * @param {string} encoding
 * @returns {Promise<{ headers: import("node:http").IncomingHttpHeaders, bytes: Buffer }>}
 */
const wire = (path, encoding) =>
  new Promise((resolve, reject) => {
    get(msci.base + path, { headers: { "accept-encoding": encoding } }, (answer) => {
      /** @type {Buffer[]} */
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, bytes: Buffer.concat(parts) }));
    }).on("error", reject);
  });

test("hashed files are immutable, compressed as the browser likes, and as the manifest says", async () => {
  const { body: manifest } = await msci.fetch("/_msci/manifest.json");
  const files = Object.entries(manifest.files);
  assert.ok(files.length >= 2);
  for (const [name, file] of /** @type {[string, any][]} */ (files)) {
    const path = `/_msci/assets/${name}`;
    const raw = await wire(path, "identity");
    assert.match(raw.headers["cache-control"] ?? "", /immutable/);
    assert.equal(`sha384-${createHash("sha384").update(raw.bytes).digest("base64")}`, file.integrity);
    const br = await wire(path, "br");
    assert.equal(br.headers["content-encoding"], "br");
    assert.equal(br.bytes.length, file.brotli);
    assert.deepEqual(brotliDecompressSync(br.bytes), raw.bytes);
    const gz = await wire(path, "gzip");
    assert.deepEqual(gunzipSync(gz.bytes), raw.bytes);
  }
});

test("the entry carries the public settings and is kept for a minute at most", async () => {
  const entry = await msci.fetch("/_msci/msci.js");
  assert.match(entry.headers.get("content-type") ?? "", /javascript/);
  assert.equal(entry.headers.get("cache-control"), "public, max-age=60");
  assert.ok(entry.body.includes('"honourGpc":true'));
  assert.ok(!entry.body.includes("__MSCI_"));
});

test("what is not there is not found", async () => {
  for (const path of ["/_msci/assets/nope.js", "/_msci/assets/msci.js", "/_msci/nope", "/_msci/"]) {
    const answer = await msci.fetch(path);
    assert.deepEqual([answer.status, answer.body.error?.code], [404, "not_found"], path);
  }
});
