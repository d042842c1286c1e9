// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The edge Worker's entry: where the Rust half does not answer, a page is the site's own.
import * as glue from "msci:glue";
import { answered, guarded } from "./guard.mjs";
import { ask } from "./site.js";

/** Routes that a visitor waits for, and that never stream for long. */
const LIMITED = ["/collect", "/decisions"];
const LIMIT_MS = 30_000;

export default {
  /**
   * @param {Request} request
   * @param {import("msci:glue").Env} env
   * @param {unknown} context
   */
  fetch(request, env, context) {
    const prefix = env.MSCI_PREFIX ?? "/_msci";
    const { pathname } = new URL(request.url);
    const own = pathname.startsWith(`${prefix}/`);
    const limited = own && LIMITED.some((route) => pathname.startsWith(prefix + route));
    // Only these can be asked again without doing something twice, and have no body that is already read.
    const repeatable = request.method === "GET" || request.method === "HEAD";
    return answered(
      () => glue.fetch(request, env, context),
      (refusal) => (own || !repeatable ? refusal() : ask(request, env)),
      limited ? LIMIT_MS : undefined,
    );
  },
};

export const ProfileObject = guarded(glue.ProfileObject);
export const ConfigObject = guarded(glue.ConfigObject);
