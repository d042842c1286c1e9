// @ts-check
// The built system for a test: a free port, a fresh state folder, and short ways to talk to it.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EDGE, startSystem } from "../../tools/serve.mjs";
import { openState } from "../../tools/state.mjs";
import { atEnd } from "./at-end.mjs";

export const ADMIN_TOKEN = "admin-token-of-the-tests";
export const IDENTITY_SECRET = "identity-secret-of-the-tests";
export const INGESTION_KEY = "local";

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {any} body parsed when it is JSON, text otherwise
 * @property {Record<string, string>} cookies those it sets, by name; an expired one is ""
 */

/**
 * Starts a system; with a test's context it ends with the test, and its state goes.
 * @param {{ after(work: () => unknown): void } | undefined} [test]
 * @param {Partial<import("../../tools/serve.mjs").Options>} [options]
 */
export async function system(test, options = {}) {
  const state = options.state ?? mkdtempSync(join(tmpdir(), "msci-test-"));
  /** @type {string[]} */
  const printed = [];
  const start = (/** @type {number} */ port) => {
    openState(state);
    return startSystem({
      adminToken: ADMIN_TOKEN,
      identitySecret: IDENTITY_SECRET,
      ingestionKey: INGESTION_KEY,
      log: (line) => printed.push(line),
      ...options,
      state,
      port,
    });
  };
  let running = await start(options.port ?? 0);
  const { base } = running;
  const port = Number(new URL(base).port);

  const self = {
    base,
    state,
    adminToken: options.adminToken ?? ADMIN_TOKEN,
    identitySecret: options.identitySecret ?? IDENTITY_SECRET,
    ingestionKey: options.ingestionKey ?? INGESTION_KEY,
    /** What the runtime printed so far; in it are the Workers' logs. */
    printed,

    async stop() {
      await running.stop();
      if (!options.state) rmSync(state, { recursive: true, force: true });
    },

    /** Ends it and starts it again, on the same port and state. */
    async restart() {
      await running.stop();
      running = await start(port);
    },

    /** The store of snapshots, seen from outside the Workers. */
    store: () => /** @type {Promise<any>} */ (running.miniflare.getKVNamespace("SNAPSHOTS", EDGE)),

    /** The library's handle on the runtime that runs now. */
    miniflare: () => running.miniflare,

    /** Process id of the runtime that runs now. */
    runtime: () => running.runtime.pid ?? 0,

    /** Pulls the plug: the runtime gets no chance to write anything. `restart()` brings it back. */
    async kill9() {
      const ended = once(running.runtime, "exit");
      running.runtime.kill("SIGKILL");
      await ended;
    },

    /**
     * Rows of the index, past the product.
     * @param {string} query
     * @param {unknown[]} parameters
     * @returns {Promise<any[]>}
     */
    async index(query, ...parameters) {
      const database = await running.miniflare.getD1Database("INDEX", EDGE);
      return (await database.prepare(query).bind(...parameters).all()).results;
    },

    /** Everything in KV, by key. @returns {Promise<Record<string, string>>} */
    async snapshots() {
      const store = /** @type {any} */ (await running.miniflare.getKVNamespace("SNAPSHOTS", EDGE));
      /** @type {Record<string, string>} */
      const all = {};
      /** @type {string | undefined} */
      let cursor;
      do {
        const page = await store.list({ cursor });
        for (const { name } of page.keys) all[name] = (await store.get(name)) ?? "";
        cursor = page.list_complete ? undefined : page.cursor;
      } while (cursor);
      return all;
    },

    /**
     * Calls a profile's object as the Worker does, in words of the test's own.
     * @param {string} name
     * @param {unknown} call
     */
    async object(name, call) {
      const objects = /** @type {any} */ (await running.miniflare.getDurableObjectNamespace("PROFILE", EDGE));
      const stub = objects.get(objects.idFromName(name));
      const body = JSON.stringify({ name, n: 1, call });
      const response = await stub.fetch("https://profile/", { method: "POST", body });
      return { status: response.status, body: await response.json() };
    },

    /**
     * @param {string} path
     * @param {RequestInit & { cookies?: Record<string, string> }} [init]
     */
    fetch: (path, init) => answer(base + path, init),

    /**
     * The admin API; `body` is sent as JSON, or as it is when it is text.
     * @param {string} method
     * @param {string} path below /_msci/admin/v1
     * @param {unknown} [body]
     * @param {Record<string, string>} [headers]
     */
    admin: (method, path, body, headers) =>
      answer(`${base}/_msci/admin/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${self.adminToken}`, "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),

    /**
     * Sends a batch as a browser would. The key and the time of sending are filled in.
     * @param {Record<string, unknown>} batch
     * @param {{ cookies?: Record<string, string>, headers?: Record<string, string> }} [as]
     */
    collect: (batch, { cookies, headers } = {}) =>
      answer(`${base}/_msci/collect`, {
        method: "POST",
        cookies,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ key: self.ingestionKey, sentAt: Date.now(), ...batch }),
      }),
  };
  if (test) atEnd(test, () => self.stop());
  return self;
}

/**
 * @param {string} url
 * @param {RequestInit & { cookies?: Record<string, string> }} [init]
 * @returns {Promise<Answer>}
 */
export async function answer(url, { cookies = {}, ...init } = {}) {
  const headers = new Headers(init.headers);
  // On a connection of its own: an idle one may just be closing, and nobody tries again.
  headers.set("connection", "close");
  const jar = Object.entries(cookies).filter(([, value]) => value !== "");
  if (jar.length > 0) headers.set("cookie", jar.map(([name, value]) => `${name}=${value}`).join("; "));
  const response = await fetch(url, { redirect: "manual", ...init, headers });
  const text = await response.text();
  const json = response.headers.get("content-type")?.match(/\bjson\b/);
  return {
    status: response.status,
    headers: response.headers,
    body: json && text !== "" ? JSON.parse(text) : text,
    cookies: setCookies(response.headers),
  };
}

/** @param {Headers} headers */
function setCookies(headers) {
  /** @type {Record<string, string>} */
  const cookies = {};
  for (const line of headers.getSetCookie()) {
    const [pair = "", ...attributes] = line.split(";");
    const at = pair.indexOf("=");
    const gone = attributes.some((attribute) => /^\s*max-age=0\s*$/i.test(attribute));
    cookies[pair.slice(0, at).trim()] = gone ? "" : pair.slice(at + 1).trim();
  }
  return cookies;
}

/**
 * Waits until `condition` gives something truthy, and returns that. Tests wait for conditions, never for time.
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {string} what ends the sentence "waited in vain until …"
 * @param {number} [limit] milliseconds
 * @returns {Promise<NonNullable<Awaited<T>>>}
 */
export async function until(condition, what, limit = 10_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return /** @type {any} */ (value);
    if (Date.now() > end) throw new Error(`waited in vain until ${what} (${limit} ms)`);
    await new Promise((next) => setTimeout(next, 20));
  }
}
