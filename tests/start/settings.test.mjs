// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readSettings } from "../../tools/settings.mjs";
import { atEnd } from "../support/at-end.mjs";

const NAMES = ["PORT", "MSCI_STATE", "MSCI_ORIGIN", "MSCI_ADMIN_TOKEN", "MSCI_IDENTITY_SECRET", "MSCI_INGESTION_KEY"];

/** A `.dev.vars` of its own, with nothing set in the environment. @param {{ after(work: () => unknown): void }} t */
function file(t) {
  const folder = mkdtempSync(join(tmpdir(), "msci-vars-"));
  const before = { ...process.env };
  for (const name of NAMES) delete process.env[name];
  atEnd(t, () => {
    rmSync(folder, { recursive: true, force: true });
    for (const name of NAMES) delete process.env[name];
    Object.assign(process.env, before);
  });
  return join(folder, ".dev.vars");
}

test("secrets are made once, kept, and readable by their owner alone", (t) => {
  const path = file(t);
  const first = readSettings(path);
  assert.ok(first.adminToken.length >= 32 && first.identitySecret.length >= 32);
  assert.notEqual(first.adminToken, first.identitySecret);
  assert.deepEqual(readSettings(path), first);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a secret that is already chosen is kept, and only the missing one is added", (t) => {
  const path = file(t);
  writeFileSync(path, "# mine\nMSCI_ADMIN_TOKEN=\"chosen token\"");
  const settings = readSettings(path);
  assert.equal(settings.adminToken, "chosen token");
  assert.match(readFileSync(path, "utf8"), /^# mine\nMSCI_ADMIN_TOKEN="chosen token"\nMSCI_IDENTITY_SECRET=\S+\n$/);
});

test("the environment comes before the file, and the file before the defaults", (t) => {
  const path = file(t);
  writeFileSync(path, "PORT=9001\nMSCI_INGESTION_KEY=from-file\nMSCI_ADMIN_TOKEN=a\nMSCI_IDENTITY_SECRET=b\n");
  process.env.MSCI_INGESTION_KEY = "from-environment";
  const settings = readSettings(path);
  assert.equal(settings.port, 9001);
  assert.equal(settings.ingestionKey, "from-environment");
  assert.equal(settings.origin, undefined);
});

test("a port or a site that is none is refused by name", (t) => {
  const path = file(t);
  process.env.PORT = "http";
  assert.throws(() => readSettings(path), /PORT is not a port: http/);
  process.env.PORT = "8787";
  process.env.MSCI_ORIGIN = "shop.example";
  assert.throws(() => readSettings(path), /MSCI_ORIGIN is not a URL: shop.example/);
});
