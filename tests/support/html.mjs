// @ts-check
// Pages as people write them: those that ship with a package of widgets and their tests, by hand and by tools, over
// fifteen years.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../tools/lib.mjs";

const FOLDERS = ["dojox", "dijit", "dojo"].map((name) => join(root, "node_modules", name));

/** All of them, by a path of their own. @returns {Map<string, Buffer>} */
export function pages() {
  const all = new Map();
  for (const folder of FOLDERS) {
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      if (/\.html?$/i.test(file)) all.set(`/${all.size}`, readFileSync(join(folder, file)));
    }
  }
  return all;
}
