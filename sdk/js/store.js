// The queue's rows on the device: IndexedDB, else localStorage, else nowhere (the page's memory has them
// in any case). Each page owns the rows it made, and holds a lock as long as it lives; rows whose lock is
// free were left by a page that ended, and go to the first page that takes the lock.
//
// What is asked for while a transaction is under way goes together in the next one.

import { attempt } from "./attempt.js";

/** @typedef {any} Any */
/** @typedef {{ owner: string, n: number }} Row with the members the module gave it */

const NAME = "_msci";
const ROWS = "signals";
const PREFIX = "_msci:";

/** @type {Promise<IDBDatabase> | undefined} */
let base;
/** Puts and deletes that wait for a transaction. */
/** @type {[owner: string, n: number, row?: Row][]} */
let asked = [];
/** The last transaction that is under way or due. */
let writing = Promise.resolve();
let due = false;
/** Owners whose rows are this page's. */
const owners = new Set();
/** @type {((_: unknown) => void)[]} */
let locks = [];

/** Where the last row went. */
export let kind = "indexedDB";

// A database that does not answer is one that is not there. It gets its time: the next store does not
// outlive a browser that is killed.
const soon = (/** @type {(resolve: Any, reject: Any) => void} */ act) =>
  /** @type {Promise<Any>} */ (
    new Promise((resolve, reject) => {
      setTimeout(reject, 1e4);
      act(resolve, reject);
    })
  );

const close = () => {
  base?.then((open) => open.close()).catch(() => {});
  base = undefined;
};

const open = () =>
  (base ??= soon((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ROWS, { keyPath: ["owner", "n"] });
    request.onerror = reject;
    request.onsuccess = () => {
      // Another tab empties the device.
      request.result.onversionchange = request.result.onclose = close;
      resolve(request.result);
    };
  }));

const transact = async (/** @type {IDBTransactionMode} */ mode, /** @type {(rows: IDBObjectStore) => Any} */ act) => {
  const database = await open();
  return soon((resolve, reject) => {
    const transaction = database.transaction(ROWS, mode, { durability: "strict" });
    const request = act(transaction.objectStore(ROWS));
    // Not only once all has been answered: the page may be gone by then.
    transaction.commit?.();
    transaction.onabort = reject;
    transaction.oncomplete = () => resolve(request?.result);
  });
};

const write = async () => {
  const now = asked;
  asked = [];
  due = false;
  try {
    await transact("readwrite", (rows) => {
      for (const [owner, n, row] of now) row ? rows.put(row) : rows.delete([owner, n]);
    });
    kind = "indexedDB";
  } catch {
    // One that broke is made anew, but not each time: a database that hangs keeps everybody waiting.
    setTimeout(close, 3e4);
    kind = "memory";
  }
  attempt(() => {
    for (const [owner, n, row] of now) {
      const key = PREFIX + owner + n;
      if (!row) localStorage.removeItem(key);
      else if (kind === "memory") localStorage.setItem(key, JSON.stringify(row));
    }
    if (kind === "memory") kind = "localStorage";
  });
};

/** Resolves when everything asked for so far is durable, as far as this device goes, whatever is asked for meanwhile. */
export const written = () => {
  if (asked[0] && !due) {
    due = true;
    writing = writing.then(write);
  }
  return writing;
};

/** @param {string} owner @param {number} n @param {Any} row */
export const keep = (owner, n, row) => {
  asked.push([owner, n, { ...row, owner, n }]);
  written();
};

/** @param {string} owner @param {number[]} numbers */
export const drop = (owner, numbers) => {
  for (const n of numbers) asked.push([owner, n]);
  written();
};

// What localStorage has: keys and rows, as text.
const local = () => attempt(() => Object.entries(localStorage).filter(([key]) => key.startsWith(PREFIX))) ?? [];

const parsed = (/** @type {Any} */ [, row]) => attempt(() => JSON.parse(row));

/** Empties the device. */
export const purge = async () => {
  asked = [];
  await writing;
  close();
  attempt(() => {
    for (const [key] of local()) localStorage.removeItem(key);
    indexedDB.deleteDatabase(NAME);
  });
};

// Answers whether the rows of `owner` are this page's from now on. Without locks the first to ask has
// them, in each page: what is sent twice is known by its name.
const take = (/** @type {string} */ owner) =>
  new Promise((/** @type {Any} */ taken) =>
    navigator.locks
      .request(PREFIX + owner, { ifAvailable: true }, (lock) => {
        taken(lock);
        return lock && new Promise((free) => locks.push(free));
      })
      .catch(taken),
  )
    .catch(() => !owners.has(owner))
    .then((got) => got && owners.add(owner));

/**
 * Claims what pages that ended have left.
 * @param {string} own the owner of this page's rows
 * @param {string} to whom they are for, by key: instances of a page may have different edges
 * @param {(owner: string, rows: [n: number, row: Row][]) => void} give
 */
export const left = async (own, to, give) => {
  await take(own);
  const stored = async (/** @type {Any} */ range = undefined) =>
    [...(await transact("readonly", (rows) => rows.getAll(range)).catch(() => [])), ...local().map(parsed)].filter(
      (/** @type {Any} */ row) => row?.owner && (row.to ?? to) === to,
    );
  for (const owner of new Set((await stored()).map((row) => row.owner))) {
    if (!owners.has(owner) && (await take(owner))) {
      // As they are now that nobody else has them.
      const rows = await stored(IDBKeyRange.bound([owner], [owner, []]));
      give(owner, rows.filter((row) => row.owner === owner).map((row) => [row.n, row]));
    }
  }
};

/** The page may never run again: others may go on with its rows. */
export const release = () => {
  owners.clear();
  locks.splice(0).map((/** @type {Any} */ free) => free());
};
