// @ts-check
// A plain site with the built SDK in it, and nothing of the Worker: what the SDK costs is then all there is
// to see. Collect accepts everything.
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "./at-end.mjs";

const SDK = join(root, "dist/sdk");
const TYPES = /** @type {Record<string, string>} */ ({ html: "text/html", js: "text/javascript", wasm: "application/wasm", json: "application/json" });

/** The loader, as the snippet has it. */
export const loader = () => readFileSync(join(SDK, "loader.js"), "utf8").trim().replace(/;$/, "");

/** The snippet, with views and clicks captured. @param {object} [cfg] what else the page decides */
export const snippet = (cfg) => {
  const options = { src: "/_msci/msci.js", cfg: { ingestionKey: "local", endpointUrl: "/_msci/", autoCapture: { view: true, click: true }, ...cfg } };
  return `<script>${loader()}(window,document,${JSON.stringify(options)})</script>`;
};

/**
 * A page with something to click and text to lay out.
 * @param {string} head
 */
export const plainPage = (head) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A plain page</title><link rel="icon" href="data:,">${head}</head><body><main>` +
  `<h1>A plain page</h1>${"<p>Good coffee, every morning, for everybody who likes it.</p>".repeat(40)}` +
  `</main><nav style="position:fixed;top:0;right:0"><button id="buy" type="button">Buy <b>now</b></button> <a id="more" href="/more">More about it</a></nav>` +
  // What following a link costs is the page's own.
  `<script>document.addEventListener("click",function(e){e.preventDefault()})</script></body></html>`;

/** @param {any} batch @returns {any} a 200 of the contract, every signal accepted */
const accepted = ({ cookieId, stream, signals }) => ({
  cookieId,
  ack: { stream, upTo: signals.at(-1).seq },
  accepted: signals.length,
  duplicate: 0,
  rejected: [],
});

/**
 * @param {{ after(work: () => unknown): void } | undefined} test the site ends with it
 * @param {Record<string, string | Buffer>} files by path; the type goes by the ending, a page by none
 * @param {(path: string, body: string) => unknown} [others] what else is answered, as JSON
 */
export async function sdkSite(test, files, others = () => undefined) {
  /** Batches as they came. @type {any[]} */
  const batches = [];
  /** Paths of files that were asked for and are there. @type {string[]} */
  const served = [];
  /** Paths of everything else that was asked for. @type {string[]} */
  const called = [];

  const fileAt = (/** @type {string} */ path) => files[path] ?? sdkFile(path);

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = fileAt(pathname);
    if (file !== undefined) {
      served.push(pathname);
      const type = TYPES[/\.(\w+)$/.exec(pathname)?.[1] ?? "html"] ?? "text/plain";
      response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(file);
      return;
    }
    called.push(pathname);
    let body = "";
    try {
      for await (const part of request) body += part;
    } catch {
      // The page went away in the middle of it.
      return;
    }
    /** @type {unknown} */
    let answer;
    if (pathname === "/_msci/collect" && site.away) {
      request.socket.destroy();
      return;
    }
    if (pathname === "/_msci/collect") {
      const batch = JSON.parse(body);
      batches.push(batch);
      answer = accepted(batch);
    } else {
      answer = others(pathname, body);
    }
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" }).end(JSON.stringify(answer ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  if (test) atEnd(test, stop);
  const site = { base: `http://localhost:${port}`, batches, served, called, fileAt, stop, /** Collect does not answer. */ away: false };
  return site;
}

/** @param {string} path */
function sdkFile(path) {
  const name = /^\/_msci\/((?:assets\/)?[\w.]+)$/.exec(path)?.[1];
  if (!name || !existsSync(join(SDK, name))) return undefined;
  const file = readFileSync(join(SDK, name));
  // The Worker puts the site's public settings there.
  return name === "msci.js" ? file.toString().replace('"__MSCI_SETTINGS__"', "{}") : file;
}
