// Cookies: `_msci`, which names the browser, and `_msci_optout`. What is not a GUID v4 counts as absent.

const GUID = "[\\da-f]{8}-[\\da-f]{4}-4[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}";
// The first valid one: a leftover of another `Domain` must not make a new visitor on every page.
const NAMED = RegExp(`(?:^|;)\\s*_msci\\s*=\\s*(${GUID})\\s*(?:;|$)`, "i");

/** @param {unknown} text */
export const isGuid = (text) => typeof text === "string" && RegExp(`^${GUID}$`, "i").test(text);

/** What `document.cookie` says. @param {string} [cookies] */
export const read = (cookies = "") => ({
  cookieId: NAMED.exec(cookies)?.[1]?.toLowerCase(),
  optedOut: /(^|;)\s*_msci_optout\s*=\s*1\s*(;|$)/.test(cookies),
});

/**
 * A line for `document.cookie`.
 * @param {string} name
 * @param {string} value without one, it is removed
 * @param {{ domain?: string | null, maxAgeDays?: number }} [settings] the site's
 * @param {string} [protocol] the page's
 */
export const line = (name, value, { domain, maxAgeDays = 365 } = {}, protocol = "") =>
  `${name}=${value}; Path=/; SameSite=Lax; Max-Age=${value ? maxAgeDays * 86400 : 0}` +
  (domain ? "; Domain=" + domain : "") +
  (protocol === "https:" ? "; Secure" : "");
