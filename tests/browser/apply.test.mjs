// @ts-check
// E8 What the edge decided is applied in the browser: in time or not at all, to what is there and what comes late, once.
// Real Chromium, a plain site; the edge's answers are the test's.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { becomes, decided, isShown, personalPage, personalSite, shown, text } from "../support/personal.mjs";
import { call, stopClock } from "../support/sdk.mjs";
import { until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Route} Route */
/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let chromium;
before(async () => {
  chromium = await launch(undefined);
});
after(() => chromium?.close());

const HERO = decided({ selector: "#hero", action: "setText", value: "For you" });
const ORDINARY = '<h1 id="hero">Good coffee</h1>';
const TELLS = { personalization: { apply: true, dataLayer: true } };

/** What the page told a tag manager. @param {Page} page @returns {Promise<any[]>} */
const told = (page) => page.evaluate(() => /** @type {any} */ (window).dataLayer ?? []);

/** Answers that come when the test says so. */
function held() {
  /** @type {Route[]} */
  const routes = [];
  const decide = (/** @type {Route} */ route) => void routes.push(route);
  const next = () => until(() => routes.shift(), "the page asks for decisions");
  return { decide, next };
}

test("E8 the page is hidden until it is decided, and shown as it was decided", async (t) => {
  const { decide, next } = held();
  const { open, faults } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY) }, decide, prepare: stopClock });
  const page = await open();
  const route = await next();
  assert.equal(await isShown(page), false);
  await route.fulfill({ json: HERO });
  await shown(page);
  assert.deepEqual([await text(page, "#hero"), faults], ["For you", []]);
});

test("E8 without the guard the page is seen from the start, and changed when it is decided", async (t) => {
  const { decide, next } = held();
  const { open } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY, { guarded: false }) }, decide });
  const page = await open();
  const route = await next();
  assert.equal(await isShown(page), true);
  await route.fulfill({ json: HERO });
  await becomes(page, "#hero", "For you");
});

test("E8 after the timeout the page is shown unchanged, and a late answer is not applied over it", async (t) => {
  const { decide, next } = held();
  const { open } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY, { cfg: TELLS }) }, decide, prepare: stopClock });
  const page = await open();
  const route = await next();
  await page.clock.runFor(999);
  assert.equal(await isShown(page), false);
  await page.clock.runFor(2);
  await shown(page);
  await route.fulfill({ json: HERO });
  // The tag manager hears of it all the same, so the answer has arrived.
  await until(async () => (await told(page)).length > 0, "the answer has arrived");
  assert.equal(await text(page, "#hero"), "Good coffee");
  assert.equal(await page.locator("meta[name=msci-x]").count(), 0);
});

test("E8 a shorter timeout of the page's own holds without a guard too; a longer one is a second", async (t) => {
  for (const [timeoutMs, patience] of [[200, 200], [60_000, 1_000]]) {
    const { decide, next } = held();
    const cfg = { personalization: { ...TELLS.personalization, timeoutMs } };
    const { open } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY, { cfg, guarded: false }) }, decide, prepare: stopClock });
    const page = await open();
    const route = await next();
    await page.clock.runFor(/** @type {number} */ (patience) + 1);
    await route.fulfill({ json: HERO });
    await until(async () => (await told(page)).length > 0, "the answer has arrived");
    assert.equal(await text(page, "#hero"), "Good coffee");
  }
});

test("E8 what is decided in time, but after the guard has shown the page, is not applied", async (t) => {
  const { decide, next } = held();
  /** @type {Route | undefined} */
  let script;
  const { open } = await personalSite(t, chromium, {
    pages: { "/": personalPage(ORDINARY, { cfg: TELLS }) },
    decide,
    prepare: async (context) => {
      await stopClock(context);
      await context.route("**/msci.js", (route) => void (script = route));
    },
  });
  const page = await open();
  await page.clock.runFor(900);
  await (await until(() => script, "the script is asked for")).continue();
  const route = await next();
  assert.equal(await isShown(page), false);
  await page.clock.runFor(200);
  await shown(page);
  await route.fulfill({ json: HERO });
  await until(async () => (await told(page)).length > 0, "the answer has arrived");
  assert.equal(await text(page, "#hero"), "Good coffee");
});

