// @ts-check
// Kills the runtime at random moments while devices write, starts it again on the same state, and in the end
// holds all that is stored and shown against what was acknowledged. Or makes another trouble than that.
import { rmSync, statfsSync } from "node:fs";
import { chance } from "../support/chance.mjs";
import { PROFILE } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";
import { DEFINITIONS, Device, newTally } from "./device.mjs";
import { readObjects } from "./disk.mjs";
import { Model } from "./model.mjs";
import { verifyOwed, verifyProfiles, verifySignals, verifyVersions } from "./verify.mjs";

/** Each takes up to this much disk: the write-ahead log of SQLite is cut at some 4 MB. */
const OBJECT_BYTES = 5 * 1024 * 1024;
/** What the local runtime can be asked to keep. */
const MOST_OBJECTS = 1500;
/** How long alarms may take to do what a crash left undone. */
const QUIET_MS = 60_000;
/** How long visitors may wait for an answer after a restart, with much room. */
const ANSWERED_MS = 30_000;
/** An object writes its copies at most once a second; then it owes nothing, unless something failed. */
const SETTLED_MS = 2000;
/** How soon an alarm that failed comes again, with room. */
const RETRY_MS = 8000;
/** How far the lists may be behind the objects, with room. */
const LISTED_MS = 10_000;

/**
 * @typedef {object} Options
 * @property {number} kills
 * @property {number} seed
 * @property {number} clients
 * @property {string} state an empty folder, or none yet
 * @property {(line: string) => void} [tell] progress
 * @property {(msci: System) => Promise<void>} [trouble] instead of a kill and a restart
 *
 * @typedef {Awaited<ReturnType<typeof system>>} System
 */

