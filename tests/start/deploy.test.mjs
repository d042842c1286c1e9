// @ts-check
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { system } from "../support/system.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** @param {string[]} args @param {Record<string, string>} env */
const deploy = (args, env = {}) =>
  spawnSync(process.execPath, ["tools/deploy.mjs", ...args], { cwd: root, encoding: "utf8", env: { ...process.env, ...env } });

test("a dry run of the deployment packs all Workers with all their bindings, stricter than at home", () => {
  const { status, stdout } = deploy(["--dry-run"], { MSCI_ADMIN_HOST: "admin.shop.example" });
  assert.equal(status, 0, stdout);
  // The edge first: the console uses its objects. wrangler hides the values of variables that are given this way.
  const [, edge = "", console = "", api = ""] = stdout.split("has access to the following bindings");
  for (const binding of ["PROFILE", "CONFIG", "SNAPSHOTS", "INDEX", "MSCI_VERIFICATION"]) assert.ok(edge.includes(`env.${binding}`), binding);
  for (const binding of ["PROFILE", "CONFIG", "JOBS", "SNAPSHOTS", "INDEX", "MSCI_ADMIN_HOST"]) assert.ok(console.includes(`env.${binding}`), binding);
  for (const binding of ["PROFILE", "CONFIG", "SNAPSHOTS", "INDEX", "MSCI_ADMIN_HOST"]) assert.ok(api.includes(`env.${binding}`), binding);
  for (const other of ["JOBS", "MSCI_ADMIN_HOST"]) assert.ok(!edge.includes(`env.${other}`), other);
  for (const folder of ["worker", "console", "api"]) assert.ok(existsSync(`${root}dist/deploy/${folder}/index.js`), folder);
});

test("a deployment without a host for the administration is refused in one line", () => {
  const { status, stderr } = deploy([], { MSCI_ADMIN_HOST: "" });
  assert.equal(status, 1);
  assert.match(stderr, /MSCI_ADMIN_HOST/);
});

test("a new system that was deployed requires a signed token for every link", async (t) => {
  const msci = await system(t, { vars: { MSCI_VERIFICATION: "required" } });
  assert.equal((await msci.admin("GET", "/settings")).body.identity.verification, "required");
});
