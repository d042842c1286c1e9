// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The console Worker's entry. There is no site behind it: whatever the Rust half does not answer is refused.
import * as glue from "msci:glue";
import { answered, guarded } from "./guard.mjs";

/** Where a program waits; an import may take its time. */
const LIMITED = "/api/data/";
const LIMIT_MS = 30_000;

export default {
  /**
   * @param {Request} request
   * @param {import("msci:glue").Env} env
   * @param {unknown} context
   */
  fetch(request, env, context) {
    const limited = new URL(request.url).pathname.startsWith((env.MSCI_PREFIX ?? "/_msci") + LIMITED);
    const limit = limited ? LIMIT_MS : undefined;
    return answered(() => glue.fetch(request, env, context), (refusal) => refusal(), limit);
  },
};

export const JobObject = guarded(glue.JobObject);