/** What may go wrong, and how the page is lifted then: by itself at once, or by the guard's own timer. */
const FAILURES = /** @type {Record<string, { prepare?: (context: import("playwright-core").BrowserContext) => unknown, decide?: (route: Route) => unknown, head?: string, timer?: true }>} */ ({
  "a blocker holds the script back": { prepare: (context) => context.route("**/msci.js", (route) => route.abort()) },
  "the script is not found": { prepare: (context) => context.route("**/msci.js", (route) => route.fulfill({ status: 404 })) },
  "a policy refuses the script": { head: `<meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline'; style-src 'none'">` },
  "the script never comes": { prepare: (context) => context.route("**/msci.js", () => {}), timer: true },
  "the script throws": { prepare: (context) => context.route("**/msci.js", (route) => route.fulfill({ contentType: "text/javascript", body: "throw 1" })), timer: true },
  "the SDK is not found": { prepare: (context) => context.route("**/assets/sdk.*.js", (route) => route.fulfill({ status: 404 })) },
  "the second asset is not found": { prepare: (context) => context.route("**/assets/apply.*.js", (route) => route.fulfill({ status: 404 })) },
  "the second asset is held back": { prepare: (context) => context.route("**/assets/apply.*.js", (route) => route.abort()) },
  "the second asset is no script": { prepare: (context) => context.route("**/assets/apply.*.js", (route) => route.fulfill({ contentType: "text/html", body: "<html>" })) },
  "the second asset throws": { prepare: (context) => context.route("**/assets/apply.*.js", (route) => route.fulfill({ contentType: "text/javascript", body: "export const start = () => { throw new Error('broken'); };" })) },
  "the second asset never comes": { prepare: (context) => context.route("**/assets/apply.*.js", () => {}), timer: true },
  "decisions are not found": { decide: (route) => route.fulfill({ status: 404 }) },
  "decisions fail": { decide: (route) => route.fulfill({ status: 500, json: { error: { code: "internal" } } }) },
  "decisions break off": { decide: (route) => route.abort() },
  "decisions are no JSON": { decide: (route) => route.fulfill({ contentType: "text/html", body: "<html>" }) },
  "decisions are of another shape": { decide: (route) => route.fulfill({ json: { segments: 7, experiences: [{}] } }) },
  "decisions never come": { decide: () => {}, timer: true },
});
for (const [failure, { prepare, decide, head = "", timer }] of Object.entries(FAILURES)) {
  test(`E8 where ${failure}, the page is shown as it is`, async (t) => {
    const { open } = await personalSite(t, chromium, {
      pages: { "/": personalPage(ORDINARY, { head }) },
      answer: HERO,
      ...(decide && { decide }),
      prepare: async (context) => {
        await stopClock(context);
        await prepare?.(context);
      },
    });
    const page = await open();
    if (timer) {
      await page.clock.runFor(998);
      assert.equal(await isShown(page), false);
      await page.clock.runFor(3);
    }
    await shown(page);
    assert.equal(await text(page, "#hero"), "Good coffee");
  });
}

test("E8 a policy without inline styles neither stops the guard nor the changes", async (t) => {
  const head = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'none'; require-trusted-types-for 'script'; trusted-types msci">`;
  const { decide, next } = held();
  const { open, faults } = await personalSite(t, chromium, {
    pages: { "/": personalPage(ORDINARY, { head }) },
    decide,
    prepare: (context) =>
      context.addInitScript(() => {
        // The snippet sets an address, which these policies want a word about, too.
        /** @type {any} */ (window).trustedTypes.createPolicy("default", { createScriptURL: (/** @type {string} */ url) => url });
      }),
  }).catch((error) => Promise.reject(error));
  const page = await open();
  const route = await next();
  assert.equal(await isShown(page), false);
  await route.fulfill({ json: decided({ selector: "#hero", action: "setHtml", value: "For <b>you</b>" }) });
  await shown(page);
  assert.equal(await page.locator("#hero b").textContent(), "you");
  assert.deepEqual(faults, []);
});

