// @ts-check
// E2 in a real browser: what a visitor can have as a name, in every place where an experience can put it, by the edge in
// the page's HTML, and by the SDK in the page.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { launch } from "../support/chromium.mjs";
import { imports } from "../support/jobs.mjs";
import { loader } from "../support/sdk-site.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** Whoever runs says so. */
const RUN = "window.ran=(window.ran||0)+1";
const SCRIPTS = [RUN, `top.ran=1`, `self['ran']=1`, `setTimeout('ran=1')`, `ran=1//`];
/** Ways in which a browser could be brought to run a script, whatever stands around. @param {string} run */
const vectors = (run) => [
  `<script>${run}</script>`,
  `<ScRiPt >${run}</sCrIpT>`,
  `</title></textarea></script><script>${run}</script>`,
  `--><script>${run}</script><!--`,
  `]]><script>${run}</script>`,
  `<img src=x onerror=${run}>`,
  `<img/src=x/onerror=${run}>`,
  `<img src=x:x onerror="${run}">`,
  `<svg onload=${run}>`,
  `<svg><script>${run}</script></svg>`,
  `<svg><animate onbegin=${run} attributeName=x dur=1s>`,
  `<math><mtext><style><img src onerror="${run}"></style></mtext></math>`,
  `<body onload=${run}>`,
  `<video><source onerror="${run}"></video>`,
  `<details open ontoggle=${run}>`,
  `<input autofocus onfocus=${run}>`,
  `<iframe src="javascript:${run}"></iframe>`,
  `<iframe srcdoc="<script>parent.${run}</script>"></iframe>`,
  `<object data="javascript:${run}"></object>`,
  `<embed src="javascript:${run}">`,
  `<form action="javascript:${run}"><input type=submit autofocus></form>`,
  `<base href="javascript:${run}//">`,
  `<meta http-equiv=refresh content="0;url=javascript:${run}">`,
  `<link rel=stylesheet href="data:text/css,*{}" onload=${run}>`,
  `<noscript><p title="</noscript><img src=x onerror=${run}>">`,
  `<template><script>${run}</script></template><img src=x onerror=${run}>`,
  `"><img src=x onerror=${run}>`,
  `'><img src=x onerror=${run}>`,
  `" onmouseover="${run}" autofocus onfocus="${run}`,
  `' onmouseover='${run}' autofocus onfocus='${run}`,
  "` onerror=" + run + " `",
  `x onerror=${run}`,
  `javascript:${run}`,
  `JaVaScRiPt:${run}`,
  `java\nscript:${run}`,
  `\u0001javascript:${run}`,
  ` javascript:${run}`,
  `javascript&colon;${run}`,
  `javascript&#58;${run}`,
  `data:text/html,<script>${run}</script>`,
  `//evil.example/%0a<script>${run}</script>`,
  `vbscript:${run}`,
  `blob:${run}`,
  `x, javascript:${run} 2x`,
  `{{ constructor.constructor('${run}')() }}`,
  `\${${run}}`,
  `&lt;script&gt;${run}&lt;/script&gt;`,
  `&#60;script&#62;${run}&#60;/script&#62;`,
  `%3Cscript%3E${run}%3C/script%3E`,
  `\\u003cscript\\u003e${run}\\u003c/script\\u003e`,
];
/** Before and after: what could close what stands around. */
const AROUND = [["", ""], ["a", "b"], ["\"'>", "<\"'"], ["</p></div>", "<!--"]];
const PAYLOADS = SCRIPTS.flatMap((run) => vectors(run).flatMap((vector) => AROUND.map(([before, after]) => before + vector + after)));

/** Every sink; `#` stands for the number of the column. */
const SINKS = [
  { action: "setText", value: "Hi {{ P# }}!" },
  { action: "setText", value: "{{ P# }}" },
  { action: "setHtml", value: "<b>{{ P# }}</b>" },
  { action: "setHtml", value: "{{ P# }}" },
  { action: "setHtml", value: "<i title=\"{{ P# }}\" class='{{ P# }}'>x</i><input value=\"{{ P# }}\" autofocus>" },
  { action: "setHtml", value: "<a href=\"{{ P# }}\">x</a><img src='{{ P# }}' alt='{{ P# }}'><a href=\"/q?x={{ P# }}\">y</a>" },
  { action: "append", value: "<p data-x=\"{{ P# }}\">{{ P# }}</p>" },
  { action: "prepend", value: "<p>{{ P# }}</p>" },
  { action: "before", value: "<p>{{ P# }}</p>" },
  { action: "after", value: "<ul><li aria-label='{{ P# }}'>{{ P# }}</ul>" },
  { action: "setAttribute", name: "title", value: "{{ P# }}" },
  { action: "setAttribute", name: "href", value: "{{ P# }}", tag: "a" },
  { action: "setAttribute", name: "src", value: "{{ P# }}", tag: "img" },
  { action: "setAttribute", name: "srcset", value: "{{ P# }}", tag: "img" },
  { action: "setAttribute", name: "src", value: "{{ P# }}", tag: "iframe" },
  { action: "setAttribute", name: "value", value: "{{ P# }}", tag: "input" },
  { action: "setAttribute", name: "action", value: "{{ P# }}", tag: "form" },
  { action: "setAttribute", name: "poster", value: "{{ P# }}", tag: "video" },
  { action: "setAttribute", name: "data-x", value: "{{ P# }}" },
];
/** And where a page leads to, which is one place a page. */
const REDIRECT = { action: "redirect", value: "{{ P# }}" };
/** Columns of one customer: so many payloads a page. */
const COLUMNS = 20;

