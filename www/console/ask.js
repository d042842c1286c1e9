// @ts-check
// What scripts ask the console for, in the session that the page is of.

/** Where the console stands, with a slash at the end. */
export const ROOT = /** @type {RegExpExecArray} */ (/^.*?\/console\//.exec(`${location.pathname}/`))[0];

/** The session, as this page's forms say it. */
const form = () => document.querySelector("input[name=form]")?.getAttribute("value") ?? "";

/**
 * @param {string} path below the console
 * @param {RequestInit & { json?: unknown }} [init]
 * @returns {Promise<{ ok: boolean, status: number, body: any }>}
 */
export async function ask(path, { json, ...init } = {}) {
  const headers = { "x-msci-form": form(), ...(json !== undefined && { "content-type": "application/json" }) };
  const answer = await fetch(ROOT + path, { ...init, headers, ...(json !== undefined && { body: JSON.stringify(json) }) });
  // Whoever's session is over signs in, and comes back.
  if (answer.status === 401) location.reload();
  return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => null) };
}

/** What the admin API answers. @param {string} path @param {RequestInit & { json?: unknown }} [init] */
export const data = (path, init) => ask(`data/${path}`, init);

/** As a form of the console's own would send it. @param {string} path @param {Record<string, string>} fields @param {AbortSignal} [signal] */
export const post = (path, fields, signal) => ask(path, { method: "POST", body: new URLSearchParams({ ...fields, form: form() }), ...(signal && { signal }) });

/** Why something was refused. @param {{ body: any }} answer */
export const reason = ({ body }) => String(body?.error?.message ?? texts.note.silent);