test("E8 containers that appear late are filled, each once, wherever they appear", async (t) => {
  const changes = decided(
    { selector: ".offer", action: "setText", value: "10 % off" },
    { selector: ".offer", action: "after", value: "<i>until Sunday</i>" },
    { selector: "#shop .offer", action: "setAttribute", name: "title", value: "Offer" },
  );
  const { open, faults } = await personalSite(t, chromium, { pages: { "/": personalPage('<div id="shop"></div><div class="offer">one</div>') }, answer: changes });
  const page = await open();
  await becomes(page, ".offer", "10 % off");
  await page.evaluate(() => {
    const shop = /** @type {Element} */ (document.querySelector("#shop"));
    shop.innerHTML = "<section><p class=offer>two</p></section>";
    shop.insertAdjacentHTML("beforeend", "<p class=offer>three</p>");
    // Moved, it is the same one.
    document.body.prepend(/** @type {Element} */ (document.querySelector("body > .offer")));
  });
  await until(async () => (await page.locator("i").count()) === 3, "all are filled");
  const seen = await page.evaluate(() => [...document.querySelectorAll(".offer")].map((node) => [node.textContent, node.getAttribute("title"), node.nextElementSibling?.localName]));
  assert.deepEqual(seen.map(([words, title]) => [words, title]), [["10 % off", null], ["10 % off", "Offer"], ["10 % off", "Offer"]]);
  assert.deepEqual(faults, []);
});

test("E8 a page that is only prepared is decided when it is shown, and its time begins then", async (t) => {
  const { open, asked } = await personalSite(t, chromium, {
    pages: { "/": personalPage(ORDINARY) },
    answer: HERO,
    prepare: async (context) => {
      await stopClock(context);
      await context.addInitScript(() => {
        let prerendering = true;
        Object.defineProperty(Document.prototype, "prerendering", { get: () => prerendering });
        /** @type {any} */ (window).activate = () => {
          prerendering = false;
          document.dispatchEvent(new Event("prerenderingchange"));
        };
      });
    },
  });
  const page = await open();
  await page.clock.runFor(5_000);
  assert.deepEqual([asked, await isShown(page)], [[], false]);
  await page.evaluate(() => /** @type {any} */ (window).activate());
  await becomes(page, "#hero", "For you");
  await shown(page);
});

test("E8 a text that a framework made stays its own", async (t) => {
  const pages = { "/": personalPage(`${ORDINARY}<script>window.kept = document.querySelector("#hero").firstChild</script>`) };
  const { open } = await personalSite(t, chromium, { pages, answer: HERO });
  const page = await open();
  await becomes(page, "#hero", "For you");
  assert.equal(await page.evaluate(() => document.querySelector("#hero")?.firstChild === /** @type {any} */ (window).kept), true);
});

test("E8 an element that the parser is still reading is changed once it is whole", async (t) => {
  /** @type {import("node:http").ServerResponse | undefined} */
  let pending;
  const { decide, next } = held();
  const { site, context, faults } = await personalSite(t, chromium, { pages: {}, decide });
  // A page that stops in the middle of its headline.
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.write(personalPage("", { guarded: false }).replace("</body></html>", `<p class="x">one</p><h1 id="hero">Good ${" ".repeat(2_000)}<b>cof`));
    pending = response;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await context.route("**/slow", async (route) => route.continue({ url: `http://127.0.0.1:${port}/` }));
  const page = await context.newPage();
  await page.goto(`${site.base}/slow`, { waitUntil: "commit" });
  const route = await next();
  await route.fulfill({ json: decided({ selector: "#hero", action: "setText", value: "For you" }, { selector: ".x", action: "setText", value: "two" }) });
  await becomes(page, ".x", "two");
  pending?.end("fee</b> every morning</h1><p>The end</p></body></html>");
  await becomes(page, "#hero", "For you");
  assert.deepEqual(faults, []);
});

test("E8 a page that the Worker itself has changed is not changed again", async (t) => {
  const head = '<meta name="msci-x" content="hero:treated">';
  const { open, signals } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY, { cfg: TELLS, head }) }, answer: HERO });
  const page = await open();
  await until(async () => (await told(page)).length > 0, "the answer has arrived");
  await shown(page);
  await call(page, "flush");
  assert.equal(await text(page, "#hero"), "Good coffee");
  assert.deepEqual(signals().map(({ type, name, exposures }) => [type, name, exposures]), [["view", undefined, "hero:treated"]]);
});

