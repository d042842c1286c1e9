// @ts-check
// Holds what is stored and what is answered against what clients sent. Pure, so that a test can spoil any of
// it and see that it is noticed.

/**
 * @typedef {"lost" | "doubled" | "misplaced" | "invented" | "altered" | "unfinished" | "profile" | "list" | "answer"} Kind
 * @typedef {{ kind: Kind, what: string }} Fault
 *
 * @typedef {object} Shown a profile as somebody sees it
 * @property {string} customerId
 * @property {string | undefined} authId
 * @property {string[]} cookieIds
 * @property {Record<string, number | null>} [measures]
 * @property {string[]} [segments]
 * @property {number} [version]
 * @property {string[]} [activities] ids
 */

/**
 * Law 3, on disk: every acknowledged signal is in exactly one cookie's log and, if that cookie is linked,
 * exactly once in the customer's timeline and in no other; and nothing is there that nobody sent.
 * @param {import("./model.mjs").Model} model
 * @param {import("./disk.mjs").StoredObject[]} objects
 * @returns {Fault[]}
 */
export function verifySignals(model, objects) {
  /** @type {Fault[]} */
  const faults = [];
  const fault = (/** @type {Kind} */ kind, /** @type {string} */ what) => faults.push({ kind, what });
  /** Cookies of the logs, and authIds of the timelines, that hold a signal. */
  const [logs, timelines] = [holders(objects, false), holders(objects, true)];

  for (const cookie of model.cookies.values()) {
    // The first of a cookie's signals tells the id of a cookie that no answer named.
    const [first] = cookie.log;
    const told = first && logs.get(`${first.stream}/${first.seq}`)?.[0]?.cookie;
    if (!cookie.id && told) model.name(cookie, told);
  }
  for (const [identity, signal] of model.signals) {
    if (!signal.acknowledged || !signal.cookie) continue;
    const where = logs.get(identity) ?? [];
    const { id, link } = signal.cookie;
    const told = `${identity} (${signal.type}) of ${id ?? signal.cookie.key}`;
    if (where.length === 0) fault("lost", `${told} is in no log`);
    if (where.length > 1) fault("doubled", `${told} is in the logs of ${where.map((at) => at.cookie).join(", ")}`);
    if (where.length === 1 && where[0]?.cookie !== id) fault("misplaced", `${told} is in the log of ${where[0]?.cookie}`);
    const seen = timelines.get(identity) ?? [];
    const strangers = seen.filter((at) => at.authId !== link || at.cookie !== id);
    if (strangers.length > 0) {
      fault("misplaced", `${told} is linked to ${link ?? "nobody"} and in the timeline of ${strangers.map((at) => `${at.authId} by ${at.cookie}`).join(", ")}`);
    }
    const right = seen.length - strangers.length;
    if (link && right === 0) fault("lost", `${told} is not in the timeline of ${link}`);
    if (right > 1) fault("doubled", `${told} is ${right} times in the timeline of ${link}`);
    for (const row of [...where, ...seen]) {
      const total = signal.type === "event" ? signal.cents / 100 : undefined;
      const same = row.type === signal.type && row.fields.authId === signal.authId && row.fields.properties?.total === total;
      if (!same) fault("altered", `${told} is stored as ${row.type} ${JSON.stringify(row.fields)}`);
    }
  }
  for (const [identity, rows] of [...logs, ...timelines]) {
    if (!model.signals.has(identity)) fault("invented", `${identity} was never sent, or was forgotten, and is with ${rows.map((row) => row.cookie).join(", ")}`);
  }
  for (const what of model.contradictions) fault("misplaced", what);
  return faults;
}

/**
 * Who holds each signal: its cookie's own object, or customers.
 * @param {import("./disk.mjs").StoredObject[]} objects
 * @param {boolean} ofCustomers
 */
function holders(objects, ofCustomers) {
  /** @type {Map<string, (import("./disk.mjs").Row & { authId: string | undefined })[]>} */
  const found = new Map();
  for (const { log, authId, signals } of objects) {
    for (const row of signals) {
      if ((row.cookie !== log?.cookie) !== ofCustomers) continue;
      const identity = `${row.stream}/${row.seq}`;
      const rows = found.get(identity);
      if (rows) rows.push({ ...row, authId });
      else found.set(identity, [{ ...row, authId }]);
    }
  }
  return found;
}

/** How long a snapshot may be owed (ms): a minute after a restart each is written once more. */
const OWED_MS = 2000;

/**
 * Once things are quiet, nothing is owed, and every link is what people did.
 * @param {import("./model.mjs").Model} model
 * @param {import("./disk.mjs").StoredObject[]} objects
 * @param {number} killed when the system was stopped
 * @returns {Fault[]}
 */
