// @ts-check
// A Durable Object's class, with the plan's faults in its storage and in what it answers.
import { around, bindings, fits, subjectOf } from "./bindings.mjs";
import { runtimeTime } from "./clock.mjs";
import { charge, count, later, now } from "./plan.mjs";

/** Bytes that an object of production may have. */
const FULL = 10 * 1024 ** 3;

/**
 * @param {new (state: any, env: any) => { fetch(request: Request): Promise<Response>, alarm(): Promise<void> }} Class
 * @param {string} name
 */
export function faulty(Class, name) {
  return class {
    #object;
    #state;
    /** Used since the last call ended. @type {{ rowsRead: number, rowsWritten: number }[]} */
    #cursors = [];

    constructor(/** @type {any} */ state, /** @type {any} */ env) {
      const own = state.id.name;
      count(`new ${own}`);
      const storage = around(state.storage, {
        sql: () => sql,
        setAlarm: () => (/** @type {number | Date} */ at, /** @type {unknown[]} */ ...rest) =>
          later("alarm", own, () => state.storage.setAlarm(runtimeTime(at), ...rest)),
        // Held, it has its effect, and nobody hears of it.
        deleteAll: () => () => {
          const hold = () => (state.storage.deleteAll(), new Promise(() => {}));
          const gone = later("deleteAll", own, () => state.storage.deleteAll(), { hold });
          now("torn", own, () => {});
          return gone;
        },
      });
      const sql = around(state.storage.sql, {
        databaseSize: () => {
          try {
            return now("full", own, () => state.storage.sql.databaseSize);
          } catch {
            return FULL;
          }
        },
        exec: () => (/** @type {string} */ query, /** @type {unknown[]} */ ...parameters) => {
          fits(parameters);
          if (query.startsWith("INSERT")) now("full", own, () => {});
          const cursor = now("sql", `${own} ${query}`, () => state.storage.sql.exec(query, ...parameters));
          this.#cursors.push(cursor);
          return cursor;
        },
      });
      this.#state = state;
      // A getter that throws is what makes the `worker` crate panic.
      this.#object = new Class(around(state, { storage: () => now("storage", own, () => storage) }), bindings(env));
    }

    async fetch(/** @type {Request} */ request) {
      const subject = await subjectOf(request);
      return this.#run(subject, () => this.#object.fetch(request));
    }

    async alarm() {
      try {
        await this.#run(`alarm ${this.#state.id.name}`, () => this.#object.alarm());
      } catch (error) {
        count("alarm threw");
        throw error;
      }
    }

    /** @param {string} subject @param {() => Promise<any>} call */
    async #run(subject, call) {
      try {
        return await later("object", subject, call, {
          crash: async () => {
            await call();
            await this.#state.storage.sync();
            this.#state.abort("injected: the object crashed");
          },
        });
      } finally {
        charge(`${name} ${subject.split(" ")[0]}`, this.#cursors.splice(0));
      }
    }
  };
}
