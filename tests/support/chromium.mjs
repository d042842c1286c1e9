// @ts-check
// A headless Chromium with a fresh profile and nothing of its own on the network.
import { chromium } from "playwright-core";
import { ensureChromium, findChromium } from "../../tools/chromium.mjs";

/**
 * @param {{ after(work: () => unknown): void } | undefined} [test] the browser ends with it
 * @param {{ bfcache?: boolean, args?: string[] }} [options] `bfcache`: going back restores the page as it was
 */
export async function launch(test, { bfcache = false, args = [] } = {}) {
  await ensureChromium();
  const browser = await chromium.launch({
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
  test?.after(() => browser.close());
  return browser;
}
