// @ts-check
/**
 * Two things are signed with the shop's identity secret, and neither can pass for the other: the identity token that the
 * tracking script hands on, and the shop's own session cookie, whose signed text carries a prefix that no token can have.
 */

const TOKEN_SECONDS = 600;
export const SESSION_SECONDS = 8 * 3600;

const utf8 = new TextEncoder();

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @param {string} text @returns {Uint8Array<ArrayBuffer> | null} */
function fromBase64url(text) {
  if (!/^[\w-]*$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

/** @param {string} secret */
const hmacKey = (secret) =>
  crypto.subtle.importKey("raw", utf8.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);

/** @param {string} secret @param {string} text */
async function sign(secret, text) {
  const mac = await crypto.subtle.sign("HMAC", await hmacKey(secret), utf8.encode(text));
  return base64url(new Uint8Array(mac));
}

/**
 * Compact JWT, HS256: who signed in (`sub`), for which identity table (`aud`), until when, and for which browser (`cid`).
 * @param {string} secret
 * @param {{ loyaltyId: string, table: string, cookieId: string | null, now: number }} claim now in seconds
 */
export async function identityToken(secret, { loyaltyId, table, cookieId, now }) {
  const claims = { sub: loyaltyId, aud: table, iat: now, exp: now + TOKEN_SECONDS, ...(cookieId ? { cid: cookieId } : {}) };
  const head = base64url(utf8.encode(JSON.stringify({ alg: "HS256", typ: "JWT" })));
  const body = base64url(utf8.encode(JSON.stringify(claims)));
  return `${head}.${body}.${await sign(secret, `${head}.${body}`)}`;
}

/** The value of the session cookie: `<loyalty id>.<expiry>.<mac>`. @param {string} secret @param {string} loyaltyId @param {number} now in seconds */
export async function sealSession(secret, loyaltyId, now) {
  const payload = `${loyaltyId}.${now + SESSION_SECONDS}`;
  return `${payload}.${await sign(secret, `shop_session:${payload}`)}`;
}

/** The loyalty id of a session cookie, or null when it is forged or over. @param {string} secret @param {string} cookie @param {number} now in seconds */
export async function openSession(secret, cookie, now) {
  const [loyaltyId, expiry, mac, ...rest] = cookie.split(".");
  if (!loyaltyId || !expiry || !mac || rest.length > 0 || !(Number(expiry) > now)) return null;
  const bytes = fromBase64url(mac);
  if (!bytes) return null;
  const text = utf8.encode(`shop_session:${loyaltyId}.${expiry}`);
  return (await crypto.subtle.verify("HMAC", await hmacKey(secret), bytes, text)) ? loyaltyId : null;
}
