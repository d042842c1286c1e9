// @ts-check
// The npm package as its users get it: packed, and installed into a fresh project without a network.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "./at-end.mjs";

const execute = promisify(execFile);

/** A program of the repository's own packages: fresh projects have no network to install theirs from. */
export const program = (/** @type {string} */ name) => join(root, "node_modules/.bin", name);

/**
 * Runs a program; what it prints is in the error when it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
export async function run(command, args, cwd) {
  try {
    return (await execute(command, args, { cwd, encoding: "utf8", env: { ...process.env, NODE_ENV: "" } })).stdout;
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new Error(`${command} ${args.join(" ")} failed\n${stdout}${stderr}`, { cause: error });
  }
}

/** @param {{ after(work: () => unknown): void }} test */
function folder(test) {
  const path = mkdtempSync(join(tmpdir(), "msci-package-"));
  atEnd(test, () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * The file that would be published.
 * @param {{ after(work: () => unknown): void }} test it is gone after it
 */
export async function pack(test) {
  const out = folder(test);
  const packed = await run("npm", ["pack", join(root, "sdk/npm"), "--pack-destination", out, "--ignore-scripts", "--json"], out);
  const [{ filename, files }] = JSON.parse(packed);
  return { tarball: join(out, filename), files: files.map((/** @type {{ path: string }} */ file) => file.path).sort() };
}

/**
 * A project of its own with the package installed.
 * @param {{ after(work: () => unknown): void }} test it is gone after it
 * @param {string} tarball
 * @param {{ from?: string, files?: Record<string, string> }} content an example to begin with; files, by path
 */
export async function project(test, tarball, { from, files = {} }) {
  const path = folder(test);
  if (from) {
    const unbuilt = (/** @type {string} */ file) => !/\/(node_modules|dist)$/.test(file);
    cpSync(join(root, "examples", from), path, { recursive: true, filter: unbuilt });
    // The tools are the repository's, and the package comes packed.
    const own = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    files = { "package.json": JSON.stringify({ ...own, dependencies: {}, devDependencies: {} }), ...files };
  }
  for (const [name, text] of Object.entries({ "package.json": '{"private":true,"type":"module"}', ...files })) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  // An empty cache shows that nothing else is asked for.
  const quiet = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", join(path, ".npm")];
  await run("npm", ["install", tarball, ...quiet], path);
  return path;
}