/** @param {Options} options */
export async function campaign({ kills, seed, clients, state, tell = () => {}, trouble = pullThePlug }) {
  const begun = performance.now();
  const luck = chance(seed);
  const msci = await system(undefined, { state });
  const { bavail, bsize } = statfsSync(state);
  const most = Math.min(MOST_OBJECTS, Math.floor((bavail * bsize) / OBJECT_BYTES / 2));
  const model = new Model();
  const tally = newTally();
  let [on, over] = [true, false];
  /** @type {Promise<void>[]} */
  let load = [];
  try {
    for (const [path, body] of DEFINITIONS) {
      const { status } = await msci.admin("PUT", path, body);
      if (status !== 200) throw new Error(`PUT ${path} answered ${status}`);
    }
    const people = Array.from({ length: Math.max(4, clients) }, (_, n) => `Person${n}`);
    let kill = 0;
    // New objects come all through a run, not only at its beginning.
    const roomy = () => model.cookies.size + people.length < (most * (kill + 10)) / (kills + 10);
    const world = { msci, model, tally, roomy, over: () => over };
    const devices = Array.from({ length: clients }, (_, n) => {
      const own = chance(seed * 1000 + n);
      return new Device(world, own, Array.from({ length: own.between(1, 3) }, () => own.pick(people)));
    });

    load = devices.map((device) => device.live(() => on));
    const [restarts, firsts] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (kill = 1; kill <= kills; kill += 1) {
      // Some while it still comes up, with the alarms that are due; the others while it answers.
      if (luck.happens(0.2)) await pause(luck.below(150));
      else {
        const heard = tally.acknowledged;
        const waiting = performance.now();
        await until(() => tally.acknowledged > heard, `something is acknowledged after kill ${kill - 1}`, ANSWERED_MS);
        firsts.push(performance.now() - waiting);
        await pause(luck.below(1000));
      }
      const before = performance.now();
      await trouble(msci);
      restarts.push(performance.now() - before);
      if (kill % 50 === 0) tell(`${kill} kills, ${tally.acknowledged} signals acknowledged, ${model.cookies.size} cookies`);
    }
    on = false;
    await Promise.all(load);
    await Promise.all(devices.map((device) => device.finish()));
    const written = performance.now();

    let kv = await quiet(model, msci);
    const lists = await listed(model, msci);
    const read = await (lists ? customers(lists, msci) : readAll(model, msci));
    // The read API finds a profile by its cookies only.
    const found = model.profiles().filter(({ cookies }) => lists || cookies.some((cookie) => cookie.id));
    await pause(SETTLED_MS);
    let killed = Date.now();
    await msci.kill9();
    let objects = await readObjects(state);
    if (verifyOwed(model, objects, killed).length > 0) {
      // What failed a moment ago is tried again by an alarm, without anybody asking.
      await msci.restart();
      await pause(RETRY_MS);
      kv = await quiet(model, msci);
      killed = Date.now();
      await msci.kill9();
      objects = await readObjects(state);
    }
    return {
      model,
      objects,
      snapshots: kv.shown,
      lists,
      read,
      verify: () => [
        ...tally.faults.map((what) => ({ kind: /** @type {const} */ ("answer"), what })),
        ...verifySignals(model, objects),
        ...verifyOwed(model, objects, killed),
        ...verifyProfiles(model.profiles(), kv.shown, "KV"),
        ...(lists ? verifyProfiles(model.profiles(), lists, "the lists", "list") : []),
        ...verifyProfiles(found, read, "the objects"),
        ...verifyVersions(kv.shown, objects),
      ],
      figures: {
        kills,
        requests: tally.requests,
        acknowledged: tally.acknowledged,
        resent: tally.resent,
        "sent again": tally.again,
        "answered duplicate": tally.duplicates,
        "requests without an answer": tally.unanswered,
        refusals: [...tally.refusals].map(([kind, n]) => `${kind} × ${n}`).join(", ") || "none",
        hung: tally.hung,
        "answers with pending": tally.pending,
        merges: model.merges,
        rotations: model.rotations,
        unlinks: tally.unlinks,
        "signals forgotten": tally.forgotten,
        objects: objects.length,
        "profiles checked": read.length,
        "profiles listed": lists?.length ?? "not served",
        "quiet after": `${(kv.waited / 1000).toFixed(1)} s`,
        "kill and restart": spread(restarts),
        // Work that waited for the restart must not keep visitors waiting.
        "then the first answer": spread(firsts),
        "load, check": `${((written - begun) / 1000).toFixed(1)} s, ${((performance.now() - written) / 1000).toFixed(1)} s`,
      },
    };
  } finally {
    [on, over] = [false, true];
    await Promise.allSettled(load);
    await msci.stop();
  }
}

/** @param {System} msci */
async function pullThePlug(msci) {
  await msci.kill9();
  await msci.restart();
}

/**
 * Waits until the snapshots are what was sent. They are looked at without the Worker, since reading a profile
 * would itself do what is still owed, and hide an alarm that never comes.
 * @param {Model} model
 * @param {System} msci
 */
async function quiet(model, msci) {
  const begun = performance.now();
  for (;;) {
    const shown = await snapshots(msci);
    const waited = performance.now() - begun;
    if (waited > QUIET_MS || verifyProfiles(model.profiles(), shown, "KV").length === 0) return { shown, waited };
    await pause(200);
  }
}

/**
 * @param {System} msci
 * @returns {Promise<import("./verify.mjs").Shown[]>}
 */
