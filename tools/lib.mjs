// @ts-check
// What every script here needs; nothing but Node itself, since the packages may not be there yet.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** An end that was foreseen: its message is all there is to say. */
export class Stop extends Error {}

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

// Each command leads a group of its own, so that the compilers it started end with it.
process.on("exit", () => {
  for (const child of running) {
    try {
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended by itself a moment ago.
    }
  }
});

/**
 * Runs a command with its output shown, and resolves to its exit code.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    });
    running.add(child);
    child.on("error", (error) => {
      running.delete(child);
      reject(new Stop(`${command} does not start: ${error.message}`));
    });
    child.on("exit", (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
}

/**
 * Runs a command that has to succeed.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string }} [options]
 */
export async function must(command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) throw new Stop(`${[command, ...args].join(" ")} failed (exit code ${code})`);
}

/**
 * A program's path, or undefined when it is not installed.
 * @param {string} name
 */
export function find(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/**
 * The frame of every script: signals end it with its children, a `Stop` is one line and exit code 1.
 * @param {() => Promise<void | number>} main resolves to an exit code, or to nothing to go on
 */
export async function script(main) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
  // npm passes signals on (the scripts begin with `exec`, or only its shell would get them), but nobody
  // tells us when npm itself is killed.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) {
    setInterval(() => process.ppid === parent || process.exit(1), 250).unref();
  }
  try {
    const code = await main();
    if (code !== undefined) process.exit(code);
  } catch (error) {
    console.error(error instanceof Stop ? error.message : error);
    process.exit(1);
  }
}
