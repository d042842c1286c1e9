// @ts-check
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdtempSync, readFileSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";
import { discard } from "./campaign.mjs";
import { DEFINITIONS } from "./device.mjs";
import { commits, evicted, filesMade, pages, spoil } from "./object.mjs";

const folder = mkdtempSync(join(tmpdir(), "msci-damage-"));
/** As the runtime left it at an eviction, and as it is with a log. */
const [state, whole] = [join(folder, "state"), join(folder, "whole")];
const [her, him] = [browser(), browser()];
/** @type {import("./object.mjs").Files} */
let files;
/** @type {any} */
let hers;

/** What is not the same at each start. @param {{ body: any }} answer */
const told = ({ body }) => ({ ...body, "@odata.context": "" });

before(async () => {
  const msci = await system(undefined, { state });
  for (const [path, body] of DEFINITIONS) await msci.admin("PUT", path, body);
  await msci.collect(him.batch(him.view("/his")));
  files = await filesMade(state, () => msci.collect(her.batch(her.view("/hers"))));
  for (let n = 0; n < 10; n += 1) {
    await msci.collect(her.batch(...Array.from({ length: 20 }, (_, i) => her.view(`/${n}/${i}/${"x".repeat(200)}`))));
  }
  await msci.collect(her.batch(her.event("paid", { total: 12.5 })));
  hers = told(await profile(msci, her.cookieId));
  await until(() => evicted(files), "her object is evicted", 60_000);
  await msci.stop();
  cpSync(state, whole, { recursive: true });
});
after(() => discard(folder));

test("F13 an object that was evicted in the middle of a session goes on as if nothing had been", async (t) => {
  const msci = await system(t, { state });
  const visitor = browser();
  const first = visitor.batch(visitor.view("/1"), visitor.event("paid", { total: 1.5 }));
  const own = await filesMade(state, () => msci.collect(first));
  await until(() => evicted(own), "the cookie's object is evicted", 60_000);
  assert.deepEqual([(await msci.collect(first)).body.accepted, (await msci.collect(first)).body.duplicate], [0, 2]);
  const signIn = visitor.batch(visitor.user("Ann"));
  const known = await filesMade(state, () => msci.collect(signIn));
  await until(() => evicted(own) && evicted(known), "both objects are evicted", 60_000);
  assert.equal((await msci.collect(visitor.batch(visitor.view("/2")))).body.accepted, 1);
  const again = await msci.collect(signIn);
  assert.deepEqual([again.body.duplicate, again.body.user.status], [1, "merged"]);
  const seen = await profile(msci, visitor.cookieId);
  assert.equal(seen.body.msdynci_known, true);
  assert.deepEqual(seen.body.measures, { Paid: 1.5, Views: 2 });
  assert.equal(seen.body.unifiedactivity.length, 3);
});

/**
 * The state with `change` made to it while nothing ran; with both profiles as they are then.
 * @param {{ after(work: () => unknown): void }} t
 * @param {() => void} change
 */
async function damaged(t, change) {
  discard(state);
  cpSync(whole, state, { recursive: true });
  change();
  const msci = await system(t, { state });
  const read = await profile(msci, her.cookieId);
  const taken = await msci.collect(her.batch(her.view("/new")));
  const other = await profile(msci, him.cookieId);
  const otherTaken = await msci.collect(him.batch(him.view("/new")));
  assert.deepEqual([other.status, other.body.measures?.Views, otherTaken.status], [200, 1, 200], "every other profile serves");
  return { read, taken };
}

/** Every page that has a tree's node gets a kind of node that there is not. */
const breakTrees = () =>
  spoil(files.database, (bytes) => {
    for (const { start } of pages(bytes)) if ([2, 5, 10, 13].includes(bytes[start] ?? 0)) bytes[start] = 0xff;
  });

test("F18 damage in the pages of one object is an error with a code of that profile alone", async (t) => {
  const { read, taken } = await damaged(t, breakTrees);
  for (const { status, body } of [read, taken]) {
    // The runtime ends an object whose pages it cannot read, and does not tell the Worker why.
    assert.match(`${status} ${body.error?.code}`, /^(500 damaged|503 unavailable)$/);
  }
});

test("F18 one flipped bit is noticed, or changes nothing", async (t) => {
  const { read } = await damaged(t, () =>
    spoil(files.database, (bytes) => {
      const payment = '"total":12.5';
      let at = bytes.indexOf(payment);
      assert.ok(at > 0, "her payment is on the disk");
      // Pages that were left behind may have it too.
      for (; at > 0; at = bytes.indexOf(payment)) bytes[at + payment.indexOf("2")] = "3".charCodeAt(0);
    }),
  );
  if (read.status === 200) assert.deepEqual(told(read), hers);
  else assert.equal(read.body.error?.code, "damaged");
});

/**
 * A visitor with ten views, of which three then go from the end of the log of her object; or of what `change`
 * makes of its bytes.
 * @param {{ after(work: () => unknown): void }} t
 * @param {(log: string) => void} change
 * @param {string} [authId]
 */
async function shortened(t, change, authId) {
  discard(state);
  cpSync(whole, state, { recursive: true });
  const first = await system(undefined, { state });
  const visitor = browser();
  const own = await filesMade(state, () => first.collect(visitor.batch(visitor.view("/0"))));
  if (authId) await first.collect(visitor.batch(visitor.user(authId)));
  for (let n = 1; n < 10; n += 1) await first.collect(visitor.batch(visitor.view(`/${n}`)));
  await first.kill9();
  // A graceful end would empty the log.
  const kept = join(folder, "kept-wal");
  copyFileSync(own.log, kept);
  await first.stop();
  copyFileSync(kept, own.log);
  change(own.log);
  return { visitor, msci: await system(t, { state }) };
}

/** Three transactions or more fewer. @param {string} log */
const cut = (log) => truncateSync(log, commits(readFileSync(log)).at(-8));

test("F18 a log that lost its end leaves every profile serving", async (t) => {
  const { visitor, msci } = await shortened(t, cut);
  const read = await profile(msci, visitor.cookieId);
  assert.ok(read.status === 200 || read.body.error?.code === "damaged", `${read.status}`);
  assert.equal((await profile(msci, him.cookieId)).status, 200);
  assert.deepEqual(told(await profile(msci, her.cookieId)).measures, hers.measures);
});

test("F18 what comes after a log lost its end reaches the customer", async (t) => {
  const { visitor, msci } = await shortened(t, cut, "Bob");
  const next = browser({ cookieId: visitor.cookieId });
  for (const uri of ["/new/1", "/new/2", "/new/3"]) assert.equal((await msci.collect(next.batch(next.view(uri)))).body.accepted, 1);
  const seen = await profile(msci, visitor.cookieId);
  const uris = seen.body.unifiedactivity.map((/** @type {any} */ activity) => activity.msdynci_externalurl);
  for (const uri of ["/0", "/9", "/new/1", "/new/2", "/new/3"]) assert.ok(uris.includes(uri), `${uri} in ${uris}`);
});

test("F18 a flipped bit in a log does not take the rest of it away in silence", async (t) => {
  const flip = (/** @type {string} */ log) =>
    spoil(log, (bytes) => {
      const middle = commits(bytes).at(-8) ?? 0;
      bytes[middle + 100] = (bytes[middle + 100] ?? 0) ^ 1;
    });
  const { visitor, msci } = await shortened(t, flip);
  const read = await profile(msci, visitor.cookieId);
  if (read.status === 200) assert.equal(read.body.measures.Views, 10);
  else assert.equal(read.body.error?.code, "damaged");
});
