// @ts-check
// The console, used as people use it. Every page does its main job, axe finds nothing on it, in light and in
// dark, and it fits a narrow window.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { atEnd } from "../support/at-end.mjs";
import { console as open, office, sound } from "../support/console.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { idle, imports } from "../support/jobs.mjs";
import { SECRET, receiver } from "../support/receiver.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const { msci, chromium, desk } = await office();

test("a new system's pages say what to do next", async () => {
  const { page } = desk;
  await desk.go("Home");
  await page.getByRole("link", { name: "Set up tracking" }).waitFor();
  await desk.sound();
  for (const [name, next] of [
    ["Customers", "Upload a table"],
    ["Tables", "New table"],
    ["Measures", "New measure"],
    ["Segments", "New segment"],
    ["Experiences", "New experience"],
    ["Activations", "New activation"],
  ]) {
    await desk.go(name ?? "");
    await page.getByRole("link", { name: next ?? "" }).waitFor();
    await desk.sound();
  }
});

test("a wrong token is told in words, and the page that somebody wanted opens after the right one", async () => {
  const context = await chromium.newContext();
  const page = await context.newPage();
  await page.goto(`${desk.root}customers?kind=unknown`);
  await page.getByLabel("Admin token").fill("not it");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("This is not a token for the console").waitFor();
  await sound(page);
  await page.getByLabel("Admin token").fill(msci.adminToken);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Customers" }).waitFor();
  await page.getByRole("link", { name: "Sign out" }).click();
  await sound(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin token").waitFor();
  await context.close();
});

test("a table is made and filled from a file, and each line that was not taken is told", async () => {
  const { page } = desk;
  await desk.open("new/tables");
  await page.getByLabel("Name", { exact: true }).fill("Members");
  await page.getByLabel("Primary key").fill("Id");
  await page.getByLabel("Columns").fill("FullName: string\nPoints: many");
  await desk.press("Save");
  // What was typed is still there.
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Members");
  await page.getByLabel("Columns").fill("FullName: string\nPoints: number");
  await desk.press("Save");
  await page.getByText("0 rows are in it").waitFor();
  await desk.sound();
  const csv = "Id,FullName,Points\nA1,Ada Byron,10\n,Nobody,1\nA2,Grace Hopper,20\n";
  await page.getByLabel("File").setInputFiles({ name: "members.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await desk.press("Upload");
  await page.getByRole("heading", { name: "Lines that were not taken" }).waitFor();
  await desk.sound();
  const row = page.getByRole("region", { name: "Lines that were not taken" }).getByRole("row").nth(1);
  assert.match((await row.textContent()) ?? "", /^3/);
  await page.getByText("2 rows are in it").waitFor();
  await page.locator("summary", { hasText: "Delete" }).click();
  await desk.press("Delete");
  await page.getByText("Deleted.").waitFor();
});

test("tracking is set up: table, script, verification; signals are seen arriving", async () => {
  const { page } = desk;
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await idle(msci);
  await desk.go("Web tracking & personalization");
  await page.getByText("Verification is off.").waitFor();
  await page.getByText("Not yet.").waitFor();
  await page.locator("summary", { hasText: "Code that signs a token" }).click();
  await desk.sound();
  assert.match((await page.locator("#script").textContent()) ?? "", /^<script>.*msci\.js/);
  await desk.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy: Into the page" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator("#script").textContent());
  const visitor = browser();
  await msci.collect(visitor.batch(visitor.view("/reviews/")));
  await page.locator("#arrived").getByText("View").waitFor();
  await page.getByLabel("Identity table").selectOption("LoyaltySignUps");
  await page.getByLabel("Verification").selectOption("required");
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  assert.equal(await page.getByText("Verification is off.").count(), 0);
  assert.equal((await msci.admin("GET", "/settings")).body.identity.verification, "required");
  await page.getByLabel("Verification").selectOption("off");
  await desk.press("Save");
  await page.getByText("Verification is off.").waitFor();
});

test("customers are found, paged through and looked at; a link is taken back", async () => {
  const { page } = desk;
  const her = browser();
  await msci.collect(her.batch(her.view("/coffee-machines/"), her.event("order_completed", { total: 40 }), her.user("Loyalty1")));
  await until(async () => (await msci.admin("GET", `/customers?search=${her.cookieId}`)).body.count === 1, "she is listed");
  await desk.go("Customers");
  await page.getByRole("link", { name: "Known (101)", exact: true }).waitFor();
  await desk.sound();
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByRole("link", { name: "First page" }).waitFor();
  await page.getByLabel("Search").fill("abbie");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Abbie Moss" }).click();
  await page.getByRole("heading", { level: 1, name: "Abbie Moss" }).waitFor();
  await page.locator("section", { hasText: "Ids" }).getByText("Loyalty1").first().waitFor();
  await desk.sound();
  const timeline = page.locator("#timeline");
  const heads = async () => timeline.locator("tbody tr td:nth-child(2)").allTextContents();
  assert.deepEqual((await heads()).sort(), ["User", "View", "order_completed"]);
  await timeline.getByRole("link", { name: "order_completed" }).click();
  await timeline.getByRole("link", { name: "order_completed", exact: true }).and(page.locator("[aria-current]")).waitFor();
  assert.deepEqual(await heads(), ["order_completed"]);
  await page.locator("summary", { hasText: "Unlink" }).click();
  await desk.press("Unlink");
  await page.getByText("Unlinked.").waitFor();
  await page.getByText("No browser has signed in").waitFor();
  await desk.go("Customers");
  await page.getByRole("link", { name: /^Unknown/ }).click();
  await page.getByRole("link", { name: /^Visitor / }).first().waitFor();
  await desk.sound();
});

test("only addresses of the web become links", async () => {
  const { page } = desk;
  const evil = browser();
  await msci.collect(evil.batch(evil.event("trap", { uri: "javascript:alert(1)" }), { ...evil.view("/a"), uri: "javascript:alert(2)", title: "<img src=x onerror=alert(3)>" }));
  await until(async () => (await msci.admin("GET", `/customers?kind=unknown&search=${evil.cookieId}`)).body.count === 1, "it is listed");
  const { body } = await msci.admin("GET", `/customers?kind=unknown&search=${evil.cookieId}`);
  await desk.open(`customers/${body.customers[0].customerId}`);
  assert.deepEqual(await page.locator("a[href^='javascript']").count(), 0);
  assert.equal(await page.locator("img").count(), 0);
});

test("a segment is written with its fault in its place and its size while it is typed, saved and deleted", async () => {
  const { page } = desk;
  await desk.open("new/segments");
  await page.getByLabel("Name", { exact: true }).fill("Golden");
  const condition = page.getByLabel("Condition");
  await condition.fill("Tier eqq 'Gold'");
  await page.locator("#preview mark").getByText("eqq").waitFor();
  await desk.sound();
  await condition.fill("Tier eq 'Gold'");
  const preview = page.locator("#preview").getByText(/\d+ customers are in it now/);
  await preview.waitFor();
  const [count] = /\d+/.exec((await preview.textContent()) ?? "") ?? [];
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await idle(msci);
  await page.reload();
  await page.getByRole("heading", { name: `Members (${count})` }).waitFor();
  await desk.sound();
  await condition.fill("Nope eq 1");
  await desk.press("Save");
  await page.getByRole("alert").first().waitFor();
  assert.equal(await condition.inputValue(), "Nope eq 1");
  await condition.fill("Tier eq 'Gold' or IsMemberOfSegment('Golden')");
  await desk.press("Save");
  await page.locator("form mark").getByText("IsMemberOfSegment").waitFor();
  await desk.go("Segments");
  await desk.sound();
  await page.getByRole("link", { name: "Golden" }).click();
  await page.locator("summary", { hasText: "Delete" }).click();
  await desk.press("Delete");
  await page.getByText("Deleted.").waitFor();
  assert.equal(await page.getByRole("link", { name: "Golden" }).count(), 0);
});

test("a measure is made and changed, and what the form does not show stays as it was", async () => {
  const { page } = desk;
  await desk.open("new/measures");
  await page.getByLabel("Name", { exact: true }).fill("Baskets");
  await page.getByLabel("Over which activities").fill("ActivityType eq 'cart'");
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await desk.sound();
  await desk.open("measures/LifetimeValue");
  await page.getByLabel("Of how long until now").fill("P90D");
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  const { body } = await msci.admin("GET", "/measures/LifetimeValue");
  assert.deepEqual([body.window, body.display.unit], ["P90D", "EUR"]);
});

test("an experience is written as JSON, and kept as it was typed while it is wrong", async () => {
  const { page } = desk;
  await desk.open("new/experiences");
  await page.getByLabel("Name", { exact: true }).fill("hello");
  await page.getByLabel("Definition").fill("{ nope");
  await desk.press("Save");
  await page.getByText("This is not valid JSON").waitFor();
  assert.equal(await page.getByLabel("Definition").inputValue(), "{ nope");
  await desk.sound();
  await page.getByLabel("Definition").fill('{ "pages": ["/"], "changes": [{ "selector": "h1", "action": "setText", "value": "Hi" }] }');
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await desk.go("Experiences");
  await page.getByRole("link", { name: "hello" }).waitFor();
  await desk.sound();
});

test("an activation is made, its secret is shown once, and its deliveries are listed", async () => {
  const { page } = desk;
  await desk.open("new/activations");
  await page.getByLabel("Name", { exact: true }).fill("mail");
  await page.getByLabel("Segment").selectOption("LoyalCustomers");
  await page.getByLabel("Address").fill("https://receiver.invalid/hook");
  await desk.press("Save");
  await page.locator("#secret").getByText(/^whsec_/).waitFor();
  await desk.sound();
  await page.getByRole("link", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "Deliveries" }).waitFor();
  await page.getByRole("link", { name: "Dead" }).click();
  await page.getByText("There is none.").waitFor();
  await desk.sound();
  await page.getByLabel("Leaves it").uncheck();
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  assert.deepEqual((await msci.admin("GET", "/activations/mail")).body.on, ["entered"]);
});

test("a dead message is seen with what became of it, and sent again", async (t) => {
  const { page } = desk;
  const to = await receiver(t);
  to.answers(() => 410);
  await msci.admin("PUT", "/activations/gone", { segment: "LoyalCustomers", url: to.url, secret: SECRET });
  await imports(msci, "LoyaltySignUps", [{ LoyaltyId: "New1", FirstName: "Nia", Tier: "Gold" }]);
  await until(async () => (await msci.admin("GET", "/activations/gone/deliveries?state=dead")).body.items.length === 1, "it is dead", 20_000);
  await desk.open("activations/gone");
  await page.getByRole("link", { name: "Dead" }).click();
  await page.getByRole("cell", { name: "dead 410" }).waitFor();
  await desk.sound();
  // All at once is a request after the other, and is given up on the way.
  const asked = "**/data/activations/gone/replay";
  /** @type {import("playwright-core").Route | undefined} */
  let held;
  await page.route(asked, (route) => void (held = route));
  await desk.press("Send all dead ones again");
  await page.getByText("0 messages are sent again so far.").waitFor();
  await desk.sound();
  await desk.press("Cancel");
  await page.getByText("Cancelled. What was done stays done.").waitFor();
  await held?.abort().catch(() => "the page has left it already");
  await page.unroute(asked);
  await desk.press("Send all dead ones again");
  await page.getByText("1 message is sent again.").waitFor();
  await until(() => to.got.length === 2, "it came again", 20_000);
  await until(async () => {
    await page.getByRole("link", { name: "Dead" }).click();
    return (await page.getByRole("cell", { name: "dead 410" }).count()) === 1;
  }, "it is dead again", 20_000);
  to.answers(() => 204);
  await desk.press("Send again");
  await page.getByText("Dead messages are sent again.").waitFor();
  await until(async () => {
    await page.getByRole("link", { name: "Delivered" }).click();
    return (await page.getByRole("cell", { name: /^delivered/ }).count()) === 1;
  }, "it is delivered", 20_000);
});

test("a person is erased, and the job that does it is followed", async () => {
  const { page } = desk;
  await desk.open("customers?search=Loyalty1");
  await page.getByRole("link", { name: "Abbie Moss" }).click();
  await page.getByRole("link", { name: "Erase this person" }).click();
  assert.match(await page.getByLabel("Id", { exact: true }).inputValue(), /^[0-9a-f]{32}$/);
  assert.equal(await page.getByLabel("Who is known by").inputValue(), "customerId");
  await desk.go("Privacy");
  await desk.sound();
  await page.getByLabel("Id", { exact: true }).fill("Loyalty5");
  await desk.press("Erase");
  await page.getByText("tick the box").waitFor();
  assert.equal(await page.getByLabel("Id", { exact: true }).inputValue(), "Loyalty5");
  await page.getByLabel("Erase this person").check();
  await desk.press("Erase");
  await page.getByText("The erasure has begun.").waitFor();
  await page.locator("#jobs tr", { hasText: "Erase somebody" }).first().getByText("done").waitFor();
  await desk.sound();
  assert.equal((await msci.admin("GET", "/customers?search=Loyalty5")).body.customers.filter((/** @type {any} */ row) => row.authId === "Loyalty5").length, 0);
});

test("every page fits a narrow window and is light", async () => {
  const { page } = desk;
  await page.setViewportSize({ width: 360, height: 740 });
  const { body } = await msci.admin("GET", "/customers?search=Loyalty1");
  const customer = `customers/${body.customers[0].customerId}`;
  for (const path of ["", "tracking", "customers", "customers?kind=unknown", customer, "tables", "tables/LoyaltySignUps", "measures", "segments", "segments/LoyalCustomers", "experiences", "experiences/premium-hero", "activations", "activations/mail", "jobs", "privacy", ...["tables", "measures", "segments", "experiences", "activations"].map((kind) => `new/${kind}`)]) {
    await desk.open(path);
    await desk.sound();
    await desk.weighs(path);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("Home counts what there is, in a chart and in numbers", async () => {
  const { page } = desk;
  await desk.go("Home");
  await page.locator(".chart canvas").first().waitFor();
  await page.locator("summary", { hasText: "As numbers" }).first().click();
  const views = await page.getByRole("region", { name: "Activities by hour" }).locator("tbody td:nth-child(2)").allTextContents();
  assert.ok(views.reduce((sum, text) => sum + Number(text), 0) >= 3, views.join());
  await page.getByRole("region", { name: "Segments" }).getByRole("link", { name: "Loyal customers" }).waitFor();
  const shown = (/** @type {string} */ name) => page.locator("dl.numbers div", { has: page.getByText(name, { exact: true }) }).locator("dd").textContent();
  await until(async () => {
    await page.reload();
    return Number(await shown("Signals taken")) > 0 && Number(await shown("Merges")) > 0;
  }, "what was counted today is shown", 20_000);
  assert.equal(await shown("Lost on the way"), "0");
  assert.equal(await page.locator(".chart canvas").count(), 3);
  await page.locator("section", { has: page.getByRole("heading", { name: "Signals by day" }) }).locator("summary").click();
  const today = page.getByRole("region", { name: "Signals by day" }).locator("tbody tr").last().locator("td");
  assert.equal(await today.nth(1).textContent(), await shown("Signals taken"));
  await desk.sound();
});

test("a session that ends sends a page that asks for itself to the sign-in, and what stands there stays while nothing answers", async () => {
  const there = await open(chromium, msci.base);
  const { page } = there;
  await there.go("Jobs");
  await page.route("**/jobs", (route) => route.fulfill({ status: 503, body: "away" }));
  await page.waitForResponse((answer) => answer.status() === 503);
  await page.getByRole("cell", { name: "Erase somebody" }).waitFor();
  await page.unroute("**/jobs");
  await there.context.clearCookies();
  await page.getByLabel("Admin token").waitFor();
  await there.context.close();
});

test("everything that matters works without scripts", async () => {
  const { page, ...there } = await open(chromium, msci.base, { javaScriptEnabled: false });
  await page.goto(`${there.root}new/segments`);
  await page.getByLabel("Name", { exact: true }).fill("Plain");
  await page.getByLabel("Condition").fill("Tier eqq 'Gold'");
  await there.press("Save");
  await page.locator("pre mark").getByText("eqq").waitFor();
  await page.getByLabel("Condition").fill("Tier eq 'Gold'");
  await there.press("Save");
  await page.getByText("Saved.").waitFor();
  await page.locator("summary", { hasText: "Delete" }).click();
  await there.press("Delete");
  await page.getByText("Deleted.").waitFor();
  await there.context.close();
});

test("what is not there is told on a page that is sound", async () => {
  const { page } = desk;
  await page.goto(`${desk.root}segments/None`);
  await page.getByRole("heading", { level: 1, name: "Not found" }).waitFor();
  await desk.sound();
});

test("the keyboard reaches everything, and the first stop leads past the navigation", async () => {
  const { page } = desk;
  await desk.open("customers");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the page");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.startsWith("Known")), true);
});

test("a job's progress is followed without loading the page again, and it can be cancelled", async (t) => {
  const other = await faultySystem();
  atEnd(t, () => other.stop());
  await other.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Tier: "string" } });
  await imports(other, "People", Array.from({ length: 1600 }, (_, i) => ({ Id: `P${i}`, Tier: "Gold" })));
  await idle(other);
  const { page, ...there } = await open(chromium, other.base);
  await there.go("Jobs");
  await other.under([{ on: "d1", match: "(source, key) >", does: "hold", skip: 2, times: 1 }], async () => {
    await other.admin("PUT", "/segments/Golden", { filter: "Tier eq 'Gold'" });
    await page.getByText("1000 of 1600").waitFor();
    await there.sound();
    await there.press("Cancel");
    await page.getByText("Cancelled.").waitFor();
    await page.getByRole("cell", { name: "cancelled" }).waitFor();
  });
  assert.deepEqual(there.faults, []);
});

test("no page was refused anything by its policy, and no script threw", () => {
  assert.deepEqual(desk.faults, []);
});
