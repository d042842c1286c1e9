// @ts-check
// The folder of the persistent state. A folder that is not ours, or no longer whole, is refused before
// anything is written into it.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, readdirSync } from "node:fs";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop } from "./lib.mjs";
import { mendLog } from "./log.mjs";

const MARKER = "msci-state.json";
const FORMAT = 1;
/** Who has the folder open: `{ owner, runtime }`, process ids. */
const CLAIM = "msci-process.json";

/**
 * Makes the folder when it is not there, and checks it.
 * @param {string} folder
 */
export function openState(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    const probe = join(folder, `.write-probe-${process.pid}`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw new Stop(`cannot write to the state folder ${folder}: ${/** @type {Error} */ (error).message}`);
  }
  const marker = join(folder, MARKER);
  if (existsSync(marker)) checkMarker(marker);
  else if (readdirSync(folder).length === 0) writeFileSync(marker, `{"format":${FORMAT}}\n`);
  else throw new Stop(`${folder} is not a state folder of this product (it has no ${MARKER}); set MSCI_STATE to a new or empty folder`);
  endOrphan(folder);
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, file);
    const fault = file.endsWith(".sqlite") ? faultOf(path) : file.endsWith(".sqlite-wal") ? faultOfLog(path) : undefined;
    if (fault) throw new Stop(`the state folder ${folder} is damaged: ${file} ${fault}`);
    const mended = file.endsWith(".sqlite-wal") ? mendLog(path) : undefined;
    if (mended !== undefined) {
      console.error(`${file} was damaged at byte ${mended}; it is mended, and its rows are checked when they are read`);
    }
  }
}

/**
 * Notes that a runtime has the folder open.
 * @param {string} folder
 * @param {number | undefined} runtime
 */
export function claimState(folder, runtime) {
  writeFileSync(join(folder, CLAIM), JSON.stringify({ owner: process.pid, runtime }));
}

/**
 * Two runtimes on one folder would spoil it. One whose starter was killed outright is ended here, since
 * nobody else will.
 * @param {string} folder
 */
function endOrphan(folder) {
  let claim;
  try {
    claim = JSON.parse(readFileSync(join(folder, CLAIM), "utf8"));
  } catch {
    return;
  }
  if (nameOf(claim.runtime) !== "workerd") return;
  if (nameOf(claim.owner)) throw new Stop(`the state folder ${folder} is in use by process ${claim.owner}`);
  process.kill(claim.runtime, "SIGKILL");
}

/**
 * The name of a living process; ids are given again, so an id alone says nothing. Where there is no
 * process table to read, nothing is ever found.
 * @param {unknown} id
 */
function nameOf(id) {
  try {
    const stat = readFileSync(`/proc/${Number(id)}/stat`, "utf8");
    const [, name, state] = /\((.*)\) (.)/s.exec(stat) ?? [];
    return state === "Z" ? undefined : name;
  } catch {
    return undefined;
  }
}

/** @param {string} marker */
function checkMarker(marker) {
  let format;
  try {
    format = JSON.parse(readFileSync(marker, "utf8")).format;
  } catch {
    throw new Stop(`the state folder is damaged: ${marker} cannot be read`);
  }
  if (!Number.isInteger(format) || format < 1) throw new Stop(`the state folder is damaged: ${marker} names no format`);
  if (format > FORMAT) throw new Stop(`the state folder has format ${format} and this version reads up to ${FORMAT}: ${marker}`);
}

/**
 * What is wrong with a database file, as far as its header and length tell; it may be empty, or short of
 * its last pages, while the write-ahead log beside it has them.
 * @param {string} file
 */
function faultOf(file) {
  const { size } = statSync(file);
  if (size === 0) return undefined;
  const header = head(file, 101);
  if (header.toString("latin1", 0, 16) !== "SQLite format 3\0") return "is not a database";
  // The format writes 65536, which does not fit, as 1.
  const page = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
  if (page < 512 || (page & (page - 1)) !== 0) return "has an impossible page size";
  // Constants of the format, and the kind of its first page: the root of a table.
  const constants = header[21] === 64 && header[22] === 32 && header[23] === 32;
  if (!constants || (header[100] !== 5 && header[100] !== 13)) return "has a broken header";
  if (size % page !== 0 && !existsSync(`${file}-wal`)) return "is cut off";
  return undefined;
}

/**
 * SQLite takes a log that it cannot read for an empty one, and what was written last would be gone in
 * silence.
 * @param {string} file
 */
function faultOfLog(file) {
  const magic = head(file, 4).readUInt32BE(0);
  if (magic === 0) return undefined;
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return "is not a write-ahead log";
  return existsSync(file.slice(0, -"-wal".length)) ? undefined : "is without its database";
}

/**
 * The first bytes of a file; zeros where it is shorter.
 * @param {string} file
 * @param {number} length
 */
function head(file, length) {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  readSync(descriptor, bytes, 0, length, 0);
  closeSync(descriptor);
  return bytes;
}
