// @ts-check
// Stands in for the generated bindings in tests of the entries in edge-worker/js: an instance that waits, panics
// and traps on request. What it does at a panic is what the worker crate does: the hook writes
// `criticalError`, then the code traps, and every promise of that instance stays open for ever.
// @ts-expect-error The test provides it: a module with one function, `trap`.
import trapModule from "./trap.wasm";

/** Calls that this instance will never answer. */
let waiting = 0;
const state = { criticalError: false, instanceId: 1 };
const { trap } = /** @type {{ trap(): never }} */ (/** @type {unknown} */ (new WebAssembly.Instance(trapModule).exports));

export const __worker_init_state = () => state;
export function __wbg_reset_state() {
  state.instanceId += 1;
  waiting = 0;
}

/** @returns {never} */
function panic() {
  state.criticalError = true;
  return trap();
}

/** @param {string} path @param {any} storage */
async function act(path, storage) {
  switch (path.split("/").at(-1)) {
    case "hang":
      waiting += 1;
      return new Promise(() => {});
    case "panic":
      return panic();
    case "trap":
      return trap();
    // A step of a future that runs by itself: nobody holds the promise that fails.
    case "late-trap":
      setTimeout(() => Promise.resolve().then(() => trap()), 10);
      return new Promise(() => {});
    // The bindings themselves begin a new instance, and it answers.
    case "reborn":
      __wbg_reset_state();
      return Response.json({ instance: state.instanceId });
    case "waiting":
      return Response.json(waiting);
    case "throw":
      throw new Error("a plain error");
    case "arm":
      await storage.setAlarm(Date.now());
      return Response.json("armed");
    case "alarms":
      return Response.json((await storage.get("alarms")) ?? 0);
    default:
      return Response.json({ instance: state.instanceId });
  }
}

/** Paths of pages by their number: `/shop/<way>` or `/shop/<where>/<way>`. @type {Map<number, string[]>} */
const pages = new Map();

/** What a page's path wants to happen there. @param {number} id @param {string} here */
function fail(id, here) {
  const [, , where, way] = pages.get(id) ?? [];
  const wanted = way ? where === here && way : here === "plan" && where;
  if (wanted === "panic") panic();
  if (wanted === "trap") trap();
  if (wanted === "throw") throw new Error("a plain error");
}

/** @param {number} id @param {string} lines */
export function plan(id, lines) {
  const path = new URL(lines.split("\n")[1] ?? "").pathname.split("/");
  pages.set(id, path);
  fail(id, "plan");
  if (path[2] === "prepare") return "";
  // A page that goes out before its profile came.
  if (path[2] === "late") return "-1:";
  return path[2] === "decide" ? "-60000:key" : ["ask", "hang"].includes(path[2] ?? "") ? "-60000:" : "-";
}
/** @param {number} id */
export async function prepare(id) {
  fail(id, "prepare");
  return "-";
}
/** @param {number} id */
export function decide(id) {
  fail(id, "decide");
  return true;
}
/** @param {number} id */
export async function ask(id) {
  fail(id, "ask");
  return act(pages.get(id)?.join("/") ?? "", undefined);
}
/** @param {number} id @returns {string | undefined} */
export function answer(id) {
  fail(id, "answer");
  return undefined;
}
export const unanswered = () => undefined;

/** @param {Request} request @param {any} env */
export async function fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (!pathname.includes("/object/")) return act(pathname, undefined);
  return env.OBJECTS.get(env.OBJECTS.idFromName("one")).fetch(request);
}

export class ProfileObject {
  /** @param {any} object */
  constructor(object) {
    this.storage = object.storage;
    this.instance = state.instanceId;
  }
  /** @param {Request} request */
  async fetch(request) {
    if (this.instance !== state.instanceId) throw new Error("this object belongs to an instance that is gone");
    return act(new URL(request.url).pathname, this.storage);
  }
  /** Panics twice, then does its work. */
  async alarm() {
    const alarms = ((await this.storage.get("alarms")) ?? 0) + 1;
    await this.storage.put("alarms", alarms);
    if (alarms < 3) panic();
  }
}

export class ConfigObject extends ProfileObject {}
export class JobObject extends ProfileObject {}
