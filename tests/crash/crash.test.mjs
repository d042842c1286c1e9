// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { campaign, discard } from "./campaign.mjs";
import { atEnd } from "../support/at-end.mjs";

test("F17 kills under write load lose, double and misplace nothing that was acknowledged", async (t) => {
  const state = mkdtempSync(join(tmpdir(), "msci-crash-"));
  atEnd(t, () => discard(state));
  const seed = Date.now() % 1_000_000;
  const done = await campaign({ kills: 5, seed, clients: 16, state });
  assert.deepEqual(done.verify(), [], `seed ${seed}`);
  assert.ok(done.figures.acknowledged > 100 && done.figures.resent > 0 && done.figures.merges > 0, "there was something to lose");

  /** @template T @param {T | undefined} value */
  const some = (value) => {
    assert.ok(value, `the load of seed ${seed} made none`);
    return value;
  };
  const { model, objects, snapshots, read } = done;
  const logs = objects.filter((object) => object.log && object.signals.length > 0);
  const [log, other] = [some(logs[0]), some(logs[1])];
  const customer = some(objects.find((object) => object.authId && object.signals.length > 0));
  const stranger = some(objects.find((object) => object.authId && object !== customer));
  const cookie = some([...model.cookies.values()].find((cookie) => cookie.log.length > 0));
  const paid = some(objects.flatMap((object) => object.signals).find((row) => row.type === "event"));
  const linked = some(objects.find((object) => object.link));
  const shown = some(snapshots.find((profile) => profile.authId && profile.measures));
  const answered = some(read.find((profile) => (profile.segments ?? []).length > 0));

  /** @template T @param {T[]} list @param {T} item */
  const added = (list, item) => {
    list.push(item);
    return () => void list.pop();
  };
  /** @template T @param {T[]} list */
  const taken = (list) => {
    const item = some(list.shift());
    return () => void list.unshift(item);
  };
  /** @template T @param {T} object @param {Partial<T>} change */
  const changed = (object, change) => {
    const before = { ...object };
    Object.assign(/** @type {any} */ (object), change);
    return () => void Object.assign(/** @type {any} */ (object), before);
  };
  /** What is spoiled, which returns how to undo it, and how it shows. @type {[string, () => () => void, import("./verify.mjs").Kind][]} */
  const spoils = [
    ["an acknowledgement of what was never stored", () => {
      const signal = /** @type {const} */ ({ stream: "none", seq: 1, type: "view", cents: 0, acknowledged: true, cookie });
      model.signals.set("none/1", signal);
      return () => void model.signals.delete("none/1");
    }, "lost"],
    ["a row missing in a log", () => taken(log.signals), "lost"],
    ["a row missing in a customer's timeline", () => taken(customer.signals), "lost"],
    ["a row in a second log", () => added(other.signals, { ...some(log.signals[0]), cookie: some(other.log).cookie }), "doubled"],
    ["a row in another log", () => {
      const undo = [added(other.signals, { ...some(log.signals[0]), cookie: some(other.log).cookie }), taken(log.signals)];
      return () => undo.reverse().forEach((step) => step());
    }, "misplaced"],
    ["a row twice in a customer's timeline", () => added(customer.signals, { ...some(customer.signals[0]) }), "doubled"],
    ["a row in another customer's timeline", () => added(stranger.signals, { ...some(customer.signals[0]) }), "misplaced"],
    ["a row that nobody sent", () => added(log.signals, { ...some(log.signals[0]), seq: 1_000_000 }), "invented"],
    ["another amount", () => changed(paid.fields, { properties: { total: 0.5 } }), "altered"],
    ["a link to somebody else", () => changed(some(linked.link), { customer: { id: stranger.name, auth_id: "Nobody" } }), "misplaced"],
    ["a page that was not shipped", () => changed(some(linked.link), { shipped: 0 }), "unfinished"],
    ["a snapshot that has long been owed", () => changed(linked.owed, { projection: 1 }), "unfinished"],
    ["an unlink that the customer was not told", () => changed(linked.owed, { drops: [{}] }), "unfinished"],
    ["a customer that still lists a cookie", () => {
      customer.copies.set("another", { up_to: 0, dropped: false });
      return () => void customer.copies.delete("another");
    }, "misplaced"],
    ["a measure off by one", () => changed(shown, { measures: { ...shown.measures, Views: -1 } }), "profile"],
    ["a segment missing", () => changed(answered, { segments: [] }), "profile"],
    ["a snapshot of an earlier version", () => changed(shown, { version: 0 }), "profile"],
    // Not any: what a purged cookie leaves may have none.
    ["a snapshot missing", () => {
      const at = snapshots.indexOf(shown);
      snapshots.splice(at, 1);
      return () => void snapshots.splice(at, 0, shown);
    }, "profile"],
    ["a snapshot too many", () => added(snapshots, { ...shown, authId: "Nobody" }), "profile"],
    ["a cookie too many", () => changed(shown, { cookieIds: [...shown.cookieIds, "another"] }), "profile"],
    ["an answer with another cookieId", () => added(model.contradictions, "told twice"), "misplaced"],
  ];
  for (const [what, spoil, kind] of spoils) {
    await t.test(`F17 the check notices ${what}`, () => {
      const undo = spoil();
      const kinds = done.verify().map((fault) => fault.kind);
      undo();
      assert.ok(kinds.includes(kind), `it said ${[...new Set(kinds)].join(", ") || "nothing"}`);
      assert.deepEqual(done.verify(), []);
    });
  }
});
