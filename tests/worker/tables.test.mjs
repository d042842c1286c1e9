// @ts-check
// Tables: rows as a stream, with a verdict for every bad line; what can change, and what goes with one.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { faultySystem } from "../support/faults/system.mjs";
import { finished, idle, imports, jobs } from "../support/jobs.mjs";
import { browser, profile } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
before(async () => {
  msci = await faultySystem();
  await msci.admin("PUT", "/tables/People", people);
  await msci.admin("PUT", "/segments/Golden", { filter: "Tier eq 'Gold'" });
});
after(() => msci.stop());

const people = { primaryKey: "Id", columns: { Tier: "string", Spend: "number", Vip: "boolean" } };

/**
 * @param {string | Uint8Array} body
 * @param {Record<string, string>} [headers]
 * @param {string} [table]
 */
const rows = (body, headers = {}, table = "People") =>
  msci.fetch(`/_msci/admin/v1/tables/${table}/rows`, {
    method: "POST",
    body: /** @type {any} */ (body),
    headers: { authorization: `Bearer ${msci.adminToken}`, "content-type": "text/csv", ...headers },
  });

/** How many rows a table has. */
const count = async (table = "People") => (await msci.admin("GET", `/tables/${table}`)).body.rows;

/** Line and code of what was rejected. @param {any} body */
const faults = (body) => body.rejected.map((/** @type {any} */ { line, code }) => [line, code]);

/** Checks that every line has its verdict. @param {any} body */
const adds = (body) =>
  assert.equal(body.received, body.created + body.updated + body.unchanged + body.rejected.length + body.unlisted);

test("whatever is wrong with a line of CSV is said of that line, and the others are taken", async () => {
  const csv = Buffer.concat([
    Buffer.from('\ufeffId,Tier,Spend,Vip\r\nV1,Gold,1.5,true\r\n,Gold,1,true\r\nV2,"two\r\nlines",,\r\nV3,x,much,true\r\n'),
    Buffer.from("V1,Gold,2,true\r\nV4,short\r\nV5,"),
    Buffer.from([0xff, 0xfe]),
    Buffer.from(',1,1\r\nguest,x,1,1\r\n\r\nV6,"x ""y""",7,0\r\nV7,"never closed,1,1\r\nV8,x,1,1\r\n'),
  ]);
  const { status, body } = await rows(csv);
  assert.equal(status, 200);
  assert.deepEqual([body.received, body.created, body.unlisted], [10, 3, 0]);
  assert.deepEqual(faults(body), [
    [3, "key_invalid"],
    [6, "invalid_value"],
    [7, "duplicate_key"],
    [8, "wrong_column_count"],
    [9, "invalid_utf8"],
    [10, "key_invalid"],
    [13, "unclosed_quote"],
  ]);
  adds(body);
  for (const { message } of body.rejected) assert.ok(message.length > 10, message);
  const again = (await rows(csv)).body;
  assert.deepEqual([again.created, again.updated, again.unchanged], [0, 0, 3]);
});

test("of a very long list of bad lines the first thousand are told, and how many there were", async () => {
  const { body } = await rows(`Id,Tier\n${"guest,x\n".repeat(2500)}L1,x\n`);
  assert.deepEqual([body.received, body.created, body.rejected.length, body.unlisted], [2501, 1, 1000, 1500]);
  assert.equal(body.rejected.at(-1).line, 1001);
  adds(body);
});

test("all bad lines are told where they are asked for, in the same shape", async () => {
  const all = async (/** @type {string} */ csv) => {
    const answer = await msci.admin("POST", "/tables/People/rows?rejected=all", csv, { "content-type": "text/csv" });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    adds(answer.body);
    return answer.body;
  };
  const many = await all(`Id,Tier\n${"guest,x\n".repeat(2500)}L2,x\nL2,x\nL3,x\nshort\n`);
  assert.deepEqual([many.received, many.created, many.rejected.length, many.unlisted], [2504, 2, 2502, 0]);
  assert.deepEqual(many.rejected.map((/** @type {any} */ { line }) => line), [...Array.from({ length: 2500 }, (_, at) => at + 2), 2503, 2505]);
  assert.deepEqual(many.rejected.slice(-2).map((/** @type {any} */ { code }) => code), ["duplicate_key", "wrong_column_count"]);
  for (const [count, csv] of /** @type {[number, string][]} */ ([[0, "Id,Tier\nL2,x\n"], [1, "Id,Tier\nguest,x\n"], [1000, `Id,Tier\n${"guest,x\n".repeat(1000)}`], [1001, `Id,Tier\n${"guest,x\n".repeat(1001)}`]])) {
    assert.equal((await all(csv)).rejected.length, count);
  }
  const other = await msci.admin("POST", "/tables/People/rows?rejected=some", "Id\n", { "content-type": "text/csv" });
  assert.deepEqual([other.status, other.body.error.code], [400, "invalid_option"]);
});

