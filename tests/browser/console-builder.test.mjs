// @ts-check
// Segments and measures, put together part by part: by keyboard alone, with the text beside.
import assert from "node:assert/strict";
import { test } from "node:test";
import { office } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const { msci, desk } = await office({ demo: true });

const area = () => desk.page.getByLabel("Condition", { exact: true });
const text = () => area().inputValue();
const builder = () => desk.page.getByRole("group", { name: "Builder" });

/** Moves on by Tab until the keyboard is on what is looked for. @param {string} name of a button, or a label */
async function tabTo(name) {
  const { page } = desk;
  for (let stops = 0; stops < 80; stops++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
    if (here === name) return;
  }
  assert.fail(`no Tab leads to ${name}`);
}

test("a segment is put together by keyboard: conditions, a group, a count, a window; and counted meanwhile", async () => {
  const { page } = desk;
  await desk.open("new/segments");
  await page.getByLabel("Name", { exact: true }).fill("Keen");
  await page.getByLabel("Shown as").focus();
  // A condition on an attribute, with several values.
  await tabTo("Add condition");
  await page.keyboard.press("Enter");
  await page.keyboard.type("Tier");
  await tabTo("How");
  await page.keyboard.type("is one of");
  await tabTo("Values, one a line");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("Gold\nit's");
  assert.equal(await text(), "Tier in ('Gold','it''s')");
  await page.locator("#preview").getByText(/^\d+ customers? (are|is) in it now/).waitFor();
  await desk.sound();
  // A group in it, with a count in a window of time.
  await tabTo("Add group");
  await page.keyboard.press("Enter");
  const inner = builder().getByRole("group", { name: "Group" }).nth(1);
  await inner.getByLabel("What").selectOption({ label: "Has done something on the site" });
  const activity = inner.locator("li").first();
  await activity.getByLabel("How often").fill("3");
  await activity.getByLabel("When").selectOption({ label: "in the last" });
  await activity.getByLabel("Length").fill("14");
  const where = activity.getByRole("group", { name: "Group" });
  await where.getByRole("button", { name: "Add condition" }).click();
  await where.getByLabel("What").nth(1).selectOption({ label: "Address of the page" });
  await where.getByLabel("How", { exact: true }).nth(1).selectOption({ label: "contains" });
  await where.getByLabel("Value", { exact: true }).nth(1).fill("/reviews/");
  const count = "UnifiedActivity/$count($filter=ActivityType eq 'View' and contains(ViewUri,'/reviews/') and ActivityTime gt now() sub duration'P14D') ge 3";
  assert.equal(await text(), `Tier in ('Gold','it''s') and ${count}`);
  await inner.getByRole("button", { name: "Add condition" }).last().click();
  await inner.locator(":scope > ul > li").nth(1).getByLabel("What").selectOption({ label: "Is in a segment" });
  await inner.locator(":scope > ul > li").nth(1).getByLabel("Which segment").selectOption("LoyalCustomers");
  assert.equal(await text(), `Tier in ('Gold','it''s') and (${count} or IsMemberOfSegment('LoyalCustomers'))`);
  await desk.sound();
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  // What was saved is shown as it was put together.
  await builder().getByLabel("How often").waitFor();
  assert.equal(await builder().getByLabel("Length").inputValue(), "14");
  assert.equal(await builder().getByLabel("Which segment").inputValue(), "LoyalCustomers");
  assert.equal((await msci.admin("GET", "/segments/Keen")).body.filter, await text());
  await page.setViewportSize({ width: 360, height: 740 });
  await desk.sound();
  await desk.weighs("segments/Keen");
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("removing conditions leaves what remains, and the keyboard where it was", async () => {
  const { page } = desk;
  await desk.open("segments/Keen");
  await builder().getByLabel("How often").waitFor();
  await builder().getByRole("button", { name: "Remove group" }).click();
  assert.equal(await text(), "Tier in ('Gold','it''s')");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "What");
  await builder().getByRole("button", { name: "Remove", exact: true }).click();
  assert.equal(await text(), "");
  await builder().getByText("it holds for everybody").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Add condition");
});

test("what the builder cannot show stays a text, and a faulty text stays as it was typed", async () => {
  const { page } = desk;
  await desk.open("new/segments");
  await page.getByLabel("Name", { exact: true }).fill("Odd");
  await builder().getByRole("button", { name: "Add condition" }).waitFor();
  const odd = "tolower(FirstName) eq 'mia'";
  await area().fill(odd);
  await builder().getByText("more than the builder can show").waitFor();
  await page.locator("#preview").getByText(/\d+ customers? (are|is) in it now/).waitFor();
  await desk.sound();
  await area().fill("FirstName eq 'ä' and Teer eq 'x'");
  await page.locator("#preview mark").getByText("Teer", { exact: true }).waitFor();
  await builder().getByText("The builder comes back").waitFor();
  await desk.sound();
  await area().fill("FirstName eq 'ä' and Tier eq 'x'");
  await builder().getByLabel("Value", { exact: true }).nth(1).waitFor();
  await area().fill(odd);
  await builder().getByText("more than the builder can show").waitFor();
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  assert.equal((await msci.admin("GET", "/segments/Odd")).body.filter, odd);
  assert.equal(await text(), odd);
});

test("a measure's activities are put together likewise, and who has one like that is counted meanwhile", async () => {
  const { page } = desk;
  const [small, large] = [browser(), browser()];
  for (const [who, total] of /** @type {const} */ ([[small, 99], [large, 100]])) {
    await msci.collect(who.batch(who.event("order_completed", { total })));
    await until(async () => (await msci.admin("GET", `/customers?kind=unknown&search=${who.cookieId}`)).body.count === 1, "the visitor is listed");
  }
  await desk.open("new/measures");
  await page.getByLabel("Name", { exact: true }).fill("BigOrders");
  await builder().getByRole("button", { name: "Add condition" }).click();
  await builder().getByLabel("Value", { exact: true }).fill("order_completed");
  await builder().getByRole("button", { name: "Add condition" }).click();
  await builder().getByLabel("What").nth(1).selectOption({ label: "A property of the event" });
  await builder().getByLabel("Kind of value").selectOption("number");
  await builder().getByLabel("How", { exact: true }).nth(1).selectOption({ label: "is at least" });
  await builder().getByLabel("Value", { exact: true }).nth(1).fill("100");
  await page.getByLabel("Over which activities").and(page.locator("textarea")).waitFor();
  const filter = "UnifiedActivity/$count($filter=ActivityType eq 'order_completed' and Properties/total ge 100) ge 1";
  const { count } = (await msci.admin("POST", "/segments/preview", { filter })).body;
  assert.ok(count >= 1);
  await page.locator("#preview").getByText(new RegExp(`^(About )?${count} customers? ha(s|ve) such an activity now`)).waitFor();
  await desk.sound();
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  assert.equal((await msci.admin("GET", "/measures/BigOrders")).body.filter, "ActivityType eq 'order_completed' and Properties/total ge 100");
});

test("how large a segment was is noted once a day, and drawn", async () => {
  const { page } = desk;
  await desk.open("segments/LoyalCustomers");
  await page.getByText("Its size is noted once a day").waitFor();
  await msci.admin("POST", "/index/tidy", {});
  await idle(msci);
  const day = Math.floor(Date.now() / 86_400_000);
  const [noted] = await until(() => msci.index("SELECT day, members FROM segment_size WHERE segment = 'LoyalCustomers'"), "it is noted");
  const { body } = await msci.admin("GET", "/segments/LoyalCustomers");
  assert.deepEqual(noted, { day, members: body.members });
  // As if the days before had passed already.
  await msci.index("INSERT INTO segment_size VALUES ('LoyalCustomers', ?1, 3), ('LoyalCustomers', ?2, 5)", day - 2, day - 1);
  await page.reload();
  await page.locator(".chart canvas").waitFor();
  await page.locator("summary", { hasText: "As numbers" }).click();
  const sizes = await page.getByRole("region", { name: "Members by day" }).locator("tbody td:nth-child(2)").allTextContents();
  assert.deepEqual(sizes, ["3", "5", String(body.members)]);
  await desk.sound();
  // Of a segment that is no more, nothing is kept.
  await msci.admin("DELETE", "/segments/Keen");
  await msci.admin("POST", "/index/tidy", {});
  await idle(msci);
  await until(async () => (await msci.index("SELECT 1 FROM segment_size WHERE segment = 'Keen'")).length === 0, "it is forgotten");
});

test("Home draws visitors, known and unknown, and the largest segments, from what is noted once a day", async () => {
  const { page } = desk;
  const day = Math.floor(Date.now() / 86_400_000);
  await msci.index("DELETE FROM segment_size");
  await msci.index("DELETE FROM visitor_count");
  const visitor = browser();
  await msci.collect(visitor.batch(visitor.view("/")));
  await until(async () => (await msci.admin("GET", `/customers?kind=unknown&search=${visitor.cookieId}`)).body.count === 1, "the visitor is listed");
  const card = (/** @type {string} */ name) => page.locator("section", { has: page.getByRole("heading", { name, exact: true }) });
  await desk.go("Home");
  for (const name of ["Visitors over time", "Segments over time"]) await card(name).getByText("drawn here from the second day on").waitFor();
  await msci.admin("POST", "/index/tidy", {});
  await idle(msci);
  const [noted] = await until(() => msci.index("SELECT * FROM visitor_count"), "they are noted");
  const [{ known, unknown }] = await msci.index("SELECT sum(known) AS known, sum(NOT known) AS unknown FROM customer WHERE gone = 0");
  assert.deepEqual(noted, { day, known, unknown });
  assert.ok(unknown > 0);
  // As if the days before had passed already; the last was so long ago that it is forgotten.
  await msci.index("INSERT INTO visitor_count VALUES (?1, 2, 9), (?2, 3, 11), (?3, 1, 1)", day - 2, day - 1, day - 401);
  const largest = (await msci.admin("GET", "/segments")).body.items.map((/** @type {any} */ { name }) => name);
  const sizes = await Promise.all(largest.map(async (/** @type {string} */ name) => [name, (await msci.admin("GET", `/segments/${name}`)).body]));
  sizes.sort(([, one], [, other]) => other.members - one.members);
  const [first, second] = sizes;
  await msci.index("INSERT INTO segment_size VALUES (?1, ?2, 4), (?1, ?3, 6), (?4, ?3, 5)", first[0], day - 2, day - 1, second[0]);
  await page.reload();
  await card("Visitors over time").locator("canvas").waitFor();
  await card("Segments over time").locator("canvas").waitFor();
  const numbers = async (/** @type {string} */ name, /** @type {number} */ column) => {
    await card(name).locator("summary").click();
    return card(name).locator(`tbody td:nth-child(${column})`).allTextContents();
  };
  assert.deepEqual(await numbers("Visitors over time", 3), ["9", "11", String(unknown)]);
  // A segment that there was not yet has no number, and no point.
  assert.deepEqual(await card("Segments over time").locator("th").nth(1).textContent(), first[1].displayName || first[0]);
  assert.deepEqual(await numbers("Segments over time", 3), ["", "5", String(second[1].members)]);
  await desk.sound();
  await msci.admin("POST", "/index/tidy", {});
  await idle(msci);
  await until(async () => (await msci.index("SELECT 1 FROM visitor_count WHERE day = ?1", day - 401)).length === 0, "it is forgotten");
});

test("no page was refused anything by its policy, and no script threw", () => {
  assert.deepEqual(desk.faults, []);
});
