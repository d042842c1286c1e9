// @ts-check
// The built Workers in the local runtime, with everything they are bound to, on disk. What that is stands
// in the files `wrangler*.toml` of edge-worker and nowhere else.
import { randomUUID } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { root } from "./lib.mjs";
import { claimState } from "./state.mjs";

/**
 * @typedef {object} Options
 * @property {number} port 0: any free one
 * @property {string} state folder of the persistent state
 * @property {string} adminToken
 * @property {string} identitySecret
 * @property {string} ingestionKey
 * @property {string} [origin] URL of the site behind; without it, the demo shop is
 * @property {string} [site] file of another module Worker to stand behind, instead of the demo shop
 * @property {{ secret: string }} [outbox] the demo's stand-in for a mail provider, at `/outbox`, with the secret of its activation
 * @property {string} [adminHost]
 * @property {Record<string, string>} [vars] further variables of all Workers
 * @property {{ edge: Main, console: Main, api: Main }} [mains] main modules around the Workers' own
 * @property {import("miniflare").WorkerOptions[]} [beside] further Workers of the same runtime; then each, the edge too, has an
 *   address of its own (`miniflare.unsafeGetDirectURL`)
 * @property {(line: string) => void} [log] takes what the runtime prints; default: standard error
 *
 * @typedef {object} Main
 * @property {string} script
 * @property {string} scriptPath where it would stand: what it imports is relative to this
 * @property {string} modulesRoot
 * @property {import("miniflare").ModuleRule[]} modulesRules
 *
 * @typedef {object} System
 * @property {string} base URL, without a slash at the end
 * @property {import("node:child_process").ChildProcess} runtime
 * @property {Miniflare} miniflare the library's own handle: bindings, seen from outside
 * @property {() => Promise<void>} stop
 */

/** Names of the Workers; with a class's, one names the folder of that class's objects. */
export const EDGE = "msci";
export const CONSOLE = "msci-console";
export const API = "msci-api";
/** What the other two answer; everything else goes to the edge Worker. @param {string[]} parts */
const routes = (...parts) => parts.map((part) => `*/_msci/${part}/*`);
/** A remark of the runtime to its own makers: an alarm that was late, say. */
const REMARK = /^.* warning: NOSENTRY .*\n?/gm;
const DEMO = join(root, "examples/contoso-coffee/worker.mjs");
const OUTBOX = join(root, "examples/review-mail/outbox.mjs");

/**
 * Starts the system and resolves when it takes requests.
 * @param {Options} options
 * @returns {Promise<System>}
 */
export async function startSystem(options) {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let runtime;
  // The library keeps its child to itself; a test that pulls the plug needs it.
  const spawned = (/** @type {any} */ message) => (runtime ??= message.process);
  subscribe("child_process", spawned);
  // Held back until it runs: a start that fails is told in one sentence, not in the runtime's stack traces.
  let early = "";
  /** @type {(text: string) => void} */
  let print = (text) => {
    early += text;
  };
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: options.port,
    // No look-up of this machine's place in the world.
    cf: false,
    log: new Log(LogLevel.ERROR),
    /** @type {(...streams: import("node:stream").Readable[]) => void} */
    handleRuntimeStdio(...streams) {
      for (const stream of streams) stream.on("data", (chunk) => print(String(chunk).replace(REMARK, "")));
    },
    ...persisted(options.state),
    workers: [
      edgeWorker(options),
      consoleWorker(options),
      apiWorker(options),
      ...(options.origin ? [] : [site(options)]),
      ...(options.outbox ? [outbox(options.outbox)] : []),
      ...(options.beside ?? []),
    ],
  });
  try {
    const url = await miniflare.ready;
    if (!runtime) throw new Error("the runtime did not start");
    claimState(options.state, runtime.pid);
    await wake(miniflare, (warning) => print(`warning: ${warning}\n`));
    print = options.log ?? ((text) => process.stderr.write(text));
    if (early) print(early);
    return { base: url.origin, runtime, miniflare, stop: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose();
    const [, reason] = /dbErrorMessage[^=]*= ([^\n]+)/.exec(early) ?? /^(?:\*\*\* )?([^\n]+)/.exec(early) ?? [];
    throw reason ? new Error(reason) : error;
  } finally {
    unsubscribe("child_process", spawned);
  }
}

/**
 * Objects whose files were being written anew when the runtime was killed take their contents back when they are woken.
 * See edge-worker/src/storage/renewal.rs.
 * @param {Miniflare} miniflare
 * @param {(warning: string) => void} warn
 */
