// @ts-check
// A headless Chromium with a fresh profile and nothing of its own on the network.
import { lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ensureChromium, findChromium } from "../../tools/chromium.mjs";
import { atEnd } from "./at-end.mjs";
import { family, lives } from "./process.mjs";
import { until } from "./system.mjs";

/** @typedef {{ bfcache?: boolean, args?: string[] }} Options `bfcache`: going back restores the page as it was */

/** @param {Options} options */
const launching = ({ bfcache = false, args = [] }) => ({
  executablePath: findChromium(),
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...args,
  ],
  // The driver turns it off by default.
  ...(bfcache && { ignoreDefaultArgs: ["--disable-back-forward-cache"] }),
});

/**
 * @param {{ after(work: () => unknown): void } | undefined} [test] the browser ends with it
 * @param {Options} [options]
 */
export async function launch(test, options = {}) {
  await ensureChromium();
  const browser = await chromium.launch(launching(options));
  if (test) atEnd(test, () => browser.close());
  return browser;
}

/**
 * A browser that keeps its profile on disk, and can be killed and started again.
 * @param {{ after(work: () => unknown): void } | undefined} [test] the browser ends with it, and the profile goes
 * @param {Options & { preferences?: object }} [options]
 */
export async function resident(test, { preferences, ...options } = {}) {
  await ensureChromium();
  const folder = mkdtempSync(join(tmpdir(), "msci-browser-"));
  if (preferences) {
    mkdirSync(join(folder, "Default"));
    writeFileSync(join(folder, "Default/Preferences"), JSON.stringify(preferences));
  }
  const self = {
    folder,
    /** @type {import("playwright-core").BrowserContext} */
    context: /** @type {any} */ (undefined),
    async start() {
      self.context = await chromium.launchPersistentContext(folder, launching(options));
    },
    /** Pulls the plug: no process of it gets a chance to write anything. */
    async kill9() {
      // The browser's own lock on its profile names its process: `<host>-<id>`.
      const lock = join(folder, "SingletonLock");
      const all = lstatSync(lock, { throwIfNoEntry: false }) ? family(Number(readlinkSync(lock).split("-").at(-1))) : [];
      for (const id of all) if (lives(id)) process.kill(id, "SIGKILL");
      await until(() => !all.some(lives), "the browser has ended", 60_000);
    },
    async stop() {
      // The driver may wait for ever for a browser that was killed.
      await self.kill9();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await self.start();
  if (test) atEnd(test, () => self.stop());
  return self;
}
