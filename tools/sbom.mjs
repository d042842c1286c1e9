// @ts-check
// `npm run sbom`: a software bill of materials (CycloneDX 1.5) of the two lock files, on standard output. The same
// lock files give the same bytes; nothing is asked of anybody. What is compiled into the product is `required`, what
// only builds and tests it `excluded`.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./lib.mjs";

/** Crates that become the product, on the machine that they become it for. */
const SHIPPED = ["msci-edge-worker", "msci-sdk"];
const MACHINE = "wasm32-unknown-unknown";
/** Packages that become part of it: pages of the console load two of them, the edge Worker has one. */
const BUNDLED = ["htmx.org", "isbot", "uplot"];

/**
 * @typedef {object} Component
 * @property {"library"} type
 * @property {string} bom-ref
 * @property {string} name
 * @property {string} version
 * @property {string} purl
 * @property {"required" | "excluded"} scope
 * @property {{ alg: string, content: string }[]} [hashes]
 * @property {{ expression: string }[]} [licenses]
 */

/** The bill. */
export function bill() {
  const product = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const [crates, packages] = [ofCargo(), ofNpm()];
  const components = [...crates.components, ...packages];
  const serial = createHash("sha256").update(JSON.stringify(components)).digest("hex");
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${serial.slice(0, 8)}-${serial.slice(8, 12)}-5${serial.slice(13, 16)}-8${serial.slice(17, 20)}-${serial.slice(20, 32)}`,
    version: 1,
    metadata: {
      component: {
        type: "application", "bom-ref": product.name, name: product.name, version: product.version,
        licenses: [{ expression: product.license }],
      },
    },
    components,
    dependencies: [{ ref: product.name, dependsOn: crates.direct }, ...crates.dependencies],
  };
}

/** Crates of the lock file that come from a registry. */
function ofCargo() {
  const metadata = JSON.parse(
    execFileSync("cargo", ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", MACHINE], {
      cwd: root, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  /** @type {Map<string, any>} */
  const known = new Map(metadata.packages.map((/** @type {any} */ one) => [one.id, one]));
  const nodes = new Map(metadata.resolve.nodes.map((/** @type {any} */ node) => [node.id, node]));
  const required = new Set();
  /** @param {string} id */
  const walk = (id) => {
    if (required.has(id)) return;
    required.add(id);
    for (const { pkg, dep_kinds: kinds } of nodes.get(id)?.deps ?? []) {
      // What a build script or macro is made of runs while building and is not in what is built.
      if (kinds.some((/** @type {any} */ of) => of.kind === null)) walk(pkg);
    }
  };
  for (const one of known.values()) if (SHIPPED.includes(one.name)) walk(one.id);
  const ref = (/** @type {any} */ one) => `pkg:cargo/${one.name}@${one.version}`;
  const licences = new Map([...known.values()].map((one) => [ref(one), one.license]));
  const shipped = new Set([...required].map((id) => ref(known.get(id))));
  /** @type {Component[]} */
  const components = [];
  for (const part of readFileSync(join(root, "Cargo.lock"), "utf8").split("[[package]]").slice(1)) {
    const [name = "", version = "", checksum] = ["name", "version", "checksum"].map((field) => new RegExp(`^${field} = "([^"]+)"`, "m").exec(part)?.[1]);
    // Without one, it is a part of this repository.
    if (!checksum) continue;
    const purl = ref({ name, version });
    const licence = licences.get(purl);
    components.push({
      type: "library", "bom-ref": purl, name, version, purl, scope: shipped.has(purl) ? "required" : "excluded",
      hashes: [{ alg: "SHA-256", content: checksum }],
      ...(licence && { licenses: [{ expression: licence.replaceAll("/", " OR ") }] }),
    });
  }
  const outside = new Set(components.map((one) => one["bom-ref"]));
  const linked = (/** @type {string} */ id) => (nodes.get(id)?.deps ?? []).filter((/** @type {any} */ of) => required.has(of.pkg)).map((/** @type {any} */ of) => of.pkg);
  const own = [...required].filter((id) => !outside.has(ref(known.get(id))));
  const direct = [...new Set(own.flatMap(linked).map((id) => ref(known.get(id))).filter((one) => outside.has(one)))].sort();
  const dependencies = [...required]
    .filter((id) => outside.has(ref(known.get(id))))
    .map((id) => ({ ref: ref(known.get(id)), dependsOn: [.../** @type {Set<string>} */ (new Set(linked(id).map((/** @type {string} */ on) => ref(known.get(on)))))].sort() }))
    .sort((one, other) => (one.ref < other.ref ? -1 : 1));
  return { components, direct, dependencies };
}

/** Packages of the lock file; they build and test, and none of them ships. @returns {Component[]} */
function ofNpm() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  /** @type {Map<string, Component>} */
  const all = new Map();
  for (const [path, of] of Object.entries(packages)) {
    const at = path.lastIndexOf("node_modules/");
    if (at < 0 || of.link) continue;
    const name = of.name ?? path.slice(at + "node_modules/".length);
    const purl = `pkg:npm/${name.replace("@", "%40")}@${of.version}`;
    const [alg = "", digest = ""] = (of.integrity ?? "").split(/-(.*)/s);
    all.set(purl, {
      type: "library", "bom-ref": purl, name, version: of.version, purl, scope: BUNDLED.includes(name) ? "required" : "excluded",
      ...(digest && { hashes: [{ alg: alg.replace(/^sha/, "SHA-"), content: Buffer.from(digest, "base64").toString("hex") }] }),
      ...(typeof of.license === "string" && { licenses: [{ expression: of.license }] }),
    });
  }
  return [...all.values()].sort((one, other) => (one.purl < other.purl ? -1 : 1));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(bill(), null, 2)}\n`);
}
