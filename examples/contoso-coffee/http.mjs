// @ts-check
/** Reading requests and shaping responses. What a browser may keep, and which scripts it may run, is decided here alone. */

/** @param {Request} request @returns {Map<string, string>} the first of each name counts */
export function cookiesOf(request) {
  const jar = new Map();
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, at).trim();
    if (at > 0 && !jar.has(name)) jar.set(name, pair.slice(at + 1).trim());
  }
  return jar;
}

/**
 * The shop stands behind a proxy: the Host header is what the browser used, the URL may not be.
 * @param {Request} request
 */
export function fromThisSite(request) {
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  try {
    return new URL(origin).host === (request.headers.get("host") ?? new URL(request.url).host);
  } catch {
    return false;
  }
}

/** @param {Request} request */
const overTls = (request) =>
  new URL(request.url).protocol === "https:" || request.headers.get("x-forwarded-proto") === "https";

/** @param {Request} request @param {string} name @param {string} value @param {{ maxAge: number, path?: string }} options maxAge 0 removes it */
export const cookie = (request, name, value, { maxAge, path = "/" }) =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${overTls(request) ? "; Secure" : ""}`;

/** @param {string} scripts the sources of script-src besides this site */
const policy = (scripts) =>
  `default-src 'self'; script-src 'self' ${scripts} 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; ` +
  "connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'";

/** @param {Uint8Array} bytes */
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

export const newNonce = () => base64(crypto.getRandomValues(new Uint8Array(16)));

/** @param {string} text */
const sha256 = async (text) =>
  base64(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));

/** @param {Request} request @param {string} etag */
const alreadyHas = (request, etag) => {
  const given = (request.headers.get("if-none-match") ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return given.includes("*") || given.includes(etag.replace(/^W\//, ""));
};

/**
 * A page for one visitor. Its ETag is weak and leaves the nonce out, since nothing else differs from one answer to the
 * next; and a 304 carries no policy, so that the browser goes on with the stored one, whose nonce the stored body has.
 * @param {Request} request
 * @param {{ body: string, nonce: string, status: number, keep: boolean }} page keep: false for what must not be shown twice
 */
export async function privatePage(request, { body, nonce, status, keep }) {
  const headers = new Headers({ ...COMMON, Vary: "Cookie", "Cache-Control": keep ? "private, no-cache" : "private, no-store" });
  if (keep) {
    const etag = `W/"${(await sha256(body.replaceAll(nonce, ""))).slice(0, 22)}"`;
    headers.set("ETag", etag);
    if (status === 200 && alreadyHas(request, etag)) return new Response(null, { status: 304, headers });
  }
  headers.set("Content-Type", HTML);
  headers.set("Content-Security-Policy", policy(`'nonce-${nonce}'`));
  return new Response(body, { status, headers });
}

/**
 * A page for everyone: shared caches may keep it, so a nonce would be the same for all. Its scripts are named by hash.
 * @param {Request} request @param {string} body @param {readonly string[]} scripts the text of each inline script
 */
export async function sharedPage(request, body, scripts) {
  const hashes = await Promise.all(scripts.map(sha256));
  const etag = `"${(await sha256(body)).slice(0, 22)}"`;
  const headers = new Headers({
    ...COMMON,
    ETag: etag,
    "Cache-Control": "public, max-age=300",
    "Content-Security-Policy": policy(hashes.map((hash) => `'sha256-${hash}'`).join(" ")),
  });
  if (alreadyHas(request, etag)) return new Response(null, { status: 304, headers });
  headers.set("Content-Type", HTML);
  return new Response(body, { headers });
}

/** @param {Request} request @param {string} body @param {string} type @param {number} maxAge seconds */
export async function asset(request, body, type, maxAge) {
  const etag = `"${(await sha256(body)).slice(0, 22)}"`;
  const headers = new Headers({ ...COMMON, ETag: etag, "Cache-Control": `public, max-age=${maxAge}` });
  if (alreadyHas(request, etag)) return new Response(null, { status: 304, headers });
  headers.set("Content-Type", type);
  return new Response(body, { headers });
}

/** @param {string} location a path of this site @param {readonly string[]} [cookies] @param {number} [status] */
export function redirect(location, cookies = [], status = 303) {
  const headers = new Headers({ ...COMMON, Location: location, "Cache-Control": "no-store" });
  for (const line of cookies) headers.append("Set-Cookie", line);
  return new Response(null, { status, headers });
}

/** @param {number} status @param {string} text @param {Record<string, string>} [headers] */
export const plain = (status, text, headers = {}) =>
  new Response(`${text}\n`, { status, headers: { ...COMMON, "Content-Type": "text/plain; charset=utf-8", ...headers } });

const HTML = "text/html; charset=utf-8";
const COMMON = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin" };
