// @ts-check
// What the objects of a system that stands still have on disk: the same runtime opens their databases, with
// a class of the same name that runs the statements it is given.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";
import { CONSOLE, EDGE, persisted } from "../../tools/serve.mjs";

/** Whose objects they are, by class. */
const WORKERS = /** @type {Record<string, string>} */ ({ ProfileObject: EDGE, ConfigObject: EDGE, JobObject: CONSOLE });

/** @param {string[]} classes */
const script = (classes) => `
import { DurableObject } from "cloudflare:workers";
class Opened extends DurableObject {
  async fetch(request) {
    const sql = this.ctx.storage.sql;
    const all = [];
    this.ctx.storage.transactionSync(() => {
      for (const [query, ...parameters] of JSON.parse(new URL(request.url).searchParams.get("run"))) {
        all.push(sql.exec(query, ...parameters).toArray());
      }
    });
    return Response.json(all);
  }
  // Nothing of the product runs here: what is due waits until it does.
  async alarm() {
    await this.ctx.storage.setAlarm(Date.now() + 1000);
  }
}
${classes.map((name) => `export class ${name} extends Opened {}`).join("\n")}
export default { fetch: () => new Response() };
`;

/**
 * @typedef {object} Stored
 * @property {(kind?: string) => string[]} objects ids of the objects of a class, profiles unless it says otherwise
 * @property {(id: string, statements: unknown[][], kind?: string) => Promise<any[][]>} run each statement is
 *   `[query, ...parameters]`; all of them or none; their rows
 * @property {(id: string, kind?: string) => Promise<Record<string, any[]>>} dump rows by table
 */

/**
 * Opens the objects of a stopped system, and closes them when `work` is done.
 * @template T
 * @param {string} state
 * @param {(stored: Stored) => Promise<T>} work
 */
export async function stored(state, work) {
  const miniflare = new Miniflare({
    cf: false,
    log: new Log(LogLevel.ERROR),
    ...persisted(state),
    workers: [EDGE, CONSOLE].map((name) => {
      const classes = Object.keys(WORKERS).filter((kind) => WORKERS[kind] === name);
      return {
        name,
        modules: [{ type: "ESModule", path: "index.mjs", contents: script(classes) }],
        compatibilityDate: "2026-04-01",
        durableObjects: Object.fromEntries(classes.map((className) => [className, { className, useSQLite: true }])),
      };
    }),
  });
  /** @type {Stored["run"]} */
  const run = async (id, statements, kind = "ProfileObject") => {
    const objects = /** @type {any} */ (await miniflare.getDurableObjectNamespace(kind, WORKERS[kind]));
    const url = `https://object/?run=${encodeURIComponent(JSON.stringify(statements))}`;
    const response = await objects.get(objects.idFromString(id)).fetch(url);
    if (!response.ok) throw new Error(`the statements failed: ${await response.text()}`);
    return /** @type {any} */ (await response.json());
  };
  try {
    return await work({
      objects(kind = "ProfileObject") {
        const folder = join(state, "objects", `${WORKERS[kind]}-${kind}`);
        const files = existsSync(folder) ? readdirSync(folder) : [];
        return files.flatMap((file) => /^([0-9a-f]{64})\.sqlite$/.exec(file)?.[1] ?? []);
      },
      run,
      async dump(id, kind) {
        const own = "type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'";
        const [tables = []] = await run(id, [[`SELECT name FROM sqlite_master WHERE ${own}`]], kind);
        const names = tables.map(({ name }) => name);
        const rows = await run(id, names.map((name) => [`SELECT * FROM "${name}"`]), kind);
        return Object.fromEntries(names.map((name, i) => [name, rows[i] ?? []]));
      },
    });
  } finally {
    await miniflare.dispose();
  }
}
