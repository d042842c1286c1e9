// @ts-check
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { faultySystem } from "../support/faults/system.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("node:http").Server} */
let origin;
/** Lets the page that stalls go on. */
let release = () => {};
/** Name of an element of the page that has all kinds of them. */
let heading = "H1";

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
  "/sized": [200, { "content-type": "application/json", "content-length": "7" }, '{"a":1}'],
  "/ranged": [206, { "content-type": "text/html", "content-range": "bytes 0-3/9" }, "<p>h"],
  "/guarded": [200, { "content-type": "text/html", "content-security-policy": "script-src 'nonce-r4nd0m' 'strict-dynamic'", etag: '"g"' }, "<head><title>x</title></head><body><p>x</p>"],
  "/styled": [200, { "content-type": "text/html", "content-security-policy": "style-src 'nonce-styles'; script-src-attr 'nonce-attributes'; script-src 'self' 'nonce-scripts'" }, "<p>x</p>"],
  "/elements": [200, { "content-type": "text/html", "content-security-policy": "script-src 'nonce-all'; script-src-elem 'nonce-elements'" }, "<p>x</p>"],
  "/defaults": [200, { "content-type": "text/html", "content-security-policy": "style-src 'nonce-styles'; default-src 'nonce-defaults'" }, "<p>x</p>"],
  "/styles-only": [200, { "content-type": "text/html", "content-security-policy": "style-src 'nonce-styles'" }, "<p>x</p>"],
  "/several": [200, { "content-type": "text/html", "content-security-policy": "style-src 'nonce-styles'; script-src 'self', script-src 'nonce-second'" }, "<p>x</p>"],
  "/reported": [200, { "content-type": "text/html", "content-security-policy": "img-src 'self'", "content-security-policy-report-only": "script-src 'nonce-reported'" }, "<p>x</p>"],
  "/strict": [200, { "content-type": "text/html", "content-security-policy": "script-src 'self'" }, "<title>x</title><body class=a><p>x</p>"],
  "/bare": [200, { "content-type": "text/html" }, "<p>no head, no body"],
};
/** Elements of all kinds of names, some of which find themselves by more than one selector. */
const KINDS =
  "<title>x</title><body><H1 ID=hero>a</H1><div class='card five'>b</div><P CLASS=card>c</P><my-card class='card'>d</my-card>" +
  "<svg><linearGradient class=drawn /><foreignObject class=drawn><b class=drawn>e</b></foreignObject></svg><o:p class=odd>f</o:p>" +
  "<i class=five>g</i><u class=five>h</u><s class=five>i</s><em class=five>j</em><a data-x='a b' href=k>k</a><q class=late>l</q><h6 id=hero>m</h6>";

before(async () => {
  origin = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    if (path === "/stalls") {
      response.writeHead(200, { "content-type": "text/html" }).write("<h1>first part</h1>");
      release = () => response.end("<p>second part");
      return;
    }
    if (path === "/echo") {
      response.writeHead(200, { "content-type": "text/plain" });
      request.pipe(response);
      return;
    }
    if (path.startsWith("/kinds/")) {
      response.writeHead(200, { "content-type": "text/html", ...(path === "/kinds/known" && { etag: `"${heading}"` }) });
      return void response.end(KINDS.replaceAll("H1", heading));
    }
    const [status, headers, body] = SITE[path] ?? [200, { "content-type": "text/plain" }, request.url ?? ""];
    response.writeHead(status, headers).end(body);
  }).listen(0, "127.0.0.1");
  // Answers one short masked message with the same one, unmasked.
  origin.on("upgrade", ({ headers }, socket) => {
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.on("error", () => {}).once("data", (frame) => {
      const length = (frame[1] ?? 0) & 127;
      const text = frame.subarray(6, 6 + length).map((/** @type {number} */ byte, /** @type {number} */ i) => byte ^ (frame[2 + (i % 4)] ?? 0));
      socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
    });
  });
  await once(origin, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
  // No page goes without its profile because this machine is busy.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
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

test("E3 HEAD, ranges and conditions are answered by the site", async () => {
  const head = await fetch(`${msci.base}/sized`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "7", ""]);
  const ranged = await msci.fetch("/ranged", { headers: { accept: "text/html", range: "bytes=0-3" } });
  assert.deepEqual([ranged.status, ranged.headers.get("content-range"), ranged.body], [206, "bytes 0-3/9", "<p>h"]);
});

