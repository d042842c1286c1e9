// @ts-check
// Imports: rows a second, and what they cost in memory; then the job that carries a new segment to 100,000
// customers without web activity and to 1,000 with it.
import { readFileSync } from "node:fs";
import { faultySystem } from "../support/faults/system.mjs";
import { idle, jobs } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

const ROWS = 100_000;
const OBJECTS = 1000;
const COLUMNS = { FirstName: "string", LastName: "string", Email: "string", Tier: "string", Spend: "number" };

const msci = await faultySystem();
/** Memory of the runtime, in MB, as the system counts it. */
const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${msci.runtime()}/status`, "utf8"))?.[1]) / 1024;
const wasm = async () => ((await msci.told()).memory.console ?? 0) / 1024 / 1024;
const seconds = async (/** @type {() => Promise<unknown>} */ work) => {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
};
const print = (/** @type {string} */ what, /** @type {string} */ figure) => console.log(`${what.padEnd(62)} ${figure}`);

/** A stream of CSV. @param {number} n @param {(n: number) => number} spend */
function csv(n, spend) {
  let at = -1;
  return new ReadableStream({
    pull(controller) {
      let text = at < 0 ? "Id,FirstName,LastName,Email,Tier,Spend\n" : "";
      const end = Math.min(n, at + 500);
      for (at = Math.max(at, 0); at < end; at++) {
        text += `Customer${at},First${at % 100},Last${at % 1000},first${at}@example.com,${at % 3 ? "Silver" : "Gold"},${spend(at)}\n`;
      }
      controller.enqueue(new TextEncoder().encode(text));
      if (at >= n) controller.close();
    },
  });
}

/** @param {string} what @param {(n: number) => number} spend */
async function imported(what, spend) {
  const before = { resident: resident(), wasm: await wasm() };
  /** @type {any} */
  let body;
  const took = await seconds(async () => {
    /** @type {any} Streams want `duplex`, which the types do not know. */
    const init = {
      method: "POST",
      body: csv(ROWS, spend),
      // Of its own: the next request must not come upon a connection that just closes.
      headers: { authorization: `Bearer ${msci.adminToken}`, "content-type": "text/csv", connection: "close" },
      duplex: "half",
    };
    body = await (await fetch(`${msci.base}/_msci/admin/v1/tables/People/rows`, init)).json();
  });
  print(`${what}: created ${body.created}, updated ${body.updated}, unchanged ${body.unchanged}`, `${took.toFixed(1)} s, ${Math.round(ROWS / took)} rows/s`);
  print("  memory: the module's, the runtime's", `${before.wasm.toFixed(1)} -> ${(await wasm()).toFixed(1)} MB, ${before.resident.toFixed(0)} -> ${resident().toFixed(0)} MB`);
  print("  until its job has carried all of it on", `${(await seconds(() => idle(msci, 600_000))).toFixed(1)} s`);
}

try {
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: COLUMNS });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
  await msci.admin("PUT", "/segments/Rich", { filter: "Spend ge 1000" });
  await idle(msci);
  await imported("import of new rows", (n) => n % 2000);
  await imported("the same rows again", (n) => n % 2000);
  await imported("a tenth of them changed", (n) => (n % 10 ? n % 2000 : 5000));

  const evaluated = async (/** @type {string} */ what, /** @type {string} */ filter) => {
    const took = await seconds(async () => {
      await msci.admin("PUT", "/segments/New", { filter });
      await idle(msci, 600_000);
    });
    const [job] = await jobs(msci, "evaluate");
    const { members } = (await msci.admin("GET", "/segments/New")).body;
    print(`${what} (${job.done} customers, ${members} in it)`, `${took.toFixed(1)} s`);
  };
  await evaluated("a segment is saved", "Tier eq 'Gold'");
  await evaluated("it is saved again, the same", "Tier eq 'gold'");

  for (let n = 0; n < OBJECTS; n++) {
    const her = browser();
    await msci.collect(her.batch(her.view("/reviews/1"), ...(n % 2 ? [her.user(`Customer${n}`)] : [])));
  }
  await until(async () => (await msci.index("SELECT count(*) AS n FROM customer WHERE gone = 0"))[0].n >= OBJECTS, "all are listed", 120_000);
  await evaluated(`it is changed, with ${OBJECTS} objects`, "Tier eq 'Gold' or UnifiedActivity/any(a: contains(a/ViewUri,'/reviews/'))");
  const previewed = await seconds(async () => {
    const { body } = await msci.admin("POST", "/segments/preview", { filter: "Spend ge 1500 and Tier eq 'Silver'" });
    print("  preview finds", `${body.count}${body.approximate ? ", approximately" : ""}`);
  });
  print(`preview of a filter over ${ROWS} rows`, `${previewed.toFixed(1)} s`);
} finally {
  await msci.stop();
}
