// @ts-check
// Experiences as people make them: changes as rows, an element picked on the real page, the page seen as one
// customer, what came of it, and why a page is as it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { console as open, office } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { answer, system, until } from "../support/system.mjs";

const { msci, chromium, desk } = await office({ demo: true });

const definition = async () => JSON.parse(await desk.page.getByLabel("Definition").inputValue());
const site = () => desk.page.frameLocator("iframe[title='The page to pick on']").frameLocator("iframe[title='Page of the site']");

test("an experience is made without a line of JSON: an element is picked on the page, and the page changes", async () => {
  const { page } = desk;
  await desk.open("new/experiences");
  await page.getByLabel("Name", { exact: true }).fill("winter");
  await page.getByLabel("On which pages").fill("/\n/cart");
  await page.getByRole("button", { name: "Pick on the page" }).click();
  await (await desk.picking()).locator("#hero-title").hover();
  await page.getByRole("dialog").getByRole("status").getByText("#hero-title:").waitFor();
  // The site's own page is not ours to judge.
  const { violations } = await new AxeBuilder({ page }).include("dialog").exclude("iframe").analyze();
  assert.deepEqual(violations.map(({ id }) => id), []);
  await desk.picks((site) => site.locator("#hero-title"));
  assert.equal(await page.getByLabel("Selector").inputValue(), "#hero-title");
  await page.getByLabel("Value", { exact: true }).fill("Winter is coffee");
  await page.getByRole("button", { name: "Add change" }).click();
  await page.getByLabel("Action").nth(1).selectOption({ label: "Remove it" });
  await page.getByLabel("Selector").nth(1).fill("#hero-image");
  await page.getByLabel("Held out").fill("0");
  await page.getByLabel("Goal").fill("ActivityType eq 'order_completed'");
  await desk.sound();
  assert.deepEqual(await definition(), {
    audience: "",
    pages: ["/", "/cart"],
    changes: [
      { selector: "#hero-title", action: "setText", value: "Winter is coffee" },
      { selector: "#hero-image", action: "remove" },
    ],
    holdout: 0,
    goal: "ActivityType eq 'order_completed'",
    active: true,
  });
  await desk.press("Save");
  await page.getByText("Saved.").waitFor();
  await until(async () => {
    const { body } = await msci.fetch("/", { headers: { accept: "text/html" } });
    return body.includes("Winter is coffee") && !body.includes('id="hero-image"');
  }, "the page changes");
  await page.setViewportSize({ width: 360, height: 740 });
  await desk.sound();
  await desk.weighs("experiences/winter");
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("an element is picked by keyboard alone", async () => {
  const { page } = desk;
  await desk.open("experiences/winter");
  await page.getByRole("button", { name: "Add change" }).click();
  await page.getByRole("button", { name: "Pick on the page" }).last().focus();
  await page.keyboard.press("Enter");
  await site().locator("#hero-title").waitFor();
  const said = page.getByRole("dialog").getByRole("status");
  await until(async () => {
    await page.keyboard.press("ArrowDown");
    return /^(?!Point)/.test((await said.textContent()) ?? "");
  }, "the frame has the keyboard");
  const name = ((await said.textContent()) ?? "").split(": ")[0];
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Selector").last().inputValue(), name);
  // And left without a pick.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await site().locator("#hero-title").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Selector").last().inputValue(), name);
});

test("changes are tried on the page while they are typed, as one of the customers", async () => {
  const { page } = desk;
  await desk.open("experiences/loyal-welcome");
  await page.getByLabel("Value", { exact: true }).fill('Ciao {{ FirstName | default("friend") }} <b>');
  await page.getByRole("button", { name: "Try it on the page" }).click();
  await site().locator("#welcome").getByText("Ciao friend <b>", { exact: true }).waitFor();
  await page.getByLabel("As", { exact: true }).last().fill("Abbie");
  await page.keyboard.press("Enter");
  await site().locator("#welcome").getByText("Ciao Abbie <b>", { exact: true }).waitFor();
  await page.getByRole("dialog").getByText("1 element is changed").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  // Nothing of it is saved.
  assert.equal((await msci.admin("GET", "/experiences/loyal-welcome")).body.changes[0].value, "Welcome back, {{ FirstName }}!");
});

test("the page in the frame is nobody's: no cookie, no storage, no way to the console, and nothing is tracked", async () => {
  const { page } = desk;
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await desk.open("experiences/winter");
  await page.getByRole("button", { name: "Pick on the page" }).first().click();
  await site().locator("#hero-title").waitFor();
  const frame = /** @type {import("playwright-core").Frame} */ (page.frames().find((frame) => frame.url().includes("/_msci/preview/pick/")));
  const inside = await frame.evaluate(() => {
    const refused = (/** @type {() => unknown} */ work) => {
      try {
        return String(work());
      } catch (error) {
        return /** @type {Error} */ (error).name;
      }
    };
    return [self.origin, refused(() => document.cookie), refused(() => localStorage.length), refused(() => parent.document.title), refused(() => /** @type {any} */ (top).document.title)];
  });
  assert.deepEqual(inside, ["null", "SecurityError", "SecurityError", "SecurityError", "SecurityError"]);
  // A link of the page is pointed at, not followed.
  await desk.picks((site) => site.locator("#hero-link"));
  assert.ok(!asked.some((one) => one.includes("/collect")), asked.join("\n"));
  const url = frame.url();
  const shown = await answer(url);
  assert.match(shown.headers.get("content-security-policy") ?? "", /^sandbox allow-scripts; frame-ancestors http:\/\/localhost:\d+$/);
  assert.equal(shown.headers.get("cache-control"), "private, no-store");
  assert.deepEqual(shown.headers.getSetCookie(), []);
  // Who touches the link gets nothing, and so does who wants another page by it.
  assert.equal((await answer(`${url.slice(0, -2)}xx`)).status, 410);
  const root = desk.root.slice(0, -"console/".length);
  assert.equal((await answer(`${root}preview/pick/`)).status, 410);
  const pick = await page.goto(`${desk.root}pick?uri=/cart`);
  assert.match(pick?.headers()["content-security-policy"] ?? "", /frame-src http:\/\/localhost:\d+; frame-ancestors 'self'$/);
});

test("where the console has a host of its own, the shop's pages are picked on in their own origin", async (t) => {
  const other = await system(t, { adminHost: "admin.localhost" });
  const { host } = new URL(other.base);
  const away = await launch(t, { args: [`--host-resolver-rules=MAP admin.localhost ${host}, MAP shop.localhost ${host}`] });
  const { page, ...there } = await open(away, "http://admin.localhost");
  await there.open("new/experiences");
  await page.getByRole("button", { name: "Pick on the page" }).click();
  await page.getByRole("dialog").getByText("this host is not the site's").waitFor();
  await page.getByLabel("Page of your site").fill("http://shop.localhost/cart");
  await page.keyboard.press("Enter");
  await there.picks((site) => site.locator("h1"));
  assert.equal(await page.getByLabel("Selector").inputValue(), "h1");
  const outer = await page.goto(`${there.root}pick?uri=${encodeURIComponent("http://shop.localhost/")}`);
  assert.match(outer?.headers()["content-security-policy"] ?? "", /frame-src http:\/\/shop\.localhost; frame-ancestors 'self'$/);
  // It is remembered for the next pick.
  await there.open("new/experiences");
  await page.getByRole("button", { name: "Pick on the page" }).click();
  assert.equal(await page.getByLabel("Page of your site").inputValue(), "http://shop.localhost/");
});

test("selectors are short, hold when the page around changes, and are ones the edge knows", async (t) => {
  const { build } = await import("esbuild");
  const bundle = await build({ entryPoints: ["www/pick/selector.js"], bundle: true, format: "iife", globalName: "picked", write: false });
  // The demo shop's policy takes no script of ours.
  const context = await chromium.newContext({ bypassCSP: true });
  atEnd(t, () => context.close());
  const tab = await context.newPage();
  await tab.setContent(`<main><div class="css-1x2y3z4 card"><h2>A</h2><p class="lead">x</p></div><div class="card"><h2>B</h2><p>1</p><p>2</p></div>
    <form><input name="mail"><button data-testid="buy now">Buy</button></form><div id="r4827"><em>e</em></div><ul id="list"><li>1<li>2<li class="on">3</ul></main>`);
  await tab.addScriptTag({ content: bundle.outputFiles[0]?.text ?? "" });
  const of = (/** @type {string} */ css, at = 0) => tab.evaluate(([css, at]) => /** @type {any} */ (globalThis).picked.selector(document.querySelectorAll(/** @type {string} */ (css))[/** @type {number} */ (at)]), [css, at]);
  assert.deepEqual(
    [await of(".lead"), await of("input"), await of("button"), await of("em"), await of("#list li", 1), await of(".on"), await of("h2", 1), await of("main")],
    ["p.lead", 'input[name="mail"]', 'button[data-testid="buy now"]', "em", "#list > li:nth-of-type(2)", "li.on", "main > div:nth-of-type(2) > h2", "main"],
  );
  // Of the demo shop's every element: one selector that finds it and only it, and that can be saved.
  await tab.goto(`${msci.base}/coffee-machines/`);
  await tab.addScriptTag({ content: bundle.outputFiles[0]?.text ?? "" });
  const all = await tab.evaluate(() => {
    const { selector } = /** @type {any} */ (globalThis).picked;
    return [...document.body.querySelectorAll("*")].map((element) => {
      const found = document.querySelectorAll(selector(element));
      return [selector(element), found.length === 1 && found[0] === element];
    });
  });
  assert.ok(all.length > 50);
  assert.deepEqual(all.filter(([, finds]) => !finds), []);
  const changes = all.slice(0, 100).map(([selector]) => ({ selector, action: "remove" }));
  assert.equal((await msci.admin("PUT", "/experiences/all", { pages: ["/nowhere"], active: false, changes })).status, 200);
  await msci.admin("DELETE", "/experiences/all");
});

test("variants are rows too; what the editor does not know stays, and a text that is no definition stays as it is", async () => {
  const { page } = desk;
  await desk.open("experiences/premium-hero");
  // The builders have their place, so that nothing moves under the click.
  await page.getByRole("group", { name: "Builder" }).nth(1).getByLabel("Value", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Add variant" }).click();
  const second = page.getByRole("group", { name: "Variant B" });
  await second.getByRole("button", { name: "Add change" }).click();
  await second.getByLabel("Selector").fill("#hero-title");
  await second.getByLabel("Value", { exact: true }).fill("B");
  await second.getByLabel("Weight").fill("3");
  await second.getByLabel("Weight").blur();
  await desk.sound();
  const { variants, changes, priority } = await definition();
  assert.deepEqual([variants.length, changes, priority], [2, undefined, 1]);
  assert.deepEqual(variants[1], { name: "B", weight: 3, changes: [{ selector: "#hero-title", action: "setText", value: "B" }] });
  await page.getByRole("button", { name: "Remove variant B" }).click();
  await page.getByRole("button", { name: "Remove variant A" }).click();
  assert.equal((await definition()).changes.length, 6);
  await page.getByLabel("Definition").fill("{ nope");
  await page.getByText("This text is no definition yet.").waitFor();
  assert.equal(await page.getByLabel("Definition").inputValue(), "{ nope");
});

test("the page is seen as a customer who is looked for by name", async () => {
  const { page } = desk;
  await desk.open("experiences/loyal-welcome");
  await page.getByLabel("Somebody's name or id").fill("abbie");
  await page.keyboard.press("Enter");
  await page.getByLabel("As", { exact: true }).getByText("Abbie Moss").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Make the link" }).click();
  const link = page.getByRole("link", { name: "Open the page as Abbie Moss" });
  await link.waitFor();
  await desk.sound();
  const [shop] = await Promise.all([desk.context.waitForEvent("page"), link.click()]);
  await shop.getByText("Welcome back, Abbie!").waitFor();
  assert.equal(await shop.evaluate(() => opener), null);
  await shop.getByRole("link", { name: "End preview" }).click();
  await shop.close();
});

test("what an experience led to is told in numbers, in a bar and in words", async () => {
  const { page } = desk;
  await desk.open("experiences/premium-hero");
  await page.getByText("Nobody has seen it yet.").waitFor();
  await msci.admin("PUT", "/experiences/premium-hero", { ...(await msci.admin("GET", "/experiences/premium-hero")).body, name: undefined, holdout: 0.5 });
  await idle(msci);
  const visit = async (/** @type {string} */ exposures, /** @type {boolean} */ buys) => {
    const one = browser();
    await msci.collect(one.batch(one.view("/", { exposures }), ...(buys ? [one.event("order_completed", { total: 9 })] : [])));
  };
  for (let at = 0; at < 24; at++) await visit(at % 2 ? "premium-hero:treated" : "premium-hero:holdout", at % 2 ? at < 18 : at < 4);
  await until(async () => {
    const { body } = await msci.admin("GET", "/experiences/premium-hero/results");
    return body.buckets.every((/** @type {any} */ bucket) => bucket.exposed === 12);
  }, "all are counted", 30_000);
  await page.reload();
  const table = page.getByRole("region", { name: "Results" });
  await table.getByRole("row", { name: "treated 12 9 75.0 %" }).waitFor();
  await table.getByRole("row", { name: "Held out 12 2 16.7 %" }).waitFor();
  await page.getByText(/treated against those held out: \+350\.0 %, with 95 % confidence between \+\d/).waitFor();
  await page.getByText("wait for more before you rely on it").waitFor();
  assert.equal(await page.locator("svg.bar").count(), 1);
  await desk.sound();
});

test("why a page is as it is for a customer stands on their page", async () => {
  const { page } = desk;
  const { body } = await msci.admin("GET", "/customers?search=Loyalty1");
  const { customerId } = body.customers.find((/** @type {any} */ one) => one.authId === "Loyalty1");
  await desk.open(`customers/${customerId}`);
  await desk.press("Explain");
  const why = page.locator(".why");
  await why.waitFor();
  assert.equal(await why.locator("li").first().textContent(), "loyal-welcome: it is on the page.");
  await why.getByText("premium-hero: it is for others.").waitFor();
  await why.getByText("IsMemberOfSegment('PremiumBrowsers')").waitFor();
  await page.getByLabel("Page", { exact: true }).fill("/cart");
  await page.keyboard.press("Enter");
  await why.getByText("loyal-welcome: it is for other pages.").waitFor();
  await desk.sound();
});

test("no page was refused anything by its policy, and no script threw", () => {
  // Fonts and storage that a sandboxed page asks for are refused, as they should be.
  assert.deepEqual(desk.faults.filter((fault) => !/sandboxed|origin 'null'/.test(fault)), []);
});
