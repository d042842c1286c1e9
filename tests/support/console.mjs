// @ts-check
// The console as people use it: signed in, in a real browser.
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import { setUp } from "./setup.mjs";
import { ADMIN_TOKEN, until } from "./system.mjs";

/** Most bytes of a page and all that it loads, as they are on the wire. */
const HEAVIEST = 150 * 1024;

/**
 * What a file of tests of the console stands on: a system, a browser, and an administrator's desk.
 * @param {Parameters<typeof setUp>[0]} [options]
 */
export async function office(options) {
  const { msci, chromium } = await setUp(options);
  return { msci, chromium, desk: await console(chromium, msci.base) };
}

/**
 * Somebody signed in.
 * @param {import("playwright-core").Browser} chromium
 * @param {string} base
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function console(chromium, base, options = {}) {
  // Browsers trust localhost with Secure cookies.
  const root = `${base.replace("127.0.0.1", "localhost")}/_msci/console/`;
  const context = await chromium.newContext(options);
  const page = await context.newPage();
  /** @type {string[]} what the browser refused, or a script threw */
  const faults = [];
  page.on("console", (message) => message.type() === "error" && !/status of 4\d\d/.test(message.text()) && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(root);
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();

  const self = {
    page,
    root,
    faults,
    context,
    /** @param {string} path */
    async open(path) {
      const answer = await page.goto(root + path);
      assert.ok(answer && answer.status() < 400, `${path}: ${answer?.status()}`);
    },
    /** By the navigation, as people go. @param {string} name */
    async go(name) {
      await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name, exact: true }).click();
      await page.getByRole("heading", { level: 1, name }).waitFor();
    },
    /** @param {string} name */
    press: (name) => page.getByRole("button", { name, exact: true }).click(),
    sound: () => sound(page),
    /** The page of the site to pick on, once it listens: it has the keyboard then. */
    async picking() {
      await until(() => page.evaluate(() => document.activeElement?.localName === "iframe"), "the page can be picked on");
      return page.frameLocator("iframe[title='The page to pick on']").frameLocator("iframe[title='Page of the site']");
    },
    /**
     * Picks an element of it: again until it is taken, since browsers drop clicks on a frame that has only just moved.
     * @param {(site: import("playwright-core").FrameLocator) => import("playwright-core").Locator} element
     */
    async picks(element) {
      const site = await self.picking();
      await until(async () => {
        await element(site).click({ timeout: 2000 }).catch(() => {});
        return (await page.getByRole("dialog").count()) === 0;
      }, "the element is taken", 30_000);
    },
    /** What a first visit to a page transfers. @param {string} path */
    async weighs(path) {
      const fresh = await chromium.newContext({ storageState: await context.storageState() });
      const tab = await fresh.newPage();
      let bytes = 0;
      const session = await fresh.newCDPSession(tab);
      await session.send("Network.enable");
      session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
      await tab.goto(root + path, { waitUntil: "load" });
      await fresh.close();
      assert.ok(bytes > 1000 && bytes < HEAVIEST, `${path} transfers ${bytes} bytes`);
      return bytes;
    },
  };
  return self;
}

/**
 * Nothing that axe knows of is wrong, in light and in dark, and nothing is wider than the window.
 * @param {import("playwright-core").Page} page
 */
export async function sound(page) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
    assert.deepEqual(told, [], `${page.url()}, ${colorScheme}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${page.url()} is ${wide} px too wide`);
}