test("E3 a page that stalls arrives as far as it has come, personal or not", async () => {
  for (const personal of [false, true]) {
    if (personal) await msci.admin("PUT", "/experiences/first", { pages: ["/stalls"], changes: [{ selector: "h1", action: "append", value: "!" }] });
    /** @type {import("node:http").IncomingMessage} */
    const answer = await new Promise((resolve, reject) => {
      ask(`${msci.base}/stalls`, { headers: { accept: "text/html" } }, resolve).on("error", reject).end();
    });
    let text = "";
    answer.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    await until(() => text.includes(personal ? "first part!</h1>" : "first part</h1>"), "the first part is there");
    assert.ok(!text.includes("second"));
    release();
    await once(answer, "end");
    assert.ok(text.includes("<p>second part"));
  }
  await msci.admin("DELETE", "/experiences/first");
});

test("a WebSocket of the site's works through the Worker", async () => {
  const key = Buffer.from("sixteen bytes...").toString("base64");
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": key, "sec-websocket-version": "13" };
  const socket = await new Promise((resolve, reject) => {
    ask(`${msci.base}/chat`, { headers }, reject).on("upgrade", (_, socket) => resolve(socket)).on("error", reject).end();
  });
  const mask = Buffer.from([1, 2, 3, 4]);
  const text = Buffer.from("a word").map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, text]));
  const [frame] = await once(socket, "data");
  assert.equal(frame.subarray(2).toString(), "a word");
  socket.destroy();
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

test("E5 a profile that does not come in time costs the page nothing but what is personal, and the setting says what is in time", async () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  const faulty = await faultySystem(undefined, { origin: `http://127.0.0.1:${port}` });
  try {
    await faulty.admin("PUT", "/segments/viewers", { filter: "UnifiedActivity/any(a: a/ActivityType eq 'View')" });
    await faulty.admin("PUT", "/experiences/bold", { audience: "IsMemberOfSegment('viewers')", pages: ["/"], changes: [{ selector: "b", action: "setText", value: "yours" }] });
    const own = browser();
    const { cookies } = await faulty.collect(own.batch(own.view("/")));
    const page = () => faulty.fetch("/", { cookies: { _msci: own.cookieId, ...cookies }, headers: { accept: "text/html" } });
    await until(async () => (await page()).body.includes("<b>yours</b>"), "the page is personal");
    /** @type {import("../support/faults/plan.mjs").Rule[]} */
    const held = [{ on: "kv.get", does: "hold" }, { on: "stub", match: "read", does: "hold" }];
    for (const rules of [held.slice(0, 1), held]) {
      await faulty.under(rules, async () => {
        const plain = await page();
        assert.equal(plain.status, 200);
        assert.equal(plain.body, BROKEN);
        assert.notEqual(plain.headers.get("cache-control"), "private, no-store");
        assert.ok((await faulty.told()).held > 0, "the profile is still on its way");
      });
    }
    // The same slowness, under a setting that has patience with it; the script on another page shows that it holds.
    await faulty.admin("PUT", "/settings", { profileDeadlineMs: 30_000, injectScript: true });
    await until(async () => (await faulty.fetch("/bare", { headers: { accept: "text/html" } })).body.includes("msci.js"), "the setting holds");
    let out = false;
    await faulty.under(held, async () => {
      const waiting = page().finally(() => (out = true));
      const begun = Date.now();
      await until(async () => (await faulty.told()).held > 0 && Date.now() > begun + 4 * 75, "the profile is on its way for longer than the page waited before");
      assert.ok(!out, "the page waits for it");
      await faulty.faults();
      assert.ok((await waiting).body.includes("<b>yours</b>"));
    });
  } finally {
    await faulty.stop();
  }
});

