// @ts-check
// The files of one object in a state folder.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @typedef {{ database: string, log: string }} Files of an object: the database and its write-ahead log */

/**
 * The files of the objects that are there now.
 * @param {string} state
 * @returns {Files[]}
 */
export function objectFiles(state) {
  const folder = join(state, "objects/msci-ProfileObject");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file))
    .map((file) => ({ database: join(folder, file), log: join(folder, `${file}-wal`) }));
}

/**
 * The files of the one object that `work` brings into being.
 * @param {string} state
 * @param {() => Promise<unknown>} work
 */
export async function filesMade(state, work) {
  const before = new Set(objectFiles(state).map((files) => files.database));
  await work();
  const made = objectFiles(state).filter((files) => !before.has(files.database));
  if (made.length !== 1 || !made[0]) throw new Error(`${made.length} objects were made`);
  return made[0];
}

/** The runtime evicted the object: it closed its database, and with that emptied the log. @param {Files} files */
export const evicted = (files) => !existsSync(files.log);

/** @param {string} file @param {(bytes: Buffer) => void} change */
export function spoil(file, change) {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
}

/** Where the pages of a database are, without the first, which has the header. @param {Buffer} bytes */
export function pages(bytes) {
  const size = bytes.readUInt16BE(16);
  return Array.from({ length: bytes.length / size - 1 }, (_, n) => ({ start: (n + 1) * size, end: (n + 2) * size }));
}

/** Where a write-ahead log ends after each of its transactions. @param {Buffer} bytes */
export function commits(bytes) {
  const [header, frame] = [32, 24 + bytes.readUInt32BE(8)];
  const ends = [];
  for (let at = header; at + frame <= bytes.length; at += frame) {
    // Stale frames of an earlier round have another salt.
    const stale = bytes.compare(bytes, 16, 24, at + 8, at + 16) !== 0;
    if (!stale && bytes.readUInt32BE(at + 4) !== 0) ends.push(at + frame);
  }
  return ends;
}
