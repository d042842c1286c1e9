// @ts-check
// Long work: seen while it goes on, cancelled, broken off, and never done wrong by being done twice.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { faultySystem } from "../support/faults/system.mjs";
import { finished, idle, imports, jobs } from "../support/jobs.mjs";
import { browser } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
beforeEach(async () => {
  msci = await faultySystem();
  await msci.admin("PUT", "/tables/People", { primaryKey: "Id", columns: { Tier: "string", Spend: "number" } });
  await msci.admin("PUT", "/settings", { trackingTable: "People" });
});
afterEach(() => msci.stop());

const many = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => ({ Id: `P${i}`, Tier: i % 2 ? "Gold" : "Silver", Spend: i }));
/** @param {string} name @param {string} filter */
const save = async (name, filter) => assert.equal((await msci.admin("PUT", `/segments/${name}`, { filter })).status, 200);
/** @param {string} name */
const members = async (name) => (await msci.admin("GET", `/segments/${name}`)).body.members;
const moved = async () => (await msci.index("SELECT segment, entered, count(*) AS n FROM moved GROUP BY 1, 2 ORDER BY 1, 2"))
  .map(({ segment, entered, n }) => `${entered ? "+" : "-"}${segment} ${n}`);

test("a change of definitions shows how far it has been carried, and the segment says so too", async () => {
  await imports(msci, "People", many(1600));
  await idle(msci);
  // The third page of rows waits.
  await msci.under([{ on: "d1", match: "(source, key) >", does: "hold", skip: 2, times: 1 }], async () => {
    await save("Golden", "Tier eq 'Gold'");
    const job = await until(async () => (await jobs(msci, "evaluate")).find((job) => job.state === "running" && job.done >= 1000), "two pages are done");
    assert.deepEqual([job.done, job.total], [1000, 1600]);
    const { evaluating, members } = (await msci.admin("GET", "/segments/Golden")).body;
    assert.deepEqual(evaluating, { job: job.id, done: 1000, total: 1600 });
    const looked = many(1600).sort((a, b) => (a.Id < b.Id ? -1 : 1)).slice(0, 1000);
    assert.equal(members, looked.filter(({ Tier }) => Tier === "Gold").length);
  });
  await idle(msci);
  const [job] = await jobs(msci, "evaluate");
  assert.deepEqual([job.state, job.done, job.total, await members("Golden")], ["done", 1600, 1600, 800]);
});

test("definitions that are saved one after the other are carried by one job, the last of them to all", async () => {
  await imports(msci, "People", many(1200));
  await idle(msci);
  const before = (await jobs(msci, "evaluate")).length;
  await msci.under([{ on: "d1", match: "(source, key) >", does: "hold", skip: 1, times: 1 }], async () => {
    await save("Golden", "Tier eq 'Gold'");
    await until(async () => (await msci.told()).held === 1, "the job is under way");
    await save("Golden", "Tier eq 'Silver'");
    await save("Rich", "Spend ge 600");
  });
  await idle(msci);
  assert.equal((await jobs(msci, "evaluate")).length, before + 1);
  assert.deepEqual([await members("Golden"), await members("Rich")], [600, 600]);
  const rows = await msci.index("SELECT count(*) AS n FROM membership JOIN imported_row ON object = customer WHERE segment = 'Golden' AND body LIKE '%Gold%'");
  assert.deepEqual(rows, [{ n: 0 }]);
});

test("a job goes on where it was when the runtime is killed, and nobody enters twice", async () => {
  await imports(msci, "People", many(3000));
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("P7")));
  await idle(msci);
  await msci.index("DELETE FROM moved");
  await msci.faults({ on: "d1", match: "(source, key) >", does: "hold", skip: 3, times: 1 });
  await save("All", "Id ne null");
  const job = await until(async () => (await jobs(msci, "evaluate")).find((job) => job.state === "running" && job.done > 1000), "a part is done");
  await msci.kill9();
  await msci.restart();
  // An alarm of a runtime that died comes back by itself.
  const done = await finished(msci, job.id, 60_000);
  assert.deepEqual([done.done, done.total], [done.total, job.total]);
  await until(async () => (await members("All")) === 3000, "all are in it");
  assert.deepEqual(await moved(), ["+All 2999"]);
});

test("a step whose outcome was never heard, or that arrives twice, moves nobody twice", async () => {
  await imports(msci, "People", many(700));
  await idle(msci);
  for (const does of /** @type {const} */ (["lose", "refuse", "twice"])) {
    await msci.under([{ on: "d1", match: "INSERT INTO moved", does, times: 1 }], async () => {
      await save(`Seg-${does}`, "Tier eq 'Gold'");
      await idle(msci);
    });
    assert.equal(await members(`Seg-${does}`), 350);
  }
  assert.deepEqual(await moved(), ["+Seg-lose 350", "+Seg-refuse 350", "+Seg-twice 350"]);
});

