// @ts-check
// Known vulnerabilities of the crates, from a clone of github.com/RustSec/advisory-db that is given: nothing is fetched.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Stop, must, root, run } from "./lib.mjs";

/** How cargo-deny calls its copy of that repository. */
const COPY = "advisory-db-3157b0e258782691";

/** Every lock file with JSON in it has this crate. */
const MADE_UP = `\`\`\`toml
[advisory]
id = "RUSTSEC-2099-0001"
package = "serde_json"
date = "2099-01-01"
[versions]
patched = []
\`\`\`

# Made up, so that a check that finds nothing is noticed
`;

/** @param {string} deny the program @param {string} database @param {string} folder for what is only needed now */
async function check(deny, database, folder) {
  symlinkSync(database, join(folder, COPY));
  const config = join(folder, "deny.toml");
  cpSync(join(root, "deny.toml"), config);
  // Whether a version was taken back only its registry knows.
  writeFileSync(config, `\n[advisories]\ndb-path = ${JSON.stringify(folder)}\nyanked = "allow"\n`, { flag: "a" });
  return run(deny, ["--offline", "--config", config, "check", "--hide-inclusion-graph", "advisories"]);
}

/**
 * Checks the locked crates, after a database with one made-up advisory showed that it would be found.
 * @param {string} deny cargo-deny
 * @param {string | undefined} database folder of the clone
 */
export async function advisories(deny, database) {
  if (!database) {
    console.error("lint: advisories: left out: MSCI_ADVISORIES names no clone of github.com/RustSec/advisory-db");
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "msci-advisories-"));
  try {
    const [trial, made] = [join(folder, "trial"), join(folder, "made-up")];
    mkdirSync(trial);
    mkdirSync(join(made, "crates/serde_json"), { recursive: true });
    writeFileSync(join(made, "crates/serde_json/RUSTSEC-2099-0001.md"), MADE_UP);
    await must("git", ["init", "--quiet", made]);
    await must("git", ["-C", made, "add", "."]);
    await must("git", ["-C", made, "-c", "user.name=lint", "-c", "user.email=lint@localhost", "commit", "--quiet", "--message", "Made up"]);
    if ((await check(deny, made, trial)) === 0) throw new Stop("the made-up advisory was not found: the check checks nothing");
    console.error("lint: advisories: the made-up one above was found, as it must be; now those that are given");
    return await check(deny, resolve(database), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
