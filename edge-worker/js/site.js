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
const TOLD = ["cookie", "sec-gpc", "accept", "sec-fetch-dest", "upgrade", ...CONDITIONS];

/** Letters of a plan. */
const WHOLE = "w";
const READS = "r";

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
  const profile = plan?.[1] === READS ? new Profile(id, env, plan.slice(2)) : undefined;
  let page;
  try {
    page = await ask(request, env, plan?.[0] === WHOLE);
  } catch (error) {
    console.error("the site does not answer:", error);
    return unanswered(id, request);
  }
  if (plan === undefined) return page;
  await profile?.inTime();
  const type = page.headers.get("content-type") ?? "";
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
  /** Nobody waits for it any more, or has to. */
  #over = false;

  /** @param {number} id @param {Env} env @param {string} key where it stands in KV; empty where only an object can tell */
  constructor(id, env, key) {
    this.#id = id;
    this.#read = this.#decide(env, key);
  }

  /** @param {Env} env @param {string} key */
  async #decide(env, key) {
    if (!key || !(await this.#kept(env, key))) await answered(() => glue.ask(this.#id, env), () => {});
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
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, atOnce(() => glue.deadline(this.#id)))));
    await Promise.race([this.#read, late]);
    clearTimeout(timer);
    this.#over = true;
  }
}