/** In the page: touches all that waits to be touched. What ran, which addresses are no web addresses, and what was to be read. */
async function touched() {
  for (const one of document.querySelectorAll("[title],input,a,details,video,svg")) {
    one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    one.dispatchEvent(new FocusEvent("focus"));
  }
  const addresses = [...document.querySelectorAll("[id^=s],[id^=s] *")].flatMap((one) => {
    const { href, src, action, poster } = /** @type {any} */ (one);
    return [href, src, action, poster].filter((address) => typeof address === "string" && address !== "");
  });
  await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  return {
    ran: /** @type {any} */ (window).ran ?? 0,
    addresses: addresses.length,
    scripts: addresses.filter((address) => !/^https?:/.test(new URL(address, location.href).protocol)),
    texts: [...document.querySelectorAll("[id^='s1-']")].map((one) => one.textContent?.replaceAll("\r", "")),
    titles: [...document.querySelectorAll("[id^='s10-']")].map((one) => one.getAttribute("title")),
  };
}

/** In the page: opens one that leads on, and answers where to. @param {string} path */
async function led(path) {
  // A tab that was led somewhere is led no further.
  sessionStorage.clear();
  let href = "";
  // Where the machine is busy, a page goes out undecided: it is asked for again.
  for (let tries = 0; tries < 10; tries++) {
    const frame = document.createElement("iframe");
    frame.src = path;
    document.body.append(frame);
    for (let looks = 0; looks < 500; looks++) {
      ({ href } = /** @type {Window} */ (frame.contentWindow).location);
      if (href !== "about:blank" && href !== frame.src) return { href, ran: /** @type {any} */ (window).ran ?? 0 };
      await new Promise((next) => setTimeout(next, 10));
    }
    frame.remove();
  }
  return { href: `nowhere:${href}`, ran: 0 };
}

/** In the page: where each of those leads to, as the edge answers and as the SDK is told. @param {string[]} of */
const leads = ([decisions, ...paths]) =>
  Promise.all(paths.map(async (path) => {
    const here = new URL(path, location.href).href;
    if (!decisions) return (await fetch(here, { headers: { accept: "text/html" } })).url;
    const answer = await fetch(decisions + encodeURIComponent(here), { credentials: "include" });
    return new URL((await answer.json()).experiences[0].changes[0].value, here).href;
  }));