test("E6 the tracking script is put into every page with the page's own nonce, the same for everybody", async () => {
  await msci.admin("PUT", "/settings", { injectScript: true });
  const TAG = '<script src="/_msci/msci.js" data-ingestion-key="local" async';
  const page = async (/** @type {string} */ path, /** @type {Record<string, string>} */ more = {}) => {
    const answer = await msci.fetch(path, { headers: { accept: "text/html", ...more } });
    assert.equal(answer.headers.get("content-security-policy"), SITE[path]?.[1]["content-security-policy"] ?? null, "no policy is loosened");
    return answer;
  };
  await until(async () => (await page("/guarded")).body.includes(TAG), "the setting holds");
  const guarded = await page("/guarded");
  assert.ok(guarded.body.includes(`<title>x</title>${TAG} nonce="r4nd0m"></script></head>`), guarded.body);
  assert.equal(guarded.headers.get("etag"), 'W/"g"', "no longer the bytes that a strong validator names");
  const nonces = { "/styled": "scripts", "/elements": "elements", "/defaults": "defaults", "/several": "second", "/reported": "reported" };
  for (const [path, nonce] of Object.entries(nonces)) {
    assert.equal((await page(path)).body, `<p>x</p>${TAG} nonce="${nonce}"></script>`, path);
  }
  assert.equal((await page("/styles-only")).body, `<p>x</p>${TAG}></script>`, "a nonce for styles lets no script run");
  assert.equal((await page("/strict")).body, `<title>x</title><body class=a>${TAG}></script><p>x</p>`);
  assert.equal((await page("/bare")).body, `<p>no head, no body${TAG}></script>`);
  for (const path of ["/missing", "/data", "/moved"]) assert.ok(!String((await page(path)).body).includes("msci.js"), path);
  // Who refuses gets the same page: it is one for all, and the script itself refuses.
  assert.equal((await page("/strict", { "sec-gpc": "1" })).body, (await page("/strict")).body);
  await msci.admin("PUT", "/settings", { injectScript: false });
  await until(async () => !(await page("/strict")).body.includes(TAG), "the setting is taken back");
});

test("what goes into the head finds its place, also in a page whose head nobody closes", async () => {
  await msci.admin("PUT", "/experiences/all", { pages: ["/guarded", "/strict", "/bare"], changes: [{ selector: "p", action: "setAttribute", name: "class", value: "mine" }] });
  const MARKER = '<meta name="msci-x" content="all:treated">';
  // Twice: a page that is known by its validator goes another way.
  for (let i = 0; i < 2; i++) {
    const page = async (/** @type {string} */ path) => (await msci.fetch(path, { headers: { accept: "text/html" } })).body;
    assert.equal(await page("/guarded"), `<head><title>x</title>${MARKER}</head><body><p class="mine">x</p>`);
    assert.equal(await page("/strict"), `<title>x</title><body class=a>${MARKER}<p class="mine">x</p>`);
    assert.equal(await page("/bare"), `<p class="mine">no head, no body${MARKER}`);
  }
  await msci.admin("DELETE", "/experiences/all");
});

test("a page that is known gets its changes as it did when it was not", async () => {
  const selectors = ["#hero", ".card", ".drawn", ".odd", ".five", ".none", "[data-x='a b']", "[data-x]", "svg .drawn", "p.card", "#hero, .card", ".none, .late"];
  const changes = selectors.map((selector, n) => ({ selector, action: "setAttribute", name: `data-${n}`, value: "mine" }));
  changes.push({ selector: "#hero", action: "setText", value: "once more", name: "" });
  const put = (/** @type {string} */ name, /** @type {unknown[]} */ changes) => msci.admin("PUT", `/experiences/${name}`, { pages: ["/kinds/*"], changes });
  const page = async (/** @type {string} */ path) => (await msci.fetch(`/kinds/${path}`, { headers: { accept: "text/html" } })).body;
  const same = async (/** @type {string} */ what) => {
    // Of a page without a validator nothing is known.
    const unknown = await page("unknown");
    for (let i = 0; i < 4; i++) assert.equal(await page("known"), unknown, `${what}, time ${i}`);
    return unknown;
  };
  assert.equal((await put("kinds", changes.map(({ name, ...rest }) => ({ ...rest, ...(name && { name }) })))).status, 200);
  await until(async () => (await page("unknown")).includes("once more"), "the experience holds");
  assert.equal((await same("as it was")).match(/data-\d+="mine"/g)?.length, 26);
  heading = "H2";
  assert.match(await same("other bytes"), /<H2 ID=hero data-0="mine" data-10="mine">once more<\/H2>/i);
  // What nobody looked for when the page was seen first.
  await put("later", [{ selector: ".late", action: "setText", value: "found" }, { selector: ".never", action: "remove" }]);
  await until(async () => (await page("unknown")).includes("found"), "another experience holds");
  await same("another experience");
  // What was learned while others of its changes took the elements away.
  heading = "H3";
  await put("kinds", [{ selector: "body", action: "setText", value: "gone" }]);
  await until(async () => (await page("unknown")).includes("gone"), "everything is taken away");
  await same("taken away");
  await msci.admin("DELETE", "/experiences/kinds");
  await until(async () => !(await page("unknown")).includes("gone"), "nothing is taken away");
  assert.ok((await same("given back")).includes("found"));
  await msci.admin("DELETE", "/experiences/later");
});
