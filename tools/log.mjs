// @ts-check
// Write-ahead logs of SQLite that were damaged where they lie.
import { readFileSync, writeFileSync } from "node:fs";

const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * SQLite ends a log at the first frame that is not whole, in silence. That is right for what a crash leaves
 * at the end, and wrong for damage, since whole transactions follow. They are made part of the log again: the
 * frames' checksums are written anew. What was damaged shows when a row of it is read, by the row's own sum.
 * @param {string} file
 * @returns {number | undefined} where the damage was, if there was any
 */
export function mendLog(file) {
  const log = readFileSync(file);
  if (log.length < HEADER) return undefined;
  const little = log.readUInt32BE(0) === 0x377f0682;
  const frame = FRAME_HEADER + log.readUInt32BE(8);
  const words = new DataView(log.buffer, log.byteOffset);
  /** Each frame's checksum goes on from the one before. @typedef {[number, number]} Sum */
  /** @param {number} start @param {number} end @param {Sum} seed @returns {Sum} */
  const sum = (start, end, [a, b]) => {
    for (let at = start; at < end; at += 8) {
      a = (a + words.getUint32(at, little) + b) | 0;
      b = (b + words.getUint32(at + 4, little) + a) | 0;
    }
    return [a, b];
  };
  /** @param {number} at @param {Sum} seed */
  const sumOfFrame = (at, seed) => sum(at + FRAME_HEADER, at + frame, sum(at, at + 8, seed));
  /** @param {number} at @returns {Sum} */
  const stored = (at) => [log.readInt32BE(at), log.readInt32BE(at + 4)];
  const same = (/** @type {Sum} */ one, /** @type {Sum} */ other) => one[0] === other[0] && one[1] === other[1];

  const begin = stored(24);
  // A log whose header is not whole is none to SQLite either.
  if (!same(sum(0, 24, [0, 0]), begin)) return undefined;
  /** @type {number | undefined} */
  let broken;
  let end = 0;
  let seed = begin;
  for (let at = HEADER; at + frame <= log.length; at += frame) {
    // What an earlier round left has another salt; or the salt is what is damaged.
    const ours = log.compare(log, 16, 24, at + 8, at + 16) === 0;
    const whole = ours && same(sumOfFrame(at, seed), stored(at + 16));
    if (!whole) broken ??= at;
    // Up to the last transaction that is known to be whole by its predecessor's checksum.
    else if (log.readUInt32BE(at + 4) !== 0) end = at + frame;
    seed = stored(at + 16);
  }
  if (broken === undefined || end <= broken) return undefined;
  seed = broken === HEADER ? begin : stored(broken - frame + 16);
  for (let at = broken; at < end; at += frame) {
    log.copy(log, at + 8, 16, 24);
    seed = sumOfFrame(at, seed);
    log.writeInt32BE(seed[0], at + 16);
    log.writeInt32BE(seed[1], at + 20);
  }
  writeFileSync(file, log);
  return broken;
}
