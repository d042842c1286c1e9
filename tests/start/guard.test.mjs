// @ts-check
// The entries around the Rust half, in the real runtime, with bindings that panic on request.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";
import { root } from "../../tools/lib.mjs";
import { until } from "../support/system.mjs";

/** (module (func (export "trap") unreachable)) */
const TRAP = Buffer.from("0061736d0100000001040160000003020100070801047472617000000a05010300000b", "hex");
const FLIGHT = 200;

const folder = mkdtempSync(join(tmpdir(), "msci-guard-"));
/** @type {string} */
let base;
/** How often the site was. */
let asked = 0;
/** @type {(() => Promise<void>) | undefined} */
let stop;

/** @param {string} name @param {string} className of the objects that the fake calls */
const worker = (name, className) => ({
  name,
  modules: /** @type {const} */ (true),
  scriptPath: join(folder, `${name}.js`),
  modulesRoot: folder,
  modulesRules: [
    { type: /** @type {const} */ ("ESModule"), include: ["**/*.js"] },
    { type: /** @type {const} */ ("CompiledWasm"), include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
  durableObjects: { OBJECTS: { className, useSQLite: true } },
});

before(async () => {
  await build({
    entryPoints: ["edge", "console"].map((name) => join(root, `edge-worker/js/${name}.mjs`)),
    bundle: true,
    format: "esm",
    alias: { "msci:glue": join(root, "tests/support/fake-glue.mjs") },
    external: ["./trap.wasm"],
    outdir: folder,
    logLevel: "silent",
    tsconfigRaw: {},
  });
  writeFileSync(join(folder, "trap.wasm"), TRAP);
  const miniflare = new Miniflare({
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: () => {},
    durableObjectsPersist: join(folder, "objects"),
    workers: [
      {
        ...worker("edge", "ProfileObject"),
        kvNamespaces: ["SNAPSHOTS"],
        serviceBindings: {
          SITE: () => {
            asked += 1;
            return new Response("the site's own page", { headers: { "content-type": "text/html" } });
          },
        },
      },
      { ...worker("console", "JobObject"), routes: ["*/_msci/admin/*"] },
    ],
  });
  base = (await miniflare.ready).origin;
  stop = () => miniflare.dispose();
});
after(async () => {
  await stop?.();
  rmSync(folder, { recursive: true, force: true });
});

/** @param {string} path @param {RequestInit} [init] */
async function get(path, init) {
  const response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(15_000) });
  return { status: response.status, text: await response.text(), retry: response.headers.get("retry-after") };
}

/** @param {string} own below which the Worker answers */
const instance = async (own) => JSON.parse((await get(`${own}/alive`)).text).instance;

/** @param {{ status: number, text: string, retry: string | null }} answer */
function refused(answer) {
  assert.equal(answer.status, 503);
  assert.equal(answer.retry, "1");
  assert.equal(JSON.parse(answer.text).error.code, "unavailable");
}

for (const [own, more] of /** @type {[string, string[]][]} */ ([
  ["/_msci", ["/shop/hang", "/shop/late/hang", "/_msci/collect/hang"]],
  ["/_msci/admin", []],
])) {
  const paths = [...more, `${own}/hang`, `${own}/object/hang`];
  for (const end of ["/panic", "/trap", "/late-trap", "/object/panic", "/object/late-trap"].map((way) => own + way)) {
    test(`${FLIGHT} requests in flight are all answered when ${end} ends the instance`, async () => {
      const first = await instance(own);
      const flight = Array.from({ length: FLIGHT }, async (_, n) => {
        const path = paths[n % paths.length] ?? "";
        return { path, answer: await get(path) };
      });
      await until(async () => (await get(`${own}/waiting`)).text === String(FLIGHT), "all are in flight");
      refused(await get(end));
      for (const { path, answer } of await Promise.all(flight)) {
        if (path.startsWith("/_msci/")) refused(answer);
        else assert.deepEqual([answer.status, answer.text], [200, "the site's own page"]);
      }
      assert.ok((await instance(own)) > first, "the next request has a new instance");
      assert.equal((await get(`${own}/object/alive`)).status, 200, "the object was made again");
    });
  }
}

test("where the bindings begin a new instance by themselves, it serves the call, and those of the old one are answered", async () => {
  const waiting = get("/_msci/hang");
  await until(async () => (await get("/_msci/waiting")).text === "1", "one is in flight");
  assert.equal((await get("/_msci/reborn")).status, 200);
  refused(await waiting);
});

test("a console that ends takes nothing of the edge with it", async () => {
  const before = await instance("/_msci");
  refused(await get("/_msci/admin/panic"));
  assert.equal(await instance("/_msci"), before);
});

test("a request to the site that may have an effect reaches it once, whatever becomes of the Rust half", async () => {
  const before = asked;
  const answer = await get("/order/panic", { method: "POST", body: "one machine, please" });
  assert.deepEqual([answer.status, answer.text, asked - before], [200, "the site's own page", 1]);
});

for (const where of ["plan", "prepare", "decide", "ask", "answer"]) {
  test(`a page is the site's own, asked for once, where the Rust half fails to ${where}`, async () => {
    for (const way of ["panic", "trap", "throw"]) {
      const before = asked;
      const page = await get(`/shop/${where}/${way}`);
      assert.deepEqual([page.status, page.text, asked - before], [200, "the site's own page", 1], way);
    }
    assert.equal((await get("/shop/alive")).status, 200);
  });
}

test("a call that throws is an error of ours, and of the site's page nothing is seen", async () => {
  for (const path of ["/_msci/throw", "/_msci/admin/throw"]) {
    const own = await get(path);
    assert.equal(own.status, 500);
    assert.equal(JSON.parse(own.text).error.code, "internal");
  }
  const page = await get("/shop/throw");
  assert.deepEqual([page.status, page.text], [200, "the site's own page"]);
});

for (const own of ["/_msci", "/_msci/admin"]) {
  test(`an alarm of ${own} that panics runs again until it is done`, async () => {
    assert.equal((await get(`${own}/object/arm`)).status, 200);
    await until(async () => (await get(`${own}/object/alarms`)).text === "3", "the third alarm ran");
  });
}