test("what was judged by older definitions, or of an older row, changes nothing when it arrives late", async () => {
  await imports(msci, "People", many(10));
  await idle(msci);
  await msci.faults({ on: "d1", match: "INSERT INTO moved", does: "defer", times: 1 });
  await save("Late", "Tier eq 'Gold'");
  await until(async () => (await msci.told()).met[0] === 1, "a write is late");
  await save("Late", "Tier eq 'Silver'");
  await imports(msci, "People", [{ Id: "P0", Tier: "Gold", Spend: 0 }]);
  await idle(msci);
  const who = async () => (await msci.index("SELECT key FROM membership JOIN imported_row ON object = customer ORDER BY key")).map(({ key }) => key);
  const expected = ["P2", "P4", "P6", "P8"];
  assert.deepEqual(await who(), expected);
  await msci.faults();
  assert.deepEqual(await who(), expected);
});

test("a cancelled job stops, and the next change carries all", async () => {
  await imports(msci, "People", many(1600));
  await idle(msci);
  await msci.under([{ on: "d1", match: "(source, key) >", does: "hold", skip: 1, times: 1 }], async () => {
    await save("Golden", "Tier eq 'Gold'");
    await until(async () => (await msci.told()).held === 1, "the job is under way");
    const [job] = await jobs(msci, "evaluate");
    assert.equal((await msci.admin("DELETE", `/jobs/${job.id}`)).body.state, "cancelled");
  });
  await idle(msci);
  assert.ok((await members("Golden")) < 800);
  await save("Rich", "Spend ge 800");
  await idle(msci);
  assert.deepEqual([await members("Golden"), await members("Rich")], [800, 800]);
});

test("a customer whose object does not answer keeps no other waiting, and the job says so", async () => {
  const [her, him] = [browser(), browser()];
  await msci.collect(her.batch(her.view("/"), her.user("Her")));
  await msci.collect(him.batch(him.view("/"), him.user("Him")));
  await until(async () => (await msci.admin("GET", "/customers")).body.count === 2, "both are listed");
  await idle(msci);
  const { customers } = (await msci.admin("GET", "/customers?search=him")).body;
  await msci.under([{ on: "object", match: customers[0].customerId, does: "refuse" }], async () => {
    await save("Seen", "UnifiedActivity/$count gt 0");
    await idle(msci);
  });
  assert.equal(await members("Seen"), 1);
  const [job] = await jobs(msci, "evaluate");
  assert.equal(job.state, "done");
  assert.match(job.error, /next seen: 1$/);
  // With the next change, or when he is next seen.
  await save("Other", "true");
  await idle(msci);
  assert.equal(await members("Seen"), 2);
});

test("retention takes out of the index what is too old, and memberships of customers who are gone", async () => {
  const her = browser();
  const day = 86_400_000;
  await msci.collect(her.batch(her.view("/new"), her.view("/old", { time: Date.now() - 20 * day })));
  await save("Seen", "UnifiedActivity/$count gt 0");
  await until(async () => (await members("Seen")) === 1, "she is in it");
  await idle(msci);
  const uris = async () => (await msci.index("SELECT fields ->> '$.uri' AS uri FROM activity ORDER BY uri")).map(({ uri }) => uri);
  assert.deepEqual(await uris(), ["/new", "/old"]);
  await msci.admin("PUT", "/settings", { retention: { indexDays: 10 } });
  await msci.index("INSERT INTO membership VALUES ('Seen', 'nobody', 1), ('Gone', 'somebody', 1)");
  await msci.index("INSERT INTO moved (segment, customer, entered, at) VALUES ('Seen', 'nobody', 1, ?), ('Seen', 'other', 1, ?)", Date.now() - 4 * day, Date.now());
  const { body } = await msci.admin("POST", "/index/tidy");
  const job = await finished(msci, body.job);
  assert.deepEqual([job.kind, job.done], ["retain", job.total]);
  assert.deepEqual(await uris(), ["/new"]);
  assert.equal(await members("Seen"), 1);
  assert.deepEqual(await msci.index("SELECT segment FROM membership"), [{ segment: "Seen" }]);
  assert.deepEqual((await msci.index("SELECT customer FROM moved")).map(({ customer }) => customer), ["other"]);
  assert.equal((await msci.admin("GET", "/index/tidy")).status, 405);
});

test("an index that lost its memberships gets them back by the rebuild, and nobody hears of it", async () => {
  await imports(msci, "People", many(600));
  const her = browser();
  await msci.collect(her.batch(her.view("/"), her.user("P1")));
  await save("Golden", "Tier eq 'Gold'");
  await idle(msci);
  await until(async () => (await members("Golden")) === 300, "all are in it");
  const held = () => msci.index("SELECT segment, customer FROM membership ORDER BY customer");
  const before = await held();
  await msci.index("DELETE FROM moved");
  await msci.index("DELETE FROM membership");
  await msci.index("INSERT INTO membership VALUES ('Golden', 'nobody', 1)");
  const { body } = await msci.admin("POST", "/index/rebuild");
  await finished(msci, body.job);
  await idle(msci);
  await until(async () => JSON.stringify(await held()) === JSON.stringify(before), "all are in it again");
  assert.deepEqual(await moved(), []);
});
