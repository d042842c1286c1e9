// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "./support/at-end.mjs";

/** A test that ends when it is told to. */
function fake() {
  /** @type {(() => unknown)[]} */
  const hooks = [];
  return { after: (/** @type {() => unknown} */ work) => void hooks.push(work), end: () => Promise.all(hooks.map((hook) => hook())) };
}

test("what came last is put away first, and what it brings after that", async () => {
  const it = fake();
  /** @type {string[]} */
  const done = [];
  atEnd(it, () => done.push("folder"));
  atEnd(it, async () => {
    await new Promise((next) => setTimeout(next, 5));
    done.push("system");
    atEnd(it, () => done.push("its port"));
  });
  await it.end();
  assert.deepEqual(done, ["system", "its port", "folder"]);
});

test("one that throws keeps nothing from being put away, and is told", async () => {
  for (const bad of [1, 2]) {
    const it = fake();
    let done = 0;
    for (let k = 0; k < 4; k++) {
      atEnd(it, () => {
        done += 1;
        if (k < bad) throw new Error(`${k}`);
      });
    }
    await assert.rejects(it.end(), bad === 1 ? { message: "0" } : (/** @type {AggregateError} */ error) => error.errors.length === 2);
    assert.equal(done, 4);
  }
});
