// @ts-check
// What a personal page of 100 KB takes, side by side in one run and on one workerd: ours, the least that this
// runtime can do (a JavaScript Worker that reads one value of KV and makes one constant replacement with
// HTMLRewriter), and GrowthBook's edge Worker making the same change. All of them answer the same page.
import { existsSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { must, root } from "../../tools/lib.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const ROUNDS = Number(process.env.MSCI_ROUNDS ?? 1000);
/** Pages before anything is measured: by then what the compilers of JavaScript and WebAssembly find hot is compiled. */
const WARM = 1000;
const BURSTS = 6;
const BURST = 300;
const CLIENTS = 16;
const CHANGED = "The Aurora is waiting for you.";
const FOLDER = join(root, "tests/bench/edge");
const PEERS = join(root, "tests/bench/peers");

/** A visual experiment that everybody is in, as GrowthBook's editor makes it. */
const EXPERIMENT = {
  key: "hero",
  seed: "hero",
  hashAttribute: "id",
  hashVersion: 2,
  status: "running",
  weights: [0, 1],
  coverage: 1,
  urlPatterns: [{ include: true, type: "simple", pattern: "/*" }],
  meta: [{ key: "0" }, { key: "1" }],
  variations: [{}, { css: "", js: "", domMutations: [{ selector: "#hero", action: "set", attribute: "html", value: CHANGED }] }],
};

/**
 * In another order each time: who comes behind the longest page finds the caches cold, and its garbage.
 * @template T
 * @param {T[]} items
 */
const shuffled = (items) =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

/** @param {number[]} values @param {number} [share] */
const quantile = (values, share = 0.5) => [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;

async function growthbook() {
  if (!existsSync(join(PEERS, "node_modules/@growthbook"))) await must("npm", ["ci", "--ignore-scripts"], { cwd: PEERS });
  const { outputFiles } = await build({
    entryPoints: [join(PEERS, "edge-cloudflare.js")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

const worker = (/** @type {string} */ name) => ({
  name,
  compatibilityDate: "2026-04-01",
  unsafeDirectSockets: [{}],
});

const msci = await system(undefined, {
  site: join(FOLDER, "origin.mjs"),
  beside: [
    { ...worker("bare"), modules: true, scriptPath: join(FOLDER, "bare.mjs"), kvNamespaces: ["VALUES"], serviceBindings: { SITE: "site" } },
    {
      ...worker("growthbook"),
      modules: [{ type: "ESModule", path: "index.mjs", contents: await growthbook() }],
      outboundService: "site",
      kvNamespaces: ["KV_GB_PAYLOAD"],
      bindings: {
        PROXY_TARGET: "http://site.example",
        GROWTHBOOK_API_HOST: "http://site.example",
        GROWTHBOOK_CLIENT_KEY: "key",
        // At the edge alone: nothing of it is for the browser to do or to download.
        RUN_VISUAL_EDITOR_EXPERIMENTS: "edge",
        DISABLE_INJECTIONS: "1",
      },
    },
  ],
});
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
try {
  await msci.admin("PUT", "/segments/visitors", { filter: "UnifiedActivity/any(a: a/ActivityType eq 'View')" });
  await msci.admin("PUT", "/experiences/hero", {
    audience: "IsMemberOfSegment('visitors')",
    pages: ["/*"],
    changes: [{ selector: "#hero", action: "setText", value: CHANGED }],
  });
  const visitor = browser();
  await msci.collect(visitor.batch(visitor.view("/")));
  const put = async (/** @type {string} */ namespace, /** @type {string} */ of, /** @type {string} */ key, /** @type {string} */ value) =>
    /** @type {any} */ (await msci.miniflare().getKVNamespace(namespace, of)).put(key, value);
  await put("VALUES", "bare", "visitor", "1");
  await put("KV_GB_PAYLOAD", "growthbook", "gb_payload", JSON.stringify({ features: {}, experiments: [EXPERIMENT] }));

  const subjects = await Promise.all(
    ["msci", "bare", "growthbook"].map(async (name) => ({
      name,
      base: (await msci.miniflare().unsafeGetDirectURL(name)).origin,
      cookie: name === "msci" ? `_msci=${visitor.cookieId}` : "gbuuid=visitor",
      /** @type {number[]} */ times: [],
      /** @type {number[]} */ unnamed: [],
      /** @type {number[]} */ crowded: [],
      /** @type {number[]} */ rates: [],
    })),
  );
  /** @param {{ base: string, cookie: string }} subject @param {string} [path] @returns {Promise<string>} */
  const get = ({ base, cookie }, path = "/") =>
    new Promise((resolve, reject) => {
      const asked = request(base + path, { agent, headers: { accept: "text/html", cookie } }, (answer) => {
        let text = "";
        answer.setEncoding("latin1").on("data", (chunk) => (text += chunk)).on("end", () => resolve(text)).on("error", reject);
      });
      asked.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
        // A connection that nobody used for seconds is closed from the other side, perhaps at this moment.
        if (asked.reusedSocket && error.code === "ECONNRESET") resolve(get({ base, cookie }, path));
        else reject(new Error(`${base} did not answer`, { cause: error }));
      });
      asked.end();
    });
  for (const subject of subjects) {
    await until(async () => (await get(subject)).includes(CHANGED), `${subject.name} makes the change`, 15_000);
  }
  for (let i = 0; i < WARM; i++) for (const subject of subjects) await get(subject);

  /**
   * Each once, in an order by chance.
   * @param {typeof subjects} of
   * @param {"times" | "unnamed" | "crowded"} times
   * @param {string} [path]
   */
  const round = async (of, times, path) => {
    for (const subject of shuffled(of)) {
      const begun = performance.now();
      const page = await get(subject, path);
      subject[times].push(performance.now() - begun);
      if (page.length < 100_000 - 100 || !page.includes(CHANGED)) throw new Error(`${subject.name} did not make the change`);
    }
  };
  const [ours, bare, peer] = subjects;
  if (!ours || !bare || !peer) throw new Error("nothing is measured");
  for (let i = 0; i < ROUNDS; i++) await round([ours, bare], "times");
  // A page that no strong validator names is read along each time, for what the rewriter could not follow.
  for (let i = 0; i < WARM; i++) for (const subject of [ours, bare]) await get(subject, "/unnamed");
  for (let i = 0; i < ROUNDS; i++) await round([ours, bare], "unnamed", "/unnamed");
  // What comes behind a page that takes several milliseconds of JavaScript finds none of its code in the caches.
  for (let i = 0; i < ROUNDS; i++) await round(subjects, "crowded");
  for (let i = 0; i < BURSTS; i++) {
    for (const subject of shuffled(subjects)) {
      const begun = performance.now();
      let left = BURST;
      await Promise.all(Array.from({ length: CLIENTS }, async () => {
        while (left-- > 0) await get(subject);
      }));
      subject.rates.push((BURST / (performance.now() - begun)) * 1000);
    }
  }

  console.log(`${`a page of 100 KB, ${ROUNDS} in turn`.padEnd(44)}${"median ms".padStart(11)}${"p95 ms".padStart(11)}${`pages/s, ${CLIENTS} clients`.padStart(22)}`);
  for (const { name, crowded, rates } of subjects) {
    console.log(name.padEnd(44) + quantile(crowded).toFixed(2).padStart(11) + quantile(crowded, 0.95).toFixed(2).padStart(11) + quantile(rates).toFixed(0).padStart(22));
  }
  const ratio = (/** @type {"times" | "unnamed" | "crowded"} */ times) => (quantile(ours[times]) / quantile(bare[times])).toFixed(2);
  console.log(`time, ours / bare, in turn (limit 1.10): ${ratio("times")}; with GrowthBook between them: ${ratio("crowded")}`);
  console.log(`time, ours / bare, of a page without a validator, in turn: ${ratio("unnamed")}`);
  console.log(`throughput, ours / GrowthBook (goal 5.0): ${(quantile(ours.rates) / quantile(peer.rates)).toFixed(2)}`);
} finally {
  agent.destroy();
  await msci.stop();
}
