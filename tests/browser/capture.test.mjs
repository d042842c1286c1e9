// @ts-check
// What the SDK sees by itself, in a real browser against the running system: views, gestures, sessions, and
// what it never reads. The site behind is a few pages of this test's own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @typedef {import("playwright-core").Page} Page */

const SCRIPT = '<script src="/_msci/msci.js" data-ingestion-key="local"></script>';
// Nothing here leads away: what a gesture does to the page is not what is looked at.
const STAY = `<script>for (const type of ["click", "auxclick", "submit"]) addEventListener(type, (event) => event.preventDefault())</script>`;

/** Bodies by path; a page of any other path is its title. @type {Record<string, string>} */
const pages = {};
/** What pages of browsers without a driver said of themselves: see `SAYS`. @type {URLSearchParams[]} */
const said = [];
/** Requests of pages. @type {{ path: string, purpose: string }[]} */
const requests = [];
const site = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://site");
  if (pathname === "/says") said.push(searchParams);
  else requests.push({ path: pathname, purpose: String(request.headers["sec-purpose"] ?? "") });
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!DOCTYPE html><html><head><title>${pathname}</title>${SCRIPT}</head><body>${pages[pathname] ?? ""}</body></html>`);
});

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {import("playwright-core").Browser} */
let chromium;
let origin = "";
/** Batches of a page and what the edge answered. @type {Map<Page, { sent: any, answer: Promise<any> }[]>} */
const batches = new Map();
/** @type {string[]} */
const faults = [];

before(async () => {
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  msci = await system(undefined, { origin: `http://127.0.0.1:${port}` });
  // Browsers trust localhost with Secure cookies.
  origin = msci.base.replace("127.0.0.1", "localhost");
  chromium = await launch(undefined, { bfcache: true });
});
after(async () => {
  await chromium?.close();
  await msci?.stop();
  site.close();
});

/** A browser that nobody has seen before. */
async function visitor() {
  const context = await chromium.newContext();
  context.on("weberror", (error) => faults.push(String(error.error())));
  context.on("request", (request) => {
    if (!request.url().endsWith("/_msci/collect")) return;
    const page = request.frame().page();
    const answer = request.response().then((response) => response?.json().catch(() => undefined));
    batches.set(page, [...(batches.get(page) ?? []), { sent: request.postDataJSON(), answer }]);
  });
  return context;
}

/** Goes there and waits until the SDK listens. @param {Page} page @param {string} path */
async function go(page, path) {
  await page.goto(origin + path);
  await call(page, "status");
}

/** @param {string} path @param {import("playwright-core").BrowserContext} [of] */
async function open(path, of) {
  const page = await (of ?? (await visitor())).newPage();
  await go(page, path);
  return page;
}

/** @param {Page} page @param {string} method @param {unknown[]} parameters @returns {Promise<any>} */
const call = (page, method, ...parameters) =>
  page.evaluate(([method, parameters]) => /** @type {any} */ (window).MSCI[/** @type {string} */ (method)](.../** @type {any[]} */ (parameters)), /** @type {const} */ ([method, parameters]));

/** Everything that a page has sent, once it was taken. @param {Page} page @returns {Promise<any[]>} */
async function signals(page) {
  await call(page, "flush");
  const all = batches.get(page) ?? [];
  for (const { answer } of all) assert.deepEqual((await answer).rejected, []);
  return all.flatMap(({ sent }) => sent.signals.map((/** @type {any} */ signal) => ({ ...signal, session: sent.session.id })));
}

/** @param {Page} page */
const views = async (page) => (await signals(page)).filter((signal) => signal.type === "view");
/** @param {Page} page */
const paths = async (page) => (await views(page)).map((view) => view.uri.slice(origin.length));
/** @param {Page} page */
const actions = async (page) => (await signals(page)).filter((signal) => signal.type === "action");
/** Gestures as `KEnter Buy`. @param {Page} page */
const gestures = async (page) => (await actions(page)).map(({ actionType, name }) => `${actionType} ${name}`);

