// @ts-check
// Signals and identities as a browser would make them.
import { createHmac, randomUUID, sign } from "node:crypto";

/**
 * A stream of signals of one browser: each call makes the next one.
 * @param {{ cookieId?: string, stream?: string }} [of]
 */
export function browser({ cookieId = randomUUID(), stream = randomUUID() } = {}) {
  let seq = 0;
  const next = (/** @type {Record<string, unknown>} */ signal) => ({ seq: ++seq, time: Date.now(), ...signal });
  return {
    cookieId,
    stream,
    view: (/** @type {string} */ uri, more = {}) => next({ type: "view", uri, title: `Page ${uri}`, ...more }),
    event: (/** @type {string} */ name, properties = {}, more = {}) => next({ type: "event", name, properties, ...more }),
    user: (/** @type {string | undefined} */ authId, more = {}) => next({ type: "user", authId, ...more }),
    /** @param {unknown[]} signals */
    batch: (...signals) => ({ cookieId, stream, signals }),
  };
}

/**
 * What of a token is signed.
 * @param {Record<string, unknown>} header
 * @param {Record<string, unknown>} claims
 */
function unsigned(header, claims) {
  const part = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part({ exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`;
}

/**
 * A compact JWT, HS256, as a site's server signs it.
 * @param {import("node:crypto").BinaryLike} secret
 * @param {Record<string, unknown>} claims
 * @param {Record<string, unknown>} [header]
 */
export function token(secret, claims, header = { alg: "HS256", typ: "JWT" }) {
  const signed = unsigned(header, claims);
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/**
 * The same, ES256.
 * @param {import("node:crypto").KeyObject} key
 * @param {Record<string, unknown>} claims
 * @param {Record<string, unknown>} [header]
 */
export function curveToken(key, claims, header = { alg: "ES256", typ: "JWT" }) {
  const signed = unsigned(header, claims);
  return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

export const PROFILE = "/_msci/api/data/v9.2/msdynci_p13nprofile";

/**
 * The profile of a cookie through the read API, with everything.
 * @param {Awaited<ReturnType<typeof import("./system.mjs").system>>} system
 * @param {string} cookieId
 */
export function profile(system, cookieId) {
  const include = "include=['segmentmembership','measures','unifiedactivity']";
  return system.fetch(`${PROFILE}(cookieid='${cookieId}',${include})`, {
    headers: { authorization: `Bearer ${system.adminToken}` },
  });
}
