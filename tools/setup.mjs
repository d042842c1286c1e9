// @ts-check
// From a fresh clone to a built system. Every step looks first whether it is needed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { Stop, find, must, root } from "./lib.mjs";

const TARGET = "wasm32-unknown-unknown";

export async function setUp() {
  await packages();
  await toolchain();
  await must("cargo", ["run", "--locked", "-p", "msci-build", "--", "all"]);
}

/** The npm packages of the lock file. */
export async function packages() {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 20) throw new Stop(`Node.js 20 or newer is needed, this is ${process.versions.node}`);
  const lock = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
  const stamp = join(root, "node_modules/.msci-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  console.error("set-up: npm ci");
  await must("npm", ["ci"]);
  writeFileSync(stamp, lock);
}

/** Rust as rust-toolchain.toml names it, with the WebAssembly target. */
export async function toolchain() {
  // Where rustup puts it, for shells that were open before it was installed.
  process.env.PATH += `${delimiter}${join(homedir(), ".cargo/bin")}`;
  if (!find("cargo")) throw new Stop("Rust is needed and cargo is not installed: see https://rustup.rs");
  if (!sysroot() && find("rustup")) {
    console.error("set-up: rustup toolchain install");
    await must("rustup", ["toolchain", "install", "--profile", "minimal", "--no-self-update"]);
  }
  const installed = sysroot();
  if (!installed) throw new Stop("rustc does not start; rust-toolchain.toml names the version that is needed");
  if (existsSync(join(installed, "lib/rustlib", TARGET))) return;
  if (!find("rustup")) throw new Stop(`this Rust has no ${TARGET} and there is no rustup to add it`);
  console.error(`set-up: rustup target add ${TARGET}`);
  await must("rustup", ["target", "add", TARGET]);
}

function sysroot() {
  const { status, stdout } = spawnSync("rustc", ["--print", "sysroot"], { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
