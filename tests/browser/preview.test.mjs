// @ts-check
// A preview in a real browser: the line on the page, nothing sent, and the way back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { launch } from "../support/chromium.mjs";
import { system, until } from "../support/system.mjs";

test("a preview shows the persona's page, sends nothing, and ends with its link", async (t) => {
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // Browsers trust localhost with Secure cookies.
  const site = msci.base.replace("127.0.0.1", "localhost");
  const chromium = await launch(t);
  const context = await chromium.newContext();
  const page = await context.newPage();
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const collects = () => asked.filter((path) => path === "/_msci/collect").length;

  // A visit before it, so that the browser has the script at hand.
  await page.goto(`${site}/coffee-machines/premium/solstice-lever`);
  await until(collects, "the visit was sent");
  const before = await context.cookies(site);
  const persona = { name: "Vera", attributes: { FirstName: "Vera" }, segments: ["LoyalCustomers"] };
  const link = await msci.admin("POST", "/preview", { persona, uri: `${site}/` });
  asked.length = 0;
  await page.goto(link.body.url);
  assert.equal(page.url(), `${site}/`);
  await page.getByText("Welcome back, Vera!").waitFor();
  await page.getByRole("status").getByText("Preview as Vera.").waitFor();
  assert.equal(await page.evaluate(() => document.cookie.includes("preview")), false);
  await page.locator("main a").first().click();
  await page.waitForLoadState("networkidle");
  await page.getByText("Preview as Vera.").waitFor();
  assert.equal(collects(), 0, "nothing is sent");
  const id = (/** @type {any[]} */ cookies) => cookies.find(({ name }) => name === "_msci")?.value;
  assert.equal(id(await context.cookies(site)), id(before), "the browser's own id is what it was");

  await page.getByText("End preview").click();
  await page.waitForURL(`${site}/`);
  assert.equal(await page.getByText("Preview as").count(), 0);
  assert.equal(await page.getByText("Welcome back, Vera!").count(), 0);
  await until(collects, "the browser is tracked again");
});
