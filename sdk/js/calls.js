// What the arguments of calls are worth: what of them is sent, or why they are refused.

/** @typedef {any} Any plain data, as it comes out of JSON */

export const PURPOSES = ["storage", "analytics", "personalization"];

// A page that is not signed in tends to send the word for nothing; if that merged, all strangers would become
// one customer. Quotes and escapes do not make nobody somebody: `"null"` is still null.
const NOBODY = /^["'`\\ ]*(|null|undefined|none|nan|true|false|0|-1|anonymous|guest|\[object object\])["'`\\ ]*$/i;
const USER = ["authId", "authType", "localId", "name", "email", "token"];

export const errorOf = (/** @type {string} */ code) => Object.assign(new Error("MSCI: " + code), { code });

/** @param {string} code @returns {never} */
export const fail = (code) => {
  throw errorOf(code);
};

const isObject = (/** @type {Any} */ value) => value && typeof value === "object";
export const isText = (/** @type {Any} */ value) => typeof value === "string" && value.trim() !== "";
const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text).length;

/** Members that say something. @param {Any} of @param {string[]} names @returns {Record<string, Any>} */
export const copied = (of, ...names) =>
  Object.fromEntries(names.map((name) => [name, of?.[name]]).filter(([, value]) => value != null && value !== "" && !isObject(value)));

/** Of `setUser`. @param {Any} user */
export const userOf = (user) => {
  // Absent is one thing, `null` another: somebody meant to name the visitor and could not.
  if (isObject(user) && "authId" in user) {
    // The edge does this too.
    const authId = isText(user.authId) ? user.authId.trim().normalize() : "";
    if (NOBODY.test(authId) || bytes(authId) > 256) fail("authid_invalid");
    user = { ...user, authId };
  }
  for (const name of USER) {
    const value = user?.[name] ?? "";
    if (typeof value !== "string" || bytes(value) > 8192) fail("invalid_field");
  }
  const given = copied(user, ...USER);
  return Object.keys(given)[0] ? given : fail("invalid_user");
};

/** Of any signal with a name. @param {Any} of */
export const namedOf = (of) => (isText(of?.name) ? copied(of, "name", "title", "target", "elementId", "version", "exposures") : fail("name_missing"));

/** Of `trackView`. @param {Any} of */
export const viewOf = (of) => {
  if (!isText(of?.uri)) fail("uri_missing");
  const uri = (of.uri[0] === "/" ? location.origin : "") + of.uri;
  return { uri, viewType: isText(of.type) ? of.type : "page", ...copied(of, "name", "title", "target", "elementId") };
};

/** `null` counts as absent. @param {Any} own @returns {Record<string, Any>} */
export const propertiesOf = (own = null) => {
  if (own !== null && (!isObject(own) || own.map || Object.values(own).some(isObject))) fail("invalid_field");
  /** @type {Record<string, Any>} */
  const kept = {};
  // `__proto__`, which the edge refuses, is not kept by this: only an object could become one.
  for (const name in own) if (own[name] !== null) kept[name] = own[name];
  return kept;
};

/** Of `setConsent`, or what is stored of it. @param {Any} purposes */
export const consentOf = (purposes) => {
  for (const [purpose, grant] of Object.entries(purposes ?? {})) {
    if (!PURPOSES.includes(purpose) || (grant !== "granted" && grant !== "denied")) fail("invalid_consent");
  }
  return purposes;
};

/** All purposes alike. @param {boolean} granted */
export const everyPurpose = (granted) => Object.fromEntries(PURPOSES.map((purpose) => [purpose, granted ? "granted" : "denied"]));
