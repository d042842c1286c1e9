// @ts-check
// Activations: who enters or leaves a segment is told to a receiver, signed, in order, until it has it; and
// nothing else waits for that.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { atEnd } from "../support/at-end.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { imports } from "../support/jobs.mjs";
import { SECRET, receiver } from "../support/receiver.mjs";
import { browser, profile } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const DAY = 86_400_000;

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
before(async () => {
  msci = await faultySystem();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  await msci.admin("PUT", "/measures/Switch", { aggregate: "last", property: "on", filter: "ActivityType eq 'switch'" });
  await msci.admin("PUT", "/segments/On", { filter: "Measures/Switch eq 1" });
  // Of those who never switched anything on.
  await msci.admin("PUT", "/segments/Off", { filter: "Measures/Switch eq 0" });
});
after(() => msci.stop());

/**
 * An activation that ends with the test.
 * @param {{ after(work: () => unknown): void }} t @param {string} name @param {Record<string, unknown>} more
 */
async function activation(t, name, more) {
  const put = await msci.admin("PUT", `/activations/${name}`, { segment: "On", secret: SECRET, ...more });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  atEnd(t, () => msci.admin("DELETE", `/activations/${name}`));
  return put.body;
}

/** Deliveries as the API lists them. @param {string} name @param {string} query */
const deliveries = async (name, query = "") => (await msci.admin("GET", `/activations/${name}/deliveries${query}`)).body;

/** Somebody with a switch; `turn` is one signal. */
function visitor() {
  const her = browser();
  return Object.assign(her, {
    turn: async (/** @type {0 | 1} */ on) => {
      const answer = await msci.collect(her.batch(her.event("switch", { on })));
      assert.equal(answer.body.accepted, 1, JSON.stringify(answer.body));
    },
    customer: async () => (await profile(msci, her.cookieId)).body.msdynci_customerid,
  });
}

/** Waits for so many messages about a customer. @param {Awaited<ReturnType<typeof receiver>>} to @param {string} customer @param {number} n */
async function told(to, customer, n) {
  await until(() => to.of(customer).length >= n, `${n} messages are there`, 20_000);
  return to.of(customer);
}

