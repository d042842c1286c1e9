// @ts-check
// The libraries that our SDK is compared with, bundled from tests/bench/peers, and what their servers
// answer. Each entry there tracks a view, clicks, and an identity when `identify` is called.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { must, root } from "../../../tools/lib.mjs";
import { loader, snippet } from "../../support/sdk-site.mjs";

const FOLDER = join(root, "tests/bench/peers");
/** Entry and package. Those with a hook in their queue call `queued` from it. */
const PEERS = {
  segment: "@segment/analytics-next",
  posthog: "posthog-js",
  rudderstack: "@rudderstack/analytics-js",
  jitsu: "@jitsu/js",
  ninetailed: "@ninetailed/experience.js",
  alloy: "@adobe/alloy",
  applicationinsights: "@microsoft/applicationinsights-web",
};

/** What a project without destinations and without a plan is told by each of their servers, by path. */
const ANSWERS = /** @type {[RegExp, unknown][]} */ ([
  [/^\/cdn\/v1\/projects\/key\/settings$/, { integrations: { "Segment.io": { apiKey: "key", addBundledMetadata: true } }, plan: { track: { __default: { enabled: true, integrations: {} } } } }],
  [/^\/rudder\/sourceConfig\/$/, { source: { id: "key", name: "key", writeKey: "key", enabled: true, workspaceId: "key", config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } }, dataplanes: {}, destinations: [] } }],
  [/^\/posthog\/flags\/$/, { featureFlags: {}, supportedCompression: [] }],
  [/^\/(v1|api\/s|posthog\/[ei]|v2(\.1)?\/track|v2\/organizations)\b/, { success: true, status: 1 }],
]);

/** @param {string} path */
export const answers = (path) => ANSWERS.find(([pattern]) => pattern.test(path))?.[1];

/**
 * @typedef {object} Library
 * @property {string} name
 * @property {string} version
 * @property {Record<string, string | Buffer>} files what it may load, by path
 * @property {string} head what a page has in its head
 * @property {string} inline what of that is the library's own code
 * @property {"hook" | "put" | "request"} moment how it can be told that the first view is queued
 */

/** @returns {Library} */
export const ours = () => ({
  name: "ours",
  version: JSON.parse(readFileSync(join(root, "dist/sdk/manifest.json"), "utf8")).version,
  files: {},
  head: `${snippet()}<script>identify = (authId) => MSCI.setUser({ authId });</script>`,
  inline: loader(),
  moment: "put",
});

/** @returns {Promise<Library[]>} */
export async function peers() {
  if (!existsSync(join(FOLDER, "node_modules"))) await must("npm", ["ci", "--ignore-scripts"], { cwd: FOLDER });
  return Promise.all(
    Object.entries(PEERS).map(async ([entry, name]) => {
      const { outputFiles } = await build({
        entryPoints: [join(FOLDER, `${entry}.js`)],
        bundle: true,
        minify: true,
        // What is loaded only on demand stays out of the first file, as its authors meant it.
        format: "esm",
        splitting: true,
        target: "es2022",
        define: { "process.env.NODE_ENV": '"production"' },
        outdir: "/",
        write: false,
        logLevel: "error",
      });
      const files = Object.fromEntries(outputFiles.map(({ path, contents }) => [`/${entry}/${basename(path)}`, Buffer.from(contents)]));
      const { version } = JSON.parse(readFileSync(join(FOLDER, "node_modules", name, "package.json"), "utf8"));
      const moment = readFileSync(join(FOLDER, `${entry}.js`), "utf8").includes("queued") ? "hook" : "request";
      return { name, version, files, head: `<script type="module" async src="/${entry}/${entry}.js"></script>`, inline: "", moment };
    }),
  );
}