/** Sets it for a test, and back. @param {import("node:test").TestContext} t @param {Record<string, unknown>} capture */
async function setting(t, capture) {
  const put = (/** @type {unknown} */ body) => msci.admin("PUT", "/settings", { capture: body });
  const { body } = await msci.admin("GET", "/settings");
  assert.equal((await put(capture)).status, 200);
  atEnd(t, () => put(body.capture));
}

test("C1 another path or query is one view; the same place, and another fragment, are none; back is one", async () => {
  const page = await open("/one");
  assert.deepEqual(await paths(page), ["/one"]);
  await page.evaluate(() => {
    history.pushState({}, "", "/two");
    history.pushState({}, "", "/two");
    history.replaceState({}, "", "/two");
    location.hash = "part";
    history.replaceState({}, "", "/two?page=2");
  });
  assert.deepEqual(await paths(page), ["/one", "/two", "/two?page=2"]);
  await page.evaluate(() => history.go(-3));
  await until(async () => (await paths(page)).length > 3, "going back is a view");
  const seen = await views(page);
  assert.deepEqual(seen.map((view) => view.uri.slice(origin.length)), ["/one", "/two", "/two?page=2", "/one"]);
  assert.deepEqual(seen.map((view) => view.previous?.slice(origin.length)), [undefined, "/one", "/two", "/two?page=2"]);
});

test("C1 the setting leaves out the query, or the history altogether", async (t) => {
  for (const [how, expected] of /** @type {[string, string[]][]} */ ([
    ["path", ["/one", "/two?page=2"]],
    ["off", ["/one"]],
  ])) {
    await setting(t, { history: how });
    const page = await open("/one");
    await page.evaluate(() => {
      for (const to of ["/one?page=1", "/two?page=2", "/two?page=3"]) window.history.pushState({}, "", to);
    });
    assert.deepEqual(await paths(page), expected, how);
  }
});

test("C2 a page that comes back as it was is one more view", async () => {
  const page = await open("/back");
  await page.evaluate(() => Object.assign(window, { same: true }));
  assert.equal((await views(page)).length, 1);
  await go(page, "/away");
  assert.deepEqual(await paths(page), ["/back", "/away"]);
  // It fires no load event, which is all that the driver's own way back waits for.
  await page.evaluate(() => history.back());
  await page.waitForURL("**/back", { waitUntil: "commit" });
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).same), true, "it was kept");
  await until(async () => (await paths(page)).filter((path) => path === "/back").length > 1, "it has a view");
  assert.deepEqual(await paths(page), ["/back", "/away", "/back"]);
});

// A driver makes each page visible and knows nothing of prerendered ones. These run without, in the browser's
// own windows, and tell the site what happens.
const SAYS = `<script>
  const say = (what) => {
    const cookie = document.cookie.match(/_msci=([^;]*)/)?.[1] ?? "";
    return fetch("/says?" + new URLSearchParams({ path: location.pathname, what, time: Date.now(), hidden: document.hidden, prerendering: document.prerendering, cookie }));
  };
  say("loaded");
  MSCI.status().then(() => MSCI.trackEvent({ name: "ready" })).then(() => MSCI.flush()).then(() => say("ready"));
  document.addEventListener("prerenderingchange", () => say("shown"));
  addEventListener("visibilitychange", () => MSCI.flush().then(() => say(document.visibilityState)));
</script>`;

/** @param {string} path @param {string} what */
const says = (path, what) => until(() => said.find((it) => it.get("path") === path && it.get("what") === what), `${path} says ${what}`);

/** Titles of the views, and names of the events, of a visitor; the latest first. @param {string} cookieId */
async function activities(cookieId) {
  const { body } = await profile(msci, cookieId);
  const all = /** @type {any[]} */ (body.unifiedactivity);
  return all.map((it) => (it.msdynci_activitytype === "View" ? `view of ${it.msdynci_title}` : it.msdynci_activitytype));
}

