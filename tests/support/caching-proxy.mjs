// @ts-check
// A shared cache in front of the system, as strict and as greedy as the standard lets it be (RFC 9111, by a published
// library): it keeps what it may, by its own guess too where nothing is said.
import { once } from "node:events";
import { createServer } from "node:http";
import CachePolicy from "http-cache-semantics";

/** @typedef {{ policy: CachePolicy, body: Buffer }} Kept */

/** @param {string} base of what stands behind */
export async function cachingProxy(base) {
  /** @type {Map<string, Kept[]>} */
  const kept = new Map();
  const counts = { hits: 0, stored: 0, revalidated: 0 };
  const server = createServer(async (request, response) => {
    const url = request.url ?? "/";
    const asked = { url, method: request.method ?? "GET", headers: request.headers };
    const own = (kept.get(url) ?? []).find(({ policy }) => policy.satisfiesWithoutRevalidation(asked));
    if (own) {
      counts.hits += 1;
      response.writeHead(200, own.policy.responseHeaders()).end(own.body);
      return;
    }
    const old = (kept.get(url) ?? [])[0];
    const headers = /** @type {Record<string, string>} */ (old ? old.policy.revalidationHeaders(asked) : request.headers);
    const { host: _, connection: __, ...forwarded } = headers;
    const answer = await fetch(base + url, { method: asked.method, headers: forwarded, redirect: "manual" });
    const told = Object.fromEntries([...answer.headers].filter(([name]) => name !== "set-cookie" && name !== "content-encoding" && name !== "transfer-encoding"));
    const cookies = answer.headers.getSetCookie();
    if (cookies.length > 0) told["set-cookie"] = /** @type {any} */ (cookies);
    if (old && answer.status === 304) {
      counts.revalidated += 1;
      const { policy } = old.policy.revalidatedPolicy(asked, { status: 304, headers: told });
      kept.set(url, [{ policy, body: old.body }]);
      response.writeHead(200, { ...policy.responseHeaders(), ...(cookies.length > 0 && { "set-cookie": cookies }) }).end(old.body);
      return;
    }
    const body = Buffer.from(await answer.arrayBuffer());
    const policy = new CachePolicy(asked, { status: answer.status, headers: told }, { shared: true });
    if (policy.storable()) {
      counts.stored += 1;
      kept.set(url, [{ policy, body }, ...(kept.get(url) ?? []).slice(0, 3)]);
    }
    response.writeHead(answer.status, told).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    base: `http://127.0.0.1:${port}`,
    counts,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
