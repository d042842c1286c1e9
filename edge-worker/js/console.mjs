// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The console Worker's entry. There is no site behind it: whatever the Rust half does not answer is refused. And
// there is no limit of time: an import may take its own.
import * as glue from "msci:glue";
import { answered, guarded } from "./guard.mjs";

export default {
  /**
   * @param {Request} request
   * @param {import("msci:glue").Env} env
   * @param {unknown} context
   */
  fetch: (request, env, context) => answered(() => glue.fetch(request, env, context), (refusal) => refusal()),
};

export const JobObject = guarded(glue.JobObject);
