// @ts-check
// `npm run pictures`: the README's pictures of the console, made anew from the demo shop's data and some visits.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { seed } from "../examples/contoso-coffee/seed.mjs";
import { launch } from "../tests/support/chromium.mjs";
import { chance } from "../tests/support/chance.mjs";
import { console as open } from "../tests/support/console.mjs";
import { idle } from "../tests/support/jobs.mjs";
import { browser } from "../tests/support/signals.mjs";
import { system, until } from "../tests/support/system.mjs";
import { root } from "./lib.mjs";
import { setUp } from "./setup.mjs";

const FOLDER = join(root, "www/pictures");
const VISITORS = 300;
const HOUR = 3_600_000;
const PAGES = ["/", "/coffee-machines/", "/coffee-machines/premium/aurora-dual-boiler", "/coffee-machines/premium/", "/reviews/", "/reviews/aurora-dual-boiler", "/cart"];

/** Visits of a day and a half, some of people who sign in. @param {Awaited<ReturnType<typeof system>>} msci */
async function visits(msci) {
  const random = chance(2);
  for (let at = 0; at < VISITORS; at++) {
    const one = browser();
    const begun = Date.now() - random.below(30) * HOUR;
    const exposures = at % 3 ? "premium-hero:treated" : "premium-hero:holdout";
    const views = Array.from({ length: 2 + random.below(5) }, (_, step) => one.view(random.pick(PAGES), { time: begun + step * 20_000, exposures }));
    const buys = random.happens(at % 3 ? 0.45 : 0.25) ? [one.event("order_completed", { total: 100 + random.below(900) }, { time: begun + 200_000 })] : [];
    const signsIn = at % 2 ? [one.user(`Loyalty${1 + random.below(100)}`, { time: begun + 300_000 })] : [];
    await msci.collect(one.batch(...views, ...buys, ...signsIn), { cookies: { _msci: one.cookieId } });
  }
}

await setUp();
const msci = await system();
const chromium = await launch(undefined);
try {
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await msci.admin("PUT", "/experiences/premium-hero", { ...(await msci.admin("GET", "/experiences/premium-hero")).body, name: undefined, holdout: 0.3 });
  await idle(msci);
  await visits(msci);
  const day = Math.floor(Date.now() / (24 * HOUR));
  await msci.admin("POST", "/index/tidy", {});
  await idle(msci);
  for (let ago = 1; ago <= 21; ago++) {
    await msci.index("INSERT INTO segment_size VALUES ('PremiumBrowsers', ?1, ?2)", day - ago, Math.max(1, 26 - ago - (ago % 3)));
    await msci.index("INSERT INTO visitor_count VALUES (?1, ?2, ?3)", day - ago, 78 - 3 * ago, 160 - 6 * ago + 9 * (ago % 4));
  }
  await until(async () => (await msci.admin("GET", "/customers?kind=known&search=")).body.count > 0, "somebody is known");
  const { customers } = (await msci.admin("GET", "/customers?kind=known&top=1")).body;

  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const desk = await open(chromium, msci.base, { viewport: { width: 1200, height: 820 }, deviceScaleFactor: 1 });
  const take = (/** @type {string} */ name) => desk.page.screenshot({ path: join(FOLDER, `${name}.jpg`), type: "jpeg", quality: 72 });
  await desk.page.locator(".chart canvas").first().waitFor();
  await take("home");
  await desk.open("tracking");
  await desk.page.locator("#arrived").waitFor();
  await take("tracking");
  await desk.open("customers?kind=known");
  await desk.page.locator("tbody tr").first().waitFor();
  await take("customers");
  await desk.open(`customers/${customers[0].customerId}`);
  await take("customer");
  await desk.open("segments/PremiumBrowsers");
  await desk.page.getByText(/in it now/).waitFor();
  await desk.page.locator(".chart canvas").first().waitFor();
  await desk.page.setViewportSize({ width: 1200, height: 1480 });
  await take("segment");
  await desk.page.setViewportSize({ width: 1200, height: 820 });
  await desk.open("experiences/premium-hero");
  await desk.page.locator("svg.bar").waitFor();
  await desk.page.locator("[data-results]").scrollIntoViewIfNeeded();
  await take("results");
  await desk.page.getByRole("button", { name: "Pick on the page" }).first().click();
  const site = desk.page.frameLocator("iframe[title='The page to pick on']").frameLocator("iframe[title='Page of the site']");
  await site.locator("#hero-title").hover();
  await desk.page.getByRole("dialog").getByText("#hero-title:").waitFor();
  await take("picker");
} finally {
  await chromium.close();
  await msci.stop();
}
