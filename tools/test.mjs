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
  // One build for all three: faults are planted only where a test asks for one.
  const release = ["test", "--locked", "-p", "msci-core", "--release", "--features", "mutants", "--test"];
  const simulate = [...release, "simulate"];
  const schedules = { MSCI_SCHEDULES: process.env.MSCI_SCHEDULES ?? "20000" };
  const simulated = await run("cargo", [...simulate, "simulate", "--", "--nocapture"], { env: schedules });
  const planted = await run("cargo", [...simulate, "every_planted"]);
  // Filters in memory and in SQL: as many as are needed to meet what is rare.
  const differential = [...release, "differential", "--", "--nocapture"];
  const compared = await run("cargo", differential, { env: { MSCI_CASES: process.env.MSCI_CASES ?? "100000" } });
  const files = readdirSync(join(root, "tests"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.mjs"))
    .map((file) => join("tests", file))
    .sort();
  // Those of the Worker and of the console start a whole system each, and wait for it most of the time. Where a browser
  // has a second for something, or a build may be asked for, nothing else runs beside. The longest come first by name:
  // none of them runs alone at the end.
  const many = ["browser/console", "browser/payloads", "crash/crash", "crash/damage", "worker"];
  const beside = (/** @type {string} */ file) => many.some((part) => file.startsWith(join("tests", part)));
  // A file that does not end in many times what it takes is a failure with a name, not a run without an end.
  const options = ["--test", "--test-reporter=spec", "--test-timeout=1200000"];
  const node = (/** @type {number} */ concurrency, /** @type {string[]} */ chosen) =>
    chosen.length > 0 ? run(process.execPath, [...options, `--test-concurrency=${concurrency}`, ...chosen]) : 0;
  const together = await node(3, files.filter(beside));
  const others = await node(1, files.filter((file) => !beside(file)));
  // The same as the simulator, on the real runtime: killed under load, nothing lost, doubled or misplaced.
  const crashed = await run(process.execPath, ["tools/crash.mjs", "--kills", "50"]);
  return [native, simulated, planted, compared, together, others, crashed].every((code) => code === 0) ? 0 : 1;
});
