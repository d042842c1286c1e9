// @ts-check
// Who may do what, and what the audit log says of it.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { faultySystem } from "../support/faults/system.mjs";
import { idle } from "../support/jobs.mjs";
import { ROUTES } from "../support/routes.mjs";
import { browser } from "../support/signals.mjs";
import { answer, system, until } from "../support/system.mjs";

const ADMIN = "/_msci/admin/v1";
const DATA = "/_msci/api/data/v9.2/";

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
before(async () => (msci = await system()));
after(() => msci.stop());

/**
 * A request with a token, or without any.
 * @param {string} path
 * @param {string | undefined} token
 * @param {string} [method]
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 */
const as = (path, token, method = "GET", body = undefined, headers = {}) =>
  answer(msci.base + path, {
    method,
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

/** @param {string} role @param {Record<string, unknown>} [more] */
async function token(role, more = {}) {
  const { status, body } = await msci.admin("POST", "/tokens", { name: `a ${role}`, role, ...more });
  assert.equal(status, 200, JSON.stringify(body));
  return /** @type {{ id: string, token: string }} */ (body);
}

/** The whole log, newest first. @param {string} [query] */
async function log(query = "top=1000") {
  const { status, body } = await msci.admin("GET", `/audit?${query}`);
  assert.equal(status, 200);
  return /** @type {any[]} */ (body.items);
}

test("a token is told once, listed without it, and opens what its role may", async () => {
  const made = await msci.admin("POST", "/tokens", { name: "reports", role: "Viewer", expires: "2999-12-31" });
  const { token: text, ...rest } = made.body;
  assert.match(text, /^msci_[0-9a-f]{16}_[\w-]{43}$/);
  assert.deepEqual([rest.name, rest.role, rest.expires], ["reports", "Viewer", "2999-12-31T00:00:00.000Z"]);
  assert.equal((await as(`${ADMIN}/settings`, text)).status, 200);
  assert.equal((await as(DATA, text)).status, 200);
  const listed = await until(async () => {
    const { body } = await msci.admin("GET", "/tokens");
    assert.ok(!JSON.stringify(body).includes(text.split("_")[2]));
    return body.items.find((/** @type {any} */ one) => one.id === rest.id && one.lastUsed);
  }, "its use is noted");
  assert.deepEqual(Object.keys(listed).sort(), ["createdAt", "expires", "id", "lastUsed", "name", "role"]);
});

test("several tokens live side by side, and a removed one opens nothing from then on", async () => {
  const [old, next] = [await token("Contributor"), await token("Contributor")];
  for (const { token: text } of [old, next]) assert.equal((await as(`${ADMIN}/segments`, text)).status, 200);
  assert.equal((await msci.admin("DELETE", `/tokens/${old.id}`)).status, 200);
  assert.equal((await as(`${ADMIN}/segments`, old.token)).status, 401);
  assert.equal((await as(DATA, old.token)).status, 401);
  assert.equal((await as(`${ADMIN}/segments`, next.token)).status, 200);
  assert.equal((await msci.admin("DELETE", `/tokens/${old.id}`)).status, 404);
});

test("a token that was touched, or that has expired, is none", async () => {
  const { id, token: text } = await token("Viewer");
  const other = await token("Viewer");
  const [, , secret = ""] = text.split("_");
  for (const wrong of [`${text}x`, text.slice(0, -1), `msci_${id}_`, `msci_${other.id}_${secret}`, `msci_0123456789abcdef_${secret}`, secret]) {
    assert.equal((await as(`${ADMIN}/settings`, wrong)).status, 401, wrong);
  }
  const brief = await token("Viewer", { expires: new Date(Date.now() + 1500).toISOString() });
  await until(async () => (await as(`${ADMIN}/settings`, brief.token)).status === 401, "it has expired");
});

test("a token that does not fit is refused", async () => {
  for (const wrong of [{}, { name: "x" }, { name: "", role: "Viewer" }, { name: "x".repeat(101), role: "Viewer" }, { name: "a\nb", role: "Viewer" },
    { name: "x", role: "Owner" }, { name: "x", role: "Viewer", expires: "yesterday" }, { name: "x", role: "Viewer", expires: "2001-01-01" },
    { name: "x", role: "Viewer", scope: "all" }, { name: "x", role: "Viewer", digest: "y" }]) {
    assert.equal((await msci.admin("POST", "/tokens", wrong)).status, 400, JSON.stringify(wrong));
  }
});

test("a session is made by signing in alone: who knows a token, or what is kept of it, cannot make one", async () => {
  const [viewer, data] = [await token("Viewer"), await token("Administrator", { scope: "data" })];
  const mac = (/** @type {string} */ key, /** @type {string} */ what, /** @type {string} */ of) =>
    createHmac("sha256", key).update(`console ${what}${of}`).digest("base64url");
  for (const { id, token: text } of [viewer, data]) {
    const digest = createHash("sha256").update(text).digest("base64url");
    for (const key of [text, digest]) {
      const named = `${Date.now() + 3_600_000}.${"0".repeat(32)}.${id}`;
      const cookies = { "__Host-msci_console": `${named}.${mac(key, "session:", named)}` };
      assert.equal((await msci.fetch("/_msci/console/", { cookies })).status, 401);
    }
  }
  const signIn = (/** @type {string} */ text) =>
    answer(`${msci.base}/_msci/console/sign-in`, {
      method: "POST",
      headers: { origin: msci.base, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ token: text, to: "" }).toString(),
    });
  assert.equal((await signIn(data.token)).status, 403);
  const { status, cookies } = await signIn(viewer.token);
  assert.equal(status, 303);
  assert.equal((await msci.fetch("/_msci/console/", { cookies })).status, 200);
  const entries = await log();
  assert.ok(entries.some((entry) => entry.token === viewer.id && entry.route === "console/sign-in" && entry.status === 303));
  assert.ok(entries.some((entry) => entry.token === data.id && entry.route === "console/sign-in" && entry.status === 403));
});

test("a network that guesses waits, and a right token is no exception, while other networks go on", async (t) => {
  const other = await system(t);
  const from = (/** @type {string} */ address, /** @type {string} */ text) =>
    other.fetch(`${ADMIN}/settings`, { headers: { authorization: `Bearer ${text}`, "cf-connecting-ip": address } });
  const statuses = [];
  for (let n = 0; n < 40; n++) statuses.push((await from("203.0.113.7", `guess ${n}`)).status);
  assert.deepEqual([statuses[0], statuses.at(-1)], [401, 429]);
  assert.equal((await from("203.0.113.7", other.adminToken)).status, 429);
  assert.equal((await from("203.0.113.8", other.adminToken)).status, 200);
});

test("G3 without a token, with a wrong one, or with too few rights every route refuses, nothing changes, and the audit log has it", async () => {
  assert.ok(ROUTES.length > 50, `${ROUTES.length} routes were read`);
  const before = await Promise.all(["/settings", "/segments", "/tables", "/tokens", "/jobs"].map(async (path) => (await msci.admin("GET", path)).body));
  const began = new Date();
  const [viewer, contributor, data] = [await token("Viewer"), await token("Contributor"), await token("Administrator", { scope: "data" })];
  const admin = await token("Administrator", { scope: "admin" });
  const wrong = `msci_${viewer.id}_${"A".repeat(43)}`;
  const below = { Viewer: [data], Contributor: [viewer, data], Administrator: [viewer, contributor, data] };
  const body = { name: "x", role: "Administrator", filter: "true", pages: ["/"], injectScript: true, cookieId: "x", authId: "x" };
  let refused = 0;
  for (const { method, path, role } of ROUTES) {
    const ask = async (/** @type {string | undefined} */ text) => {
      const { status, body: told } = await as(ADMIN + path, text, method, method === "GET" ? undefined : body);
      return [status, told.error?.code];
    };
    assert.deepEqual(await ask(undefined), [401, "unauthorized"], `${method} ${path}`);
    assert.deepEqual(await ask(wrong), [401, "unauthorized"], `${method} ${path}`);
    for (const few of below[role]) {
      assert.deepEqual(await ask(few.token), [403, "forbidden"], `${method} ${path}`);
      refused += 1;
    }
  }
  for (const path of ["", "$metadata", "msdynci_customers", "msdynci_p13nprofile(cookieid='x')"]) {
    assert.equal((await as(DATA + path, undefined)).status, 401);
    assert.equal((await as(DATA + path, wrong)).status, 401);
    assert.equal((await as(DATA + path, admin.token)).status, 403);
  }
  const after = await Promise.all(["/settings", "/segments", "/tables", "/tokens", "/jobs"].map(async (path) => (await msci.admin("GET", path)).body));
  const made = [viewer, contributor, data, admin].map(({ id }) => id);
  const items = (/** @type {any[]} */ of) => of?.filter(({ id }) => !made.includes(id)).map((item) => ({ ...item, lastUsed: undefined }));
  const same = (/** @type {any[]} */ all) => all.map((one) => ({ ...one, items: items(one.items) }));
  assert.deepEqual(same(after), same(before));
  const counted = async (/** @type {(entry: any) => boolean} */ of) => {
    const entries = (await log()).filter(({ at }) => new Date(at) >= new Date(began.getTime() - 3_600_000));
    return entries.filter(of).reduce((sum, { count = 1 }) => sum + count, 0);
  };
  // What one Worker counts, another that shows the log hears of in seconds.
  await until(async () => (await counted(({ status, token }) => status === 403 && made.includes(token))) === refused + 4, "each is there", 20_000);
  await until(async () => (await counted(({ status, token }) => status === 401 && token === "")) >= 2 * ROUTES.length + 8, "so are the others", 20_000);
});

test("every role may what the table says, and no route lets somebody in that it should not", async () => {
  const tokens = { Viewer: await token("Viewer"), Contributor: await token("Contributor") };
  for (const { method, path, role } of ROUTES) {
    const holder = role === "Viewer" ? tokens.Viewer : role === "Contributor" ? tokens.Contributor : undefined;
    if (!holder || path === "/live") continue;
    const { status } = await as(ADMIN + path, holder.token, method, method === "GET" ? undefined : { nonsense: 1 });
    assert.ok(![401, 403, 405, 500, 503].includes(status), `${method} ${path}: ${status}`);
  }
});

test("what a Viewer is told of the settings has no names of people who work here", async () => {
  const { token: text } = await token("Viewer");
  const { body } = await as(`${ADMIN}/settings`, text);
  assert.deepEqual([body.injectScript, "access" in body], [false, false]);
});

test("the audit log tells who changed what and what came of it, and no id of a customer", async () => {
  const her = browser();
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Mail: "string" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
  await msci.collect(her.batch(her.user("ann-4711")));
  const { token: text, id } = await token("Contributor");
  assert.equal((await as(`${ADMIN}/segments/Silver`, text, "PUT", { filter: "Mail eq 'ann@shop.example'" })).status, 200);
  assert.equal((await as(`${ADMIN}/segments/Silver`, text, "PUT", { filter: "nope nope" })).status, 400);
  const { customerId: customer } = await until(async () => (await msci.admin("GET", "/customers?search=ann-4711")).body.customers[0], "she is listed");
  assert.equal((await as(`${ADMIN}/customers/${customer}/unlink`, text, "POST", { cookieId: her.cookieId })).status, 200);
  await msci.admin("POST", "/privacy/erase", { authId: "ann-4711" });
  await idle(msci);
  const entries = await log();
  assert.deepEqual(entries.filter((entry) => entry.token === id).map(({ at, ...entry }) => (assert.ok(Date.parse(at)), entry)), [
    { token: id, name: "a Contributor", method: "POST", route: "customers/{id}/unlink", status: 200 },
    { token: id, name: "a Contributor", method: "PUT", route: "segments/Silver", status: 400 },
    { token: id, name: "a Contributor", method: "PUT", route: "segments/Silver", status: 200 },
  ]);
  const whole = JSON.stringify(entries);
  for (const secret of [customer, her.cookieId, "ann-4711", "ann@shop.example", text]) assert.ok(!whole.includes(secret), secret);
});

test("reads are counted by token and minute, so the log does not grow with them", async () => {
  const { token: text, id } = await token("Viewer");
  for (let n = 0; n < 30; n++) await as(`${ADMIN}/segments`, text);
  const entries = (await log()).filter((entry) => entry.token === id);
  assert.ok(entries.length <= 2, "two, if a minute ended meanwhile");
  assert.equal(entries.reduce((sum, { count }) => sum + count, 0), 30);
  assert.deepEqual([entries[0].method, entries[0].route, entries[0].status], ["GET", "segments", 200]);
});

test("what the audit log cannot be told of is not done, and a read goes on and is told later", async (t) => {
  const faulty = await faultySystem(t);
  await faulty.under([{ on: "sql", match: "INSERT INTO audit", does: "refuse" }], async () => {
    const put = await faulty.admin("PUT", "/settings", { injectScript: true });
    assert.deepEqual([put.status, put.body.error.code], [503, "unavailable"]);
    assert.equal((await faulty.admin("GET", "/settings")).body.injectScript, false);
  });
  assert.equal((await faulty.admin("PUT", "/settings", { injectScript: true })).status, 200);
  const { body } = await faulty.admin("GET", "/audit");
  const told = body.items.map((/** @type {any} */ { method, route, status, count }) => [method, route, status, count]);
  assert.deepEqual(told, [["PUT", "settings", 200, undefined], ["GET", "settings", 200, 1]]);
});

test("entries of the audit log go after ninety days", async (t) => {
  const faulty = await faultySystem(t);
  const routes = async () => (await faulty.admin("GET", "/audit?top=1000")).body.items.map((/** @type {any} */ { route }) => route);
  await faulty.admin("DELETE", "/segments/Old");
  await faulty.clock(91 * 86_400_000);
  assert.ok((await routes()).includes("segments/Old"));
  for (let n = 0; n < 100; n++) await faulty.admin("DELETE", `/segments/None${n}`);
  const left = await routes();
  assert.ok(!left.includes("segments/Old") && left.includes("segments/None99"));
});

test("the audit log is paged, newest first, and can begin at a time", async () => {
  const all = await log();
  /** @type {any[]} */
  const paged = [];
  let skip = "";
  do {
    const { body } = await msci.admin("GET", `/audit?top=7${skip}`);
    paged.push(...body.items);
    skip = body.skiptoken ? `&skiptoken=${body.skiptoken}` : "";
  } while (skip);
  // Each page's own request is an entry too, at the front.
  const told = (/** @type {any[]} */ items) => items.filter(({ route }) => route !== "audit").map(({ count: _, ...entry }) => entry);
  assert.deepEqual(told(paged), told(all));
  assert.deepEqual(await log("since=2999-01-01"), []);
  for (const query of ["top=0", "top=1001", "top=x", "skiptoken=x", "since=now"]) {
    assert.equal((await msci.admin("GET", `/audit?${query}`)).status, 400, query);
  }
});

test("a token that asks too much is answered 429 and when to come back, and nobody else is", async () => {
  const [wild, calm] = [(await token("Viewer")).token, (await token("Viewer")).token];
  const nothing = `${ADMIN}/segments/nothing`;
  /** @type {import("../support/system.mjs").Answer | undefined} */
  let refused;
  // A thousand at once, and a hundred more each second.
  for (let round = 0; round < 200 && !refused; round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => as(nothing, wild)));
    refused = answers.find(({ status }) => status !== 404);
    if (round < 20) assert.equal(refused, undefined, `round ${round}`);
  }
  assert.deepEqual([refused?.status, refused?.body.error.code, refused?.headers.get("retry-after")], [429, "too_many_requests", "5"]);
  assert.equal((await as(nothing, calm)).status, 404);
});
