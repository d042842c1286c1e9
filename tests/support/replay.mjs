// @ts-check
// An export, given to another system: rows by import, signals by collect. All other lines follow from these.

/** @typedef {Awaited<ReturnType<typeof import("./system.mjs").system>>} System */

/** @param {string} text */
export const linesOf = (text) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

/** What a batch says of the browser, and where each signal has it. */
const CONTEXT = /** @type {const} */ ([
  ["sdk", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.sdk = value)],
  ["sessionId", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.session.id = value)],
  ["sessionStart", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.session.start = value)],
  ["language", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.device.language = value)],
  ["timezone", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.device.timezone = value)],
  ["screen", (/** @type {any} */ batch, /** @type {any} */ value) => (batch.device.screen = value)],
]);

/** Tables, measures, segments and experiences of one system in another. @param {System} from @param {System} to */
export async function copyDefinitions(from, to) {
  for (const kind of ["tables", "measures", "segments", "experiences"]) {
    for (const { name, ...definition } of (await from.admin("GET", `/${kind}`)).body.items) {
      const put = await to.admin("PUT", `/${kind}/${name}`, definition);
      if (put.status !== 200) throw new Error(`${kind} ${name}: ${JSON.stringify(put.body)}`);
    }
  }
  const put = await to.admin("PUT", "/settings", (await from.admin("GET", "/settings")).body);
  if (put.status !== 200) throw new Error(JSON.stringify(put.body));
}

/** @param {System} msci @param {any[]} lines */
export async function replay(msci, lines) {
  for (const { table, values } of lines.filter((line) => line.kind === "row")) {
    const headers = { "content-type": "application/x-ndjson" };
    const { status, body } = await msci.admin("POST", `/tables/${table}/rows`, JSON.stringify(values), headers);
    if (status !== 200 || body.rejected.length > 0) throw new Error(JSON.stringify(body));
  }
  /** @type {Map<string, any>} */
  const batches = new Map();
  // The export has the newest first.
  for (const { kind, cookieId, stream, ...signal } of lines.filter((line) => line.kind === "signal").reverse()) {
    const batch = { cookieId, stream, session: {}, device: {}, signals: [] };
    for (const [name, put] of CONTEXT) {
      if (signal[name] !== undefined) put(batch, signal[name]);
      delete signal[name];
    }
    const key = JSON.stringify(batch);
    if (!batches.has(key)) batches.set(key, batch);
    batches.get(key).signals.push(signal);
  }
  for (const { signals, ...batch } of batches.values()) {
    for (let at = 0; at < signals.length; at += 100) {
      const { status, body } = await msci.collect({ ...batch, signals: signals.slice(at, at + 100) });
      if (status !== 200 || body.rejected.length > 0) throw new Error(JSON.stringify(body));
    }
  }
}
