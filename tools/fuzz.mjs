// @ts-check
// `npm run fuzz -- filter [--seconds 600]`: texts made by libFuzzer, from the documented ones on, until one
// panics, hangs or grows. What it learns stays in target/fuzz, so that the next run goes on from there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stop, find, must, root, run, script } from "./lib.mjs";
import { toolchain } from "./setup.mjs";

/** Each target, and where its first texts are: one a line, behind a word that says what becomes of it. */
const TARGETS = /** @type {Record<string, string>} */ ({ filter: "core/tests/fixtures/filters.txt" });
const TARGET_DIR = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const CARGO_FUZZ = join(TARGET_DIR, "tools/bin/cargo-fuzz");

await script(async () => {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: "string", default: "60" } },
    allowPositionals: true,
  });
  const [target = ""] = positionals;
  const texts = TARGETS[target];
  if (!texts) throw new Stop(`npm run fuzz -- <target> [--seconds N]; targets: ${Object.keys(TARGETS).join(", ")}`);
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
  const folder = join(TARGET_DIR, "fuzz", target);
  const [corpus, seeds, found] = ["corpus", "seeds", "found"].map((name) => join(folder, name));
  for (const path of [corpus, seeds, found]) mkdirSync(/** @type {string} */ (path), { recursive: true });
  const lines = readFileSync(join(root, texts), "utf8").split("\n");
  for (const [n, line] of lines.filter((line) => line && !line.startsWith("#")).entries()) {
    const text = line.slice(line.indexOf(" ") + 1).replaceAll("\\n", "\n");
    writeFileSync(join(/** @type {string} */ (seeds), `${n}`), text);
  }
  const options = [`-max_total_time=${values.seconds}`, "-max_len=8192", "-timeout=5", `-artifact_prefix=${found}/`];
  const fuzz = ["fuzz", "run", "--fuzz-dir", "core/fuzz", target, `${corpus}`, `${seeds}`, "--", ...options];
  return run(find("cargo-fuzz") ?? CARGO_FUZZ, fuzz, { env: { ...nightly, CARGO_TARGET_DIR: join(TARGET_DIR, "fuzz/build") } });
});
