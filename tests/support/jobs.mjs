// @ts-check
// Long work, as a test waits for it.
import { until } from "./system.mjs";

/** @typedef {Awaited<ReturnType<typeof import("./system.mjs").system>>} System */

/** All jobs, newest first. @param {System} msci @param {string} [kind] @returns {Promise<any[]>} */
export async function jobs(msci, kind) {
  const { items } = (await msci.admin("GET", "/jobs")).body;
  return items.filter((/** @type {any} */ job) => kind === undefined || job.kind === kind);
}

/** The job, once it is done. @param {System} msci @param {string} id @param {number} [limit] */
export const finished = (msci, id, limit = 120_000) =>
  until(
    async () => {
      const { body } = await msci.admin("GET", `/jobs/${id}`);
      if (body.state === "cancelled") throw new Error("the job was cancelled");
      return body.state === "done" && body;
    },
    `job ${id} is done`,
    limit,
  );

/** Waits until no job runs. @param {System} msci @param {number} [limit] */
export const idle = (msci, limit = 180_000) =>
  until(async () => (await jobs(msci)).every(({ state }) => state !== "running"), "all jobs are done", limit);

/** Imports rows. @param {System} msci @param {string} table @param {Record<string, unknown>[]} rows */
export async function imports(msci, table, rows) {
  const body = rows.map((row) => JSON.stringify(row)).join("\n");
  const answer = await msci.admin("POST", `/tables/${table}/rows`, body, { "content-type": "application/x-ndjson" });
  if (answer.status !== 200) throw new Error(`the import answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
