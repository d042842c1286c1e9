// @ts-check
// The bill of materials: all of both lock files, the same each time, and what ships is told from what builds it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bill } from "../tools/sbom.mjs";

const root = new URL("..", import.meta.url);

test("the bill of materials has every locked crate and package once, with its digest", () => {
  const made = bill();
  assert.deepEqual(bill(), made);
  assert.deepEqual([made.bomFormat, made.specVersion, made.metadata.component.name], ["CycloneDX", "1.5", "msci"]);
  assert.match(made.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  const refs = made.components.map((one) => one["bom-ref"]);
  assert.equal(new Set(refs).size, refs.length);
  const locked = readFileSync(new URL("Cargo.lock", root), "utf8").match(/^checksum = "/gm) ?? [];
  assert.equal(refs.filter((ref) => ref.startsWith("pkg:cargo/")).length, locked.length);
  assert.ok(refs.filter((ref) => ref.startsWith("pkg:npm/")).length > 100);
  for (const { purl, hashes } of made.components) {
    assert.match(purl, /^pkg:(cargo|npm)\/(%40[^@/]+\/)?[^@/]+@\S+$/);
    assert.match(hashes?.[0]?.content ?? "", /^([0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})$/, purl);
  }
});

test("what is compiled into the product is told from what builds and tests it", () => {
  const { components, dependencies } = bill();
  const scope = (/** @type {string} */ name) => components.find((one) => one.name === name)?.scope;
  for (const name of ["serde_json", "worker", "lol_alloc", "csv-core", "subtle", "htmx.org", "isbot", "uplot"]) assert.equal(scope(name), "required", name);
  for (const name of ["proptest", "rusqlite", "brotli", "walrus", "wrangler", "esbuild"]) assert.equal(scope(name), "excluded", name);
  const refs = new Set(components.map((one) => one["bom-ref"]));
  for (const { ref, dependsOn } of dependencies.slice(1)) {
    assert.ok(refs.has(ref), ref);
    for (const on of dependsOn) assert.ok(refs.has(on), on);
  }
  for (const one of components) {
    if (one.scope === "required") assert.ok(one.licenses, `${one.purl} has no licence`);
  }
});
