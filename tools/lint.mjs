// @ts-check
// `npm run lint`: everything that is checked without running the product. All of it runs, whatever fails.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { advisories } from "./advisories.mjs";
import { find, must, root, run, script } from "./lib.mjs";
import { packages, toolchain } from "./setup.mjs";

const DENY = join(root, "target/tools/bin/cargo-deny");
const NATIVE = ["--workspace", "--exclude", "msci-edge-worker"];
const WASM = ["--target", "wasm32-unknown-unknown", "-p", "msci-edge-worker"];
const EDGE = [...WASM, "-p", "msci-core", "-p", "msci-sdk"];
const CONSOLE = [...WASM, "--no-default-features", "--features", "console"];
const API = [...WASM, "--no-default-features", "--features", "api"];

await script(async () => {
  await packages();
  await toolchain();
  if (!find("cargo-deny") && !existsSync(DENY)) {
    // It runs for a second: a third of the time to make it is worth more than its speed.
    await must("cargo", ["install", "--locked", "--debug", "cargo-deny", "--root", join(root, "target/tools")]);
  }
  // The licence check reads every crate of the lock file, those of other machines too.
  await must("cargo", ["fetch", "--locked"]);
  const failed = [];
  for (const [name, command, args, env] of [
    ["format", "cargo", ["fmt", "--all", "--check"]],
    ["clippy", "cargo", ["clippy", "--locked", ...NATIVE, "--all-targets", "--", "-D", "warnings"]],
    ["clippy wasm32", "cargo", ["clippy", "--locked", ...EDGE, "--", "-D", "warnings"]],
    ["clippy console", "cargo", ["clippy", "--locked", ...CONSOLE, "--", "-D", "warnings"]],
    ["clippy api", "cargo", ["clippy", "--locked", ...API, "--", "-D", "warnings"]],
    ["documentation", "cargo", ["doc", "--locked", "--no-deps", ...NATIVE], { RUSTDOCFLAGS: "-Dwarnings" }],
    ["licences", find("cargo-deny") ?? DENY, ["--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]],
    ["types", "node_modules/.bin/tsc", ["-p", "tsconfig.json"]],
  ]) {
    console.error(`lint: ${name}`);
    const code = await run(/** @type {string} */ (command), /** @type {string[]} */ (args), { env: /** @type {any} */ (env) });
    if (code !== 0) failed.push(name);
  }
  if ((await advisories(find("cargo-deny") ?? DENY, process.env.MSCI_ADVISORIES)) !== 0) failed.push("advisories");
  console.error(failed.length === 0 ? "lint: all passed" : `lint: failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
});
