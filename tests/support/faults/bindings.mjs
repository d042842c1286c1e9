// @ts-check
// The Worker's bindings, with the plan's faults. The `worker` crate knows a binding by the name of its
// constructor and takes functions off it, so a proxy passes for the binding itself.
import { later, now } from "./plan.mjs";

/** Production refuses larger rows and parameters; the local runtime takes them. */
const ROW_BYTES = 2_000_000;

/** What KV held when, by key. @type {Map<string, { at: number, value: unknown }[]>} */
const history = new Map();
/** The runtime's own statements by their proxies, and what they say. @type {WeakMap<object, { target: object, sql: string }>} */
const statements = new WeakMap();

/**
 * `target` with some members replaced; the rest is bound to it, since the runtime's own objects refuse to
 * be called through a proxy.
 * @param {any} target
 * @param {Record<string, () => unknown>} members
 * @returns {any}
 */
export function around(target, members) {
  return new Proxy(target, {
    get(_, name) {
      const own = typeof name === "string" && Object.hasOwn(members, name) ? members[name] : undefined;
      if (own) return own();
      const value = Reflect.get(target, name, target);
      // The constructor is looked at, not called.
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });
}

/** @type {Record<string, (binding: any) => any>} */
const wrappers = {
  KvNamespace: store,
  D1Database: database,
  DurableObjectNamespace: namespace,
};

/** @param {any} env */
export function bindings(env) {
  const members = Object.keys(env).flatMap((name) => {
    const wrap = wrappers[env[name]?.constructor?.name];
    if (!wrap) return [];
    const binding = wrap(env[name]);
    return [[name, () => binding]];
  });
  return around(env, Object.fromEntries(members));
}

/** @param {any} target */
function store(target) {
  /** @param {string} key @param {unknown} value @param {Promise<unknown>} done */
  const note = async (key, value, done) => {
    const answer = await done;
    const then = history.get(key) ?? [];
    history.set(key, [...then, { at: Date.now(), value }]);
    return answer;
  };
  /** @param {string} key @param {number} [time] */
  const asOf = (key, time = 0) => history.get(key)?.findLast(({ at }) => at <= time)?.value ?? null;
  /** @type {Record<string, (key: string, ...rest: any[]) => unknown>} */
  const calls = {
    get: (key, ...rest) =>
      later("kv.get", key, () => target.get(key, ...rest), { stale: (rule) => asOf(key, rule.asOf) }),
    put: (key, value, ...rest) => later("kv.put", key, () => note(key, value, target.put(key, value, ...rest))),
    delete: (key) => later("kv.delete", key, () => note(key, null, target.delete(key))),
    list: (...rest) => later("kv.list", "", () => target.list(...rest)),
  };
  return around(target, getters(calls));
}

/** @param {any} target */
function database(target) {
  return around(target, getters({
    prepare: (/** @type {string} */ sql) => now("d1.prepare", sql, () => statement(target.prepare(sql), sql)),
    batch: (/** @type {object[]} */ list) => {
      const known = list.map((one) => statements.get(one));
      const subject = `batch ${known.map((one) => one?.sql).join("; ")}`;
      return later("d1", subject, () => target.batch(known.map((one) => one?.target)));
    },
  }));
}

/** @param {any} target @param {string} sql @returns {any} */
function statement(target, sql) {
  const calls = ["first", "all", "run", "raw"].map((name) => [
    name,
    (/** @type {unknown[]} */ ...parameters) => later("d1", sql, () => target[name](...parameters)),
  ]);
  const bind = (/** @type {unknown[]} */ ...parameters) => {
    fits(parameters);
    return statement(target.bind(...parameters), sql);
  };
  const proxy = around(target, getters({ bind, ...Object.fromEntries(calls) }));
  statements.set(proxy, { target, sql });
  return proxy;
}

/** @param {any} target */
function namespace(target) {
  /** @param {string} way */
  const stub = (way) => (/** @type {unknown[]} */ ...parameters) => faultyStub(target[way](...parameters));
  return around(target, getters({ get: stub("get"), getByName: stub("getByName") }));
}

/** @param {any} target */
function faultyStub(target) {
  const fetch = async (/** @type {Request} */ request) =>
    later("stub", await subjectOf(request), () => target.fetch(request.clone()));
  return around(target, getters({ fetch }));
}

/** `<call> <object's name>` of a call to an object. @param {Request} request */
export async function subjectOf(request) {
  const body = await request.clone().text();
  if (!body.startsWith('{"name"')) return new URL(request.url).pathname;
  const { name, call } = JSON.parse(body);
  return `${typeof call === "string" ? call : Object.keys(call)[0]} ${name}`;
}

/** Throws, as production does, at what SQLite would not keep. @param {unknown[]} parameters */
export function fits(parameters) {
  let bytes = 0;
  for (const one of parameters) bytes += typeof one === "string" ? one.length : 8;
  if (bytes > ROW_BYTES) throw new Error("string or blob too big: SQLITE_TOOBIG");
}

/** @param {Record<string, Function>} calls */
const getters = (calls) => Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, () => call]));
