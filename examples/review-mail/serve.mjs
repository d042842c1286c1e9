// @ts-check
// The relay in Node.js: `PORT=8790 WEBHOOK_SECRET=… MAIL_API=… MAIL_KEY=… MAIL_FROM=… node serve.mjs`
import { once } from "node:events";
import { createServer } from "node:http";
import relay from "./relay.mjs";

/** Longest message that is read, in bytes. */
const LONGEST = 1024 * 1024;
const env = /** @type {import("./relay.mjs").Env & { PORT?: string }} */ (/** @type {unknown} */ (process.env));

const server = createServer(async (request, response) => {
  /** @type {Buffer[]} */
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > LONGEST) return void response.writeHead(413).end();
    parts.push(part);
  }
  const headers = /** @type {Record<string, string>} */ (request.headers);
  const answer = await relay.fetch(
    new Request("http://relay/", { method: "POST", headers, body: Buffer.concat(parts) }),
    env,
  );
  response.writeHead(answer.status).end(await answer.text());
});
server.listen(Number(env.PORT ?? 8790), "127.0.0.1");
await once(server, "listening");
console.log(`ready ${env.PORT ?? 8790}`);
