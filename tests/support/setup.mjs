// @ts-check
// What a whole file of tests stands on: it starts before the first test, and ends after the last one.
import { after } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { launch } from "./chromium.mjs";
import { idle } from "./jobs.mjs";
import { system } from "./system.mjs";

/**
 * A system, and a browser to visit it with.
 * @param {{ demo?: boolean, browser?: import("./chromium.mjs").Options }} [options] `demo`: the demo shop's customers and
 *   definitions are in it
 */
export async function setUp({ demo = false, browser } = {}) {
  const file = { after };
  const chromium = await launch(file, browser);
  const msci = await system(file);
  if (demo) {
    await seed(msci);
    await idle(msci);
  }
  return { msci, chromium };
}
