// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The site behind, asked as a browser would.

/** What makes a site answer "not modified". */
export const CONDITIONS = ["if-none-match", "if-modified-since"];

/**
 * The site's own answer, as if this Worker were not there. `whole` leaves out the conditions.
 * @param {Request} request
 * @param {import("msci:glue").Env} env
 */
export function ask(request, env, whole = false) {
  if (env.SITE && !whole) return env.SITE.fetch(request);
  let address = request.url;
  if (!env.SITE && env.MSCI_ORIGIN) {
    const { pathname, search } = new URL(address);
    address = env.MSCI_ORIGIN.replace(/\/+$/, "") + pathname + search;
  }
  // A request is also a description of one: same method, headers, body and redirect mode.
  const copy = new Request(address, request);
  if (whole) for (const name of CONDITIONS) copy.headers.delete(name);
  return env.SITE ? env.SITE.fetch(copy) : fetch(copy);
}