test(`E2 none of ${PAYLOADS.length} payloads runs in any of ${SINKS.length} places or leads anywhere else, by the edge and by the SDK`, async (t) => {
  assert.ok(PAYLOADS.length >= 1000 && new Set(PAYLOADS).size === PAYLOADS.length);
  const element = (/** @type {number} */ sink, /** @type {number} */ column) => {
    const tag = SINKS[sink]?.tag ?? "div";
    return `<section><${tag} id="s${sink}-${column}"></${tag}></section>`;
  };
  const columns = Array.from({ length: COLUMNS }, (_, column) => column);
  const elements = SINKS.map((_, sink) => columns.map((column) => element(sink, column)).join("")).join("");
  let alone = "";
  let site = "";
  const origin = createServer((request, response) => {
    const { url = "" } = request;
    const own = `http://${request.headers.host}` === alone;
    const cfg = { ingestionKey: "local", endpointUrl: `${site}/_msci/`, personalization: { apply: true } };
    // Behind the Worker the pages are the edge's; where it is not in front of them, the SDK's.
    const sdk = own ? `<script>${loader()}(window,document,${JSON.stringify({ src: `${site}/_msci/msci.js`, cfg })})</script>` : "";
    const page = `<!doctype html><html><head><title>t</title><link rel="icon" href="data:,">${sdk}</head><body>${url === "/" ? elements : "to be led on"}</body></html>`;
    const is = url === "/" || /^\/r\/\d+$/.test(url);
    response.writeHead(200, { "content-type": is ? "text/html; charset=utf-8" : "text/plain" }).end(is ? page : "plain");
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  atEnd(t, () => (origin.closeAllConnections(), origin.close()));
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  const msci = await system(t, { origin: `http://127.0.0.1:${port}` });
  alone = `http://localhost:${port}`;
  site = msci.base.replace("127.0.0.1", "localhost");
  await msci.admin("PUT", "/tables/T", { primaryKey: "Id", columns: Object.fromEntries(columns.map((column) => [`P${column}`, "string"])) });
  await msci.admin("PUT", "/settings", { trackingTable: "T", origins: [alone], profileDeadlineMs: 5000 });
  const save = async (/** @type {string} */ name, /** @type {object} */ experience) => {
    const answer = await msci.admin("PUT", `/experiences/${name}`, experience);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  };
  for (const [sink, { action, name, value }] of SINKS.entries()) {
    const changes = columns.map((column) => ({ selector: `#s${sink}-${column}`, action, name, value: value.replaceAll("#", String(column)) }));
    await save(`sink-${sink}`, { pages: ["/"], changes });
  }
  for (const column of columns) {
    await save(`lead-${column}`, { pages: [`/r/${column}`], changes: [{ ...REDIRECT, value: REDIRECT.value.replace("#", String(column)) }] });
  }
  const rows = Array.from({ length: Math.ceil(PAYLOADS.length / COLUMNS) }, (_, row) => ({
    Id: `C${row}`,
    ...Object.fromEntries(columns.map((column) => [`P${column}`, PAYLOADS[row * COLUMNS + column] ?? "last"])),
  }));
  assert.equal((await imports(msci, "T", rows)).rejected.length, 0);

  const chromium = await launch(t);
  let asked = 0;
  let shown = 0;
  for (const [at, row] of rows.entries()) {
    const her = browser();
    // Each a browser of its own: what the SDK keeps of one, and still sends, is not the next one's.
    const context = await chromium.newContext();
    const tab = await context.newPage();
    tab.on("dialog", (dialog) => (asked++, dialog.dismiss()));
    await context.addCookies([{ name: "_msci", value: her.cookieId, url: site }]);
    await tab.goto(`${site}/plain`);
    const batch = { key: msci.ingestionKey, sentAt: Date.now(), ...her.batch(her.view("/"), her.user(row.Id)) };
    const status = await tab.evaluate(async (body) => {
      const answer = await fetch("/_msci/collect", { method: "POST", body });
      return (await answer.json()).user.status;
    }, JSON.stringify(batch));
    assert.equal(status, "merged");
    const texts = columns.map((column) => (/** @type {any} */ (row)[`P${column}`]));
    for (const by of [site, alone]) {
      // Where the machine is busy, a page goes out undecided: that is no matter here.
      await until(async () => {
        const response = await tab.goto(`${by}/`);
        assert.equal(response?.status(), 200);
        return tab.waitForSelector("meta[name=msci-x]", { state: "attached", timeout: 2000 }).catch(() => false);
      }, "it is decided", 60_000);
      const found = await tab.evaluate(touched);
      assert.equal(found.ran, 0, `a payload of ${row.Id} ran at ${by}`);
      assert.deepEqual(found.scripts, [], `${row.Id} at ${by}`);
      assert.equal(found.addresses, COLUMNS * 8, "every address is looked at");
      // The text itself arrives whole: nothing was filtered away.
      assert.deepEqual(found.texts, texts);
      // The SDK sets no attribute, whichever it is, to what would be a script as an address.
      const isScript = (/** @type {string} */ text) => /^(javascript|vbscript|data):/i.test(text.replace(/[\0-\x20]/g, ""));
      assert.deepEqual(found.titles, by === site ? texts : texts.map((text) => (isScript(text) ? null : text)));
      const paths = columns.map((column) => `/r/${column}`);
      const one = await tab.evaluate(led, paths[at % COLUMNS] ?? "");
      assert.equal(one.ran, 0, `a payload of ${row.Id} ran behind a redirect at ${by}`);
      const all = await tab.evaluate(leads, [by === site ? "" : `${site}/_msci/decisions?uri=`, ...paths]);
      const elsewhere = [one.href, ...all].filter((href, n) => new URL(href).origin !== by || href === by + paths[n - 1]);
      assert.deepEqual(elsewhere, [], `${row.Id} at ${by}`);
    }
    shown += texts.length;
    await context.close();
  }
  assert.equal(asked, 0);
  assert.ok(shown >= PAYLOADS.length);
});