export function verifyOwed(model, objects, killed) {
  /** @type {Fault[]} */
  const faults = [];
  const byId = new Map([...model.cookies.values()].map((cookie) => [cookie.id, cookie]));
  /** Roots as stored by the cookie that they are made of, and the other way round. @type {Map<string, string>} */
  const roots = new Map();
  /** @type {Map<string, string>} */
  const rooted = new Map();
  const customers = new Map(objects.filter((object) => object.authId).map((object) => [object.name, object]));
  for (const { name, log, link, owed, signals } of objects) {
    const told = log ? `the object of ${log.cookie}` : `the object ${name}`;
    const fault = (/** @type {Kind} */ kind, /** @type {string} */ what) => faults.push({ kind, what: `${told} ${what}` });
    if (owed.projection !== null && owed.projection < killed - OWED_MS) fault("unfinished", "owes its snapshot");
    if (owed.drops.length > 0) fault("unfinished", `owes ${owed.drops.length} unlinks`);
    if (!log) continue;
    const cookie = byId.get(log.cookie);
    if (!cookie) {
      fault("invented", "belongs to nobody");
      continue;
    }
    if (link?.customer.auth_id !== cookie.link) fault("misplaced", `is linked to ${link?.customer.auth_id}, not to ${cookie.link}`);
    // A root does not say which cookieId it is made of; those of one browser share it, and nobody else does.
    const made = cookie.root.id ?? "";
    const root = roots.get(made) ?? log.root;
    const other = rooted.get(log.root) ?? made;
    if (log.root !== root || other !== made) fault("misplaced", `has the root ${log.root}, not ${root}`);
    roots.set(made, root);
    rooted.set(log.root, other);
    if (!cookie.forgotten && log.end !== signals.length) fault("lost", `has ${signals.length} of ${log.end} signals`);
    if (!link) continue;
    if (!link.accepted || link.shipped !== log.end) fault("unfinished", `shipped ${link.shipped} of ${log.end} signals`);
    const copy = customers.get(link.customer.id)?.copies.get(log.cookie);
    if (!copy || copy.dropped || copy.up_to !== log.end) fault("unfinished", `has ${log.end} signals, of which its customer has ${copy?.up_to}`);
  }
  for (const { authId, copies } of customers.values()) {
    for (const [cookie, { dropped }] of copies) {
      const linked = authId !== undefined && byId.get(cookie)?.link === authId;
      if (linked === dropped) faults.push({ kind: "misplaced", what: `${authId} ${dropped ? "does not list" : "lists"} ${cookie}` });
    }
  }
  return faults;
}

/**
 * Profiles as somebody shows them equal a recount of what was sent; all of them, and no others.
 * @param {ReturnType<import("./model.mjs").Model["profiles"]>} profiles as they should be
 * @param {Shown[]} shown
 * @param {string} where who shows them
 * @param {Kind} [kind]
 * @returns {Fault[]}
 */
export function verifyProfiles(profiles, shown, where, kind = "profile") {
  /** @type {Fault[]} */
  const faults = [];
  const fault = (/** @type {string} */ what) => faults.push({ kind, what: `${where}: ${what}` });
  const key = (/** @type {string | undefined} */ authId, /** @type {string | undefined} */ cookie) => authId ?? `cookie ${cookie}`;
  const left = new Map(shown.map((profile) => [key(profile.authId, profile.cookieIds[0]), profile]));
  if (left.size !== shown.length) fault(`${shown.length - left.size} profiles are there twice`);
  for (const { authId, cookies, measures, segments } of profiles) {
    const name = key(authId, cookies[0]?.id);
    const profile = left.get(name);
    left.delete(name);
    if (!profile) {
      // What a purged cookie leaves is an empty profile, until it expires.
      if (authId || !cookies[0]?.forgotten) fault(`${name} is missing`);
      continue;
    }
    const ids = cookies.map((cookie) => cookie.id);
    // An id that no answer named is found on disk only.
    const foreign = profile.cookieIds.filter((id) => !ids.includes(id)).length;
    if (profile.cookieIds.length !== ids.length || foreign !== ids.filter((id) => !id).length) {
      fault(`${name} has the cookies ${profile.cookieIds.join(", ")}, not ${ids.join(", ")}`);
    }
    for (const [measure, value] of Object.entries(profile.measures ? measures : {})) {
      const is = profile.measures?.[measure] ?? null;
      if (is !== value) fault(`${name} has ${measure} = ${is}, not ${value}`);
    }
    if (profile.segments && [...profile.segments].sort().join() !== segments.join()) {
      fault(`${name} is in the segments ${profile.segments.join()}, not ${segments.join()}`);
    }
    if (profile.activities) faults.push(...verifyTimeline(name, cookies, profile.activities, where));
  }
  for (const name of left.keys()) fault(`${name} is there, and nobody made it`);
  return faults;
}

/**
 * @param {string} name
 * @param {import("./model.mjs").Cookie[]} cookies
 * @param {string[]} shown ids of activities
 * @param {string} where
 */
function verifyTimeline(name, cookies, shown, where) {
  /** @type {Fault[]} */
  const faults = [];
  const sent = cookies.flatMap((cookie) => cookie.log.map((signal) => `${cookie.id}:${signal.stream}:${signal.seq}`));
  const left = new Set(shown);
  if (left.size !== shown.length) faults.push({ kind: "doubled", what: `${where}: ${name} shows ${shown.length - left.size} signals twice` });
  for (const id of sent) {
    if (!left.delete(id)) faults.push({ kind: "lost", what: `${where}: ${name} does not show ${id}` });
  }
  for (const id of left) faults.push({ kind: "invented", what: `${where}: ${name} shows ${id}` });
  return faults;
}

/**
 * Copies are of the objects' newest versions.
 * @param {Shown[]} copies
 * @param {import("./disk.mjs").StoredObject[]} objects
 * @returns {Fault[]}
 */
export function verifyVersions(copies, objects) {
  const versions = new Map(objects.map((object) => [object.name, object.version]));
  return copies
    .filter((copy) => copy.version !== versions.get(copy.customerId))
    .map((copy) => ({ kind: "profile", what: `KV has version ${copy.version} of ${copy.customerId}, the object ${versions.get(copy.customerId)}` }));
}
