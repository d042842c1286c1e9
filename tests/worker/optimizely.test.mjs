// @ts-check
// Segments for Optimizely: files of list attributes, and their upload to a stand-in of its REST API that checks
// every request.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { browser } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** Who ordered. */
const members = [browser(), browser(), browser()];
before(async () => {
  msci = await system();
  await msci.admin("PUT", "/tables/T", { primaryKey: "Id", columns: { Tier: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "T" });
  await msci.admin("PUT", "/segments/Buyers", { filter: "UnifiedActivity/any(a: a/ActivityType eq 'order')" });
  await msci.admin("PUT", "/segments/Nobody", { filter: "Tier eq 'none'" });
  for (const one of members) await msci.collect(one.batch(one.event("order")));
  const [first, second] = members;
  // Two of them are one customer.
  for (const one of [first, second]) await msci.collect(one?.batch(one.user("M1")) ?? {}, { cookies: { _msci: one?.cookieId ?? "" } });
  const other = browser();
  await msci.collect(other.batch(other.view("/")));
  await until(async () => (await ids("Buyers")).length === 3, "all members are listed");
});
after(() => msci.stop());

const file = (/** @type {string} */ segment, query = "format=optimizely") => msci.admin("GET", `/segments/${segment}/export?${query}`);
const ids = async (/** @type {string} */ segment) => (await file(segment)).body.split("\n").filter(Boolean);

/** A stand-in of the lists in Optimizely's REST API. @param {{ after(work: () => unknown): void }} test */
async function optimizely(test) {
  /** @type {any[]} */
  const lists = [{ id: 7, name: "Buyers-2", project_id: 42, archived: false, list_content: "old" }];
  /** @type {string[]} */
  const asked = [];
  /** @type {"" | "fails" | "babbles" | "moves"} */
  let broken = "";
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    asked.push(`${request.method} ${request.url}`);
    const answer = (/** @type {number} */ status, /** @type {unknown} */ body) =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (broken === "fails") return answer(500, {});
    if (broken === "babbles") return void response.writeHead(200).end("<html>");
    if (broken === "moves") return void response.writeHead(302, { location: "/elsewhere" }).end();
    if (request.headers.authorization !== "Bearer s3cret") return answer(401, {});
    const body = text && JSON.parse(text);
    if (text && request.headers["content-type"] !== "application/json") return answer(415, {});
    if (request.method === "GET" && request.url === "/v2/list_attributes?project_id=42") return answer(200, lists);
    if (request.method === "POST" && request.url === "/v2/list_attributes") {
      const allowed = ["project_id", "name", "list_type", "key_field", "list_content"];
      const valid = body.project_id === 42 && /^[-_0-9A-Za-z]+$/.test(body.name) && body.list_type === "cookies" && body.key_field;
      if (!valid || Object.keys(body).some((field) => !allowed.includes(field))) return answer(400, {});
      lists.push({ id: lists.length + 100, ...body });
      return answer(201, lists.at(-1));
    }
    const list = lists.find(({ id }) => request.url === `/v2/list_attributes/${id}`);
    if (request.method !== "PATCH" || !list) return answer(404, {});
    Object.assign(list, body);
    return answer(200, list);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(test, () => (server.closeAllConnections(), server.close()));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/v2`, lists, asked, breaks: (/** @type {typeof broken} */ how) => void (broken = how) };
}

test("a segment's file has one cookieId of a member a line, and nothing else", async () => {
  const answer = await file("Buyers");
  assert.equal(answer.headers.get("content-type"), "text/csv; charset=utf-8");
  assert.equal(answer.headers.get("link"), null);
  assert.ok(answer.body.endsWith("\n"));
  assert.deepEqual((await ids("Buyers")).sort(), members.map(({ cookieId }) => cookieId).sort());
  assert.equal((await file("Nobody")).body, "");
  assert.equal((await file("Nope")).status, 404);
  assert.equal((await file("Buyers", "format=xml")).status, 400);
});

test("a segment is uploaded as a list, again as the same list, and lists that are too many are archived", async (t) => {
  const service = await optimizely(t);
  assert.equal((await msci.admin("POST", "/segments/Buyers/export", { format: "optimizely" })).body.error.code, "no_account");
  const account = { url: service.url, projectId: 42, token: "s3cret" };
  const put = await msci.admin("PUT", "/accounts/optimizely", account);
  assert.deepEqual(put.body, { url: service.url, projectId: 42 });
  assert.deepEqual((await msci.admin("GET", "/accounts/optimizely")).body, put.body, "the token is not told");
  for (const [times, calls] of /** @type {[number, string[]][]} */ ([
    [1, ["GET /v2/list_attributes?project_id=42", "POST /v2/list_attributes", "PATCH /v2/list_attributes/7"]],
    [2, ["GET /v2/list_attributes?project_id=42", "PATCH /v2/list_attributes/101", "PATCH /v2/list_attributes/7"]],
  ])) {
    service.asked.length = 0;
    const { status, body } = await msci.admin("POST", "/segments/Buyers/export", { format: "optimizely" });
    assert.deepEqual([status, body], [200, { lists: [{ name: "Buyers", id: 101, ids: 3 }], skiptoken: null }], `time ${times}`);
    assert.deepEqual(service.asked, calls);
  }
  const [stale, list] = service.lists;
  assert.equal(stale.archived, true);
  assert.deepEqual(list.list_content.split(",").sort(), members.map(({ cookieId }) => cookieId).sort());

  for (const how of /** @type {const} */ (["fails", "babbles", "moves"])) {
    service.breaks(how);
    service.asked.length = 0;
    const failed = await msci.admin("POST", "/segments/Buyers/export", { format: "optimizely" });
    assert.deepEqual([failed.status, failed.body.error.code], [502, "upload_failed"], how);
    assert.ok(!failed.body.error.message.includes("s3cret"));
    assert.equal(service.asked.length, 1, "a token goes to one address alone");
  }
  service.breaks("");
  await msci.admin("PUT", "/accounts/optimizely", { ...account, token: "other" });
  assert.match((await msci.admin("POST", "/segments/Buyers/export", { format: "optimizely" })).body.error.message, /401/);
  await msci.admin("DELETE", "/accounts/optimizely");
  assert.equal((await msci.admin("GET", "/accounts/optimizely")).status, 404);
});

test("an account that cannot be one is refused", async () => {
  const account = { url: "https://api.optimizely.com/v2", projectId: 42, token: "t" };
  for (const wrong of [{ url: "http://api.example" }, { url: "ftp://x" }, { projectId: "42" }, { projectId: -1 }, { token: "" }, { token: "a b" }, { token: "x".repeat(513) }]) {
    const answer = await msci.admin("PUT", "/accounts/optimizely", { ...account, ...wrong });
    assert.equal(answer.body.error?.code, "invalid_request", JSON.stringify(wrong));
  }
});

test("lists have less than 5 MB each, and one leads to the next", async (t) => {
  const service = await optimizely(t);
  await msci.admin("PUT", "/accounts/optimizely", { url: service.url, projectId: 42, token: "s3cret" });
  // More members than a list takes, past the product: 300 customers with 500 browsers each.
  await msci.admin("PUT", "/segments/Crowd", { filter: "Tier eq 'none'" });
  const crowd = "WITH RECURSIVE many(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM many WHERE i < 300)";
  const body = JSON.stringify({ cookieIds: Array.from({ length: 500 }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`) });
  await msci.index(
    `${crowd} INSERT INTO customer SELECT printf('%032x', i), 'x', 1, 0, 1, NULL, NULL, 0, '', ?1, NULL, 0 FROM many`,
    body,
  );
  await msci.index(`${crowd} INSERT INTO membership SELECT 'Crowd', printf('%032x', i), 0 FROM many`);
  const first = await file("Crowd");
  const next = /<export\?([^>]*)>; rel="next"/.exec(first.headers.get("link") ?? "")?.[1];
  const second = await file("Crowd", next);
  assert.equal(second.headers.get("link"), null);
  assert.ok(first.body.length < 5_000_000 && first.body.length > 4_900_000, `${first.body.length}`);
  const lines = (/** @type {string} */ text) => text.split("\n").length - 1;
  assert.equal(lines(first.body) + lines(second.body), 150_000);

  const { body: uploaded } = await msci.admin("POST", "/segments/Crowd/export", { format: "optimizely" });
  assert.deepEqual(uploaded.lists.map((/** @type {any} */ list) => list.name), ["Crowd", "Crowd-2"]);
  assert.equal(uploaded.lists[0].ids + uploaded.lists[1].ids, 150_000);
  assert.ok(service.lists.every(({ list_content: content }) => content.length < 5_000_000));
});
