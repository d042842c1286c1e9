// @ts-check
// The package as it is published: what is in it, and what TypeScript makes of it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { publint } from "publint";
import { root } from "../../tools/lib.mjs";
import { pack, program, project, run } from "../support/package.mjs";

const source = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
const { version } = JSON.parse(source("package.json"));

/** @type {Awaited<ReturnType<typeof pack>>} */
let packed;
/** Ends when the whole file does. @type {() => unknown} */
let end;
before(async () => {
  packed = await pack({ after: (work) => void (end = work) });
});
after(() => end());

/** The TypeScript in a text of Markdown, each block a module. @param {string} path */
function modules(path) {
  const blocks = [...source(path).matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
  return Object.fromEntries(blocks.map((block, at) => [`${path.replaceAll("/", "-")}-${at + 1}.ts`, block[1] ?? ""]));
}

test("what is published is the package, its types, its documentation and its licence", () => {
  assert.deepEqual(packed.files, ["LICENSE", "README.md", "index.d.ts", "index.js", "package.json"]);
  assert.equal(source("sdk/npm/LICENSE"), source("LICENSE"));
  assert.equal(JSON.parse(source("sdk/npm/package.json")).version, version);
});

test("publint has nothing to say about it", async () => {
  const { buffer } = new Uint8Array(readFileSync(packed.tarball));
  const { messages } = await publint({ pack: { tarball: buffer }, strict: true });
  assert.deepEqual(messages, []);
});

test("are the types wrong? No, wherever ES modules are resolved", async () => {
  const printed = await run(program("attw"), [packed.tarball, "--profile", "esm-only", "--format", "json"], root);
  const { analysis, problems } = JSON.parse(printed);
  assert.deepEqual([analysis.packageVersion, analysis.types], [version, { kind: "included" }]);
  // For `require` it is an ES module too; that is meant.
  assert.deepEqual(Object.keys(problems), ["CJSResolvesToESM"]);
});

for (const [resolution, module] of [["node16", "node16"], ["bundler", "preserve"]]) {
  test(`every example compiles and every wrong use does not, resolved as ${resolution} does`, async (t) => {
    const examples = { ...modules("sdk/npm/README.md"), ...modules("README.md") };
    assert.equal(Object.keys(examples).length, 9);
    const compilerOptions = {
      module,
      moduleResolution: resolution,
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
    };
    const files = {
      ...examples,
      "main.ts": source("examples/npm-vite/src/main.ts"),
      "wrong-uses.ts": source("tests/packages/fixtures/wrong-uses.ts"),
      "tsconfig.json": JSON.stringify({ compilerOptions, include: ["*.ts"] }),
    };
    const path = await project(t, packed.tarball, { files });
    assert.equal(await run(program("tsc"), ["-p", "."], path), "");
  });
}
