// @ts-check
// A system whose Worker stands behind the shim; `faults(…)` says what is to go wrong from now on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../tools/lib.mjs";
import { system } from "../system.mjs";

/** @typedef {import("./plan.mjs").Rule} Rule */

const bound = readFileSync(join(root, "edge-worker/wrangler.toml"), "utf8");
const classes = [...bound.matchAll(/class_name = "(\w+)"/g)].map(([, name]) => name);

/** The main module: a class has to be exported by its name. */
const SCRIPT = [
  'import "./instance.mjs";',
  'import * as worker from "../../../dist/worker/index.js";',
  'import { handler } from "./entry.mjs";',
  'import { faulty } from "./object.mjs";',
  "export default handler(worker.default);",
  ...classes.map((name) => `export const ${name} = faulty(worker.${name}, "${name}");`),
].join("\n");

/** @type {import("miniflare").ModuleRule[]} */
const RULES = [
  { type: "ESModule", include: ["**/*.js", "**/*.mjs"] },
  { type: "CompiledWasm", include: ["**/*.wasm"] },
  { type: "Data", include: ["**/*.bin"] },
];

/**
 * @param {Parameters<typeof system>[0]} [test] ends with it
 * @param {Parameters<typeof system>[1]} [options]
 */
export async function faultySystem(test, options) {
  const scriptPath = join(root, "tests/support/faults/main.mjs");
  const main = { script: SCRIPT, scriptPath, modulesRoot: root, modulesRules: RULES };
  const msci = await system(test, { ...options, main });
  const control = async (/** @type {string} */ method, /** @type {Rule[] | undefined} */ body = undefined) => {
    const answer = await msci.fetch("/__faults", { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (answer.status !== 200) throw new Error(`the shim answered ${answer.status}: ${answer.body}`);
    return /** @type {ReturnType<typeof import("./plan.mjs").report> & { memory: number }} */ (answer.body);
  };
  return Object.assign(msci, {
    /** Replaces the plan; what waited for that goes on. @param {Rule[]} rules */
    faults: (...rules) => control("PUT", rules),
    /** What met the rules, what was counted since the runtime began, and how much memory the Worker has. */
    told: () => control("GET"),
    /** Takes all memory that the present instance may have. */
    exhaust: () => control("DELETE"),
    /**
     * Runs `work` under a plan, and ends the plan with it.
     * @template T
     * @param {Rule[]} rules
     * @param {() => Promise<T>} work
     */
    async under(rules, work) {
      await control("PUT", rules);
      try {
        return await work();
      } finally {
        await control("PUT", []);
      }
    },
  });
}