async function wake(miniflare, warn) {
  const snapshots = /** @type {any} */ (await miniflare.getKVNamespace("SNAPSHOTS", EDGE));
  const objects = /** @type {any} */ (await miniflare.getDurableObjectNamespace("PROFILE", EDGE));
  const prefix = "renewal:";
  for (const { name: key } of (await snapshots.list({ prefix })).keys) {
    const name = key.slice(prefix.length);
    const body = JSON.stringify({ name, n: 0, call: "wake" });
    const answer = await objects.get(objects.idFromName(name)).fetch("http://object/", { method: "POST", body });
    if (!answer.ok) warn(`the object ${name} does not take back what its file had: ${await answer.text()}`);
  }
}

/** Where everything is kept. @param {string} state */
export function persisted(state) {
  return {
    kvPersist: join(state, "kv"),
    d1Persist: join(state, "d1"),
    durableObjectsPersist: join(state, "objects"),
  };
}

/** @param {Options} options */
function edgeWorker({ origin, identitySecret, ingestionKey, vars, mains, beside }) {
  const { described, own } = built("wrangler.toml", EDGE, mains?.edge);
  return {
    ...described,
    ...own,
    ...(beside && { unsafeDirectSockets: [{}] }),
    bindings: {
      ...described.bindings,
      MSCI_IDENTITY_SECRET: identitySecret,
      MSCI_INGESTION_KEY: ingestionKey,
      MSCI_STORAGE: "local",
      ...(origin && { MSCI_ORIGIN: origin }),
      ...vars,
    },
    serviceBindings: { ...described.serviceBindings, ...(!origin && { SITE: "site" }) },
  };
}

/** @param {Options} options */
function consoleWorker({ adminToken, ingestionKey, adminHost, vars, mains }) {
  const { described, own } = built("wrangler.console.toml", CONSOLE, mains?.console);
  return {
    ...described,
    ...own,
    routes: [...routes("admin", "console"), "*/_msci/console"],
    bindings: {
      ...described.bindings,
      MSCI_ADMIN_TOKEN: adminToken,
      MSCI_INGESTION_KEY: ingestionKey,
      ...(adminHost && { MSCI_ADMIN_HOST: adminHost }),
      ...vars,
    },
  };
}

/** @param {Options} options */
function apiWorker({ adminToken, adminHost, vars, mains }) {
  const { described, own } = built("wrangler.api.toml", API, mains?.api);
  return {
    ...described,
    ...own,
    routes: routes("api"),
    bindings: {
      ...described.bindings,
      MSCI_ADMIN_TOKEN: adminToken,
      ...(adminHost && { MSCI_ADMIN_HOST: adminHost }),
      ...vars,
    },
  };
}

/**
 * A Worker as its file describes it, and the script of its own.
 * @param {string} file
 * @param {string} name
 * @param {Main} [main]
 */
function built(file, name, main) {
  const { workerOptions: described, main: script } = unstable_getMiniflareWorkerOptions(join(root, "edge-worker", file));
  if (!script || !existsSync(script)) throw new Error(`the Worker ${name} is not built: run \`npm run build\``);
  const modules = /** @type {const} */ (true);
  return { described, own: { name, modules, scriptPath: script, modulesRoot: dirname(script), ...main } };
}

/** @param {Options} options */
function site({ site = DEMO, identitySecret }) {
  return {
    name: "site",
    modules: true,
    scriptPath: site,
    modulesRoot: dirname(site),
    modulesRules: [
      { type: /** @type {const} */ ("ESModule"), include: ["**/*.mjs", "**/*.js"] },
      { type: /** @type {const} */ ("Text"), include: ["**/*.html", "**/*.css", "**/*.svg", "**/*.txt"] },
    ],
    compatibilityDate: "2026-04-01",
    bindings: { IDENTITY_SECRET: identitySecret, TABLE: "LoyaltySignUps" },
  };
}

/** What the demo's activation tells, and the mails that come of it. @param {{ secret: string }} options */
function outbox({ secret }) {
  // Whole, with the library of the relay.
  const built = buildSync({ entryPoints: [OUTBOX], bundle: true, format: "esm", mainFields: ["module", "main"], write: false });
  return {
    name: "outbox",
    modules: /** @type {const} */ (true),
    script: built.outputFiles[0]?.text ?? "",
    routes: ["*/outbox", "*/outbox/*"],
    compatibilityDate: "2026-04-01",
    bindings: { WEBHOOK_SECRET: secret, MAIL_KEY: randomUUID() },
  };
}