test("C2 a prerendered page has no view until it is shown, and then one", async (t) => {
  pages["/prerendered"] = SAYS;
  pages["/prerenders"] = `<script type="speculationrules">{"prerender":[{"source":"list","urls":["/prerendered"],"eagerness":"immediate"}]}</script>
    <script>addEventListener("storage", () => { location.href = "/prerendered"; })</script>`;
  const browser = await launch(t);
  const windows = await browser.newBrowserCDPSession();
  await windows.send("Target.createTarget", { url: `${origin}/prerenders` });
  const loaded = await says("/prerendered", "loaded");
  assert.equal(loaded.get("prerendering"), "true");
  assert.ok(requests.some(({ path, purpose }) => path === "/prerendered" && purpose.includes("prerender")));
  // A third page tells the first one to go.
  pages["/go"] = `${SAYS}<script>MSCI.flush().then(() => localStorage.setItem("go", "1"))</script>`;
  await windows.send("Target.createTarget", { url: `${origin}/go`, background: true });
  const go = await says("/go", "ready");
  const shown = await says("/prerendered", "shown");
  const ready = await says("/prerendered", "ready");
  assert.equal(ready.get("prerendering"), "false");
  const { body } = await profile(msci, go.get("cookie") ?? "");
  const seen = body.unifiedactivity.filter((/** @type {any} */ it) => it.msdynci_title === "/prerendered");
  assert.equal(seen.length, 1);
  assert.ok(Date.parse(seen[0].msdynci_activitytime) >= Number(shown.get("time")), "it happened when it was shown");
});

test("C2 a page that is opened in the background has its one view when it is first looked at", async (t) => {
  pages["/in-front"] = pages["/behind"] = SAYS;
  const browser = await launch(t);
  const windows = await browser.newBrowserCDPSession();
  const front = await windows.send("Target.createTarget", { url: `${origin}/in-front` });
  await until(async () => said.some((it) => it.get("path") === "/in-front" && it.get("what") === "ready"), "the page in front is there");
  const behind = await windows.send("Target.createTarget", { url: `${origin}/behind`, background: true });
  const ready = await says("/behind", "ready");
  assert.equal(ready.get("hidden"), "true");
  const id = ready.get("cookie") ?? "";
  // Calls are taken meanwhile.
  assert.deepEqual(await activities(id), ["ready", "ready", "view of /in-front"]);
  await windows.send("Target.activateTarget", behind);
  await says("/behind", "visible");
  assert.deepEqual(await activities(id), ["view of /behind", "ready", "ready", "view of /in-front"]);
  await windows.send("Target.activateTarget", front);
  await says("/behind", "hidden");
  said.length = 0;
  await windows.send("Target.activateTarget", behind);
  await says("/behind", "visible");
  assert.equal((await activities(id)).length, 4, "looking again is no view");
});

test("C3 a session goes on after 29 idle minutes, in every tab, and ends after 31", async () => {
  const context = await visitor();
  await context.addInitScript(() => {
    const real = Date.now;
    Date.now = () => real() + Number(localStorage.getItem("minutes")) * 60_000;
  });
  const one = await open("/one", context);
  const two = await open("/two", context);
  const later = async (/** @type {Page} */ page, /** @type {number} */ minutes) => {
    await page.evaluate((minutes) => localStorage.setItem("minutes", String(minutes)), minutes);
    await call(page, "trackEvent", { name: "later" });
    return (await signals(page)).at(-1).session;
  };
  const [{ session }] = await signals(one);
  assert.match(session, /^[0-9a-f-]{36}$/);
  assert.equal((await signals(two))[0].session, session, "two tabs share it");
  assert.equal(await later(one, 29), session);
  // The other tab heard nothing for longer, and goes on with what the first one did.
  assert.equal(await later(two, 29 + 29), session);
  const next = await later(one, 29 + 29 + 31);
  assert.notEqual(next, session);
  assert.equal(await later(two, 29 + 29 + 31), next);
  // And so does a page that is opened too late.
  await one.evaluate(() => localStorage.setItem("minutes", String(29 + 29 + 31 + 31)));
  await go(one, "/three");
  const third = (await signals(one)).at(-1).session;
  assert.ok(![session, next].includes(third), "the page that was opened last began a session");
});