test("gzip is taken, and what only says that it is gzip is refused", async () => {
  const csv = `Id,Tier\n${Array.from({ length: 1200 }, (_, n) => `G${n},Silver`).join("\n")}\n`;
  const packed = await rows(gzipSync(csv), { "content-encoding": "gzip" });
  assert.deepEqual([packed.status, packed.body.received, packed.body.created], [200, 1200, 1200]);
  const broken = await rows(csv, { "content-encoding": "gzip" });
  assert.deepEqual([broken.status, broken.body.error.code], [400, "invalid_gzip"]);
  const cut = await rows(gzipSync(csv.replaceAll("G", "H")).subarray(0, -20), { "content-encoding": "gzip" });
  assert.deepEqual([cut.status, cut.body.error.code], [400, "invalid_gzip"]);
  const unknown = await rows(csv, { "content-encoding": "br" });
  assert.deepEqual([unknown.status, unknown.body.error.code], [415, "unsupported_media_type"]);
  for (const type of ["application/json", "", "text/plain"]) {
    assert.equal((await rows(csv, { "content-type": type })).status, 415, type);
  }
});

test("a header that does not fit the table, or no table, refuses the whole", async () => {
  for (const [header, code] of [
    ["Id,Nope", "unknown_column"],
    ["Id,Tier,Tier", "duplicate_column"],
    ["\u0000", "unknown_column"],
  ]) {
    const answer = await rows(`${header}\nA,1\n`);
    assert.deepEqual([answer.status, answer.body.error.code], [400, code]);
  }
  assert.equal((await rows("Id\nA\n", {}, "Nobody")).status, 404);
  const nothing = await rows("");
  assert.deepEqual([nothing.status, nothing.body.received], [200, 0]);
});

test("memory does not grow with the import", async () => {
  const filler = "x".repeat(3000);
  /** An import of so many rows of 3 KB. @param {string} prefix @param {number} n */
  const sized = async (prefix, n) => {
    const lines = ["Id,Tier"];
    for (let i = 0; i < n; i++) lines.push(`${prefix}${i},${filler}`);
    const { body } = await rows(lines.join("\n"));
    assert.deepEqual([body.received, body.created], [n, n]);
    return (await msci.told()).memory.console ?? 0;
  };
  const few = await sized("MA", 500);
  await idle(msci);
  const many = await sized("MB", 5000);
  assert.ok(many - few < 4 * 1024 * 1024, `an import of 15 MB took ${many - few} bytes of memory`);
  await idle(msci);
});

test("a sender who goes away leaves whole chunks, which count, and can send everything again", async () => {
  const line = (/** @type {number} */ n) => `Away${n},Gold,${n},true\n`;
  const total = 6000;
  const before = await count();
  await new Promise((resolve) => {
    const path = `${msci.base}/_msci/admin/v1/tables/People/rows`;
    const headers = { authorization: `Bearer ${msci.adminToken}`, "content-type": "text/csv" };
    const sender = request(path, { method: "POST", headers }, () => {});
    sender.on("error", resolve);
    sender.on("close", resolve);
    sender.write("Id,Tier,Spend,Vip\n");
    for (let n = 0; n < total / 2; n++) sender.write(line(n));
    // Once some of it is there, and before the end.
    until(async () => (await count()) > before, "the first chunk is written").then(() => sender.destroy(), resolve);
  });
  const left = await until(async () => {
    const first = await count();
    await new Promise((next) => setTimeout(next, 200));
    return first === (await count()) && first;
  }, "nothing more is written");
  assert.equal((left - before) % 500, 0, "whole chunks");
  assert.ok(left < before + total);
  const lines = Array.from({ length: total }, (_, n) => line(n));
  const { body } = await rows(`Id,Tier,Spend,Vip\n${lines.join("")}`);
  assert.deepEqual([body.received, body.created, body.unchanged], [total, before + total - left, left - before]);
  await idle(msci);
  const [{ n }] = await msci.index("SELECT count(*) AS n FROM imported_row WHERE pushed < version");
  assert.equal(n, 0, "all of it has been carried on");
  const [{ members }] = await msci.index(
    "SELECT count(*) AS members FROM membership JOIN imported_row ON object = customer WHERE segment = 'Golden' AND key LIKE 'Away%'",
  );
  assert.equal(members, total);
});

test("an import tells the job that carries it on, and one without news has none", async () => {
  const first = await imports(msci, "People", [{ Id: "Job1", Tier: "Gold" }, { Id: "Job2", Tier: "Bronze" }]);
  const job = await finished(msci, first.job);
  assert.deepEqual([job.kind, job.error], ["push", null]);
  assert.ok(job.done >= 2 && job.done === job.total, `${job.done} of ${job.total}`);
  const again = await imports(msci, "People", [{ Id: "Job1", Tier: "Gold" }]);
  assert.deepEqual([again.unchanged, again.job ?? null], [1, null]);
});

