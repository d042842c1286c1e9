// @ts-check
// `npm run deploy`: builds and hands the Worker to wrangler; `-- --dry-run` stops before the network.
import { must, script } from "./lib.mjs";
import { setUp } from "./setup.mjs";

await script(async () => {
  const args = process.argv.slice(2);
  await setUp();
  const dry = args.includes("--dry-run") ? ["--outdir", "dist/deploy"] : [];
  await must("node_modules/.bin/wrangler", ["deploy", "-c", "edge-worker/wrangler.toml", ...args, ...dry], {
    env: { WRANGLER_SEND_METRICS: "false" },
  });
  return 0;
});
