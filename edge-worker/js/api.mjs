// @ts-check
/// <reference path="../../tools/types.d.ts" />
// The API Worker's entry: programs read, and wait for it.
import * as glue from "msci:glue";
import { answered } from "./guard.mjs";

const LIMIT_MS = 30_000;

export default {
  /**
   * @param {Request} request
   * @param {import("msci:glue").Env} env
   * @param {unknown} context
   */
  fetch: (request, env, context) => answered(() => glue.fetch(request, env, context), (refusal) => refusal(), LIMIT_MS),
};
