// @ts-check
/// <reference path="../../tools/types.d.ts" />
// A page of the site, from the request to the answer. What is decided is Rust's (`site.rs`), between the waits that are
// here: for the site and for KV, side by side. Where Rust does not decide, the page is the site's own (law 6).
import * as glue from "msci:glue";
import { CONDITIONS, ask } from "./ask.js";
import { answered, atOnce } from "./guard.mjs";
import { lines } from "./headers.js";
import { changed } from "./rewriter.js";

/** @typedef {import("msci:glue").Env} Env */

/** What Rust plans with, in its order. */
const TOLD = ["cookie", "sec-gpc", "accept", "sec-fetch-dest", "upgrade", ...CONDITIONS, "range"];

/** Letter of a plan: without the request's conditions. */
const WHOLE = "w";

/** What may be rewritten, where the status is 200 (`Kind` in `site/said.rs`): nothing else waits for a profile. */
const HTML = /^\s*text\/html/i;

/** Numbers the requests. */
let asked = 0;

/**
 * @param {Request} request
 * @param {Env} env
 * @returns {Promise<Response>}
 */
export async function visit(request, env) {
  const id = ++asked;
  let plan = atOnce(() => glue.plan(id, `${request.method}\n${request.url}${lines(request, TOLD)}`));
  if (plan === "") plan = await answered(() => glue.prepare(id, env), () => undefined);
  const profile = plan?.[1] ? new Profile(id, env, plan.slice(1)) : undefined;
  let page;
  try {
    page = await ask(request, env, plan?.[0] === WHOLE);
  } catch (error) {
    console.error("the site does not answer:", error);
    profile?.leave();
    return unanswered(id, request);
  }
  if (plan === undefined) return page;
  const type = page.headers.get("content-type") ?? "";
  if (page.status === 200 && HTML.test(type)) await profile?.inTime();
  profile?.leave();
  return atOnce(() => changed(page, glue.answer(id, page.status, type, page, env))) ?? page;
}

/** @param {number} id @param {Request} request */
function unanswered(id, { headers }) {
  const page = atOnce(() => glue.unanswered(id, headers.get("accept") ?? "", headers.get("sec-fetch-dest") ?? ""));
  const answer = new Response(page, { status: 502, headers: { "Cache-Control": "no-store" } });
  if (page) answer.headers.set("Content-Type", "text/html; charset=utf-8");
  return answer;
}

/** A visitor's profile, on its way here beside the page. */
class Profile {
  #id;
  #read;
  #deadline;
  /** Nobody waits for it any more, or has to. */
  #over = false;
  #left = () => {};

  /**
   * @param {number} id
   * @param {Env} env
   * @param {string} plan milliseconds, and where it stands in KV; nothing there where only an object can tell
   */
  constructor(id, env, plan) {
    const colon = plan.indexOf(":");
    this.#id = id;
    this.#deadline = Number(plan.slice(0, colon));
    this.#read = this.#decide(env, plan.slice(colon + 1));
  }

  /** @param {Env} env @param {string} key */
  async #decide(env, key) {
    if (!key || !(await this.#kept(env, key))) {
      await answered(() => glue.ask(this.#id, env), () => {}, undefined, (left) => (this.#left = left));
    }
    this.#over = true;
  }

  /** Whether what KV has is enough. @param {Env} env @param {string} key */
  async #kept(env, key) {
    /** @type {string | null | undefined} */
    let text;
    try {
      text = await env.SNAPSHOTS.get(key);
    } catch (error) {
      console.error("KV did not answer:", error);
    }
    return this.#over || atOnce(() => glue.decide(this.#id, text !== undefined, text));
  }

  /** Waits for it no longer than until the deadline, which counts from now. */
  async inTime() {
    if (this.#over) return;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#deadline);
      this.#read.finally(() => (clearTimeout(timer), resolve(undefined)));
    });
  }

  /** The page goes out. */
  leave() {
    this.#over = true;
    this.#left();
  }
}
