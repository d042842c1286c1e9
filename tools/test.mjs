// @ts-check
// `npm test`: set-up, then every test there is. A failing part does not keep the next from running.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "./chromium.mjs";
import { root, run, script } from "./lib.mjs";
import { setUp } from "./setup.mjs";

await script(async () => {
  await setUp();
  await ensureChromium();
  const native = await run("cargo", ["test", "--locked", "--workspace", "--exclude", "msci-edge-worker"]);
  // The merge protocol under faults, optimised, since it is about numbers; and proof that it finds faults.
  const simulate = ["test", "--locked", "-p", "msci-core", "--release", "--test", "simulate"];
  const schedules = { MSCI_SCHEDULES: process.env.MSCI_SCHEDULES ?? "20000" };
  const simulated = await run("cargo", [...simulate, "simulate", "--", "--nocapture"], { env: schedules });
  const planted = await run("cargo", [...simulate, "--features", "mutants", "every_planted"]);
  // Filters in memory and in SQL: as many as are needed to meet what is rare.
  const differential = ["test", "--locked", "-p", "msci-core", "--release", "--test", "differential", "--", "--nocapture"];
  const compared = await run("cargo", differential, { env: { MSCI_CASES: process.env.MSCI_CASES ?? "100000" } });
  const files = readdirSync(join(root, "tests"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.mjs"))
    .map((file) => join("tests", file))
    .sort();
  // Each file starts a whole system, and most of them wait for it most of the time. What a browser has a second for is
  // tested alone.
  const node = async (/** @type {boolean} */ browser) => {
    const chosen = files.filter((file) => file.startsWith(join("tests", "browser")) === browser);
    const concurrency = `--test-concurrency=${browser ? 1 : 2}`;
    return chosen.length > 0 ? run(process.execPath, ["--test", "--test-reporter=spec", concurrency, ...chosen]) : 0;
  };
  const system = await node(false);
  const browser = await node(true);
  // The same as the simulator, on the real runtime: killed under load, nothing lost, doubled or misplaced.
  const crashed = await run(process.execPath, ["tools/crash.mjs", "--kills", "50"]);
  return [native, simulated, planted, compared, system, browser, crashed].every((code) => code === 0) ? 0 : 1;
});
