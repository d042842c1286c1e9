// @ts-check
// What a signal and a read cost in rows of SQLite does not grow with how much there is (law 9).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { browser, profile, PROFILE } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
before(async () => {
  msci = await faultySystem();
  await seed({ base: msci.base, adminToken: msci.adminToken });
});
after(() => msci.stop());

const FEW = 10;
const MANY = 100_000;
const BATCH = 500;

/** @typedef {ReturnType<typeof browser>} Browser */

/** Signals of every kind that definitions count, at times of their own. @param {Browser} her @param {number} n */
function signal(her, n) {
  const at = { time: Date.now() - 20 * 86_400_000 + n * 10 };
  if (n % 10 === 0) return her.event("order_completed", { total: 10 }, at);
  return her.view(n % 10 < 5 ? `/coffee-machines/premium/${n}` : `/reviews/${n}`, at);
}

/** A visitor with so many signals on the timeline. @param {number} signals */
async function visitorWith(signals) {
  const her = browser();
  for (let from = 0; from < signals; from += BATCH) {
    const size = Math.min(BATCH, signals - from);
    const answer = await msci.collect(her.batch(...Array.from({ length: size }, (_, n) => signal(her, from + n))));
    assert.equal(answer.body.accepted, size);
  }
  return her;
}

/**
 * Rows read and written by calls of these kinds while `work` runs.
 * @param {string[]} kinds
 * @param {() => Promise<unknown>} work
 */
async function rows(kinds, work) {
  const before = (await msci.told()).costs;
  await work();
  const after = (await msci.told()).costs;
  /** @param {string} kind @param {"read" | "written"} what */
  const used = (kind, what) => {
    const [from, to] = [before, after].map((costs) => costs[`ProfileObject ${kind}`]?.[what] ?? 0);
    return (to ?? 0) - (from ?? 0);
  };
  const sum = (/** @type {"read" | "written"} */ what) => kinds.reduce((total, kind) => total + used(kind, what), 0);
  return { read: sum("read"), written: sum("written") };
}

/** @param {Browser} her @param {number} objects that a read asks */
async function costs(her, objects) {
  const headers = { authorization: `Bearer ${msci.adminToken}` };
  const bare = () => msci.fetch(`${PROFILE}(cookieid='${her.cookieId}',include=['segmentmembership','measures'])`, { headers });
  await msci.collect(her.batch(her.view("/warm")));
  return {
    // Each object goes once in the middle of a read, and loads what it has at the next.
    wake: await msci.under([{ on: "object", match: "read", does: "crash", times: objects }], () =>
      rows(["read"], async () => {
        for (let n = 0; n < objects; n++) await bare();
        assert.equal((await bare()).status, 200);
      })),
    signal: await rows(["collect", "ship"], async () => {
      assert.equal((await msci.collect(her.batch(her.view("/one")))).body.accepted, 1);
    }),
    read: await rows(["read"], async () => assert.equal((await bare()).status, 200)),
  };
}

/** Within 20 %. @param {Awaited<ReturnType<typeof costs>>} few @param {Awaited<ReturnType<typeof costs>>} many */
function same(few, many) {
  for (const what of /** @type {const} */ (["signal", "read", "wake"])) {
    for (const kind of /** @type {const} */ (["read", "written"])) {
      const [least, most] = [few[what][kind], many[what][kind]];
      const said = `${what}: ${least} rows ${kind} with ${FEW} signals, ${most} with ${MANY}`;
      assert.ok(Math.abs(most - least) <= 0.2 * least, said);
    }
  }
}

test("a signal and a read cost as many rows with 10 signals on the timeline as with 100,000", async (t) => {
  const [few, many] = [await visitorWith(FEW), await visitorWith(MANY)];
  await t.test("of an unknown visitor", async () => {
    const [before, after] = [await costs(few, 1), await costs(many, 1)];
    same(before, after);
    assert.ok(before.signal.written > 0 && before.signal.read > 0 && before.wake.read > 0, "rows are counted");
  });
  await t.test("of a linked cookie and its customer", async () => {
    await msci.collect(few.batch(few.user("Few")));
    await msci.collect(many.batch(many.user("Many")));
    const counted = async (/** @type {Browser} */ her) => (await profile(msci, her.cookieId)).body.measures?.PageViews;
    // All of a long history arrives; page views are nine tenths of it, and two came since.
    await until(async () => (await counted(many)) === 0.9 * MANY + 2, "the long history is shipped", 120_000);
    assert.equal(await counted(few), 0.9 * FEW + 2);
    same(await costs(few, 2), await costs(many, 2));
  });
});
