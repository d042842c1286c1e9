// @ts-check
// What a test puts away at its end. The test runner's own hooks run in the order of their coming, and one that throws
// keeps the rest from running: a folder would be removed under a system that still writes to it, and the system go on
// for ever, with the run that waits for it.

/** @typedef {{ after(work: () => unknown): void }} Test */

/** @type {WeakMap<Test, (() => unknown)[]>} */
const works = new WeakMap();

/**
 * Runs when the test ends: what came last first, and all of it, whatever throws. What was thrown is thrown at the end.
 * @param {Test} test
 * @param {() => unknown} work
 */
export function atEnd(test, work) {
  const known = works.get(test);
  if (known) return void known.push(work);
  const list = [work];
  works.set(test, list);
  test.after(async () => {
    /** @type {unknown[]} */
    const thrown = [];
    for (let next; (next = list.pop()); ) {
      try {
        await next();
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 1) throw new AggregateError(thrown, "several things were not put away");
    if (thrown.length > 0) throw thrown[0];
  });
}
