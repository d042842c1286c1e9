// @ts-check
// What the system says of itself: counters, and signals as they arrive.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

const stats = async () => {
  const { status, body } = await msci.admin("GET", "/stats");
  assert.equal(status, 200);
  return body;
};

test("what arrived is counted, with each verdict, and what did not until it does", async () => {
  assert.deepEqual([(await stats()).accepted, (await stats()).missing], [0, 0]);
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: {} });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
  const her = browser();
  const [first, second, lost, fourth, bad, sixth] = [her.view("/a"), her.view("/b"), her.view("/c"), her.view("/d"), her.event(""), her.user("Ann")];
  await msci.collect(her.batch(first, second));
  await msci.collect(her.batch(second, fourth, bad, sixth));
  const counted = await until(async () => {
    const now = await stats();
    return now.accepted === 4 && now;
  }, "they are counted", 20_000);
  assert.deepEqual([counted.duplicate, counted.rejected, counted.missing, counted.merges], [1, { name_missing: 1 }, 1, 1]);
  assert.equal(counted.latencies.collect.count, 2);
  await msci.collect(her.batch(lost));
  assert.equal((await until(async () => {
    const now = await stats();
    return now.accepted === 5 && now;
  }, "the late one is counted", 20_000)).missing, 0);
});

test("pages that were decided are counted", async () => {
  const before = (await stats()).pages;
  await msci.admin("PUT", "/experiences/hello", { pages: ["/"], changes: [{ selector: "body", action: "setText", value: "Hi" }] });
  await until(async () => {
    await msci.fetch("/", { headers: { accept: "text/html" } });
    return (await stats()).pages.decided > before.decided;
  }, "a page is counted", 20_000);
  assert.equal((await msci.admin("GET", "/stats?since=never")).status, 400);
});

/** Events as they come in, until the test ends. @param {import("node:test").TestContext} t */
async function watching(t) {
  const ended = new AbortController();
  atEnd(t, () => ended.abort());
  const headers = { authorization: `Bearer ${msci.adminToken}` };
  const response = await fetch(`${msci.base}/_msci/admin/v1/live`, { headers, signal: ended.signal });
  assert.deepEqual([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  /** @type {any[]} */
  const events = [];
  let text = "";
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const piece of /** @type {any} */ (response.body)) {
      text += decoder.decode(piece, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) events.push(JSON.parse(data.slice(6)));
      }
    }
  };
  read().catch(() => {});
  return events;
}

test("who watches sees signals with their verdicts within seconds, and nothing that identifies a person by name", async (t) => {
  const events = await watching(t);
  const him = browser();
  await until(async () => {
    await msci.collect(him.batch(him.view("/shop/?mail=ann@shop.example#x", { uri: "https://shop.example/shop/?mail=ann@shop.example#x" })));
    return events.length > 0;
  }, "signals are seen", 20_000);
  const order = him.event("order", { total: 5, mail: "ann@shop.example" });
  await msci.collect(him.batch(order));
  await msci.collect(him.batch(order));
  await until(() => events.filter(({ name }) => name === "order").length === 2, "both are seen", 20_000);
  assert.deepEqual(events.filter(({ name }) => name === "order").map(({ verdict }) => verdict), ["accepted", "duplicate"]);
  assert.ok(events.every(({ uri }) => uri !== "/a"), "what came while nobody watched was not handed on");
  const [view] = events;
  assert.deepEqual(Object.keys(view).sort(), ["at", "customerId", "name", "type", "uri", "verdict"]);
  assert.deepEqual([view.type, view.uri], ["view", "https://shop.example/shop/"]);
  assert.ok(!JSON.stringify(events).includes("ann@shop.example"));
  assert.equal((await msci.admin("GET", `/customers/${view.customerId}`)).status, 200);
});