test("C3 the campaign of the landing page goes with each view of its session, and ends with it", async () => {
  const context = await visitor();
  await context.addInitScript(() => {
    const real = Date.now;
    Date.now = () => real() + Number(localStorage.getItem("minutes")) * 60_000;
  });
  const page = await open(`/land?utm_source=caf%C3%A9+news&utm_medium=mail&utm_id=7&gclid=8&utm_term=${"x".repeat(900)}`, context);
  const campaign = { utm_source: "café news", utm_medium: "mail" };
  await call(page, "trackView", { uri: "/by-hand", properties: { utm_medium: "own" } });
  await call(page, "trackEvent", { name: "other" });
  const other = await open("/next?utm_source=later", context);
  const properties = async (/** @type {Page} */ of) => (await signals(of)).map((signal) => signal.properties);
  assert.deepEqual(await properties(page), [campaign, { ...campaign, utm_medium: "own" }, undefined]);
  assert.deepEqual(await properties(other), [campaign], "one session has one landing page");
  await page.evaluate(() => localStorage.setItem("minutes", "31"));
  await go(page, "/late");
  assert.equal((await views(page)).at(-1).properties, undefined);
  // Who comes after a logout was not led here by anything.
  const shared = await open("/land?utm_source=mail");
  await call(shared, "setProperty", "plan", "gold");
  await call(shared, "reset");
  await call(shared, "trackView", { uri: "/after" });
  const [before, after] = await signals(shared);
  assert.deepEqual([before.properties, after.properties], [{ utm_source: "mail" }, undefined]);
  assert.notEqual(before.session, after.session);
});

pages["/buttons"] = `${STAY}
  <a id="out" href="https://other.example/p?x=1#y"><span> Read
    more </span></a>
  <a id="in" href="/inside" title="not this">Inside</a>
  <button id="buy" style="position:absolute; left:200px; top:1200px; width:100px; height:40px; border:0">Buy</button>
  <p id="text">Nothing to press</p>`;

test("each button of the mouse is one action of its own kind, with what the element says", async () => {
  const page = await open("/buttons");
  await page.click("#out");
  await page.click("#in", { button: "middle" });
  await page.click("#in", { button: "right" });
  for (const button of /** @type {const} */ (["left", "middle", "right"])) await page.click("#text", { button });
  // The page is scrolled for it: coordinates are the document's.
  await page.click("#buy", { position: { x: 6, y: 9 } });
  const seen = await actions(page);
  for (const action of seen) {
    assert.equal(action.uri, `${origin}/buttons`);
    assert.ok(Number.isInteger(action.elapsedMs) && action.elapsedMs >= 0);
    assert.match(action.coordinates, /^\d+X\d+$/);
  }
  assert.equal(seen[3].coordinates, "206X1209");
  assert.deepEqual(
    seen.map(({ actionType, name, target, elementId, isOutbound }) => [actionType, name, target, elementId, isOutbound]),
    [
      ["LClick", "Read more", "https://other.example/p?x=1#y", "out", true],
      ["MClick", "Inside", `${origin}/inside`, "in", false],
      ["RClick", "Inside", `${origin}/inside`, "in", false],
      ["LClick", "Buy", "button", "buy", false],
    ],
  );
});

pages["/keys"] = `${STAY}
  <a id="link" href="/inside">Link</a>
  <button id="button" accesskey="b">Button</button>
  <form><input id="field" aria-label="field"><input type="submit" id="submit" aria-label="Submit" value="never"></form>
  <div id="role" role="button" tabindex="0" onkeydown="this.click()">Role</div>
  <a id="menu" href="/menu" role="button">Menu</a>
  <details><summary id="summary">Summary</summary></details>
  <div id="ours" data-msci-target="x" tabindex="0">no label</div>
  <div data-msci-name="Box" id="box"><input id="inner" aria-label="inner"><textarea id="area"></textarea>
    <p contenteditable id="editable">words</p><span role="textbox" id="textbox" tabindex="0"></span></div>
  <p contenteditable data-msci-name="Note" id="note">words</p>
  <input data-msci-name="Search" id="search">`;

