// @ts-check
// What goes in and out by the console: rows with their progress, lists for Optimizely, a timeline that lives, and the
// script in the form that a site needs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { office } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { browser, token } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const { msci, chromium, desk } = await office({ demo: true });

test("customers are sorted by the heads of their columns, all of them, with and without script", async () => {
  const { page } = desk;
  const total = (await msci.admin("GET", "/customers")).body.count;
  const ids = async (/** @type {import("playwright-core").Page} */ on) => {
    const found = await on.getByRole("region", { name: "Customers" }).locator("tbody tr td:nth-child(2)").allTextContents();
    const next = on.getByRole("link", { name: "Next page" });
    for (; (await next.count()) > 0; ) {
      // Loaded when it is read.
      await on.goto(new URL((await next.getAttribute("href")) ?? "", on.url()).href);
      found.push(...(await on.getByRole("region", { name: "Customers" }).locator("tbody tr td:nth-child(2)").allTextContents()));
    }
    return found;
  };
  const head = (/** @type {import("playwright-core").Page} */ on, /** @type {string} */ name) => on.getByRole("columnheader", { name });
  await desk.go("Customers");
  assert.equal(await head(page, "Last seen").getAttribute("aria-sort"), "descending");
  await page.getByRole("link", { name: "Id", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.locator("th[aria-sort=ascending]").getByText("Id").waitFor();
  assert.equal(await head(page, "Last seen").getAttribute("aria-sort"), null);
  assert.equal(await page.getByRole("columnheader", { name: "Name" }).getByRole("link").count(), 0, "no index is in the order of names");
  const rising = await ids(page);
  assert.deepEqual([rising.length, rising], [total, [...rising].sort()]);
  await desk.sound();
  const plain = await chromium.newContext({ javaScriptEnabled: false, storageState: await desk.context.storageState() });
  const still = await plain.newPage();
  await still.goto(`${desk.root}customers?sort=authId`);
  await still.getByRole("link", { name: "Id", exact: true }).click();
  await still.locator("th[aria-sort=descending]").getByText("Id").waitFor();
  // Who searches goes on in the same order.
  await still.getByLabel("Search").fill("loyalty9");
  await still.getByRole("button", { name: "Search" }).click();
  await still.waitForURL(/search=loyalty9/);
  const found = await ids(still);
  assert.ok(found.length > 5 && found.every((id) => id.startsWith("Loyalty9")));
  assert.deepEqual(found, [...found].sort().reverse());
  await still.getByRole("link", { name: "Unknown" }).click();
  await still.waitForURL(/kind=unknown/);
  assert.equal(await head(still, "Id").getByRole("link").count(), 0, "unknown visitors have none");
  await plain.close();
});

test("an upload tells what became of its lines, and those that were not taken are a file", async () => {
  const { page } = desk;
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Points: "number" } });
  await desk.open("tables/People");
  const csv = "Id,Points\nA1,10\n,20\nA2,many\nA3,30\n";
  await page.getByLabel("File").setInputFiles({ name: "people.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await page.getByLabel("File").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Lines that were not taken" }).waitFor();
  await page.getByText("2 rows are in it.").waitFor();
  await desk.sound();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download them as CSV" }).click()]);
  assert.equal(file.suggestedFilename(), "people.csv.rejected.csv");
  const lines = readFileSync(await file.path(), "utf8").trim().split("\r\n");
  assert.equal(lines[0], "line,code,message");
  assert.deepEqual(lines.slice(1).map((line) => line.split(",")[0]), ["3", "4"]);
});

test("the file of lines that were not taken has every one of them, however many", async () => {
  const { page } = desk;
  await desk.open("tables/People");
  const csv = `Id,Points\n${Array.from({ length: 2600 }, (_, at) => (at % 2 ? `C${at},${at}` : `C${at},much`)).join("\n")}\nC1,1\n`;
  await page.getByLabel("File").setInputFiles({ name: "bad.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await desk.press("Upload");
  await page.getByText("And 1201 more.").waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download them as CSV" }).click()]);
  const lines = readFileSync(await file.path(), "utf8").trim().split("\r\n").slice(1).map((line) => line.split(","));
  assert.deepEqual(lines.map(([line]) => Number(line)), [...Array.from({ length: 1300 }, (_, at) => 2 * at + 2), 2602]);
  assert.deepEqual([lines[0]?.[1], lines.at(-1)?.[1]], ['"invalid_value"', '"duplicate_key"']);
});

test("an upload shows how far it is, and can be cancelled", async () => {
  const { page } = desk;
  await desk.open("tables/People");
  const session = await desk.context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 300_000 });
  const rows = Array.from({ length: 200_000 }, (_, at) => `B${at},${at}`).join("\n");
  await page.getByLabel("File").setInputFiles({ name: "many.csv", mimeType: "text/csv", buffer: Buffer.from(`Id,Points\n${rows}\n`) });
  await desk.press("Upload");
  const bar = page.getByRole("progressbar");
  await until(async () => Number(await bar.getAttribute("value")) > 0, "some of it has gone");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
  await page.keyboard.press("Enter");
  await page.getByText("Cancelled. Rows that were written stay").waitFor();
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await desk.sound();
});

