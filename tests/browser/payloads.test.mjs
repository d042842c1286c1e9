// @ts-check
// E2 in a real browser: what a visitor can have as a name, in every place where an experience can put it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { launch } from "../support/chromium.mjs";
import { imports } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { system } from "../support/system.mjs";

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
  { action: "setAttribute", name: "data-x", value: "{{ P# }}" },
];
/** Columns of one customer: so many payloads a page. */
const COLUMNS = 20;

test(`E2 none of ${PAYLOADS.length} payloads runs in any of ${SINKS.length} places`, async (t) => {
  assert.ok(PAYLOADS.length >= 1000 && new Set(PAYLOADS).size === PAYLOADS.length);
  const element = (/** @type {number} */ sink, /** @type {number} */ column) => {
    const tag = SINKS[sink]?.tag ?? "div";
    return `<section><${tag} id="s${sink}-${column}"></${tag}></section>`;
  };
  const columns = Array.from({ length: COLUMNS }, (_, column) => column);
  const page = `<!doctype html><html><head><title>t</title></head><body>${SINKS.map((_, sink) => columns.map((column) => element(sink, column)).join("")).join("")}</body></html>`;
  const origin = createServer((request, response) => {
    const type = request.url === "/" ? "text/html; charset=utf-8" : "text/plain";
    response.writeHead(200, { "content-type": type }).end(request.url === "/" ? page : "plain");
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  t.after(() => (origin.closeAllConnections(), origin.close()));
  const { port } = /** @type {import("node:net").AddressInfo} */ (origin.address());
  const msci = await system(t, { origin: `http://127.0.0.1:${port}` });
  await msci.admin("PUT", "/tables/T", { primaryKey: "Id", columns: Object.fromEntries(columns.map((column) => [`P${column}`, "string"])) });
  await msci.admin("PUT", "/settings", { trackingTable: "T" });
  for (const [sink, { action, name, value }] of SINKS.entries()) {
    const changes = columns.map((column) => ({ selector: `#s${sink}-${column}`, action, name, value: value.replaceAll("#", String(column)) }));
    const answer = await msci.admin("PUT", `/experiences/sink-${sink}`, { pages: ["/"], changes });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  const rows = Array.from({ length: Math.ceil(PAYLOADS.length / COLUMNS) }, (_, row) => ({
    Id: `C${row}`,
    ...Object.fromEntries(columns.map((column) => [`P${column}`, PAYLOADS[row * COLUMNS + column] ?? "last"])),
  }));
  assert.equal((await imports(msci, "T", rows)).rejected.length, 0);

  const chromium = await launch(t);
  const context = await chromium.newContext();
  const tab = await context.newPage();
  let asked = 0;
  tab.on("dialog", (dialog) => (asked++, dialog.dismiss()));
  const site = msci.base.replace("127.0.0.1", "localhost");
  let shown = 0;
  for (const row of rows) {
    const her = browser();
    await context.clearCookies();
    await context.addCookies([{ name: "_msci", value: her.cookieId, url: site }]);
    await tab.goto(`${site}/plain`);
    const batch = { key: msci.ingestionKey, sentAt: Date.now(), ...her.batch(her.view("/"), her.user(row.Id)) };
    const status = await tab.evaluate(async (body) => {
      const answer = await fetch("/_msci/collect", { method: "POST", body });
      return (await answer.json()).user.status;
    }, JSON.stringify(batch));
    assert.equal(status, "merged");
    const response = await tab.goto(`${site}/`);
    assert.equal(response?.status(), 200);
    // Whatever listens, or waits to be touched, is.
    const found = await tab.evaluate(async () => {
      for (const one of document.querySelectorAll("[title],input,a,details,video,svg")) {
        one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
        one.dispatchEvent(new FocusEvent("focus"));
      }
      for (const link of document.querySelectorAll("a")) {
        if (link.protocol === "javascript:" || link.protocol === "data:") return { ran: "a link to a script", texts: [], titles: [] };
      }
      await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
      const texts = [...document.querySelectorAll("[id^='s1-']")].map((one) => one.textContent);
      const titles = [...document.querySelectorAll("[id^='s10-']")].map((one) => one.getAttribute("title"));
      return { ran: /** @type {any} */ (window).ran ?? 0, texts, titles };
    });
    assert.equal(found.ran, 0, `a payload of ${row.Id} ran`);
    // The text itself arrives whole: nothing was filtered away.
    const texts = columns.map((column) => (/** @type {any} */ (row)[`P${column}`]));
    assert.deepEqual(found.texts.map((text) => text?.replaceAll("\r", "")), texts);
    assert.deepEqual(found.titles, texts);
    shown += texts.length;
  }
  assert.equal(asked, 0);
  assert.ok(shown >= PAYLOADS.length);
});
