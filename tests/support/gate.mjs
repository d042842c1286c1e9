// @ts-check
// A server that a browser takes for the site: a few pages of a test's own, and behind `/_msci` a real system. What
// becomes of each `POST /_msci/collect` is the test's to say, and each is recorded.
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { atEnd } from "./at-end.mjs";

/**
 * What becomes of a request:
 * - `pass`: the system answers it
 * - `lost`: the system takes it, and the connection breaks before the answer
 * - `half`: the system takes it, and the connection breaks in the middle of the answer
 * - `reset`: the connection breaks, and nobody got it
 * - `silent`: nothing ever comes back
 * - `cut`: the connection breaks in the middle of the request, on both sides
 * - `damaged`: a bit falls over on the way to the system
 * - an answer of the test's own
 *
 * @typedef {"pass" | "lost" | "half" | "reset" | "silent" | "cut" | "damaged" | Told} Fate
 * @typedef {{ status: number, headers?: Record<string, string>, body?: string }} Told
 *
 * @typedef {object} Arrived
 * @property {any} batch the body, parsed
 * @property {number} bytes of the body
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {Fate} fate
 * @property {{ status: number, body: any } | undefined} answer the system's, once it has answered
 */

/** The SDK's own tag, with its configuration. */
export const TAG = '<script src="/_msci/msci.js" data-ingestion-key="local"></script>';

/** What a network that wants to be paid first says to everything. */
export const PORTAL = { status: 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>Welcome</title><h1>Pay for this network" };

/**
 * Opens it in front of a system, whose URL is `behind`.
 * @param {string} behind
 * @param {{ after(work: () => unknown): void }} [test] it closes with it
 */
export async function gate(behind, test) {
  const { hostname, port } = new URL(behind);
  let open = 0;
  const self = {
    /** Browsers trust this name with `Secure` cookies. */
    base: "",
    /** @type {Arrived[]} */
    arrived: [],
    /** Of the next requests, in order. @type {Fate[]} */
    next: [],
    /** Of all others; may hang on the page that asks. */
    otherwise: /** @type {Fate | ((page: string) => Fate)} */ ("pass"),
    /** Bodies of pages by path. @type {Record<string, string>} */
    pages: {},
    /** The body of any other page. @type {(path: string) => string} */
    page: () => TAG,
    /** More headers of pages. @type {Record<string, string>} */
    headers: {},
    /** What becomes of the SDK's entry; `/old/msci.js` is another copy of it. @type {(path: string, body: string) => string} */
    script: (_path, body) => body,
    /** Most requests that were open at a time. */
    most: 0,
    /** Everything else that was asked of the system, as method and path. @type {string[]} */
    asked: [],
    /** What pages told, by `fetch("/says", …)`. @type {string[]} */
    said: [],

    /** Signals that were in requests that arrived, in order. @returns {any[]} */
    signals: () => self.arrived.flatMap(({ batch }) => batch.signals.map((/** @type {any} */ signal) => ({ ...signal, cookieId: batch.cookieId, stream: batch.stream }))),

    close() {
      server.close();
      server.closeAllConnections();
    },
  };

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {Buffer} body
   * @param {Buffer} [part] less than its length says
   * @returns {Promise<{ status: number, headers: import("node:http").IncomingHttpHeaders, body: Buffer }>}
   */
  const forward = (request, body, part = body) =>
    new Promise((resolve, reject) => {
      const headers = { ...request.headers, "content-length": body.length, connection: "close", "accept-encoding": "identity" };
      const path = (request.url ?? "/").replace(/^\/old\//, "/_msci/");
      const out = ask({ hostname, port, path, method: request.method, headers, agent: false }, async (answer) => {
        try {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await whole(answer) });
        } catch (error) {
          reject(error);
        }
      });
      out.on("error", reject);
      if (part === body) out.end(body);
      else out.write(part, () => out.destroy());
    });

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  const collect = async (request, response) => {
    const body = await whole(request);
    const planned = self.next.shift() ?? self.otherwise;
    const fate = typeof planned === "function" ? planned(request.headers.referer ?? "") : planned;
    /** @type {Arrived} */
    const arrived = { batch: JSON.parse(String(body)), bytes: body.length, headers: request.headers, fate, answer: undefined };
    self.arrived.push(arrived);
    self.most = Math.max(self.most, (open += 1));
    response.on("close", () => (open -= 1));
    const breakOff = () => request.socket.resetAndDestroy();
    if (typeof fate === "object") response.writeHead(fate.status, fate.headers).end(fate.body);
    else if (fate === "reset") breakOff();
    else if (fate === "cut") {
      await forward(request, body, body.subarray(0, body.length >> 1)).catch(() => {});
      breakOff();
    } else if (fate !== "silent") {
      const answer = await forward(request, fate === "damaged" ? Buffer.from(String(body).replace("}", "\u0002")) : body);
      arrived.answer = { status: answer.status, body: JSON.parse(String(answer.body)) };
      if (fate !== "lost") response.writeHead(answer.status, answer.headers);
      if (fate === "lost") breakOff();
      else if (fate === "half") response.write(answer.body.subarray(0, answer.body.length >> 1), breakOff);
      else response.end(answer.body);
    }
  };

  const server = createServer(async (request, response) => {
    // An idle connection that is closed makes browsers send again by themselves.
    response.setHeader("connection", "close");
    const { pathname } = new URL(request.url ?? "/", "http://gate");
    try {
      if (pathname === "/_msci/collect" && request.method === "POST") await collect(request, response);
      else if (/^\/(_msci|old)\//.test(pathname)) {
        self.asked.push(`${request.method} ${pathname}`);
        const answer = await forward(request, await whole(request));
        const { "content-length": _length, ...headers } = answer.headers;
        response.writeHead(answer.status, headers);
        response.end(pathname.endsWith("/msci.js") ? self.script(pathname, String(answer.body)) : answer.body);
      } else if (pathname === "/says") {
        self.said.push(String(await whole(request)));
        response.end();
      } else {
        response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...self.headers });
        const head = `<title>${pathname}</title><link rel="icon" href="data:,">`;
        response.end(`<!DOCTYPE html><html><head>${head}</head><body>${self.pages[pathname] ?? self.page(pathname)}</body></html>`);
      }
    } catch {
      // The browser went away, or the system.
      request.socket.destroy();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  self.base = `http://localhost:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  if (test) atEnd(test, () => self.close());
  return self;
}

/** @typedef {Awaited<ReturnType<typeof gate>>} Gate */

/** @param {AsyncIterable<Buffer>} stream */
async function whole(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
