// @ts-check
// What taking a signal, a merge and a read cost, side by side in one run: medians and their ratios.
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

const ROUNDS = 60;
const LONG = 10_000;

/** @param {number[]} times */
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1] ?? NaN;
/** @param {() => Promise<unknown>} work */
const time = async (work) => {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
};
/** @param {string} what @param {number} ms */
const print = (what, ms) => console.log(`${what.padEnd(58)} ${ms.toFixed(2)} ms`);

const msci = await system();
try {
  await seed({ base: msci.base, adminToken: msci.adminToken });

  /** @type {number[]} */
  const plain = [];
  /** @type {number[]} */
  const merges = [];
  for (let i = 0; i < ROUNDS; i++) {
    const visitor = browser();
    await msci.collect(visitor.batch(...Array.from({ length: 20 }, () => visitor.view("/x"))));
    plain.push(await time(() => msci.collect(visitor.batch(visitor.view("/y")))));
    merges.push(await time(() => msci.collect(visitor.batch(visitor.user(`Bench${i}`)))));
  }
  print("collect of one view", median(plain));
  print("setUser of a visitor with 21 signals", median(merges));
  console.log(`ratio ${(median(merges) / median(plain)).toFixed(2)}`);

  const busy = browser();
  for (let i = 0; i < LONG / 500; i++) await msci.collect(busy.batch(...Array.from({ length: 500 }, () => busy.view("/z"))));
  /** @type {any} */
  let merged;
  print(`setUser of a visitor with ${LONG} signals`, await time(async () => (merged = await msci.collect(busy.batch(busy.user("Busy"))))));
  print(
    `until the customer has all of them (pending: ${Boolean(merged?.body.pending)})`,
    await time(() =>
      until(async () => (await profile(msci, busy.cookieId)).body.measures?.PageViews >= LONG, "the merge is complete", 30_000),
    ),
  );

  const quiet = browser();
  await msci.collect(quiet.batch(...Array.from({ length: 10 }, () => quiet.view("/z")), quiet.user("Quiet")));
  /** @type {Record<string, number[]>} */
  const times = { "collect, 10 signals": [], [`collect, ${LONG} signals`]: [], "read, 10 signals": [], [`read, ${LONG} signals`]: [] };
  for (let i = 0; i < ROUNDS; i++) {
    times["collect, 10 signals"]?.push(await time(() => msci.collect(quiet.batch(quiet.view("/s")))));
    times[`collect, ${LONG} signals`]?.push(await time(() => msci.collect(busy.batch(busy.view("/s")))));
    times["read, 10 signals"]?.push(await time(() => profile(msci, quiet.cookieId)));
    times[`read, ${LONG} signals`]?.push(await time(() => profile(msci, busy.cookieId)));
  }
  for (const [what, taken] of Object.entries(times)) print(`of a linked cookie: ${what}`, median(taken));
} finally {
  await msci.stop();
}
