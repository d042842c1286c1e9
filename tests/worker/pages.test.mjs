// @ts-check
// Real pages through the edge Worker: as they are where nothing applies to them, and whole where something does.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as ask } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { chance } from "../support/chance.mjs";
import { pages } from "../support/html.mjs";
import { system } from "../support/system.mjs";

const MB = 2 ** 20;
const PAGES = pages();
const CHANGE = '<i id="msci-change">changed</i>';
const MARKER = '<meta name="msci-x" content="change:treated">';
const CODINGS = /** @type {const} */ ([undefined, "gzip", "br"]);

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("node:http").Server} */
let origin;
const luck = chance(61);

/** A body in pieces of any length. @param {import("node:http").ServerResponse} response @param {Buffer} body */
function write(response, body) {
  for (let at = 0; at < body.length; ) {
    const piece = 1 + luck.below(luck.happens(0.5) ? 200 : 40_000);
    response.write(body.subarray(at, at + piece));
    at += piece;
  }
  response.end();
}

before(async () => {
  origin = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://origin");
    if (pathname.endsWith("/huge")) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      const piece = Buffer.from("<p>one of many paragraphs &amp; a <b>word</b></p>\n".repeat(1_000));
      for (let sent = 0; sent < 100 * MB; sent += piece.length) {
        if (!response.write(piece)) await once(response, "drain");
      }
      response.end();
      return;
    }
    const page = PAGES.get(pathname.replace(/^\/(changed|known)/, "")) ?? Buffer.from("");
    const coding = CODINGS[Number(searchParams.get("coding") ?? 0)];
    const headers = { "content-type": `text/html${searchParams.get("charset") ?? ""}`, "x-own": "1", ...(pathname.startsWith("/known/") && { etag: `"${pathname}"` }) };
    response.writeHead(200, { ...headers, ...(coding && { "content-encoding": coding }) });
    write(response, coding === "gzip" ? gzipSync(page) : coding === "br" ? brotliCompressSync(page) : page);
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
  await msci.admin("PUT", "/experiences/change", {
    pages: ["/changed/*"],
    changes: [{ selector: "body", action: "prepend", value: CHANGE }],
  });
  await msci.admin("PUT", "/experiences/known", {
    pages: ["/known/*"],
    changes: ["[id]", "[name]", "[title]", ".section", "#content", "a[href]"].map((selector, n) => ({ selector, action: "setAttribute", name: `data-${n}`, value: "" })),
  });
});
after(async () => {
  await msci.stop();
  origin.closeAllConnections();
  origin.close();
});

/** @param {string} path */
async function bytes(path) {
  const answer = await fetch(msci.base + path, { headers: { accept: "text/html" } });
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

/** In turn, a few at a time. @param {(path: string, n: number) => Promise<void>} work */
async function each(work) {
  const left = [...PAGES.keys()].entries();
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (const [n, path] of left) await work(path, n);
  }));
}

test("E1 two thousand real pages pass byte by byte, whatever their encoding and their pieces", async () => {
  assert.ok(PAGES.size >= 2_000, `${PAGES.size} pages`);
  const charsets = ["", "; charset=utf-8", "; charset=ISO-8859-1", ";charset=windows-1252", "; charset=UTF-16", "; charset=gb18030"];
  await each(async (path, n) => {
    const got = await bytes(`${path}?coding=${n % 3}&charset=${encodeURIComponent(charsets[n % charsets.length] ?? "")}`);
    assert.ok(got.equals(PAGES.get(path) ?? Buffer.of(1)), path);
  });
});

test("E9 each of two thousand real pages arrives complete with its one change", async () => {
  let changed = 0;
  await each(async (path, n) => {
    const got = (await bytes(`/changed${path}?coding=${n % 3}`)).toString("latin1");
    // What is ours is taken out again (some have two bodies); all else is to be as it was.
    const rest = got.replaceAll(CHANGE, "").replace(MARKER, "");
    assert.equal(rest, PAGES.get(path)?.toString("latin1"), path);
    if (!got.includes(CHANGE)) return;
    assert.ok(got.includes(MARKER), `${path} tells what it took`);
    changed += 1;
  });
  // Those with a body whose beginning is written down, and no markup before it that leaves the rewriter behind.
  const bodies = [...PAGES.values()].filter((page) => /<body[\s>]/i.test(page.toString("latin1"))).length;
  assert.ok(changed >= 0.97 * bodies, `${changed} of ${bodies}`);
});

test("E9 each of them is the same whether it is known by its validator or not", async () => {
  let changed = 0;
  await each(async (path, n) => {
    if (n % 2) return;
    const first = await bytes(`/known${path}`);
    assert.ok((await bytes(`/known${path}`)).equals(first), path);
    if (first.includes("data-")) changed += 1;
  });
  assert.ok(changed > 900, `${changed} pages`);
});

test("E9 pages in charsets that cannot be rewritten pass untouched", async () => {
  const [path, page] = [...PAGES.entries()][7] ?? ["", Buffer.of()];
  for (const charset of ["UTF-16", "utf-16le", "ISO-2022-JP", "gb18030", "shift_jis", "no-such-charset"]) {
    const answer = await fetch(`${msci.base}/changed${path}?charset=${encodeURIComponent(`; charset=${charset}`)}`, { headers: { accept: "text/html" } });
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(page), charset);
    assert.notEqual(answer.headers.get("cache-control"), "private, no-store", charset);
  }
});

for (const [what, path] of [["passes", "/huge"], ["is rewritten", "/changed/huge"]]) {
  test(`E1 a page of 100 MB ${what} in flat memory`, async () => {
    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${msci.runtime()}/status`, "utf8"))?.[1]) * 1024;
    await bytes("/1");
    const begun = memory();
    let most = 0;
    let received = 0;
    await new Promise((resolve, reject) => {
      ask(msci.base + path, { headers: { accept: "text/html" } }, (answer) => {
        answer.on("data", (chunk) => {
          received += chunk.length;
          most = Math.max(most, memory());
        });
        answer.on("end", resolve).on("error", reject);
      }).on("error", reject).end();
    });
    assert.ok(received >= 100 * MB, `${received} bytes`);
    assert.ok(most - begun < 40 * MB, `${((most - begun) / MB).toFixed(1)} MB more`);
  });
}
