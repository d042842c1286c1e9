// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { atEnd } from "../support/at-end.mjs";
import { family, freePort, lives, start } from "../support/process.mjs";
import { ADMIN_TOKEN, until } from "../support/system.mjs";

/** @param {{ after(work: () => unknown): void }} t */
async function place(t) {
  const folder = mkdtempSync(join(tmpdir(), "msci-start-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return { PORT: String(await freePort()), MSCI_STATE: join(folder, "state") };
}

/** @param {string} port @param {string} path @param {RequestInit} [init] */
const admin = (port, path, init) =>
  fetch(`http://localhost:${port}/_msci/admin/v1${path}`, {
    ...init,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
  });

test("start prints the console's address and the token, and ready last", async (t) => {
  const env = await place(t);
  const before = performance.now();
  const system = start(t, env);
  await system.ready();
  assert.ok(performance.now() - before < 15_000, "a start with nothing to build takes under 15 s");
  const lines = system.out().trimEnd().split("\n");
  assert.equal(lines.at(-1), `ready http://localhost:${env.PORT}`);
  assert.ok(lines.some((line) => line.endsWith(`http://localhost:${env.PORT}/_msci/console/`)), system.out());
  assert.ok(lines.some((line) => line.endsWith(ADMIN_TOKEN)), system.out());
  const page = await fetch(`http://localhost:${env.PORT}/_msci/console/`);
  assert.match(await page.text(), /Sign in/);
  const health = await fetch(`http://localhost:${env.PORT}/_msci/health`);
  assert.equal(health.status, 200);
});

for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"])) {
  test(`${signal} ends it with all its children within 5 s`, async (t) => {
    const system = start(t, await place(t));
    await system.ready();
    const members = family(system.child.pid ?? 0);
    assert.ok(members.length >= 2, "the runtime is a child process");
    const before = performance.now();
    system.child.kill(signal);
    assert.equal(await system.ended, 0);
    await until(() => !members.some(lives), "all its processes are gone", 5000);
    assert.ok(performance.now() - before < 5000);
  });
}

for (const signal of /** @type {const} */ (["SIGTERM", "SIGKILL"])) {
  test(`${signal} to npm ends what npm start started`, async (t) => {
    const env = await place(t);
    const system = start(t, env, ["npm", "start"]);
    await system.ready();
    const members = family(system.child.pid ?? 0);
    system.child.kill(signal);
    await until(() => !members.some(lives), "all its processes are gone", 5000);
    // And at once there is room for the next.
    const next = start(t, env, ["npm", "start"]);
    await next.ready();
  });
}

test("a runtime that outlived its starter is ended by the next start", async (t) => {
  const env = await place(t);
  const first = start(t, env);
  await first.ready();
  const [, runtime = 0] = family(first.child.pid ?? 0);
  first.child.kill("SIGKILL");
  await first.ended;
  const second = start(t, env);
  await second.ready();
  assert.ok(!lives(runtime));
});

test("a state folder from when one Worker had all the objects still starts, with what was set", async (t) => {
  const env = await place(t);
  const first = start(t, env);
  await first.ready();
  assert.equal((await admin(env.PORT, "/settings", { method: "PUT", body: '{"profileDeadlineMs":123}' })).status, 200);
  first.child.kill("SIGTERM");
  await first.ended;
  const objects = join(env.MSCI_STATE, "objects");
  renameSync(join(objects, "msci-console-JobObject"), join(objects, "msci-JobObject"));
  const second = start(t, env);
  await second.ready();
  assert.equal((await (await admin(env.PORT, "/settings")).json()).profileDeadlineMs, 123);
  assert.equal((await admin(env.PORT, "/index/tidy", { method: "POST" })).status, 200, "jobs begin anew");
  // The job still writes.
  second.child.kill("SIGTERM");
  await second.ended;
});

test("a second system on the same state folder is refused in one line", async (t) => {
  const env = await place(t);
  const first = start(t, env);
  await first.ready();
  const second = start(t, { ...env, PORT: String(await freePort()) });
  assert.equal(await second.ended, 1);
  assert.equal(second.err(), `the state folder ${env.MSCI_STATE} is in use by process ${first.child.pid}\n`);
});

test("SIGTERM ends it even while a request hangs", async (t) => {
  const env = await place(t);
  const system = start(t, env);
  await system.ready();
  const members = family(system.child.pid ?? 0);
  // A body that never comes keeps the runtime waiting.
  const hanging = fetch(`http://localhost:${env.PORT}/_msci/collect`, {
    method: "POST",
    body: new ReadableStream({ pull: () => new Promise(() => {}) }),
    // @ts-expect-error Node's fetch asks for it with a streamed body; the types do not know it.
    duplex: "half",
  });
  system.child.kill("SIGTERM");
  await assert.rejects(hanging);
  await system.ended;
  await until(() => !members.some(lives), "all its processes are gone", 5000);
});

test("a taken port is one clear line and exit code 1", async (t) => {
  const env = await place(t);
  const other = createServer().listen(Number(env.PORT), "127.0.0.1");
  atEnd(t, () => other.close());
  const system = start(t, env);
  assert.equal(await system.ended, 1);
  assert.equal(system.err(), `port ${env.PORT} is taken; set PORT to another one\n`);
  assert.equal(system.out(), "");
});

test("a folder of something else is refused and left alone", async (t) => {
  const env = await place(t);
  mkdirSync(env.MSCI_STATE);
  writeFileSync(join(env.MSCI_STATE, "thesis.txt"), "years of work");
  const system = start(t, env);
  assert.equal(await system.ended, 1);
  assert.match(system.err(), /^[^\n]*is not a state folder of this product[^\n]*\n$/);
  assert.deepEqual(readdirSync(env.MSCI_STATE), ["thesis.txt"]);
});

test("a state folder that cannot be written is one clear line and exit code 1", async (t) => {
  const env = await place(t);
  // Not even root can make a folder below a file.
  writeFileSync(env.MSCI_STATE, "");
  const system = start(t, { ...env, MSCI_STATE: join(env.MSCI_STATE, "below") });
  assert.equal(await system.ended, 1);
  assert.match(system.err(), /^cannot write to the state folder [^\n]+\n$/);
});

for (const [what, marker, complaint] of [
  ["garbage in its marker", "\u0000\u0001", "damaged"],
  ["a newer format", `{"format":99}`, "format 99"],
]) {
  test(`a state folder with ${what} is one clear line and exit code 1`, async (t) => {
    const env = await place(t);
    mkdirSync(env.MSCI_STATE);
    writeFileSync(join(env.MSCI_STATE, "msci-state.json"), marker ?? "");
    const system = start(t, env);
    assert.equal(await system.ended, 1);
    assert.match(system.err(), new RegExp(`^[^\\n]*${complaint}[^\\n]*\\n$`));
  });
}

test("a damaged database is named in one line, wherever the damage is", async (t) => {
  const env = await place(t);
  const first = start(t, env);
  await first.ready();
  first.child.kill("SIGTERM");
  await first.ended;
  const files = readdirSync(env.MSCI_STATE, { recursive: true, encoding: "utf8" }).filter((file) => /\.sqlite(-wal)?$/.test(file));
  assert.ok(files.some((file) => file.startsWith("objects")), "objects are on disk");
  assert.ok(files.some((file) => file.startsWith("kv")), "the key-value store is on disk");
  assert.ok(files.some((file) => file.startsWith("d1")), "the index is on disk");
  for (const file of files) {
    const path = join(env.MSCI_STATE, file);
    const whole = readFileSync(path);
    writeFileSync(path, "no database at all, but longer than a header would be ".repeat(4));
    const system = start(t, env);
    assert.equal(await system.ended, 1, file);
    const fault = file.endsWith("-wal") ? "is not a write-ahead log" : "is not a database";
    assert.equal(system.err(), `the state folder ${env.MSCI_STATE} is damaged: ${file} ${fault}\n`);
    writeFileSync(path, whole);
  }
});

for (const [what, name] of /** @type {const} */ ([["the alarms", /^metadata/], ["an object", /^(?!metadata)/]])) {
  test(`damage in the pages of the database of ${what} is one line that names the folder`, async (t) => {
    const env = await place(t);
    const first = start(t, env);
    await first.ready();
    first.child.kill("SIGTERM");
    await first.ended;
    const objects = join(env.MSCI_STATE, "objects/msci-ConfigObject");
    for (const file of readdirSync(objects).filter((file) => name.test(file) && /\.sqlite(-wal)?$/.test(file))) {
      const bytes = readFileSync(join(objects, file));
      // Behind the header and the kind of the first page, where only a reader of pages looks.
      writeFileSync(join(objects, file), bytes.fill("garbage", file.endsWith("-wal") ? 32 : 101));
    }
    const system = start(t, env);
    assert.equal(await system.ended, 1);
    const complaints = system.err().split("\n").filter((line) => !/^(build: .*| +(Finished|Running|Blocking) .*|)$/.test(line));
    assert.equal(complaints.length, 1, system.err());
    assert.ok(complaints[0]?.includes(env.MSCI_STATE));
  });
}

test("a site that does not answer is a warning at start and a 502 page later", async (t) => {
  const env = await place(t);
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const system = start(t, { ...env, MSCI_ORIGIN: nobody });
  await system.ready();
  assert.match(system.err(), new RegExp(`^warning: the site ${nobody} does not answer`, "m"));
  const page = await fetch(`http://localhost:${env.PORT}/`, { headers: { accept: "text/html" } });
  assert.equal(page.status, 502);
});

test("what was set survives the SIGKILL of the whole process group", async (t) => {
  const env = await place(t);
  const first = start(t, env);
  await first.ready();
  const change = await admin(env.PORT, "/settings", { method: "PUT", body: JSON.stringify({ profileDeadlineMs: 123 }) });
  assert.equal(change.status, 200);
  first.killAll();
  await first.ended;
  const second = start(t, env);
  await second.ready();
  const settings = await (await admin(env.PORT, "/settings")).json();
  assert.equal(settings.profileDeadlineMs, 123);
});
