// @ts-check
// `npm run crash -- --kills 50 [--seed n] [--clients n] [--keep]`: the built system is killed under write load
// and must have lost, doubled and misplaced nothing (tests/crash). With `--browser [--signals n] [--minutes n]` it
// is the browser that is killed, for an hour at most. Exit code 1 when something is amiss.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as browsers from "../tests/crash/browsers.mjs";
import { campaign, discard } from "../tests/crash/campaign.mjs";
import { Stop, script } from "./lib.mjs";

/** More of a kind are counted, not told. */
const TOLD = 5;

/** @param {Record<string, unknown>} figures */
const print = (figures) => Object.entries(figures).forEach(([name, value]) => console.log(`${name.padEnd(28)}${value}`));

await script(async () => {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "50" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      clients: { type: "string", default: "24" },
      keep: { type: "boolean", default: false },
      browser: { type: "boolean", default: false },
      signals: { type: "string", default: "" },
      minutes: { type: "string", default: "60" },
    },
  });
  const number = (/** @type {"kills" | "seed" | "clients" | "signals" | "minutes"} */ name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0) throw new Stop(`--${name} should be a whole number`);
    return value;
  };
  const [kills, seed, clients] = [number("kills"), number("seed"), number("clients")];
  if (values.browser) {
    console.log(`seed ${seed}`);
    const signals = values.signals ? number("signals") : 50 * kills;
    const { figures, ...faults } = await browsers.campaign({ kills, signals, seed, minutes: number("minutes"), tell: console.log });
    const found = Object.entries(faults);
    print({ ...figures, ...Object.fromEntries(found.map(([kind, list]) => [kind, list.length])) });
    for (const [kind, list] of found) for (const what of list.slice(0, TOLD)) console.error(`${kind}: ${what}`);
    return found.some(([, list]) => list.length > 0) ? 1 : 0;
  }
  const state = mkdtempSync(join(tmpdir(), "msci-crash-"));
  console.log(`seed ${seed}, ${clients} clients, state in ${state}`);
  try {
    const begun = performance.now();
    const { figures, verify } = await campaign({ kills, seed, clients, state, tell: console.log });
    const faults = verify();
    const of = (/** @type {string[]} */ ...kinds) => faults.filter((fault) => kinds.includes(fault.kind)).length;
    const all = {
      ...figures,
      lost: of("lost"),
      doubled: of("doubled"),
      misplaced: of("misplaced", "invented"),
      "other faults": of("altered", "unfinished", "profile", "list", "answer"),
      time: `${((performance.now() - begun) / 1000).toFixed(1)} s`,
    };
    print(all);
    if (faults.length === 0) return 0;
    console.error(`seed ${seed}: ${faults.length} faults`);
    for (const kind of new Set(faults.map((fault) => fault.kind))) {
      const same = faults.filter((fault) => fault.kind === kind);
      for (const { what } of same.slice(0, TOLD)) console.error(`${kind}: ${what}`);
      if (same.length > TOLD) console.error(`${kind}: … and ${same.length - TOLD} more`);
    }
    return 1;
  } finally {
    if (!values.keep) discard(state);
  }
});