test("a key that activates an element is one action, though the browser makes a click of it", async () => {
  const page = await open("/keys");
  const press = async (/** @type {string} */ selector, /** @type {string[]} */ ...keys) => {
    await page.focus(selector);
    for (const key of keys) await page.keyboard.press(key);
  };
  for (const selector of ["#link", "#button", "#submit", "#role", "#menu", "#summary", "#ours"]) await press(selector, "Enter", "Space");
  await press("#button", "NumpadEnter", "a", "ContextMenu", "Tab", "Escape");
  assert.deepEqual(await gestures(page), [
    // A space scrolls where a link has the focus.
    "KEnter Link",
    ...["Button", "Submit", "Role", "Menu", "Summary", "ours"].flatMap((name) => [`KEnter ${name}`, `KSpace ${name}`]),
    "KEnter Button",
  ]);
  assert.ok((await actions(page)).every((action) => action.coordinates === undefined));
});

test("a key that is held down is one action, and the mouse still counts", async () => {
  const page = await open("/keys");
  await page.evaluate(() => {
    const clicks = Object.assign(window, { clicks: 0 });
    addEventListener("click", () => (clicks.clicks += 1));
  });
  for (const key of ["Enter", "Space"]) {
    await page.focus("#button");
    for (let i = 0; i < 5; i += 1) await page.keyboard.down(key);
    await page.click("#link");
    await page.keyboard.up(key);
  }
  assert.ok((await page.evaluate(() => /** @type {any} */ (window).clicks)) > 4, "the browser repeats the click");
  assert.deepEqual(await gestures(page), ["KEnter Button", "LClick Link", "KSpace Button", "LClick Link"]);
});

test("keys pressed where one writes are no actions, nor is the submission that Enter makes of it", async () => {
  const page = await open("/keys");
  await page.evaluate(() => {
    const clicks = Object.assign(window, { clicks: 0 });
    document.querySelector("#submit")?.addEventListener("click", () => (clicks.clicks += 1));
  });
  for (const selector of ["#field", "#inner", "#area", "#editable", "#textbox", "#note", "#search"]) {
    await page.focus(selector);
    for (const key of ["s", "Space", "Enter"]) await page.keyboard.press(key);
  }
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).clicks), 1, "Enter submits by a click");
  await page.click("#button");
  assert.deepEqual(await gestures(page), ["LClick Button"]);
});

test("a click that a label passes on is one action", async () => {
  pages["/label"] = '<p data-msci-name="Box"><label id="label" style="padding: 9px"><input type="checkbox" id="check"></label></p>';
  const page = await open("/label");
  for (const checked of [true, false]) {
    await page.click("#label", { position: { x: 1, y: 1 } });
    assert.equal(await page.isChecked("#check"), checked, "it is passed on");
  }
  assert.deepEqual(await gestures(page), ["LClick Box", "LClick Box"]);
});

test("a click without a pointer and without a key, as assistive technology makes it, is an action", async () => {
  const page = await open("/keys");
  await page.focus("#field");
  await page.keyboard.press("Space");
  // Nobody is faster than the timer that ends the gesture; a driver is.
  await page.evaluate(() => new Promise((next) => setTimeout(next)));
  // As much of it as a driver can make: an access key.
  const driver = await page.context().newCDPSession(page);
  await driver.send("Input.dispatchKeyEvent", { type: "keyDown", modifiers: 1, key: "b", code: "KeyB", windowsVirtualKeyCode: 66, text: "b", unmodifiedText: "b" });
  assert.deepEqual(await gestures(page), ["LClick Button"]);
});

pages["/marks"] = `${STAY}
  <div id="named" data-msci-name="Named" data-msci-target="Shelf">text <b id="bold">bold</b></div>
  <div id="anything" data-msci-note="">text</div>
  <section data-msci-ignore><button id="ignored">Ignored</button><div data-msci-name="x" id="ignored-too">x</div></section>
  <button data-msci-name="Mine" id="mine">Text</button>
  <x-open id="open"></x-open><x-closed id="closed" data-msci-name="Closed"></x-closed>
  <x-open id="host" data-msci-name="Host"></x-open><div data-msci-ignore><x-open id="hidden"></x-open></div>
  <script>
    const define = (name, mode) => customElements.define(name, class extends HTMLElement {
      constructor() {
        super();
        const root = this.attachShadow({ mode });
        root.innerHTML = '<button id="in-shadow">In shadow</button><x-nested></x-nested>';
      }
    });
    customElements.define("x-nested", class extends HTMLElement {
      constructor() {
        super();
        this.attachShadow({ mode: "open" }).innerHTML = '<a id="deep" href="/deep">Deep</a><input id="deep-field">';
      }
    });
    define("x-open", "open");
    define("x-closed", "closed");
  </script>`;

