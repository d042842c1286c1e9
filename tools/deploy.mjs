// @ts-check
// `npm run deploy`: builds and hands the Workers to wrangler; `-- --dry-run` stops before the network.
//
// What is deployed is stricter than what runs on a desk: only signed tokens make a link, and console and
// admin API answer on a host of their own, so that no script of the site shares their origin.
import { Stop, must, script } from "./lib.mjs";
import { setUp } from "./setup.mjs";

await script(async () => {
  const args = process.argv.slice(2);
  const dry = args.includes("--dry-run");
  const host = process.env.MSCI_ADMIN_HOST || (dry ? "admin.example" : undefined);
  if (!host) throw new Stop("set MSCI_ADMIN_HOST to the host name on which console and admin API shall answer");
  await setUp();
  // The others use the edge's objects, so they are there first. A route goes before a host of one's own.
  for (const [file, out, ...own] of [
    ["wrangler.toml", "worker", "--var", "MSCI_VERIFICATION:required"],
    ["wrangler.console.toml", "console", "--var", `MSCI_ADMIN_HOST:${host}`, "--domain", host],
    ["wrangler.api.toml", "api", "--var", `MSCI_ADMIN_HOST:${host}`, "--route", `${host}/_msci/api/*`],
  ]) {
    const more = dry ? ["--outdir", `dist/deploy/${out}`] : [];
    await must("node_modules/.bin/wrangler", ["deploy", "-c", `edge-worker/${file}`, ...own, ...args, ...more], {
      env: { WRANGLER_SEND_METRICS: "false" },
    });
  }
  return 0;
});
