// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The edge Worker's entry: what is below the prefix is ours, everything else the site's.
import * as glue from "msci:glue";
import { answered, guarded } from "./guard.mjs";
import { visit } from "./site.js";

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
    const { url } = request;
    const own = `${env.MSCI_PREFIX ?? "/_msci"}/`;
    // Behind `https://` the first slash begins the path.
    const path = url.indexOf("/", url.indexOf("//") + 2);
    if (!url.startsWith(own, path)) return visit(request, env);
    const limited = LIMITED.some((route) => url.startsWith(route, path + own.length - 1));
    return answered(() => glue.fetch(request, env, context), (refusal) => refusal(), limited ? LIMIT_MS : undefined);
  },
};

export const ProfileObject = guarded(glue.ProfileObject);
export const ConfigObject = guarded(glue.ConfigObject);