test("an attribute of ours makes an element interactive and names it; an ancestor that says so is left alone", async () => {
  const page = await open("/marks");
  for (const selector of ["#bold", "#anything", "#ignored", "#ignored-too", "#mine"]) await page.click(selector);
  const seen = await actions(page);
  assert.deepEqual(
    seen.map(({ name, target, elementId }) => [name, target, elementId]),
    [
      ["Named", "Shelf", "named"],
      // Its text might be anything.
      ["anything", "div", "anything"],
      ["Mine", "button", "mine"],
    ],
  );
});

test("in open shadow roots it is the innermost element, and hosts are its ancestors", async () => {
  const page = await open("/marks");
  for (const selector of ["#open #in-shadow", "#open #deep", "#host #in-shadow", "#host #deep", "#hidden #in-shadow", "#hidden #deep"]) {
    await page.click(selector);
  }
  await page.focus("#open #deep-field");
  await page.keyboard.type("secret words\n");
  await page.focus("#open #in-shadow");
  await page.keyboard.press("Enter");
  await page.focus("#host #in-shadow");
  await page.keyboard.press("Space");
  // What is inside a closed root is nobody's business.
  await page.click("#closed");
  const seen = await actions(page);
  assert.deepEqual(
    seen.map(({ actionType, name, elementId, target }) => [actionType, name, elementId, target]),
    [
      ["LClick", "In shadow", "in-shadow", "button"],
      ["LClick", "Deep", "deep", `${origin}/deep`],
      ["LClick", "Host", "host", "x-open"],
      ["LClick", "Host", "host", "x-open"],
      ["KEnter", "In shadow", "in-shadow", "button"],
      ["KSpace", "Host", "host", "x-open"],
      ["LClick", "Closed", "closed", "x-closed"],
    ],
  );
});

pages["/odd"] = `<base href="/base/">${STAY}
  <svg width="100" height="50"><a id="svg" href="drawn?x=1"><rect id="rect" width="50" height="50"/><title>Drawn</title></a>
    <a id="xlink"><text id="word" x="60" y="30">Linked</text></a></svg>
  <img usemap="#map" width="50" height="50" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" alt="m">
  <map name="map"><area id="area" shape="rect" coords="0,0,50,50" href="https://other.example/area" alt="Area"></map>
  <a id="picture" href="/p"><img alt="Picture" width="30" height="30" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"></a>
  <form><input type="image" id="image" alt="Image" width="30" height="30" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
    <input type="RESET" id="reset" name="Reset" value="never"><fieldset disabled><button id="off" type="button"><b id="off-text">Off</b></button></fieldset></form>
  <button id="gone" onclick="this.remove()">Gone</button>
  <a id="mail" href="mailto:a@b.example">Mail</a><a id="bad" href="https://[">Bad</a>
  <button id="long"></button><button id="half" aria-label="${"x".repeat(98)}😀"></button>
  <a id="card" href="/card">Card <input id="amount" value="typed"></a>
  <button id="scripted">Scripted</button>
  <script>
    document.querySelector("#xlink").setAttributeNS("http://www.w3.org/1999/xlink", "xlink:href", "linked");
    document.querySelector("#long").textContent = " long ".repeat(1e6);
    document.querySelector("#long").id = "l".repeat(1e6);
    addEventListener("pointerdown", (event) => event.target.id === "scripted" && document.querySelector("#mail").click());
  </script>`;

