// @ts-check
// The fourth idea of the demo, as its user meets it: `npm start`, a shop, reviews that are read, and a mail about them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { freePort, start } from "../support/process.mjs";
import { until } from "../support/system.mjs";

test("a customer of the demo who reads a review finds the mail in its outbox, one, also after a start on another port", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "msci-demo-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const chromium = await launch(t);
  for (const { loyaltyId, name, address } of [
    { loyaltyId: "Loyalty1", name: "Abbie", address: "abbie.moss@example.com" },
    { loyaltyId: "Loyalty2", name: "Noah", address: "noah.keller@example.com" },
  ]) {
    const port = String(await freePort());
    const system = start(t, { PORT: port, MSCI_STATE: join(folder, "state") });
    await system.ready();
    const [, outbox] = /^mails +(\S+)$/m.exec(system.out()) ?? [];
    assert.equal(outbox, `http://localhost:${port}/outbox`);
    const page = await (await chromium.newContext()).newPage();
    await page.goto(outbox);
    await page.getByText("No mail yet").waitFor();

    // Somebody reads what others say, and has no address yet.
    await page.goto(`http://localhost:${port}/`);
    const shop = page.getByRole("navigation", { name: "Shop" });
    await shop.getByRole("link", { name: "Reviews" }).click();
    await page.getByRole("main").getByRole("link", { name: /Aurora/ }).first().click();
    await page.waitForURL(/\/reviews\/aurora/);
    // Once signed in, it is a customer with an address who has read them.
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByLabel(/loyalty number/i).fill(loyaltyId);
    await page.getByRole("main").getByRole("button", { name: /sign in/i }).click();
    await page.waitForURL(/\/account/);
    // The outbox has no tracking: what is not yet sent when she goes there waits for the next page of the shop.
    await page.evaluate(() => /** @type {any} */ (window).MSCI.flush());

    const mails = page.getByRole("article");
    await until(async () => {
      await page.goto(outbox);
      return (await mails.count()) > 0;
    }, "the mail arrived", 20_000);
    const text = await mails.first().innerText();
    for (const part of [address, "shop@contoso.example", "Still comparing machines?", `Hello ${name},`]) assert.ok(text.includes(part), text);
    // More reviews are no more mails.
    await page.goto(`http://localhost:${port}/reviews/solstice-lever`);
    await page.goto(`http://localhost:${port}/coffee-machines`);
    await page.goto(outbox);
    assert.equal(await mails.count(), 1);
    await page.context().close();
    system.child.kill("SIGTERM");
    await system.ended;
  }
});

test("the outbox takes no mail but from the relay, and the relay none but from MSCI", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "msci-demo-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const port = String(await freePort());
  await start(t, { PORT: port, MSCI_STATE: join(folder, "state") }).ready();
  const ask = (/** @type {string} */ path, /** @type {RequestInit} */ init = {}) => fetch(`http://localhost:${port}/outbox${path}`, init);
  const body = JSON.stringify({ from: "a@b.example", to: "<b>c@d.example", subject: "x", text: "y" });
  for (const path of ["/relay", "/emails"]) {
    assert.equal((await ask(path, { method: "POST", body, headers: { authorization: "Bearer " } })).status, 401, path);
    assert.equal((await ask(path)).status, 404, path);
  }
  assert.match(await (await ask("")).text(), /No mail yet/);
});
