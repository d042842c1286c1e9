// @ts-check
// `npm run fuzz -- filter [--seconds 600]`: texts made by libFuzzer, from those that are there on, until one
// panics, hangs, grows or breaks a promise (`core/fuzz/src`). What it learns stays in target/fuzz, so that the next run goes on from there.
// `all` is each of them, one after the other, so many seconds each.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stop, find, must, root, run, script } from "./lib.mjs";
import { toolchain } from "./setup.mjs";

/** Where each target's first texts are, one a line. Of filters a word in front says what becomes of them. */
const SEEDS = join(root, "core/fuzz/seeds");
const FILTERS = join(root, "core/tests/fixtures/filters.txt");
const TARGETS = ["filter", ...readdirSync(SEEDS).map((name) => name.replace(".txt", ""))];
const TARGET_DIR = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const CARGO_FUZZ = join(TARGET_DIR, "tools/bin/cargo-fuzz");

await script(async () => {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: "string", default: "60" } },
    allowPositionals: true,
  });
  const [target = ""] = positionals;
  if (target !== "all" && !TARGETS.includes(target)) {
    throw new Stop(`npm run fuzz -- <target> [--seconds N]; targets: all, ${TARGETS.join(", ")}`);
  }
  if (!/^[1-9]\d*$/.test(values.seconds)) throw new Stop("--seconds should be a whole number");
  await toolchain();
  const nightly = { RUSTUP_TOOLCHAIN: "nightly" };
  if (spawnSync("rustc", ["--version"], { env: { ...process.env, ...nightly } }).status !== 0) {
    throw new Stop("libFuzzer needs a nightly compiler: rustup toolchain install nightly --profile minimal");
  }
  if (!find("cargo-fuzz") && !existsSync(CARGO_FUZZ)) {
    console.error("fuzz: cargo install cargo-fuzz");
    await must("cargo", ["install", "--locked", "cargo-fuzz", "--root", join(TARGET_DIR, "tools")]);
  }
  const failed = [];
  for (const one of target === "all" ? TARGETS : [target]) if ((await fuzz(one, values.seconds, nightly)) !== 0) failed.push(one);
  if (target === "all") console.error(failed.length > 0 ? `fuzz: found something in ${failed.join(", ")}` : `fuzz: ${TARGETS.length} targets, ${values.seconds} s each, nothing found`);
  return failed.length > 0 ? 1 : 0;
});

/** Runs one target. @param {string} target @param {string} seconds @param {NodeJS.ProcessEnv} nightly */
function fuzz(target, seconds, nightly) {
  const folder = join(TARGET_DIR, "fuzz", target);
  const [corpus, seeds, found] = ["corpus", "seeds", "found"].map((name) => join(folder, name));
  for (const path of [corpus, seeds, found]) mkdirSync(/** @type {string} */ (path), { recursive: true });
  const table = target === "filter" ? FILTERS : join(SEEDS, `${target}.txt`);
  const lines = readFileSync(table, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
  for (const [n, line] of lines.entries()) {
    const text = target === "filter" ? line.slice(line.indexOf(" ") + 1).replaceAll("\\n", "\n") : written(line);
    writeFileSync(join(/** @type {string} */ (seeds), `${n}`), text);
  }
  const options = [`-max_total_time=${seconds}`, "-max_len=8192", "-timeout=5", `-artifact_prefix=${found}/`];
  const command = ["fuzz", "run", "--fuzz-dir", "core/fuzz", target, `${corpus}`, `${seeds}`, "--", ...options];
  return run(find("cargo-fuzz") ?? CARGO_FUZZ, command, { env: { ...nightly, CARGO_TARGET_DIR: join(TARGET_DIR, "fuzz/build") } });
}

/** What a line stands for: `\n`, `\r`, `\t`, `\\` and `\xff` are what they are elsewhere. @param {string} line */
function written(line) {
  const marks = /** @type {Record<string, string>} */ ({ n: "\n", r: "\r", t: "\t" });
  const parts = line.split(/\\(x[0-9a-f]{2}|.)/);
  return Buffer.concat(
    parts.map((part, at) => {
      if (at % 2 === 0) return Buffer.from(part);
      return part.length > 1 ? Buffer.from(part.slice(1), "hex") : Buffer.from(marks[part] ?? part);
    }),
  );
}
