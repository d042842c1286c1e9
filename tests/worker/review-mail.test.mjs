// @ts-check
// The recipe of examples/review-mail, as its README tells it, with a mail provider that a test plays.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { root } from "../../tools/lib.mjs";
import { atEnd } from "../support/at-end.mjs";
import { freePort, start } from "../support/process.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const EXAMPLE = join(root, "examples/review-mail");
const blocks = [...readFileSync(join(EXAMPLE, "README.md"), "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? "");

test("people who read reviews in the last 30 days get a mail, one each, through the provider's API", async (t) => {
  /** @type {{ key: string | undefined, mail: any }[]} */
  const asked = [];
  const provider = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    assert.equal(request.headers.authorization, "Bearer provider-key");
    asked.push({ key: String(request.headers["idempotency-key"]), mail: JSON.parse(body) });
    // It is down the first time.
    response.writeHead(asked.length === 1 ? 503 : 200).end("{}");
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  atEnd(t, () => {
    provider.closeAllConnections();
    provider.close();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (provider.address());
  const msci = await system(t);
  await seed({ base: msci.base, adminToken: msci.adminToken });

  const relayPort = await freePort();
  const env = { ...process.env, SITE: msci.base, TOKEN: msci.adminToken, RELAY: `http://127.0.0.1:${relayPort}/` };
  const run = (/** @type {string | undefined} */ script) => {
    const answer = execFileSync("bash", ["-ec", script ?? ""], { env, encoding: "utf8" });
    assert.ok(!answer.includes('"error":{'), answer);
    return JSON.parse(answer);
  };
  assert.equal(blocks.length, 4);
  const [segment, activation, deliveries, replay] = blocks;
  run(segment);
  const { secret } = run(activation);
  const relay = start(
    t,
    {
      PORT: String(relayPort),
      WEBHOOK_SECRET: secret,
      MAIL_API: `http://127.0.0.1:${port}/emails`,
      MAIL_KEY: "provider-key",
      MAIL_FROM: "shop@contoso.example",
    },
    [process.execPath, join(EXAMPLE, "serve.mjs")],
  );
  await until(() => relay.out().includes("ready"), "the relay listens");

  // Somebody unknown reads reviews: there is nobody to write to.
  const her = browser();
  await msci.collect(her.batch(her.view("/reviews/aurora-dual-boiler")));
  await until(() => run(deliveries).items[0]?.state === "delivered", "the relay took the message");
  assert.equal(asked.length, 0);
  // She signs in, and turns out to be Abbie.
  await msci.collect(her.batch(her.user("Loyalty1")));
  await until(() => asked.length === 2, "the mail was asked for, and once more after the provider was back", 20_000);
  const [first, again] = asked;
  assert.deepEqual(first, again);
  assert.match(first?.key ?? "", /^msg_[0-9a-f]{32}$/);
  assert.deepEqual([first?.mail.to, first?.mail.from], ["abbie.moss@example.com", "shop@contoso.example"]);
  assert.match(first?.mail.text, /^Hello Abbie,/);
  // More reviews are no more mails.
  await msci.collect(her.batch(her.view("/reviews/solstice-lever")));
  const customer = (await profile(msci, her.cookieId)).body.msdynci_customerid;
  const delivered = () => run(deliveries).items.find((/** @type {any} */ item) => item.customerId === customer && item.state === "delivered");
  assert.equal((await until(delivered, "it is delivered")).id, first?.key);
  assert.equal(run(replay).replayed, 0);
  assert.equal(asked.length, 2);
});

test("the relay makes no mail of what MSCI did not sign", async () => {
  const { default: relay } = await import("../../examples/review-mail/relay.mjs");
  const env = { WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString("base64")}`, MAIL_API: "http://127.0.0.1:1/", MAIL_KEY: "", MAIL_FROM: "" };
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": String(Math.floor(Date.now() / 1000)), "webhook-signature": "v1,AAAA" };
  const request = new Request("http://relay/", { method: "POST", body: "{}", headers });
  assert.equal((await relay.fetch(request, env)).status, 401);
});