test("what the Worker did to a page is said of its own view, not of the routes that follow", async (t) => {
  const head = '<meta name="msci-x" content="hero:treated">';
  const { open, signals } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY, { cfg: {}, guarded: false, head }) } });
  const page = await open();
  await call(page, "status");
  await page.evaluate(() => history.pushState({}, "", "/two"));
  await call(page, "flush");
  assert.deepEqual(signals().map(({ type, exposures }) => [type, exposures]), [["view", "hero:treated"], ["view", undefined]]);
});

test("E8 the experiences of a page, those held out too, reach the edge beside its view, in one request", async (t) => {
  const answer = { ...HERO, experiences: [...HERO.experiences, { name: "offer", variant: "holdout", changes: [] }] };
  const { site, open, signals } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY) }, answer });
  const page = await open();
  await becomes(page, "#hero", "For you");
  await call(page, "flush");
  assert.deepEqual(
    signals().map(({ type, name, exposures }) => [type, name, exposures]),
    [["view", undefined, undefined], ["event", "experience_viewed", "hero:treated,offer:holdout"]],
  );
  assert.equal(site.batches.length, 1);
  assert.equal(await page.locator("meta[name=msci-x]").getAttribute("content"), "hero:treated,offer:holdout");
});

test("E8 without WebAssembly it is the same", async (t) => {
  const { open, signals, faults } = await personalSite(t, chromium, {
    pages: { "/": personalPage(ORDINARY) },
    answer: HERO,
    prepare: (context) => context.route("**/*.wasm", (route) => route.fulfill({ status: 404 })),
  });
  const page = await open();
  await becomes(page, "#hero", "For you");
  await call(page, "flush");
  assert.match((await call(page, "status")).wasm, /404/);
  assert.deepEqual([signals().map(({ exposures }) => exposures), faults], [[undefined, "hero:treated"], []]);
});

test("E8 in a single-page application each address is asked for, and only the newest answer counts", async (t) => {
  const { decide, next } = held();
  const { open, asked, signals, faults } = await personalSite(t, chromium, { pages: { "/": personalPage(`${ORDINARY}<main></main>`) }, decide, prepare: stopClock });
  const page = await open();
  const first = await next();
  await page.evaluate(() => {
    history.pushState({}, "", "/two");
    /** @type {Element} */ (document.querySelector("main")).innerHTML = "<p id=here>two</p>";
  });
  const second = await next();
  await second.fulfill({ json: decided({ selector: "#here", action: "setText", value: "second" }, { selector: "#hero", action: "append", value: "<i>!</i>" }) });
  await becomes(page, "#here", "second");
  // The page it was about is gone.
  await first.fulfill({ json: HERO });
  await shown(page);
  // What stays on the page is not added to again by the same change.
  await page.evaluate(() => history.pushState({}, "", "/three"));
  const third = await next();
  await third.fulfill({ json: decided({ selector: "#here", action: "setText", value: "third" }, { selector: "#hero", action: "append", value: "<i>!</i>" }) });
  await becomes(page, "#here", "third");
  // No new address, no question.
  await page.evaluate(() => {
    history.replaceState({ x: 1 }, "", "/three#there");
  });
  assert.equal(await text(page, "#hero"), "Good coffee!");
  await page.goBack();
  await until(() => asked.length === 4, "going back asks too");
  await (await next()).fulfill({ json: decided() });
  await until(async () => (await page.locator("meta[name=msci-x]").count()) === 1, "it is decided");
  await call(page, "flush");
  assert.deepEqual([asked, faults], [["/", "/two", "/three", "/two"], []]);
  const seen = signals().map(({ type, uri, exposures }) => [type, uri && new URL(uri).pathname, exposures]);
  assert.deepEqual(seen.filter(([type]) => type === "view"), [["view", "/", undefined], ["view", "/two", undefined], ["view", "/three", undefined], ["view", "/two", undefined]]);
  assert.equal(seen.filter(([, , exposures]) => exposures === "hero:treated").length, 3);
});