test("a timeline shows what arrives, without loading the page again, but not under somebody's hands", async () => {
  const { page } = desk;
  const her = browser();
  await msci.collect(her.batch(her.view("/first")), { cookies: { _msci: her.cookieId } });
  const customer = await until(async () => (await msci.admin("GET", `/customers?kind=unknown&search=${her.cookieId}`)).body.customers[0], "she is listed");
  await desk.open(`customers/${customer.customerId}`);
  await page.locator("#activities").getByText("Page /first").waitFor();
  await page.locator("#activities [tabindex]").focus();
  await msci.collect(her.batch(her.view("/second")), { cookies: { _msci: her.cookieId } });
  await page.getByLabel("Page", { exact: true }).focus();
  await page.locator("#activities").getByText("Page /second").waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download all that is held" }).click()]);
  assert.match(readFileSync(await file.path(), "utf8"), /\/second/);
});

test("a customer's page says since when they are in a segment, by what, and what its condition is", async () => {
  const { page } = desk;
  const her = browser();
  const filter = "UnifiedActivity/any(a: a/ViewUri eq 'https://shop.example/menu')";
  await msci.admin("PUT", "/segments/MenuReaders", { filter });
  await msci.admin("PUT", "/segments/Everybody", { filter: "UnifiedActivity/$count ge 0" });
  await idle(msci);
  await msci.collect(her.batch(her.view("https://shop.example/menu"), her.view("https://shop.example/other")), { cookies: { _msci: her.cookieId } });
  const customer = await until(async () => (await msci.admin("GET", `/customers?kind=unknown&search=${her.cookieId}`)).body.customers[0], "she is listed");
  await desk.open(`customers/${customer.customerId}`);
  const segment = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: "MenuReaders" }) });
  assert.match((await segment.textContent()) ?? "", /^MenuReaders since 20\d\d-\d\d-\d\d \d\d:\d\d UTC, by a view of https:\/\/shop\.example\/menu\./);
  await segment.getByRole("link", { name: "https://shop.example/menu" }).waitFor();
  assert.equal(await segment.locator("code").textContent(), filter);
  await desk.sound();
  for (const name of ["MenuReaders", "Everybody"]) await msci.admin("DELETE", `/segments/${name}`);
});

test("customers are shown as tiles until they are shown as rows again", async () => {
  const { page } = desk;
  await desk.go("Customers");
  await desk.press("As tiles");
  await page.reload();
  await page.locator(".tiles").waitFor();
  await desk.sound();
  await page.setViewportSize({ width: 360, height: 740 });
  await desk.sound();
  await page.setViewportSize({ width: 1280, height: 800 });
  await desk.press("As tiles");
  assert.equal(await page.locator(".tiles").count(), 0);
});

test("Optimizely is set up: an account, a list as a file, a list uploaded", async (t) => {
  const { page } = desk;
  /** @type {string[]} */
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    request.resume().on("end", () => response.setHeader("content-type", "application/json").end(request.method === "GET" ? "[]" : '{"id":7}'));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => (server.closeAllConnections(), server.close()));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await desk.go("Web tracking & personalization");
  const upload = page.getByRole("button", { name: "Upload LoyalCustomers" });
  await upload.click();
  await page.getByText("Save the account first.").waitFor();
  // The address of the service is kept from an account that there is.
  await msci.admin("PUT", "/accounts/optimizely", { url: `http://127.0.0.1:${port}/v2`, projectId: 1, token: "x" });
  await page.reload();
  await page.getByLabel("Project id").fill("42");
  await page.getByLabel("API token").fill("t0ken");
  await page.keyboard.press("Enter");
  await page.getByText("The token is not shown again.").waitFor();
  assert.equal(await page.getByLabel("API token").inputValue(), "");
  await upload.click();
  await page.getByText(/LoyalCustomers is uploaded: \d+ ids\./).waitFor();
  assert.deepEqual(asked, ["GET /v2/list_attributes?project_id=42 Bearer t0ken", "POST /v2/list_attributes Bearer t0ken"]);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download LoyalCustomers" }).click()]);
  assert.equal(file.suggestedFilename(), "LoyalCustomers.csv");
  await desk.sound();
});

