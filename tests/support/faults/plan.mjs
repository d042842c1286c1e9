// @ts-check
// What is to go wrong, and what was counted. The entry of a Worker, its objects and their wrapped bindings
// share one isolate in the local runtime, so this module's variables are the same for all of them. The other
// Worker has its own: a rule counts in each for itself.

/**
 * A fault. A call at `on` whose subject contains `match` meets it; the first rule that fits counts.
 * @typedef {object} Rule
 * @property {string} on `kv.get`, `kv.put`, … (subject: the key), `d1` and `d1.prepare` (the statement, or all of a batch),
 *   `stub` and `object` (`<call> <object's name>`), `sql` (`<object's name> <statement>`); by the object's
 *   name `alarm` (setting it), `deleteAll`, `torn` (right after its effect, before anything else is written), `storage`
 *   (getting at it) and `full` (no room for another row); `response` (its text)
 * @property {string} [match] part of the subject
 * @property {"refuse" | "lose" | "hold" | "defer" | "twice" | "stale" | "crash"} does
 *   refuse: fails without an effect. lose: takes effect, and fails. hold: waits for the next plan, then goes on.
 *   defer: fails now, takes effect at the next plan. twice: is delivered twice. stale (reads of KV): the
 *   value at `asOf`. crash (objects): the work is done and stored, then the object is gone.
 * @property {number} [skip] so many pass first
 * @property {number} [times] so many meet it; default: all
 * @property {number} [asOf]
 * @property {{ message?: string, overloaded?: boolean, retryable?: boolean }} [error]
 */

/** @type {(Rule & { met: number })[]} */
let rules = [];
/** What waits for the next plan. @type {(() => unknown)[]} */
let held = [];
/** How often each place was passed. @type {Map<string, number>} */
const passed = new Map();
/** Rows of SQLite by object's class and call. @type {Map<string, { calls: number, read: number, written: number }>} */
const costs = new Map();

/** @param {Rule[]} next */
export function replace(next) {
  rules = next.map((rule) => ({ ...rule, met: 0 }));
  const before = held;
  held = [];
  return Promise.allSettled(before.map((go) => go()));
}

export const report = () => ({
  met: rules.map((rule) => rule.met),
  held: held.length,
  passed: Object.fromEntries(passed),
  costs: Object.fromEntries(costs),
});

/** @param {string} place */
export function count(place) {
  passed.set(place, (passed.get(place) ?? 0) + 1);
}

/** @param {string} call @param {{ rowsRead: number, rowsWritten: number }[]} cursors */
export function charge(call, cursors) {
  const cost = costs.get(call) ?? { calls: 0, read: 0, written: 0 };
  cost.calls += 1;
  for (const cursor of cursors) {
    cost.read += cursor.rowsRead;
    cost.written += cursor.rowsWritten;
  }
  costs.set(call, cost);
}

/** The fault that this call meets. @param {string} on @param {string} subject */
function meet(on, subject) {
  count(on);
  for (const rule of rules) {
    if (rule.on !== on || !subject.includes(rule.match ?? "")) continue;
    rule.met += 1;
    const nth = rule.met - (rule.skip ?? 0);
    if (nth >= 1 && nth <= (rule.times ?? Infinity)) return rule;
  }
  return undefined;
}

/** @param {Rule} rule */
function failure({ on, does, error }) {
  const { message = `injected: ${on} ${does}`, ...flags } = error ?? {};
  return Object.assign(new Error(message), flags);
}

/**
 * A call that answers at once.
 * @template T
 * @param {string} on @param {string} subject @param {() => T} call
 */
export function now(on, subject, call) {
  const rule = meet(on, subject);
  if (!rule) return call();
  if (rule.does === "lose") call();
  throw failure(rule);
}

/**
 * A call that answers later.
 * @param {string} on @param {string} subject
 * @param {() => Promise<any>} call
 * @param {Partial<Record<Rule["does"], (rule: Rule) => unknown>>} [special] faults that only this place has
 */
export async function later(on, subject, call, special = {}) {
  const rule = meet(on, subject);
  if (!rule) return call();
  const own = special[rule.does];
  if (own) return own(rule);
  switch (rule.does) {
    case "hold":
      await new Promise((resolve) => held.push(() => resolve(undefined)));
      return call();
    case "twice":
      await call();
      return call();
    case "defer":
      held.push(call);
      break;
    case "lose":
      await call();
  }
  throw failure(rule);
}
