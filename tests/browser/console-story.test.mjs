// @ts-check
// The whole story, by hands alone: from an empty system and a bare page to a page that greets a customer by
// name, and back to one that knows nobody.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { console as open } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { system, until } from "../support/system.mjs";

/** A site of bare pages, with nothing in their heads yet. @param {{ after(work: () => unknown): void }} t */
async function bareSite(t) {
  const site = { head: "", origin: "" };
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><head><title>${request.url}</title>${site.head}</head><body><h1>Shop</h1></body></html>`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => (server.closeAllConnections(), server.close()));
  site.origin = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  return site;
}

test("a table is uploaded, the script pasted, a visitor known, a page changed for her; then she is unlinked and erased", async (t) => {
  const site = await bareSite(t);
  const msci = await system(t, { origin: site.origin });
  const chromium = await launch(t);
  const desk = await open(chromium, msci.base);
  const { page } = desk;

  await desk.go("Tables");
  await page.getByRole("link", { name: "New table" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Club");
  await page.getByLabel("Primary key").fill("Id");
  await page.getByLabel("Columns").fill("FirstName: string\nTier: string");
  await desk.press("Save");
  const buffer = Buffer.from("Id,FirstName,Tier\nC1,Ann,Gold\nC2,Bob,Silver\n");
  await page.getByLabel("File").setInputFiles({ name: "club.csv", mimeType: "text/csv", buffer });
  await desk.press("Upload");
  await page.getByText("Every line was taken.").waitFor();

  await desk.go("Web tracking & personalization");
  await page.getByLabel("Identity table").selectOption("Club");
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await page.getByText("Not yet.").waitFor();
  site.head = (await page.locator("#script").textContent()) ?? "";

  const home = `${msci.base.replace("127.0.0.1", "localhost")}/`;
  const visitor = await (await chromium.newContext()).newPage();
  await visitor.goto(home);
  await visitor.goto(`${home}reviews`);
  // Without loading the page again.
  await page.locator("#arrived").getByText("View").waitFor();
  await desk.go("Customers");
  await page.getByRole("link", { name: "Unknown (1)" }).click();
  await page.getByRole("link", { name: /^Visitor / }).waitFor();
  const merge = await visitor.evaluate(() => /** @type {any} */ (window).MSCI.setUser({ authId: "C1" }));
  assert.equal(merge.status, "merged");

  await until(async () => {
    await desk.go("Customers");
    return (await page.getByRole("link", { name: "Unknown (0)", exact: true }).count()) === 1;
  }, "the visitor is a customer");
  await page.getByRole("link", { name: "Ann" }).click();
  await page.locator("#timeline").getByText("/reviews").first().waitFor();

  await desk.go("Segments");
  await page.getByRole("link", { name: "New segment" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Readers");
  await page.getByRole("button", { name: "Add condition" }).click();
  await page.getByLabel("What").selectOption({ label: "Has done something on the site" });
  await page.getByLabel("What").nth(1).selectOption({ label: "Address of the page" });
  await page.getByLabel("How", { exact: true }).selectOption({ label: "contains" });
  await page.getByLabel("Value", { exact: true }).fill("/reviews");
  await page.locator("#preview").getByText("1 customer is in it now").waitFor();
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();

  await desk.go("Experiences");
  await page.getByRole("link", { name: "New experience" }).click();
  await page.getByLabel("Name", { exact: true }).fill("hello");
  await page.getByLabel("For whom").fill("Tier eq 'Gold' and IsMemberOfSegment('Readers')");
  await page.getByRole("button", { name: "Pick on the page" }).click();
  await desk.picks((site) => site.getByRole("heading", { name: "Shop" }));
  await page.getByLabel("Value", { exact: true }).last().fill("Hello {{ FirstName }}");
  await page.getByLabel("Held out").fill("0");
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await idle(msci);

  const heading = async () => (await visitor.goto(home), visitor.locator("h1").textContent());
  await until(async () => (await heading()) === "Hello Ann", "the page greets her", 20_000);

  await desk.go("Customers");
  await page.getByRole("link", { name: "Ann" }).click();
  await page.locator("summary", { hasText: "Unlink" }).click();
  await desk.press("Unlink");
  await page.getByText("Unlinked.").waitFor();
  await until(async () => (await heading()) === "Shop", "the page knows her no more", 20_000);

  await desk.go("Privacy");
  await page.getByLabel("Id", { exact: true }).fill("C1");
  await page.getByLabel("Erase this person").check();
  await desk.press("Erase");
  await page.locator("#jobs tr", { hasText: "Erase somebody" }).getByText("done").waitFor();
  await until(async () => {
    await desk.go("Customers");
    return (await page.getByRole("link", { name: "Known (1)", exact: true }).count()) === 1;
  }, "she is listed no more");
  assert.deepEqual(await page.locator("main tbody a").allTextContents(), ["Bob"]);
  assert.deepEqual(desk.faults, []);
});
