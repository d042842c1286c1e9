// @ts-check
// What a state folder holds, object by object, read with the runtime's own storage but none of the product's
// code. The system must be stopped.
import { mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";

/** Answers queries on the storage of the object that the address names. */
const READER = `
  import { DurableObject } from "cloudflare:workers";
  export class ProfileObject extends DurableObject {
    async fetch(request) {
      const rows = {};
      // A crash before its first commit leaves an object without anything.
      const tables = [...this.ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE substr(name, 1, 4) <> '_cf_'")];
      if (tables.length === 0) return Response.json(null);
      for (const [name, query] of Object.entries(await request.json())) {
        rows[name] = [...this.ctx.storage.sql.exec(query).raw()];
      }
      return Response.json(rows);
    }
  }
  export default {
    async fetch(request, { PROFILE }) {
      const id = PROFILE.idFromString(new URL(request.url).pathname.slice(1));
      try {
        return await PROFILE.get(id).fetch(request);
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
    }
  };
`;

const QUERIES = {
  held: "SELECT 'meta', key, body FROM meta UNION ALL SELECT 'link', key, body FROM link UNION ALL " +
    "SELECT 'outbox', key, body FROM outbox UNION ALL SELECT 'profile', key, body FROM profile WHERE key = 'head'",
  signals: "SELECT cookie, stream, seq, type, fields FROM signal ORDER BY cookie, position",
  check: "PRAGMA quick_check",
};

/**
 * @typedef {object} Row a signal as it is stored
 * @property {string} cookie
 * @property {string} stream
 * @property {number} seq
 * @property {string} type
 * @property {Record<string, any>} fields
 *
 * @typedef {object} StoredObject
 * @property {string} file
 * @property {string} name customerId
 * @property {{ cookie: string, root: string, end: number } | undefined} log
 * @property {{ customer: { id: string, auth_id: string }, shipped: number, accepted: boolean } | undefined} link
 * @property {string | undefined} authId of a known customer
 * @property {Map<string, { up_to: number, dropped: boolean }>} copies by cookie
 * @property {{ projection: number | null, drops: unknown[] }} owed
 * @property {number} version
 * @property {Row[]} signals
 */

/**
 * Every profile's object.
 * @param {string} state
 * @returns {Promise<StoredObject[]>}
 */
export async function readObjects(state) {
  const objects = join(state, "objects");
  const folder = join(objects, "msci-ProfileObject");
  const files = readdirSync(folder).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
  // Alarms that are due would go off at a reader that does not know them, and be gone.
  const aside = mkdtempSync(join(state, "alarms-"));
  const alarms = readdirSync(folder).filter((file) => file.startsWith("metadata.sqlite"));
  for (const file of alarms) renameSync(join(folder, file), join(aside, file));
  const reader = new Miniflare({
    // The namespace of an object is the names of Worker and class.
    name: "msci",
    modules: true,
    compatibilityDate: "2026-04-01",
    durableObjects: { PROFILE: { className: "ProfileObject", useSQLite: true } },
    durableObjectsPersist: objects,
    script: READER,
  });
  try {
    const all = [];
    for (const file of files) {
      const id = file.slice(0, -".sqlite".length);
      const answer = await reader.dispatchFetch(`http://reader/${id}`, { method: "POST", body: JSON.stringify(QUERIES) });
      if (answer.status !== 200) throw new Error(`${file}: ${await answer.text()}`);
      const rows = /** @type {any} */ (await answer.json());
      if (rows) all.push(objectOf(file, rows));
    }
    return all;
  } finally {
    await reader.dispose();
    for (const file of readdirSync(folder)) if (file.startsWith("metadata.sqlite")) rmSync(join(folder, file));
    for (const file of alarms) renameSync(join(aside, file), join(folder, file));
    rmSync(aside, { recursive: true });
  }
}

/**
 * @param {string} file
 * @param {{ held: [string, string, string][], signals: any[][], check: string[][] }} rows
 * @returns {StoredObject}
 */
function objectOf(file, { held, signals, check }) {
  if (check[0]?.[0] !== "ok") throw new Error(`${file}: ${check.join("; ")}`);
  const body = (/** @type {string} */ table, /** @type {string} */ key) => {
    const row = held.find((row) => row[0] === table && row[1] === key);
    return row && JSON.parse(row[2]);
  };
  const copies = held.filter(([table, key]) => table === "link" && key !== "own");
  return {
    file,
    name: body("meta", "name"),
    log: body("meta", "log"),
    link: body("link", "own"),
    authId: body("meta", "known")?.customer.auth_id,
    copies: new Map(copies.map(([, key, text]) => [key, { dropped: false, ...JSON.parse(text) }])),
    owed: { projection: null, drops: [], ...body("outbox", "owed") },
    version: body("profile", "head")?.version ?? 0,
    signals: signals.map(([cookie, stream, seq, type, fields]) => ({ cookie, stream, seq, type, fields: JSON.parse(fields) })),
  };
}