test("what is odd about an element does no harm", async () => {
  const page = await open("/odd");
  await page.click("#rect", { position: { x: 20, y: 20 } });
  await page.click("#word");
  await page.click("img[usemap]", { force: true });
  await page.click("#picture img");
  await page.click("#image");
  await page.click("#reset");
  for (const button of /** @type {const} */ (["left", "right"])) await page.click("#off-text", { force: true, button });
  await page.click("#gone");
  await page.click("#mail");
  await page.click("#bad");
  await page.click('[id^="ll"]', { position: { x: 9, y: 9 } });
  await page.click("#half");
  await page.click("#card", { position: { x: 5, y: 9 } });
  // A click by the page itself, and one that a visitor makes.
  await page.click("#scripted");
  const seen = await actions(page);
  assert.deepEqual(
    seen.map(({ name, target, isOutbound }) => [name, target, isOutbound]),
    [
      ["Drawn", `${origin}/base/drawn?x=1`, false],
      ["Linked", `${origin}/base/linked`, false],
      ["Area", "https://other.example/area", true],
      ["Picture", `${origin}/p`, false],
      ["Image", "input", false],
      ["Reset", "input", false],
      ["Gone", "button", false],
      ["Mail", "mailto:a@b.example", false],
      ["Bad", "a", false],
      ["long ".repeat(20).trim(), "button", false],
      [`${"x".repeat(98)}\ufffd`, "button", false],
      // A link around a field has what somebody writes in it.
      ["card", `${origin}/card`, false],
      ["Scripted", "button", false],
    ],
  );
  assert.equal(seen[9].elementId.length, 2000);
});

test("nothing is read that somebody typed, nor anything that makes the browser lay the page out", async () => {
  const context = await visitor();
  await context.addInitScript(() => {
    /** @type {Set<string>} */
    const touched = new Set();
    /** @type {string[]} */
    const listeners = [];
    Object.assign(window, { touched, listeners });
    const getters = [
      [HTMLElement.prototype, "innerText outerText offsetTop offsetLeft offsetWidth offsetHeight offsetParent isContentEditable"],
      [Element.prototype, "clientTop clientLeft clientWidth clientHeight scrollTop scrollLeft scrollWidth scrollHeight innerHTML outerHTML"],
      [MouseEvent.prototype, "offsetX offsetY layerX layerY"],
      [HTMLInputElement.prototype, "value defaultValue files selectionStart"],
      [HTMLTextAreaElement.prototype, "value defaultValue"],
      [HTMLSelectElement.prototype, "value selectedOptions selectedIndex"],
      [window, "scrollX scrollY pageXOffset pageYOffset innerWidth innerHeight"],
    ];
    for (const [of, names] of getters) {
      for (const name of String(names).split(" ")) {
        const found = /** @type {any} */ (Object.getOwnPropertyDescriptor(of, name) ?? Object.getOwnPropertyDescriptor(Object.getPrototypeOf(of), name));
        if (!found?.get) continue;
        const { get } = found;
        Object.defineProperty(of, name, { ...found, get() { touched.add(name); return get.call(this); } });
      }
    }
    for (const name of /** @type {const} */ (["getBoundingClientRect", "getClientRects", "scrollIntoView", "checkVisibility"])) {
      /** @type {any} */ (Element.prototype)[name] = () => touched.add(name);
    }
    /** @type {any} */ (window).getComputedStyle = () => touched.add("getComputedStyle");
    const add = EventTarget.prototype.addEventListener;
    EventTarget.prototype.addEventListener = function (type, listener, /** @type {any} */ options) {
      // Not the driver's.
      if (new Error().stack?.includes("/_msci/")) listeners.push(`${type} ${options?.capture} ${options?.passive}`);
      return add.call(this, type, listener, options);
    };
  });
  pages["/forms"] = `<form onsubmit="return false">
    <input id="name" data-msci-name="Name field" value="typed"><input id="password" type="password" value="typed">
    <a id="around" href="#"><textarea id="area">typed</textarea></a>
    <select id="select" data-msci-name="Select"><option value="typed">typed</option></select>
    <p contenteditable id="editable">typed <a id="inside" href="#">typed</a></p>
    <div role="combobox" id="combo" tabindex="0"><span role="button" id="chosen">typed</span></div>
    <input type="submit" id="submit" value="typed"><button id="button" value="typed" name="Button"></button></form>`;
  const page = await open("/forms", context);
  // The driver measures what it clicks, so it is told where to click; each is in the middle of a square.
  await page.addStyleTag({ content: "body * { position: fixed; left: -99px; width: 30px; height: 30px; overflow: hidden }" });
  const ids = ["name", "password", "area", "select", "inside", "chosen", "submit", "button"];
  await page.evaluate((ids) => {
    for (const [i, id] of ids.entries()) Object.assign(/** @type {any} */ (document.getElementById(id)).style, { left: `${i * 50}px`, top: "0" });
    /** @type {any} */ (window).touched.clear();
  }, ids);
  for (const [i, id] of ids.entries()) {
    await page.mouse.click(i * 50 + 15, 15);
    if (id === "name") await page.keyboard.type("typed words ");
    if (id === "select") await page.keyboard.press("Escape");
  }
  const seen = await actions(page);
  assert.deepEqual(
    seen.map(({ name }) => name),
    ["Name field", "around", "Select", "inside", "chosen", "submit", "Button"],
  );
  assert.ok(!JSON.stringify(await signals(page)).includes("typed\""), "no value and no text of a field");
  const { touched, listeners } = await page.evaluate(() => {
    const { touched, listeners } = /** @type {any} */ (window);
    return { touched: [...touched], listeners };
  });
  assert.deepEqual(touched, []);
  assert.ok(listeners.length > 8);
  for (const listener of listeners) assert.ok(listener.endsWith("true true"), listener);
});