test("each entry and each leave is told once, in order, signed; and listed", async (t) => {
  const to = await receiver(t);
  await activation(t, "each", { url: `${to.url}/each`, on: ["entered", "left"] });
  const her = visitor();
  for (const on of /** @type {const} */ ([1, 1, 0, 1])) await her.turn(on);
  const customer = await her.customer();
  await told(to, customer, 3);
  await her.turn(0);
  const got = await told(to, customer, 4);
  assert.deepEqual(got.map(({ message }) => message.type), ["segment.entered", "segment.left", "segment.entered", "segment.left"]);
  assert.equal(new Set(got.map(({ id }) => id)).size, 4);
  assert.deepEqual(to.forged, []);
  const { type, timestamp, data } = got[0]?.message ?? {};
  assert.deepEqual([type, data.activation, data.segment, data.customerId, data.known], ["segment.entered", "each", "On", customer, false]);
  assert.deepEqual([data.cookieIds, data.cause], [[her.cookieId], "signal"]);
  assert.ok(data.attributes && "Switch" in data.measures && Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const { items, dropped } = await until(async () => {
    const list = await deliveries("each");
    return list.items.length === 4 && list.items.every((/** @type {any} */ item) => item.state === "delivered") && list;
  }, "all are listed");
  assert.equal(dropped, 0);
  assert.deepEqual(new Set(items.map((/** @type {any} */ item) => item.id)), new Set(got.map(({ id }) => id)));
  assert.deepEqual([items[0].customerId, items[0].attempts, items[0].status, items[0].error], [customer, 1, 204, null]);
  // Page by page, newest first.
  const first = await deliveries("each", "?top=3");
  const rest = await deliveries("each", `?top=3&skiptoken=${first.skiptoken}`);
  assert.deepEqual([...first.items, ...rest.items], items);
  assert.deepEqual((await deliveries("each", "?state=dead")).items, []);
});

test("only what an activation asks for is told", async (t) => {
  const to = await receiver(t);
  await activation(t, "left-only", { url: to.url, on: ["left"] });
  await activation(t, "other", { url: to.url, segment: "Off", on: ["entered"] });
  const her = visitor();
  await her.turn(1);
  await her.turn(0);
  const got = await told(to, await her.customer(), 2);
  assert.deepEqual(got.map(({ message }) => [message.data.segment, message.type]).sort(), [["Off", "segment.entered"], ["On", "segment.left"]]);
});

test("at a merge the unknown profile leaves nothing, and the customer enters once, with what was imported", async (t) => {
  const to = await receiver(t);
  await activation(t, "merge", { url: to.url });
  const her = visitor();
  await her.turn(1);
  const unknown = await her.customer();
  await told(to, unknown, 1);
  await msci.collect(her.batch(her.user("Loyalty1")));
  const known = await her.customer();
  assert.notEqual(known, unknown);
  const [entered] = await told(to, known, 1);
  const { data } = entered?.message ?? {};
  assert.deepEqual([data.known, data.table, data.authId, data.cause], [true, "LoyaltySignUps", "Loyalty1", "merge"]);
  assert.equal(data.attributes.Email, "abbie.moss@example.com");
  await her.turn(0);
  await told(to, known, 2);
  assert.deepEqual(to.moves(({ message }) => message.data.customerId === unknown), ["entered"]);
  assert.deepEqual(to.moves(({ message }) => message.data.customerId === known), ["entered", "left"]);
  // A link that is taken back: both are what they would have been without it.
  await her.turn(1);
  await told(to, known, 3);
  await msci.admin("POST", `/customers/${known}/unlink`, { cookieId: her.cookieId });
  await told(to, known, 4);
  await told(to, unknown, 2);
  assert.deepEqual(to.moves(({ message }) => message.data.customerId === known), ["entered", "left", "entered", "left"]);
});

test("what fails is sent again under the same id, and what comes behind it waits", async (t) => {
  const to = await receiver(t);
  await activation(t, "retry", { url: to.url });
  to.answers(() => (to.got.length === 1 ? 500 : 204));
  const her = visitor();
  await her.turn(1);
  await her.turn(0);
  const customer = await her.customer();
  const failed = await until(async () => (await deliveries("retry", `?customer=${customer}`)).items.find((/** @type {any} */ i) => i.attempts === 1), "the failure is listed");
  assert.deepEqual([failed.state, failed.status, failed.error], ["pending", 500, "status"]);
  const pause = Date.parse(failed.nextTry) - Date.now();
  assert.ok(pause > 0 && pause <= 6500, `in ${pause} ms`);
  const [first, again, next] = await told(to, customer, 3);
  assert.equal(first?.id, again?.id);
  assert.notEqual(first?.id, next?.id);
  assert.deepEqual(to.moves(), ["entered", "left"]);
  await until(async () => (await deliveries("retry", "?state=delivered")).items.length === 2, "both are delivered");
});

test("a receiver asks for a pause, redirects, hangs up, or says that it is gone", async (t) => {
  const to = await receiver(t);
  await activation(t, "answers", { url: `${to.url}/asked` });
  for (const [does, status, error, least] of /** @type {const} */ ([
    [[429, { "retry-after": "600" }], 429, "status", 590],
    [[503, { "retry-after": new Date(Date.now() + 900_000).toUTCString() }], 503, "status", 890],
    [[307, { location: `${to.url}/elsewhere` }], 307, "redirect", 3],
    ["hang up", null, "unreachable", 3],
    [410, 410, "gone", undefined],
  ])) {
    to.answers(() => /** @type {any} */ (does));
    const her = visitor();
    await her.turn(1);
    const customer = await her.customer();
    const item = await until(async () => (await deliveries("answers", `?customer=${customer}`)).items[0], "it is listed");
    assert.deepEqual([item.status, item.error, item.state], [status, error, least === undefined ? "dead" : "pending"]);
    const pause = (Date.parse(item.nextTry) - Date.now()) / 1000;
    if (least !== undefined) assert.ok(pause >= least && pause <= 910, `${error}: ${pause} s`);
    await msci.admin("POST", "/privacy/erase", { cookieId: her.cookieId });
  }
  assert.ok(to.got.every(({ path }) => path === "/asked"), "a redirect is not followed");
});

test("a receiver that hangs holds up no signal, no read, no copy, and no other activation", async (t) => {
  const [to, other] = [await receiver(t), await receiver(t)];
  await activation(t, "hangs", { url: to.url });
  await activation(t, "quick", { url: other.url });
  to.answers(() => "hang");
  const her = visitor();
  await her.turn(1);
  const customer = await her.customer();
  const [held] = await told(to, customer, 1);
  await msci.collect(her.batch(her.view("/while-it-hangs"), her.user(undefined, { email: "while@example.com" })));
  assert.equal((await profile(msci, her.cookieId)).body.unifiedactivity.length, 2);
  await until(async () => Object.values(await msci.snapshots()).some((text) => text.includes("while@example.com")), "KV has it");
  await until(async () => (await msci.admin("GET", "/customers?kind=unknown&search=while@example.com")).body.count === 1, "the index has it");
  await told(other, customer, 1);
  assert.equal(to.of(customer).length, 1, "all of that while it hung");
  to.answers(() => 204);
  held?.answer(204);
  const one = async () => (await deliveries("hangs", "?state=delivered")).items.length === 1;
  await until(one, "it is delivered after all, now or, on a busy machine, at the next try", 30_000);
  // And one that never answers.
  to.answers(() => "hang");
  await her.turn(0);
  const late = await until(async () => (await deliveries("hangs", "?state=pending")).items.find((/** @type {any} */ i) => i.attempts === 1), "it is given up for now", 30_000);
  assert.deepEqual([late.status, late.error], [null, "timeout"]);
});

test("the plug is pulled while a message is under way: it comes again, the same, and those behind it after it", async (t) => {
  const to = await receiver(t);
  await activation(t, "killed", { url: to.url });
  to.answers(() => "hang");
  const her = visitor();
  for (const on of /** @type {const} */ ([1, 0, 1])) await her.turn(on);
  const customer = await her.customer();
  await told(to, customer, 1);
  await msci.kill9();
  to.answers(() => 204);
  await msci.restart();
  const got = await told(to, customer, 4);
  assert.equal(got[0]?.id, got[1]?.id);
  assert.deepEqual(to.moves(), ["entered", "left", "entered"]);
  await until(async () => (await deliveries("killed", "?state=delivered")).items.length === 3, "all are delivered");
});

test("after three days a message is dead, those behind it go on, and it can be put back", async (t) => {
  const to = await receiver(t);
  await activation(t, "dead", { url: to.url });
  atEnd(t, () => msci.clock(0));
  to.answers(() => 503);
  const her = visitor();
  await her.turn(1);
  const customer = await her.customer();
  await told(to, customer, 1);
  const ahead = 3 * DAY + 60_000;
  // The receiver's first: a message may be under way as soon as the sender's has moved.
  to.clock(ahead);
  await msci.clock(ahead);
  await her.turn(0);
  const [item] = await until(async () => {
    const { items } = await deliveries("dead", "?state=dead");
    return items.length === 1 && items;
  }, "it is dead", 20_000);
  assert.deepEqual([item.event, item.attempts, item.nextTry], ["segment.entered", 2, null]);
  to.answers(() => 204);
  const nobody = await msci.admin("POST", "/activations/dead/replay", { id: "msg_0" });
  assert.deepEqual([nobody.status, nobody.body.replayed], [200, 0]);
  const replayed = await msci.admin("POST", "/activations/dead/replay", { id: item.id });
  assert.deepEqual([replayed.status, replayed.body.replayed], [200, 1]);
  await until(() => to.of(customer).filter(({ id }) => id === item.id).length === 3, "it is there under its id");
  to.clock(ahead + 600_000);
  await msci.clock(ahead + 600_000);
  await profile(msci, her.cookieId);
  await until(async () => (await deliveries("dead", "?state=delivered")).items.length === 2, "both are delivered", 20_000);
  assert.equal((await msci.admin("POST", "/activations/dead/replay", { state: "dead" })).body.replayed, 0);
  assert.equal((await msci.admin("POST", "/activations/dead/replay", {})).status, 400);
});

test("whoever is erased is told about no more, and is in no list", async (t) => {
  const to = await receiver(t);
  await activation(t, "erased", { url: to.url });
  to.answers(() => 500);
  const her = visitor();
  await her.turn(1);
  await msci.collect(her.batch(her.user("Loyalty7")));
  const customer = await her.customer();
  await until(async () => (await deliveries("erased", `?customer=${customer}`)).items[0]?.attempts === 1, "it failed once");
  await msci.admin("POST", "/privacy/erase", { customerId: customer });
  await until(async () => (await deliveries("erased", `?customer=${customer}`)).items.length === 0, "nothing is listed");
  const before = to.of(customer).length;
  to.answers(() => 204);
  // Somebody else's messages go on; by then the next try of hers would have come too.
  to.clock(600_000);
  await msci.clock(600_000);
  atEnd(t, () => msci.clock(0));
  const him = visitor();
  await him.turn(1);
  await told(to, await him.customer(), 1);
  assert.equal((await profile(msci, her.cookieId)).status, 404);
  assert.equal(to.of(customer).length, before);
});

test("a secret is told once, to whoever had it made, and never again", async (t) => {
  const to = await receiver(t);
  const made = await msci.admin("PUT", "/activations/secret", { segment: "On", url: to.url });
  atEnd(t, () => msci.admin("DELETE", "/activations/secret"));
  const { secret, ...shown } = made.body;
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(shown, { name: "secret", segment: "On", on: ["entered", "left"], url: to.url });
  const again = await msci.admin("PUT", "/activations/secret", { segment: "On", url: to.url, on: ["entered"] });
  assert.deepEqual(again.body, { name: "secret", segment: "On", on: ["entered"], url: to.url });
  const everything = [
    JSON.stringify((await msci.admin("GET", "/activations")).body),
    JSON.stringify((await msci.admin("GET", "/activations/secret")).body),
    JSON.stringify(await msci.snapshots()),
    (await msci.fetch("/_msci/msci.js")).body,
  ];
  for (const text of everything) assert.ok(!text.includes("whsec_") && !text.includes(secret.slice(6)));
  // It is the one that signs, also after the change.
  const her = visitor();
  await her.turn(1);
  await until(() => to.forged.length > 0, "a message came that another secret signed");
  assert.equal((await msci.admin("PUT", "/activations/secret", { segment: "On", url: to.url, secret: SECRET })).body.secret, undefined);
  const him = visitor();
  await him.turn(1);
  await told(to, await him.customer(), 1);
  assert.ok(new Webhook(secret));
});

test("what is no activation is refused, and what one needs stays", async (t) => {
  const good = { segment: "On", url: "https://mail.example/hook" };
  for (const [what, code] of /** @type {[any, string][]} */ ([
    [{ ...good, segment: "Nobody" }, "invalid_definition"],
    [{ ...good, on: [] }, "invalid_definition"],
    [{ ...good, on: ["sometimes"] }, "invalid_definition"],
    [{ ...good, url: "http://mail.example/" }, "invalid_definition"],
    [{ ...good, url: "javascript:alert(1)" }, "invalid_definition"],
    [{ ...good, url: undefined }, "invalid_definition"],
    [{ ...good, more: 1 }, "invalid_definition"],
    [{ ...good, key: "k" }, "invalid_definition"],
    [{ ...good, since: 1 }, "invalid_definition"],
    [{ ...good, secret: "hunter2" }, "invalid_secret"],
    [{ ...good, secret: "whsec_c2hvcnQ=" }, "invalid_secret"],
    [{ ...good, secret: 7 }, "invalid_secret"],
  ])) {
    const answer = await msci.admin("PUT", "/activations/bad", what);
    assert.deepEqual([answer.status, answer.body.error?.code], [400, code], JSON.stringify(what));
  }
  assert.equal((await msci.admin("GET", "/activations/bad")).status, 404);
  assert.equal((await msci.admin("GET", "/activations/bad/deliveries")).status, 404);
  assert.equal((await msci.admin("DELETE", "/activations/bad")).status, 404);
  assert.equal((await msci.admin("PUT", "/activations/b%20d", good)).status, 400);
  assert.equal((await msci.admin("POST", "/activations", good)).status, 405);
  await activation(t, "needs", good);
  assert.equal((await msci.admin("POST", "/activations/needs/deliveries", {})).status, 405);
  for (const query of ["?state=lost", "?top=0", "?top=x", "?skiptoken=x"]) {
    assert.equal((await msci.admin("GET", `/activations/needs/deliveries${query}`)).status, 400, query);
  }
  assert.equal((await msci.admin("DELETE", "/segments/On")).status, 409);
});

test("customers who were only imported are told about too, by the same rules", async (t) => {
  const to = await receiver(t);
  await activation(t, "imported", { segment: "LoyalCustomers", url: to.url });
  to.answers(() => (to.got.length === 1 ? 500 : 204));
  const row = { LoyaltyId: "Bare1", FirstName: "Bea", Email: "bea@example.com", Tier: "Gold" };
  await imports(msci, "LoyaltySignUps", [row]);
  const first = await until(() => to.got[0], "she is told about", 20_000);
  const { data, type } = first.message;
  assert.deepEqual([type, data.known, data.authId, data.attributes.Email], ["segment.entered", true, "Bare1", "bea@example.com"]);
  assert.deepEqual([data.cause, data.segments], ["import", ["LoyalCustomers"]]);
  await imports(msci, "LoyaltySignUps", [{ ...row, Tier: "Bronze" }]);
  const got = await told(to, data.customerId, 3);
  assert.equal(got[0]?.id, got[1]?.id);
  assert.deepEqual(to.moves(), ["entered", "left"]);
  await until(async () => (await deliveries("imported", "?state=delivered")).items.length === 2, "both are listed");
  // Dead, put back, and gone with the person.
  to.answers(() => 410);
  await imports(msci, "LoyaltySignUps", [row]);
  const dead = await until(async () => (await deliveries("imported", "?state=dead")).items[0], "it is dead", 20_000);
  to.answers(() => 204);
  assert.equal((await msci.admin("POST", "/activations/imported/replay", { id: dead.id })).body.replayed, 1);
  await until(async () => (await deliveries("imported", "?state=delivered")).items.length === 3, "it is delivered", 20_000);
  await msci.admin("POST", "/privacy/erase", { authId: "Bare1" });
  await until(async () => (await deliveries("imported")).items.length === 0, "nothing is listed");
});

test("who is in a segment by their row, and then by what they do as well, is told about once", async (t) => {
  const to = await receiver(t);
  const either = await msci.admin("PUT", "/segments/Either", { filter: "Tier eq 'Gold' or Measures/Switch eq 1" });
  assert.equal(either.status, 200, JSON.stringify(either.body));
  atEnd(t, () => msci.admin("DELETE", "/segments/Either"));
  await activation(t, "either", { segment: "Either", on: ["entered", "left"], url: to.url });
  const row = { LoyaltyId: "Both1", FirstName: "Bo", Email: "bo@example.com", Tier: "Gold" };
  await imports(msci, "LoyaltySignUps", [row]);
  const about = () => to.got.filter(({ message }) => message.data.authId === "Both1").map(({ message }) => message);
  await until(() => about().length === 1, "the job tells of the row", 20_000);
  // The first page of a customer's object has what would bring anybody in.
  const his = visitor();
  await msci.collect(his.batch(his.event("switch", { on: 1 }), his.user("Both1")));
  const customer = await his.customer();
  // The row goes, what he did stays; that goes too: he leaves, once.
  await imports(msci, "LoyaltySignUps", [{ ...row, Tier: "Bronze" }]);
  await his.turn(0);
  await until(() => about().some(({ type }) => type === "segment.left"), "he has left", 20_000);
  assert.deepEqual(about().map(({ type, data }) => [type, data.customerId]), [["segment.entered", customer], ["segment.left", customer]]);
});
