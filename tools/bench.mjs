// @ts-check
// `npm run bench`: every measurement in tests/bench, one after the other; a name picks one.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { must, root, script } from "./lib.mjs";
import { setUp } from "./setup.mjs";

await script(async () => {
  await setUp();
  const folder = join(root, "tests/bench");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".bench.mjs")).sort() : [];
  const wanted = process.argv[2] ?? "";
  for (const file of files) if (file.startsWith(wanted)) await must(process.execPath, [join(folder, file)]);
  return 0;
});
