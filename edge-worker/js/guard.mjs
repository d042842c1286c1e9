// @ts-check
/// <reference path="../../tools/types.d.ts" />
// Every request gets an answer, and every alarm is armed again, even when the Rust half panics. All scripts
// stand behind it: `edge.mjs`, `console.mjs` and `api.mjs`.
//
// A panic ends the WebAssembly instance, and with it every other request and object that was in flight on
// it: their promises would stay open for ever. So each call races against the end of its instance; the next
// call starts a new one, and objects are made again from their storage.
import * as glue from "msci:glue";

/** Imports and slow sites. There is always a timer: the runtime cancels a request that waits for nothing
 * else than another request's promise, which is what the end of an instance is, as "hung". */
const LONGEST_MS = 15 * 60_000;

const DEAD = Symbol("the instance that served this call is gone");

/** Ends the wait of each call in flight. @type {Set<() => void>} */
const inFlight = new Set();
/** Counts instances; the worker crate adds one at each start. */
let instance = 1;
let dead = false;

/** @param {unknown} cause */
function died(cause) {
  if (!dead) console.error("the instance ended, a new one follows:", cause);
  dead = true;
  abandon();
}

/** Nobody waits for an instance that is gone. */
function abandon() {
  for (const end of inFlight) end();
  inFlight.clear();
}

// The worker crate's panic hook and start function write to this object, so writing is the signal: it comes
// before the trap, and also when the generated glue starts a new instance by itself.
Object.defineProperties(glue.__worker_init_state(), {
  criticalError: {
    get: () => dead,
    set: (value) => {
      if (value) died("panic");
    },
  },
  instanceId: {
    get: () => instance,
    set: (value) => {
      instance = value;
      abandon();
    },
  },
});

// Traps without a panic (stack, memory), in code that runs on its own: a future's next step.
/** @param {unknown} error */
function notice(error) {
  if (error instanceof WebAssembly.RuntimeError) died(error);
}
addEventListener("error", (event) => notice(event.error));
addEventListener("unhandledrejection", (event) => notice(event.reason));

function revive() {
  if (!dead) return;
  glue.__wbg_reset_state();
  dead = false;
}

/**
 * What `call` gives, which waits for nothing; undefined where it throws, or its instance ends.
 * @template T
 * @param {() => T} call
 * @returns {T | undefined}
 */
export function atOnce(call) {
  try {
    revive();
    return call();
  } catch (error) {
    notice(error);
    if (!dead) console.error(error);
    return undefined;
  }
}

/**
 * What `call` answers; where it does not, what `otherwise` makes of the refusal.
 * @template T
 * @param {() => Promise<T>} call
 * @param {(refusal: () => Response) => T | Promise<T>} otherwise
 * @param {number} [limit] milliseconds
 * @param {(leave: () => void) => void} [left] takes what the request is to do that ends before the call: the runtime stands
 *   still for good where a wait ends whose request is gone
 * @returns {Promise<T>}
 */
export async function answered(call, otherwise, limit = LONGEST_MS, left) {
  let end = () => {};
  /** @type {Promise<never>} */
  const death = new Promise((_, fail) => (end = () => fail(DEAD)));
  // Nobody may be waiting for it yet, or any more.
  death.catch(() => {});
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  try {
    revive();
    // The bindings may begin a new instance in here: it is the one that serves this call.
    const answer = call();
    inFlight.add(end);
    timer = setTimeout(end, limit);
    left?.(() => void (inFlight.delete(end), clearTimeout(timer)));
    return await Promise.race([answer, death]);
  } catch (error) {
    notice(error);
    const gone = dead || error === DEAD;
    if (!gone) console.error(error);
    return otherwise(() => refusal(gone));
  } finally {
    inFlight.delete(end);
    clearTimeout(timer);
  }
}

/** @param {boolean} gone whether the instance ended, or else the call threw */
function refusal(gone) {
  const [status, code, message] = gone
    ? [503, "unavailable", "The service started again; send the request once more."]
    : [500, "internal", "The service failed on this request."];
  return Response.json(
    { error: { code, message } },
    { status, headers: { "Retry-After": "1", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" } },
  );
}

/** A class of objects, each of the instance that there is. @param {import("msci:glue").ObjectClass} Class */
export function guarded(Class) {
  return class {
    /** @type {import("msci:glue").RustObject | undefined} */
    #object;
    #instance = 0;
    #state;
    #env;

    /**
     * @param {import("msci:glue").ObjectState} state
     * @param {import("msci:glue").Env} env
     */
    constructor(state, env) {
      this.#state = state;
      this.#env = env;
    }

    /** The object of the present instance. */
    #live() {
      if (!this.#object || this.#instance !== instance) {
        this.#object = new Class(this.#state, this.#env);
        this.#instance = instance;
      }
      return this.#object;
    }

    /** @param {Request} request */
    async fetch(request) {
      return answered(() => this.#live().fetch(request), (refusal) => refusal());
    }

    /** Never throws: the runtime drops an alarm that failed six times. */
    async alarm() {
      await answered(
        () => this.#live().alarm(),
        async () => {
          try {
            await this.#state.storage.setAlarm(Date.now() + 1000);
          } catch (error) {
            console.error(error);
          }
        },
      );
    }
  };
}