async function snapshots(msci) {
  const store = await msci.store();
  const names = [];
  /** @type {string | undefined} */
  let cursor;
  do {
    const page = await store.list({ prefix: "p:", cursor });
    names.push(...page.keys.map((/** @type {{ name: string }} */ key) => key.name));
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  const texts = await inTurns(names, (name) => store.get(name));
  return texts.filter((text) => text !== null).map((text) => {
    const { customer, auth, cookieIds, measures, segments, version } = JSON.parse(text);
    return { customerId: customer, authId: auth?.[1], cookieIds, measures, segments, version };
  });
}

/**
 * Both lists of customers, which may follow the objects a second later; nothing where they are not served.
 * @param {Model} model
 * @param {System} msci
 */
async function listed(model, msci) {
  const end = performance.now() + LISTED_MS;
  for (;;) {
    const lists = await Promise.all(["known", "unknown"].map((kind) => pages(msci, `/customers?kind=${kind}&top=100`, "customers")));
    const [known, unknown] = lists;
    if (!known || !unknown) return undefined;
    const shown = [...known, ...unknown].map(({ customerId, authId, cookieIds }) => ({ customerId, authId, cookieIds }));
    if (performance.now() > end || verifyProfiles(model.profiles(), shown, "the lists").length === 0) return shown;
    await pause(200);
  }
}

/**
 * What the objects of these customers answer themselves, with the whole timeline.
 * @param {import("./verify.mjs").Shown[]} lists
 * @param {System} msci
 * @returns {Promise<import("./verify.mjs").Shown[]>}
 */
async function customers(lists, msci) {
  const found = await inTurns(lists, async ({ customerId }) => {
    const { status, body } = await msci.admin("GET", `/customers/${customerId}`);
    if (status !== 200) return [];
    const { authId, cookieIds, measures, segments, version } = body;
    const timeline = (await pages(msci, `/customers/${customerId}/timeline?top=200`, "activities")) ?? [];
    return [{ customerId, authId, cookieIds, measures, segments, version, activities: timeline.map((activity) => activity.id) }];
  });
  return found.flat();
}

/**
 * All pages of a list; nothing where there is no such list.
 * @param {System} msci
 * @param {string} path with a query
 * @param {string} member that holds the items
 * @returns {Promise<any[] | undefined>}
 */
async function pages(msci, path, member) {
  const items = [];
  let next = path;
  for (;;) {
    const { status, body } = await msci.admin("GET", next);
    if (status !== 200) return undefined;
    items.push(...body[member]);
    if (!body.skiptoken) return items;
    next = `${path}&skiptoken=${encodeURIComponent(body.skiptoken)}`;
  }
}

/**
 * Every profile through the read API, by each of its cookies.
 * @param {Model} model
 * @param {System} msci
 */
async function readAll(model, msci) {
  const ids = [...model.cookies.values()].flatMap(({ id, log, forgotten }) => (id && (log.length > 0 || forgotten) ? [id] : []));
  const answers = await inTurns(ids, (id) =>
    msci.fetch(`${PROFILE}(cookieid='${id}',include=['segmentmembership','measures'])`, {
      headers: { authorization: `Bearer ${msci.adminToken}` },
    }),
  );
  /** @type {Map<string, import("./verify.mjs").Shown>} */
  const shown = new Map();
  for (const { status, body } of answers) {
    if (status !== 200) continue;
    shown.set(body.msdynci_customerid, {
      customerId: body.msdynci_customerid,
      authId: body.msdynci_known ? body.msdynci_people_personid : undefined,
      cookieIds: body.msdynci_cookieids,
      measures: body.measures,
      segments: body.segmentmembership,
    });
  }
  return [...shown.values()];
}

/**
 * @template T, R
 * @param {T[]} list
 * @param {(item: T) => Promise<R>} work
 */
async function inTurns(list, work) {
  /** @type {R[]} */
  const done = [];
  for (let at = 0; at < list.length; at += 16) done.push(...(await Promise.all(list.slice(at, at + 16).map(work))));
  return done;
}

/** @param {number[]} times */
function spread(times) {
  const median = [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
  return `${median.toFixed(0)} ms (median), ${Math.max(0, ...times).toFixed(0)} ms at most`;
}

/** @param {number} ms */
export const pause = (ms) => new Promise((next) => setTimeout(next, ms));

/** Removes a state folder. @param {string} state */
export const discard = (state) => rmSync(state, { recursive: true, force: true });
