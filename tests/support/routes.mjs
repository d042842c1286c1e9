// @ts-check
// Every route of the admin API, as the one table in the code has it, and the least role for each.
import { readFileSync } from "node:fs";

const source = readFileSync(new URL("../../core/src/access.rs", import.meta.url), "utf8");
const [, table = ""] = /const ROUTES[^=]*= \[(.*?)\n\];/s.exec(source) ?? [];

/** @typedef {{ method: string, path: string, role: "Viewer" | "Contributor" | "Administrator" }} Route */

/** Paths with names and ids filled in, of every kind of definitions. @type {Route[]} */
export const ROUTES = [...table.replace("EXPORT", '"privacy/export"').matchAll(/\("(\w+)", "([^"]+)", (\w+)\)/g)].flatMap(([, method = "", path = "", role]) =>
  (path.includes("{kind}") ? ["tables", "measures", "segments", "experiences"] : [""]).map((kind) => ({
    method,
    path: `/${path.replace("{kind}", kind).replace("{name}", "Golden").replace("{id}", "0123456789abcdef0123456789abcdef")}`,
    role: /** @type {Route["role"]} */ (role),
  })));