test("the script is there for a page, a tag manager, a bundler and WordPress", async () => {
  const { page } = desk;
  await desk.go("Web tracking & personalization");
  await desk.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  for (const [name, has] of /** @type {const} */ ([
    ["Copy: Into the page", "<script>"],
    ["Copy: Google Tag Manager", "<script>"],
    ["Copy: Sites with a bundler", 'from "msci-sdk"'],
    ["Copy: WordPress", "add_action( 'wp_head'"],
  ])) {
    await page.getByRole("button", { name }).click();
    assert.ok((await page.evaluate(() => navigator.clipboard.readText())).includes(has), name);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await desk.sound();
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("consent platforms are chosen, and a mode that does not go with one is told", async (t) => {
  const { page } = desk;
  await desk.open("tracking");
  const tcf = page.getByLabel("A consent platform asks: IAB Transparency & Consent Framework 2");
  await tcf.check();
  await desk.press("Save");
  await page.getByText('consent.mode has to be "required"').waitFor();
  await tcf.check();
  await page.getByLabel("Consent", { exact: true }).selectOption("required");
  await desk.press("Save");
  atEnd(t, () => msci.admin("PUT", "/settings", { consent: { mode: "implied", inputs: [] } }));
  await page.getByText("Saved").waitFor();
  assert.deepEqual((await msci.admin("GET", "/settings")).body.consent, { mode: "required", honourGpc: true, inputs: ["tcf"] });
  assert.ok(await tcf.isChecked());
  await desk.sound();
});

test("a claim is seen at its visitor, and waits in a list that tracking set-up leads to, until it is proven", async (t) => {
  const { page } = desk;
  await msci.admin("PUT", "/settings", { identity: { verification: "required" } });
  atEnd(t, () => msci.admin("PUT", "/settings", { identity: { verification: "off" } }));
  const her = browser();
  await until(async () => (await msci.collect(her.batch(her.user("Loyalty7")))).body.user?.status === "claimed", "a claim is one");
  const [row] = await until(async () => {
    const { customers } = (await msci.admin("GET", `/customers?kind=unknown&search=${her.cookieId}`)).body;
    return customers.length === 1 && customers;
  }, "she is listed");
  await desk.open(`customers/${row.customerId}`);
  await page.getByRole("heading", { name: "Claims" }).waitFor();
  await page.getByText("Loyalty7 of LoyaltySignUps").waitFor();
  await desk.sound();
  await until(async () => {
    await desk.open("tracking");
    return page.getByText("Claims waiting: 1.").isVisible();
  }, "the claim is counted", 20_000);
  await page.getByRole("link", { name: "unknown visitor" }).click();
  await page.waitForURL(/kind=claiming/);
  assert.equal(await page.getByRole("link", { name: "Claims waiting (1)" }).getAttribute("aria-current"), "page");
  assert.equal(await page.locator(`tbody a[href$="customers/${row.customerId}"]`).count(), 1);
  await desk.sound();
  const proof = token(msci.identitySecret, { sub: "Loyalty7", cid: her.cookieId });
  assert.equal((await msci.collect(her.batch(her.user("Loyalty7", { token: proof })))).body.user.status, "merged");
  await until(async () => (await msci.admin("GET", "/customers?kind=claiming")).body.count === 0, "it waits no more");
  await desk.open("customers?kind=claiming");
  await page.getByText("No claim waits for a proof.").waitFor();
});

test("the console is found without the slash at its end", async () => {
  const { page } = desk;
  await page.goto(desk.root.slice(0, -1));
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  assert.equal(page.url(), desk.root);
});

test("what a person agreed to is told, newest first, and found from their page and from Privacy", async () => {
  const { page } = desk;
  const her = browser();
  const said = (/** @type {string} */ decision, /** @type {number} */ ago) => ({ ...her.view("/"), type: "consent", purposes: { analytics: decision }, time: Date.now() - ago });
  await msci.collect(her.batch(said("denied", 3_600_000), said("granted", 60_000), her.user("Loyalty7")));
  const { body } = await msci.admin("GET", `/privacy/consents?cookieId=${her.cookieId}`);
  await desk.open(`customers/${body.customerId}`);
  await page.getByRole("link", { name: "What this person agreed to" }).click();
  const rows = page.getByRole("region", { name: "Consent log" }).locator("tbody tr");
  assert.deepEqual(await rows.locator("td:nth-child(2)").allTextContents(), ["analytics: granted", "analytics: denied"]);
  assert.deepEqual(await rows.locator("td:nth-child(4)").allTextContents(), [her.cookieId, her.cookieId]);
  await desk.sound();
  await desk.go("Privacy");
  await page.getByRole("link", { name: "the consent log" }).click();
  await page.getByLabel("Id", { exact: true }).fill("Nobody");
  await desk.press("Show");
  await page.getByRole("alert").getByText("nothing is held").waitFor();
  await page.getByLabel("Id", { exact: true }).fill("Loyalty8");
  await desk.press("Show");
  await page.getByText("Nothing was agreed to or refused here").waitFor();
  await page.setViewportSize({ width: 360, height: 740 });
  await desk.sound();
  await desk.weighs("consents?kind=authId&id=Loyalty7");
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("no page was refused anything by its policy, and no script threw", () => {
  assert.deepEqual(desk.faults, []);
});
