// @ts-check
// What must not be there.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

test("core depends on nothing that knows a clock, chance, a network or the platform", () => {
  // Each was looked at: arithmetic, hashing, text and (de)serialisation, and what those build with.
  const known = new Set(
    ("base64 block-buffer cfg-if cpufeatures crypto-common csv-core digest generic-array hmac itoa libc memchr msci-core " +
      "proc-macro2 quote ryu serde serde_core serde_derive serde_json sha2 subtle syn thiserror thiserror-impl typenum " +
      "unicode-ident version_check zmij").split(" "),
  );
  // The curve P-256: numbers as they are written and reckoned with. `rand_core` is traits; a source of chance it has only
  // by its feature `getrandom`, and that crate is not here.
  const curve = "base16ct const-oid crypto-bigint der ecdsa elliptic-curve ff group p256 primeorder rand_core rfc6979 sec1 signature zeroize";
  for (const name of curve.split(" ")) known.add(name);
  const tree = execFileSync("cargo", ["tree", "--locked", "--offline", "-p", "msci-core", "-e", "normal,build", "--prefix", "none"], {
    cwd: root,
    encoding: "utf8",
  });
  const crates = [...new Set(tree.split("\n").map((line) => line.split(" ")[0] ?? ""))].filter(Boolean);
  assert.ok(crates.includes("msci-core"));
  assert.deepEqual(crates.filter((name) => !known.has(name)), []);
});

test("ARCHITECTURE.md stays within 200 lines", () => {
  assert.ok(readFileSync(`${root}ARCHITECTURE.md`, "utf8").split("\n").length <= 200);
});

test("no file of the repository names a machine it was made on", () => {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);
  const home = new RegExp(["/ro" + "ot/", "/ho" + "me/[a-z]", "/wo" + "rk/"].join("|"));
  const found = files.filter((file) => !/\.(lock|png)$/.test(file) && home.test(readFileSync(root + file, "utf8")));
  assert.deepEqual(found, []);
});

test("a test puts away what it brought by `atEnd`, which nothing that throws keeps from it", () => {
  const files = execFileSync("git", ["ls-files", "-z", "tests"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);
  const own = /\b(?:t|test)\??\.after\(/;
  const found = files.filter((file) => file.endsWith(".mjs") && own.test(readFileSync(root + file, "utf8")));
  assert.deepEqual(found, ["tests/support/at-end.mjs"]);
});