test("E8 changes do not set off each other, nor a page that puts back what was there", async (t) => {
  const answer = decided(
    { selector: "p", action: "after", value: "<p class=b>more</p>" },
    { selector: ".b", action: "setText", value: "never" },
    { selector: "#hero", action: "setAttribute", name: "class", value: "b" },
    { selector: "#hero", action: "setHtml", value: "<p>For you</p>" },
  );
  const { open, faults } = await personalSite(t, chromium, {
    pages: {
      "/": personalPage(
        `${ORDINARY}<p>one</p><div id="own"><em>mine</em></div><script>
          // A framework that is sure of its own elements.
          new MutationObserver(() => {
            const own = document.querySelector("#own");
            if (own.innerHTML !== "<em>mine</em>") { own.innerHTML = "<em>mine</em>"; window.restored = (window.restored || 0) + 1; }
          }).observe(document.querySelector("#own"), { childList: true, subtree: true, characterData: true });
        </script>`,
      ),
    },
    answer: { ...answer, experiences: [...answer.experiences, ...decided({ selector: "#own em", action: "setText", value: "ours" }).experiences] },
  });
  const page = await open();
  await until(async () => (await page.locator("#hero p").count()) === 1, "the change is made");
  await shown(page);
  // It ends, whoever has the last word.
  let before = -1;
  await until(async () => {
    const restored = await page.evaluate(() => /** @type {any} */ (window).restored);
    const quiet = restored === before;
    before = restored;
    return quiet;
  }, "both are done");
  assert.ok(before <= 1_000, `${before} times`);
  assert.deepEqual(await page.locator("p").allTextContents(), ["For you", "one", "more"]);
  assert.equal(await page.locator("#hero").getAttribute("class"), "b");
  assert.deepEqual(faults, []);
});

/** Who says no, and how: before there is a page, or on it. */
const REFUSALS = /** @type {Record<string, { cfg?: object, prepare?: (context: import("playwright-core").BrowserContext) => unknown }>} */ ({
  "the browser sends Global Privacy Control": {
    prepare: (context) => context.addInitScript(() => Object.defineProperty(navigator, "globalPrivacyControl", { value: true })),
  },
  "a required consent is not given": { cfg: { userConsent: false } },
  "personalization was denied before": {
    prepare: (context) =>
      context.addInitScript(() => localStorage.setItem("_msci_consent", JSON.stringify({ time: 1_790_000_000_000, said: { personalization: "denied" } }))),
  },
  "the visitor has opted out": { prepare: (context) => context.addInitScript(() => void (document.cookie = "_msci_optout=1; Path=/")) },
});
for (const [refusal, { cfg, prepare }] of Object.entries(REFUSALS)) {
  test(`E8 where ${refusal}, nothing is asked, nothing changed, and the page is shown at once`, async (t) => {
    const { open, asked } = await personalSite(t, chromium, {
      pages: { "/": personalPage(ORDINARY, { cfg: { personalization: { apply: true }, ...cfg } }) },
      answer: HERO,
      prepare: async (context) => {
        await stopClock(context);
        await prepare?.(context);
      },
    });
    const page = await open();
    await shown(page);
    assert.deepEqual([await text(page, "#hero"), asked], ["Good coffee", []]);
  });
}

for (const [what, ...parameters] of /** @type {[string, ...unknown[]][]} */ ([["setConsent", { personalization: "denied" }], ["optOut"], ["reset"], ["teardown"]])) {
  test(`E8 ${what} on the page ends it: an answer under way is not applied, what appears later stays as it is`, async (t) => {
    const { decide, next } = held();
    const pages = { "/": personalPage(ORDINARY) };
    const { open } = await personalSite(t, chromium, { pages, decide, prepare: stopClock });
    const page = await open();
    const route = await next();
    await call(page, what, ...parameters);
    await shown(page);
    await route.fulfill({ json: HERO }).catch(() => {});
    await page.evaluate(() => fetch("/").then((response) => response.text()));
    assert.equal(await text(page, "#hero"), "Good coffee");

    const { open: again } = await personalSite(t, chromium, { pages, answer: HERO });
    const other = await again();
    await becomes(other, "#hero", "For you");
    await call(other, what, ...parameters);
    const late = await other.evaluate(async () => {
      document.body.insertAdjacentHTML("beforeend", '<h2 id="hero">later</h2>');
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return document.querySelector("h2")?.textContent;
    });
    assert.equal(late, "later");
  });
}

