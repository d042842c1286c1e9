// @ts-check
// `npm run reproduce`: builds everything that ships twice, in two folders of different names that nothing was ever
// built in, and compares byte by byte. Takes as long as two clean builds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { Stop, must, root, script } from "./lib.mjs";
import { packages, toolchain } from "./setup.mjs";

/** What ships, below `dist`. */
const SHIPS = ["api", "console", "sdk", "worker"];
const PLACE = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "reproduce");

await script(async () => {
  await packages();
  await toolchain();
  // Both copies first: whoever goes on working here meanwhile changes neither.
  const copies = ["a", "somewhere/quite/else"].map(copied);
  const [one = {}, other = {}] = [await built(copies[0] ?? ""), await built(copies[1] ?? "")];
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  const differ = names.filter((name) => one[name] !== other[name]);
  for (const name of names) console.log(`${differ.includes(name) ? "differs" : one[name]}  ${name}`);
  if (differ.length > 0) throw new Stop(`${differ.length} of ${names.length} files differ between two builds of the same sources`);
  console.log(`${names.length} files, the same in both builds`);
  return 0;
});

/** The sources, as they are now, in a folder of this name. @param {string} name */
function copied(name) {
  const copy = join(PLACE, name);
  rmSync(copy, { recursive: true, force: true });
  const listed = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  if (listed.status !== 0) throw new Stop("git does not list the sources");
  for (const file of listed.stdout.split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Digests of what is built of a copy. @param {string} copy */
async function built(copy) {
  const env = { CARGO_TARGET_DIR: join(copy, "target") };
  await must("cargo", ["run", "-q", "--locked", "-p", "msci-build", "--", "all"], { cwd: copy, env });
  /** @type {Record<string, string>} */
  const digests = {};
  for (const part of SHIPS) {
    for (const file of readdirSync(join(copy, "dist", part), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath ?? file.path, file.name);
      digests[path.slice(join(copy, "dist").length + 1)] = createHash("sha256").update(readFileSync(path)).digest("hex");
    }
  }
  rmSync(join(copy, "target"), { recursive: true, force: true });
  return digests;
}
