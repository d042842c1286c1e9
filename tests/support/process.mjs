// @ts-check
// `npm start` as a child process, as its user sees it.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "./at-end.mjs";
import { ADMIN_TOKEN, IDENTITY_SECRET } from "./system.mjs";

/** A port that nobody listens on at this moment. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {{ after(work: () => unknown): void }} test
 * @param {Record<string, string>} env
 * @param {string[]} [command]
 */
export function start(test, env, [program = "", ...args] = [process.execPath, join(root, "tools/start.mjs")]) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, MSCI_ADMIN_TOKEN: ADMIN_TOKEN, MSCI_IDENTITY_SECRET: IDENTITY_SECRET, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, which a test can end as a whole.
    detached: true,
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (out += part));
  child.stderr.setEncoding("utf8").on("data", (part) => (err += part));
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => child.on("close", (code) => resolve(code)));
  const killAll = () => {
    try {
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nothing of it is left.
    }
  };
  atEnd(test, async () => {
    killAll();
    await ended;
  });
  return {
    child,
    ended,
    killAll,
    out: () => out,
    err: () => err,
    ready: async () => {
      await Promise.race([
        ended,
        new Promise((resolve) => child.stdout.on("data", () => out.includes("\nready ") && resolve(undefined))),
      ]);
      if (!out.includes("\nready ")) throw new Error(`it ended before it was ready: ${err}`);
    },
  };
}

/**
 * A process and all that descend from it, by id; from the process table, so on Linux only.
 * @param {number} pid
 * @returns {number[]}
 */
export function family(pid) {
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in parentheses may hold spaces; state and parent follow it.
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      if (fields[0] !== "Z") parents.set(Number(name), Number(fields[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const found = parents.has(pid) ? [pid] : [];
  for (const id of found) for (const [child, parent] of parents) if (parent === id) found.push(child);
  return found;
}

/** @param {number} pid */
export function lives(pid) {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