const CODE = [
  "<script>ran = 1</script>",
  "<img src=x onerror='ran = 1'>",
  "<svg><script>ran = 1</script><a href='javascript:ran = 1'><text>x</text></a></svg>",
  "<svg><a><animate attributeName=href begin=0s dur=1s fill=freeze values='x;javascript:ran = 1'></animate><text>x</text></a></svg>",
  "<a href=' java\nscript:ran = 1'>x</a>",
  "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe><iframe src='javascript:parent.ran = 1'></iframe>",
  "<details open ontoggle='ran = 1'><summary>x</summary></details>",
  "<input onfocus='ran = 1' autofocus>",
  "<form action='javascript:ran = 1'><button>x</button></form>",
  "<object data='data:text/html,<script>parent.ran = 1</script>'></object>",
];
test("E8 HTML that is inserted runs no code, whatever an answer holds", async (t) => {
  const actions = ["setHtml", "append", "prepend", "before", "after"];
  const html = actions.flatMap((action) => CODE.map((value, n) => ({ selector: `#${action}${n}`, action, value: `${value}<b>in</b>` })));
  const attributes = [["onclick", "ran = 1"], ["href", "JavaScript:ran = 1"], ["href", "\u0001javascript:ran = 1"], ["srcdoc", "<script>parent.ran = 1</script>"]].map(([name, value]) => ({ selector: "#link", action: "setAttribute", name, value }));
  const body = `${html.map(({ selector }) => `<p id="${selector.slice(1)}">x</p>`).join("")}<a id="link">link</a><script id="code" type="text/plain"></script><script id="empty"></script>`;
  const answer = decided(...html, ...attributes, { selector: "#empty", action: "setText", value: "ran = 1" }, { selector: "#code", action: "setHtml", value: "ran = 1" });
  const { open, faults } = await personalSite(t, chromium, { pages: { "/": personalPage(body) }, answer });
  const page = await open();
  await until(async () => (await page.locator("b").count()) === html.length, "all is inserted");
  const ran = await page.evaluate(async () => {
    document.addEventListener("submit", (event) => event.preventDefault());
    for (const node of document.querySelectorAll("a, button, text, img, details")) node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    // What was to fail before has failed by then.
    await new Promise((done) => Object.assign(new Image(), { onerror: done }).setAttribute("src", "last"));
    return /** @type {any} */ (window).ran;
  });
  assert.deepEqual([ran, await page.locator("#link").evaluate((node) => node.getAttributeNames()), faults], [undefined, ["id"], []]);
});

test("E8 a redirect leads to the other page once, with its exposure, and never around in circles", async (t) => {
  const around = (/** @type {Route} */ route) => {
    const there = new URL(new URL(route.request().url()).searchParams.get("uri") ?? "").pathname;
    return route.fulfill({ json: decided({ action: "redirect", value: there === "/" ? "/two" : "/" }, { selector: "#hero", action: "setText", value: `from ${there}` }) });
  };
  const { open, signals, asked } = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY), "/two": personalPage(ORDINARY) }, decide: around });
  const page = await open();
  await page.waitForURL("**/two");
  await becomes(page, "#hero", "from /two");
  await call(page, "flush");
  // What a page sends with its last breath may come twice, under its own name.
  await until(() => new Set(signals().filter(({ exposures }) => exposures === "hero:treated").map(({ time }) => time)).size === 2, "both exposures arrive");
  assert.deepEqual(asked, ["/", "/two"]);
  for (const value of ["javascript:document.title='run'", "data:text/html,x", "/"]) {
    const site = await personalSite(t, chromium, { pages: { "/": personalPage(ORDINARY) }, answer: decided({ action: "redirect", value }, { selector: "#hero", action: "setText", value: "stays" }) });
    const there = await site.open();
    await becomes(there, "#hero", "stays");
    assert.deepEqual([await there.title(), new URL(there.url()).pathname], ["Shop", "/"]);
  }
});
