// @ts-check
// A receiver of messages on this machine: it checks every signature with two published libraries of Standard
// Webhooks, keeps what it got, and answers as a test says.
import { deepEqual } from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
// The last version with code of its own: the later ones hand on to the other.
import { Webhook as Second } from "svix";
import { atEnd } from "./at-end.mjs";

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/**
 * @typedef {object} Got
 * @property {string} id
 * @property {string} path
 * @property {any} message verified
 * @property {string} raw
 * @property {(status?: number, headers?: Record<string, string>) => void} answer for one that hangs
 *
 * @typedef {(got: Got) => number | "hang" | "hang up" | [number, Record<string, string>]} Answers
 */

/** @param {{ after(work: () => unknown): void }} test @param {{ secret?: string }} [options] */
export async function receiver(test, { secret = SECRET } = {}) {
  /** @type {Got[]} */
  const got = [];
  /** @type {unknown[]} */
  const forged = [];
  /** @type {Answers} */
  let answers = () => 204;
  const [webhook, second] = [new Webhook(secret), new Second(secret)];
  let ahead = 0;
  /** Checks the signature, and the time in it by a clock that may be ahead. @param {string} raw @param {any} headers */
  const verified = (raw, headers) => {
    const real = Date.now;
    Date.now = () => real() + ahead;
    try {
      const message = webhook.verify(raw, headers);
      deepEqual(second.verify(raw, headers), message);
      return message;
    } finally {
      Date.now = real;
    }
  };
  const server = createServer(async (request, response) => {
    let raw = "";
    try {
      for await (const chunk of request.setEncoding("utf8")) raw += chunk;
    } catch {
      // The sender hung up: it comes again.
      return;
    }
    const answer = (status = 204, headers = {}) => void response.writeHead(status, headers).end();
    let message;
    try {
      message = verified(raw, request.headers);
    } catch (error) {
      forged.push(error);
      return answer(401);
    }
    const one = { id: String(request.headers["webhook-id"]), path: request.url ?? "", message, raw, answer };
    got.push(one);
    const does = answers(one);
    if (does === "hang up") response.destroy();
    else if (Array.isArray(does)) answer(...does);
    else if (does !== "hang") answer(does);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  atEnd(test, stop);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    got,
    forged,
    stop,
    /** Sets the clock ahead. @param {number} ms */
    clock(ms) {
      ahead = ms;
    },
    /** @param {Answers} next */
    answers(next) {
      answers = next;
    },
    /** What happened, in the order in which it was first heard of. @param {(got: Got) => boolean} [which] */
    moves: (which = () => true) => {
      const ids = got.map(({ id }) => id);
      const first = got.filter((one, at) => which(one) && ids.indexOf(one.id) === at);
      return first.map(({ message }) => message.type.replace("segment.", ""));
    },
    /** @param {string} customer */
    of: (customer) => got.filter(({ message }) => message.data.customerId === customer),
  };
}
