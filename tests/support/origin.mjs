// @ts-check
// A site for a test: on this machine alone, on a free port, gone with whoever asked for it.
import { once } from "node:events";
import { createServer } from "node:http";
import { atEnd } from "./at-end.mjs";

/**
 * Listens, and answers the port.
 * @param {{ after(work: () => unknown): void }} test
 * @param {import("node:http").RequestListener} answer
 */
export async function origin(test, answer) {
  const site = createServer(answer).listen(0, "127.0.0.1");
  await once(site, "listening");
  atEnd(test, () => {
    site.closeAllConnections();
    site.close();
  });
  return /** @type {import("node:net").AddressInfo} */ (site.address()).port;
}
