// @ts-check
// A system whose Workers stand behind the shim; `faults(…)` says what is to go wrong from now on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../tools/lib.mjs";
import { system } from "../system.mjs";

/** @typedef {import("./plan.mjs").Rule} Rule */

/** Where each Worker's shim takes its plan. */
const CONTROLS = { edge: "/__faults", console: "/_msci/admin/__faults", api: "/_msci/api/__faults" };

/** @type {import("miniflare").ModuleRule[]} */
const RULES = [
  { type: "ESModule", include: ["**/*.js", "**/*.mjs"] },
  { type: "CompiledWasm", include: ["**/*.wasm"] },
  { type: "Data", include: ["**/*.bin"] },
];

/**
 * The main module of a Worker: each class of its own has to be exported by its name.
 * @param {string} toml
 * @param {string} folder
 * @param {string} control
 */
function shim(toml, folder, control) {
  const bound = readFileSync(join(root, "edge-worker", toml), "utf8");
  const classes = [...bound.matchAll(/class_name = "(\w+)" }/g)].map(([, name]) => name);
  const script = [
    'import "./instance.mjs";',
    `import * as worker from "../../../dist/${folder}/index.js";`,
    'import { handler } from "./entry.mjs";',
    'import { faulty } from "./object.mjs";',
    `export default handler(worker.default, "${control}");`,
    ...classes.map((name) => `export const ${name} = faulty(worker.${name}, "${name}");`),
  ].join("\n");
  return { script, scriptPath: join(root, "tests/support/faults/main.mjs"), modulesRoot: root, modulesRules: RULES };
}

/**
 * What two told, as one.
 * @param {Told} one
 * @param {Told} other
 */
const merged = (one, other) => ({
  met: one.met.map((met, at) => met + (other.met[at] ?? 0)),
  held: one.held + other.held,
  passed: summed(one.passed, other.passed, (a, b) => a + b),
  costs: summed(one.costs, other.costs, (a, b) => ({ calls: a.calls + b.calls, read: a.read + b.read, written: a.written + b.written })),
  memory: { ...one.memory, ...other.memory },
});

/**
 * @template T
 * @param {Record<string, T>} one
 * @param {Record<string, T>} other
 * @param {(one: T, other: T) => T} sum
 */
function summed(one, other, sum) {
  const all = { ...one };
  for (const [name, value] of Object.entries(other)) all[name] = all[name] === undefined ? value : sum(all[name], value);
  return all;
}

/** @typedef {ReturnType<typeof import("./plan.mjs").report> & { memory: Record<string, number> }} Told */

/**
 * @param {Parameters<typeof system>[0]} [test] ends with it
 * @param {Parameters<typeof system>[1]} [options]
 */
export async function faultySystem(test, options) {
  const mains = {
    edge: shim("wrangler.toml", "worker", CONTROLS.edge),
    console: shim("wrangler.console.toml", "console", CONTROLS.console),
    api: shim("wrangler.api.toml", "api", CONTROLS.api),
  };
  const msci = await system(test, { ...options, mains });
  /** @param {keyof typeof CONTROLS} worker @param {string} method @param {unknown} [body] */
  const control = async (worker, method, body) => {
    const answer = await msci.fetch(CONTROLS[worker], { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (answer.status !== 200) throw new Error(`the shim answered ${answer.status}: ${answer.body}`);
    return /** @type {Told} */ ({ ...answer.body, memory: { [worker]: answer.body.memory } });
  };
  /** @param {string} method @param {unknown} [body] */
  const all = async (method, body) =>
    merged(merged(await control("edge", method, body), await control("console", method, body)), await control("api", method, body));
  return Object.assign(msci, {
    /** Replaces the plan of all Workers; what waited for that goes on. @param {Rule[]} rules */
    faults: (...rules) => all("PUT", rules),
    /** What met the rules, what was counted since the runtime began, and how much memory each Worker has. */
    told: () => all("GET"),
    /** Sets the clock of all Workers ahead. @param {number} ms */
    clock: (ms) => all("PATCH", ms),
    /** Takes all memory that the edge Worker's present instance may have. */
    exhaust: () => control("edge", "DELETE"),
    /**
     * Runs `work` under a plan, and ends the plan with it.
     * @template T
     * @param {Rule[]} rules
     * @param {() => Promise<T>} work
     */
    async under(rules, work) {
      await all("PUT", rules);
      try {
        return await work();
      } finally {
        await all("PUT", []);
      }
    },
  });
}
