// @ts-check
// A session of the console, without a browser.
import { answer } from "./system.mjs";

const CONSOLE = "/_msci/console/";

/** @param {{ base: string, adminToken: string }} msci */
export async function signIn({ base, adminToken }) {
  const own = { origin: base, "sec-fetch-site": "same-origin" };
  const form_ = { ...own, "content-type": "application/x-www-form-urlencoded" };
  const { cookies } = await answer(`${base}${CONSOLE}sign-in`, { method: "POST", headers: form_, body: new URLSearchParams({ token: adminToken, to: "" }).toString() });
  const fetch = (/** @type {string} */ path, /** @type {RequestInit} */ init = {}) => answer(base + CONSOLE + path, { ...init, cookies });
  const get = (/** @type {string} */ path) => fetch(path);
  const [, form = ""] = /name="form" value="([^"]+)"/.exec((await get("sign-out")).body) ?? [];
  return {
    form,
    fetch,
    get,
    /** A form of one of its pages. @param {string} path @param {Record<string, string>} fields */
    post: (path, fields) => fetch(path, { method: "POST", headers: form_, body: new URLSearchParams({ ...fields, form }).toString() }),
  };
}
