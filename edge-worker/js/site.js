// The site behind, and what KV holds, asked side by side. Promises that Rust waits for cost it a closure and a
// turn of its own each; so it waits for the outcome of all of these, not for each of them.

/** @typedef {import("msci:glue").Env & { SNAPSHOTS: { get(key: string): Promise<string | null> } }} Env */

/** What makes a site answer with less than its page. */
const CONDITIONS = ["if-none-match", "if-modified-since", "range"];

/**
 * The site's own answer, as if this Worker were not there. `whole` leaves out what would make it "not modified": the
 * visitor's copy may be of another version of the page.
 * @param {Request} request
 * @param {import("msci:glue").Env} env
 */
export function ask(request, env, whole = false) {
  const spoilt = whole && CONDITIONS.some((name) => request.headers.has(name));
  if (env.SITE && !spoilt) return env.SITE.fetch(request);
  let address = request.url;
  if (!env.SITE && env.MSCI_ORIGIN) {
    const { pathname, search } = new URL(address);
    address = env.MSCI_ORIGIN.replace(/\/+$/, "") + pathname + search;
  }
  // A request is also a description of one: same method, headers, body and redirect mode.
  const copy = new Request(address, request);
  if (spoilt) for (const name of CONDITIONS) copy.headers.delete(name);
  return env.SITE ? env.SITE.fetch(copy) : fetch(copy);
}

/**
 * The whole page, and what stands in KV under the key: text, `null` for nothing, or `undefined` where it is later than the
 * page's headers by the deadline, in milliseconds.
 * @param {Request} request
 * @param {Env} env
 * @param {string} key
 * @param {number} deadline
 */
export function visit(request, env, key, deadline) {
  const page = ask(request, env, true);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    const due = () => (timer = setTimeout(resolve, deadline));
    page.then(due, due);
  });
  const kept = Promise.race([env.SNAPSHOTS.get(key), late]).finally(() => clearTimeout(timer));
  // Whoever waits for the page hears of its failure; until then nobody may.
  kept.catch(() => {});
  return [page, kept];
}

/**
 * Headers of a request or an answer, a line each, empty where there is none: one question instead of many.
 * @param {Request | Response} of
 * @param {string} names
 */
export const told = ({ headers }, names) =>
  names
    .split(" ")
    .map((name) => headers.get(name) ?? "")
    .join("\n");