test("the key of a table can change until there are rows or customers", async () => {
  const table = { primaryKey: "Id", columns: { Tier: "string" } };
  await msci.admin("PUT", "/tables/Early", table);
  assert.equal((await msci.admin("PUT", "/tables/Early", { ...table, primaryKey: "Number" })).status, 200);
  assert.equal((await msci.admin("PUT", "/tables/Early", { ...table, caseInsensitiveKey: true })).status, 200);
  await imports(msci, "Early", [{ Id: "a" }]);
  for (const change of [{ ...table, caseInsensitiveKey: false }, { ...table, primaryKey: "Number", caseInsensitiveKey: true }]) {
    const answer = await msci.admin("PUT", "/tables/Early", change);
    assert.deepEqual([answer.status, answer.body.error.code], [400, "key_is_fixed"]);
  }
  const wider = { primaryKey: "Id", columns: { Tier: "string", City: "string" }, caseInsensitiveKey: true };
  assert.equal((await msci.admin("PUT", "/tables/Early", wider)).status, 200);
});

test("a table that is used cannot be deleted, and the answer says by what", async () => {
  await msci.admin("PUT", "/tables/Used", { primaryKey: "UsedId", columns: { Colour: "string" } });
  await msci.admin("PUT", "/segments/Red", { filter: "Colour eq 'red'" });
  const before = (await msci.admin("GET", "/tables")).body;
  const refused = await msci.admin("DELETE", "/tables/Used");
  assert.deepEqual([refused.status, refused.body.error.code], [409, "in_use"]);
  assert.match(refused.body.error.message, /segment Red/);
  await msci.admin("DELETE", "/segments/Red");
  await msci.admin("PUT", "/settings", { trackingTable: "Used" });
  const tracking = await msci.admin("DELETE", "/tables/Used");
  assert.deepEqual([tracking.status, tracking.body.error.code], [409, "in_use"]);
  assert.match(tracking.body.error.message, /trackingTable/);
  assert.deepEqual((await msci.admin("GET", "/tables")).body, before);
  await msci.admin("PUT", "/settings", { trackingTable: null });
  assert.equal((await msci.admin("DELETE", "/tables/Used")).status, 200);
  assert.equal((await msci.admin("GET", "/tables/Used")).status, 404);
});

test("with a table its rows go: customers without web activity too, the others lose its columns", async () => {
  const table = { primaryKey: "ClubId", columns: { Level: "string" } };
  await msci.admin("PUT", "/tables/Club", table);
  await msci.admin("PUT", "/settings", { trackingTable: "Club" });
  await msci.admin("PUT", "/segments/Known", { filter: "ClubId ne null" });
  const members = Array.from({ length: 700 }, (_, n) => ({ ClubId: `Club${n}`, Level: "A" }));
  await imports(msci, "Club", members);
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("Club5")));
  await until(async () => (await profile(msci, her.cookieId)).body.msdynci_level === "A", "her row has come");
  await idle(msci);
  const [bare] = await msci.index("SELECT object FROM imported_row WHERE key = 'Club6'");
  assert.deepEqual((await msci.admin("GET", `/customers/${bare.object}`)).body.segments, ["Known"]);

  await msci.admin("PUT", "/settings", { trackingTable: null });
  await msci.admin("DELETE", "/segments/Known");
  await idle(msci);
  assert.equal((await msci.admin("DELETE", "/tables/Club")).status, 200);
  const again = await msci.admin("PUT", "/tables/Club", table);
  assert.ok(again.status === 200 || again.body.error.code === "being_deleted", JSON.stringify(again.body));
  await idle(msci);
  const [drop] = await jobs(msci, "drop");
  assert.deepEqual([drop.state, drop.done, drop.total], ["done", 700, 700]);
  assert.equal((await msci.admin("GET", `/customers/${bare.object}`)).status, 404);
  const left = await msci.index("SELECT key, body, marked FROM imported_row WHERE source = 'Club'");
  assert.deepEqual(left, [{ key: "Club5", body: null, marked: 1 }], "only who has an object is remembered, without data");
  assert.equal((await profile(msci, her.cookieId)).body.msdynci_level ?? null, null);
  assert.equal((await profile(msci, her.cookieId)).body.msdynci_known, true);
  // She is still named by that table's key.
  const other = await msci.admin("PUT", "/tables/Club", { ...table, primaryKey: "Other" });
  assert.deepEqual([other.status, other.body.error.code], [400, "key_is_fixed"]);
  assert.equal((await msci.admin("PUT", "/tables/Club", table)).status, 200);
  await imports(msci, "Club", [{ ClubId: "Club5", Level: "B" }]);
  await until(async () => (await profile(msci, her.cookieId)).body.msdynci_level === "B", "her new row has come");
});
