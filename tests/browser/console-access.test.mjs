// @ts-check
// Tokens, the audit log and Live, as people use them; and what the console is for whoever may less.
import assert from "node:assert/strict";
import { test } from "node:test";
import { console as open, office, sound } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const { msci, chromium, desk } = await office();
await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Tier: "string" } });
await msci.admin("PUT", "/segments/Golden", { filter: "Tier eq 'Gold'" });
await idle(msci);

/** Somebody else, signed in by this token. @param {string} token */
async function somebody(token) {
  const context = await chromium.newContext();
  const page = await context.newPage();
  await page.goto(desk.root);
  await page.getByLabel("Admin token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  return { context, page };
}

test("a token is made, shown once, signed in with and removed, and then its sessions have ended", async () => {
  const { page } = desk;
  await desk.go("Tokens");
  await page.getByText("There is none yet besides MSCI_ADMIN_TOKEN").waitFor();
  await desk.sound();
  await page.getByLabel("Name", { exact: true }).fill("Vera, reports");
  await page.getByLabel("Expires").fill("2001-01-01");
  await desk.press("Make token");
  await page.getByRole("alert").getByText("a date to come").waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Vera, reports");
  await page.getByLabel("Expires").fill("2999-12-31");
  await page.getByLabel("Role").selectOption("Viewer");
  await desk.press("Make token");
  await page.locator("#secret").getByText(/^msci_/).waitFor();
  await desk.sound();
  const token = (await page.locator("#secret").textContent()) ?? "";
  await desk.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy: Token" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  await page.getByRole("link", { name: "Go on" }).click();
  await page.getByRole("cell", { name: /^Vera, reports/ }).waitFor();
  assert.ok(!(await page.content()).includes(token));
  await desk.sound();
  const vera = await somebody(token);
  await page.locator("summary", { hasText: "Remove" }).click();
  await desk.press("Remove");
  await page.getByText("Removed. It opens nothing from now on").waitFor();
  await vera.page.goto(`${desk.root}segments`);
  await vera.page.getByLabel("Admin token").waitFor();
  await vera.context.close();
});

test("a Viewer sees what there is and is offered nothing to change, and is refused when it is sent anyway", async () => {
  const { body } = await msci.admin("POST", "/tokens", { name: "Vic", role: "Viewer" });
  const { page, context } = await somebody(body.token);
  const names = await page.getByRole("navigation", { name: "Console" }).getByRole("link").allTextContents();
  for (const name of ["Privacy", "Tokens", "Audit"]) assert.ok(!names.includes(name), name);
  for (const path of ["segments", "tables", "measures", "experiences", "activations", "tracking", "jobs", "live", "tables/People", "segments/Golden", ""]) {
    await page.goto(desk.root + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    for (const word of ["Save", "Upload", "Delete", "Cancel"]) assert.equal(await page.getByRole("button", { name: word }).count(), 0, `${path}: ${word}`);
    assert.equal(await page.getByRole("link", { name: /^New / }).count(), 0, path);
    await sound(page);
  }
  await page.goto(`${desk.root}segments/Golden`);
  assert.equal(await page.getByLabel("Condition").inputValue(), "Tier eq 'Gold'");
  assert.ok(await page.getByLabel("Condition").isDisabled());
  await page.getByText("As Viewer you may look at this").waitFor();
  await page.goto(`${desk.root}sign-out`);
  const form = await page.locator("input[name=form]").inputValue();
  for (const path of ["segments/Golden/delete", "segments/Golden", "tracking", "privacy", "tokens"]) {
    const status = await page.evaluate(async ([to, form]) => {
      const answer = await fetch(to ?? "", { method: "POST", body: new URLSearchParams({ form: form ?? "", filter: "true" }) });
      return answer.status;
    }, [desk.root + path, form]);
    assert.equal(status, 403, path);
  }
  assert.equal((await msci.admin("GET", "/segments/Golden")).body.filter, "Tier eq 'Gold'");
  for (const path of ["tokens", "audit", "privacy", "new/segments"]) {
    await page.goto(desk.root + path);
    await page.getByRole("heading", { level: 1, name: "Not allowed" }).waitFor();
  }
  await sound(page);
  await context.close();
});

test("a Contributor changes definitions, and not who may do what", async () => {
  const { body } = await msci.admin("POST", "/tokens", { name: "Carl", role: "Contributor" });
  const { page, context } = await somebody(body.token);
  await page.goto(`${desk.root}segments/Golden`);
  await page.getByLabel("Shown as").fill("Golden ones");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.goto(`${desk.root}tracking`);
  assert.ok(await page.getByLabel("Verification").isDisabled());
  await context.close();
});

test("the audit log shows who did what, newest first, page by page", async () => {
  const { page } = desk;
  for (let n = 0; n < 120; n++) await msci.admin("DELETE", `/segments/None${n}`);
  await desk.go("Audit");
  await desk.sound();
  const rows = page.getByRole("region", { name: "Audit" }).locator("tbody tr");
  assert.match((await rows.nth(0).textContent()) ?? "", /MSCI_ADMIN_TOKENDELETE segments\/None119refused 404/);
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByText("segments/None9", { exact: true }).waitFor();
  await page.getByRole("cell", { name: "PUT segments/Golden" }).first().waitFor();
  await page.getByRole("link", { name: "First page" }).click();
  await page.getByLabel("Since").fill("2999-01-01");
  await desk.press("Show");
  await page.getByText("Nothing is in it of that time.").waitFor();
  await desk.sound();
});

test("Live shows signals as they arrive, of one type where that is asked for, and stands still while it is paused", async () => {
  const { page } = desk;
  await desk.go("Live");
  await page.getByText("Watching.").waitFor();
  const visitor = browser();
  const rows = page.locator("#live tbody tr");
  await until(async () => {
    await msci.collect(visitor.batch(visitor.view("/hello", { name: "hello" })));
    return (await rows.count()) > 0;
  }, "a signal shows", 20_000);
  await rows.filter({ hasText: "hello" }).filter({ hasText: "accepted" }).first().waitFor();
  await desk.sound();
  await desk.press("Pause");
  await msci.collect(visitor.batch(visitor.event("while_paused")));
  // What comes over the same connection later is there, so what came before it is too.
  const other = await open(chromium, msci.base);
  await other.go("Live");
  await other.page.locator("#live tbody tr", { hasText: "while_paused" }).waitFor();
  assert.equal(await rows.filter({ hasText: "while_paused" }).count(), 0);
  await desk.press("Go on");
  await rows.filter({ hasText: "while_paused" }).waitFor();
  await page.getByRole("link", { name: "Events", exact: true }).click();
  await rows.filter({ hasText: "while_paused" }).waitFor();
  await msci.collect(visitor.batch(visitor.view("/not-shown"), visitor.event("is_shown")));
  await rows.filter({ hasText: "is_shown" }).waitFor();
  assert.deepEqual(await rows.locator("td:nth-child(2)").allTextContents().then((types) => [...new Set(types)]), ["event"]);
  await rows.first().getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: /^Visitor/ }).waitFor();
  await other.context.close();
});

test("Live, the audit log and tokens work without scripts", async () => {
  const { page, ...there } = await open(chromium, msci.base, { javaScriptEnabled: false });
  await page.goto(`${there.root}live`);
  await page.locator("#live tbody tr").first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 0);
  await page.goto(`${there.root}audit`);
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByRole("link", { name: "First page" }).waitFor();
  await page.goto(`${there.root}tokens`);
  await page.getByLabel("Name", { exact: true }).fill("plain");
  await there.press("Make token");
  await page.locator("#secret").getByText(/^msci_/).waitFor();
  await there.context.close();
});

test("these pages fit a narrow window and are light", async () => {
  const { page } = desk;
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of ["tokens", "audit", "live"]) {
    await desk.open(path);
    await desk.sound();
    await desk.weighs(path);
  }
  assert.deepEqual(desk.faults, []);
});