test("query parameters that the site does not name leave no page", async (t) => {
  await setting(t, { queryParameters: ["q", "größe"] });
  pages["/search"] = `${STAY}<a id="a" href="https://other.example/p?token=1&q=2#email=3">A</a><a id="b" href="mailto:x@y.example?subject=token">B</a>
    <button id="c" data-msci-target="Sold out?">C</button><a id="d" href="/d?q=1">D</a>`;
  const context = await visitor();
  const page = await context.newPage();
  await go(page, "/from?token=1&q=from");
  await page.evaluate(() => {
    location.href = "/search?email=a@b.example&q=a+b&gr%C3%B6%C3%9Fe=2&token=3&utm_source=mail#/route?token=4";
  });
  await page.waitForURL("**/search**");
  await call(page, "status");
  for (const id of ["#a", "#b", "#c", "#d"]) await page.click(id);
  await page.evaluate(() => history.pushState({}, "", "/found?token=5#token=6"));
  await call(page, "trackView", { uri: "/by-hand?token=7&q=8#part" });
  await call(page, "trackView", { uri: "/by hand?token=7" });
  await call(page, "trackView", { uri: "?token=7" });
  await call(page, "trackAction", { name: "by hand", target: "/x?token=9" });
  const all = (await signals(page)).filter((signal) => !signal.uri.includes("/from"));
  const seen = all.map(({ uri, referrer, previous, target }) =>
    [uri, referrer, previous, target].map((address) => address && String(address).replace(origin, "")),
  );
  const here = "/search?q=a+b&gr%C3%B6%C3%9Fe=2#/route";
  assert.deepEqual(seen, [
    [here, "/from?q=from", undefined, undefined],
    [here, undefined, undefined, "https://other.example/p?q=2"],
    [here, undefined, undefined, "mailto:x@y.example"],
    [here, undefined, undefined, "Sold out?"],
    [here, undefined, undefined, "/d?q=1"],
    ["/found", undefined, here, undefined],
    ["/by-hand?q=8#part", undefined, undefined, undefined],
    ["/by%20hand", undefined, undefined, undefined],
    ["/found", undefined, undefined, undefined],
    ["/found", undefined, undefined, "/x"],
  ]);
  assert.ok(!JSON.stringify(all).includes("token"));
  assert.equal(all[0].properties, undefined, "the visit began on the page before");
});

test("no page of this file had an error", () => assert.deepEqual(faults, []));
