// @ts-check
// What the most expensive requests that anybody may send within all limits cost in processor time: of the whole local
// runtime, user and system. That is more than a platform would count for one of them: in it are also SQLite, KV and D1,
// which are services of their own there, the objects, each of which is a request of its own there (two of them where the
// cookie is a customer's), and the compilers. What objects do after the answer (copies in KV and in the index) is apart.
import { readFileSync, readdirSync } from "node:fs";
import { idle } from "../support/jobs.mjs";
import { origin } from "../support/origin.mjs";
import { system } from "../support/system.mjs";
import { attacks, configured } from "./cost/attacks.mjs";

const ROUNDS = Number(process.env.MSCI_ROUNDS ?? 10);
/** By then what the compilers find hot is compiled. */
const WARM = 5;
/** What a request may cost. */
const LIMIT_MS = 50;
/** What is heard of a runtime that has nothing to do, in 50 ms. */
const STILL_MS = 0.5;
const wanted = process.argv[2] ?? "";

/** Processor time of all threads of a process so far, in milliseconds. @param {number} id */
const spent = (id) =>
  readdirSync(`/proc/${id}/task`).reduce((sum, task) => {
    const [ns = 0] = readFileSync(`/proc/${id}/task/${task}/schedstat`, "utf8").split(" ").map(Number);
    return sum + ns / 1e6;
  }, 0);

/** Waits until a process has nothing to do any more: an object's copies are made within the second. @param {number} id */
async function still(id) {
  for (let quiet = 0, last = spent(id); quiet < 8; ) {
    await new Promise((next) => setTimeout(next, 50));
    const now = spent(id);
    quiet = now - last < STILL_MS ? quiet + 1 : 0;
    last = now;
  }
}

/** @param {number[]} values @param {number} [share] */
const quantile = (values, share = 0.5) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;

/** @type {(() => unknown)[]} */
const ends = [];
const large = `<!doctype html><html><head><title>Large</title></head><body>${Array.from({ length: 100 }, (_, n) => `<p id="e${n}">Hello</p>${"<div class='c'><a href='/x?a=1&amp;b=2'>One of many</a></div>".repeat(165)}`).join("")}</body></html>`;
const port = await origin({ after: (end) => void ends.push(end) }, (request, response) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(request.url?.startsWith("/large") ? large : "<!doctype html><title>Small</title>");
});
const msci = await system({ after: (end) => void ends.push(end) }, { origin: `http://127.0.0.1:${port}` });
try {
  await configured(msci);
  await idle(msci);
  const id = msci.runtime();
  console.log(`${"".padEnd(58)} ${"until its answer".padStart(24)}   after it`);
  const over = [];
  for (const [name, attack] of Object.entries(await attacks(msci, "/large"))) {
    if (!name.startsWith(wanted)) continue;
    const [until, after] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    let told = "";
    for (let round = -WARM; round < ROUNDS; round++) {
      const send = await attack();
      if (round === -WARM) await still(id);
      const begun = spent(id);
      const { status, body } = await send();
      const answered = spent(id);
      told = `${status}${body?.ack ? ` ${body.accepted}+${body.rejected.length}` : ""}`;
      await still(id);
      if (round < 0) continue;
      until.push(answered - begun);
      after.push(spent(id) - answered);
    }
    const [median, worst] = [quantile(until), quantile(until, 1)];
    if (median > LIMIT_MS) over.push(name);
    const shown = (/** @type {number} */ ms) => ms.toFixed(1).padStart(7);
    console.log(`${name.padEnd(46)} ${told.padEnd(11)} ${shown(median)} ms, worst ${shown(worst)} ms ${shown(quantile(after))} ms`);
  }
  console.log(over.length === 0 ? `each stays below ${LIMIT_MS} ms` : `more than ${LIMIT_MS} ms: ${over.join("; ")}`);
} finally {
  for (const end of ends.reverse()) await end();
}
