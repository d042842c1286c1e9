// @ts-check
// `npm test`: set-up, then every test there is. A failing part does not keep the next from running.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "./chromium.mjs";
import { root, run, script } from "./lib.mjs";
import { setUp } from "./setup.mjs";

await script(async () => {
  await setUp();
  await ensureChromium();
  const native = await run("cargo", ["test", "--locked", "--workspace", "--exclude", "msci-edge-worker"]);
  const files = readdirSync(join(root, "tests"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.mjs"))
    .map((file) => join("tests", file))
    .sort();
  // One file at a time: each starts a whole system, and times are part of what some of them check.
  const node = ["--test", "--test-reporter=spec", "--test-concurrency=1", ...files];
  const system = files.length > 0 ? await run(process.execPath, node) : 0;
  return native === 0 && system === 0 ? 0 : 1;
});
