// @ts-check
// What somebody outside may send within all limits, made as expensive as it can be made: each a function that sends
// one, as somebody new where that costs more.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { answer } from "../../support/system.mjs";
import { browser, curveToken, token } from "../../support/signals.mjs";
import { encoded } from "../../support/odata.mjs";

/** @typedef {Awaited<ReturnType<typeof import("../../support/system.mjs").system>>} System */

/** Bytes of a body that is as long as it may be, less what stands around its signals. */
const BODY = 510 * 1024;
const SIGNALS = 500;
const SEGMENTS = 1000;
const MEASURES = 100;
const EXPERIENCES = 100;

/** @template T @param {number} n @param {(at: number) => T} make */
const many = (n, make) => Array.from({ length: n }, (_, at) => make(at));

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });

/**
 * A configuration that a large customer could have: each segment counts views by a part of the address, each measure
 * sums up an event, each experience is for one of the segments.
 * @param {System} msci
 */
export async function configured(msci) {
  const put = async (/** @type {string} */ path, /** @type {unknown} */ body) => {
    const { status, body: told } = await msci.admin("PUT", path, body);
    if (status !== 200) throw new Error(`${path}: ${JSON.stringify(told)}`);
  };
  await put("/tables/People", { primaryKey: "Id", columns: { FirstName: "string", Tier: "string" } });
  await put("/settings", { trackingTable: "People", decisionFields: ["FirstName"] });
  for (let n = 0; n < MEASURES; n++) await put(`/measures/M${n}`, { aggregate: "sum", property: "total", filter: `ActivityType eq 'order${n % 10}'`, ...(n % 2 && { window: "P30D" }) });
  for (let n = 0; n < SEGMENTS; n++) {
    const count = `UnifiedActivity/$count($filter=ActivityType eq 'View' and contains(ViewUri,'${mark(n)}') and ActivityTime gt now() sub duration'P30D') ge 3`;
    await put(`/segments/S${n}`, { filter: n % 2 ? `${count} or Measures/M${n % MEASURES} gt ${n}` : count });
  }
  for (let n = 0; n < EXPERIENCES; n++) {
    await put(`/experiences/x${n}`, {
      audience: `IsMemberOfSegment('S${n}') or not IsMemberOfSegment('S${n + 100}')`,
      pages: ["/*"],
      changes: [{ selector: `#e${n}`, action: "setText", value: `{{ FirstName | default("friend") }} ${n}` }],
      holdout: 0.1,
    });
  }
  const { publicKey } = pair;
  await msci.admin("POST", "/keys", { kind: "identity", alg: "ES256", publicKey: { ...publicKey.export({ format: "jwk" }), kid: "curve" } });
}

/** A part of an address that one segment asks for. @param {number} n */
const mark = (n) => `/${n.toString(36).padStart(3, "0")}/`;

/** An address that all segments ask for. */
const everything = many(SEGMENTS, mark).join("").replaceAll("//", "/");

/** As many of one kind as fit. @param {(at: number) => Record<string, unknown>} make */
function full(make) {
  /** @type {Record<string, unknown>[]} */
  const signals = [];
  for (let left = BODY, at = 0; at < SIGNALS; at++) {
    const signal = make(at);
    // With number and time.
    left -= Buffer.byteLength(JSON.stringify(signal)) + 40;
    if (left < 0) break;
    signals.push(signal);
  }
  return signals;
}

/** No part of it is like the others, and some of it is escaped. @param {number} length @param {number} [at] */
const text = (length, at = 0) => `${at}:`.padEnd(length, 'exyz/ab\\"');
/** @param {number} n @param {number} length */
const properties = (n, length) => Object.fromEntries(many(n, (at) => [`p${at}`, text(length, at)]));

/** A forged token of a known key. @param {"HS256" | "ES256"} alg @param {string} sub */
function forged(alg, sub) {
  if (alg === "HS256") return token("not the secret", { sub });
  const good = curveToken(pair.privateKey, { sub }, { alg, kid: "curve" });
  // A signature that is a point of the curve, and of another text.
  const [header, , signature] = good.split(".");
  return `${header}.${Buffer.from(JSON.stringify({ sub, exp: Math.floor(Date.now() / 1000) + 600 })).toString("base64url")}.${signature}`;
}

/** What prepares a request, and gives what sends it. @typedef {() => Send | Promise<Send>} Attack */
/** @typedef {() => Promise<import("../../support/system.mjs").Answer>} Send */

const people = "msdynci_customerprofiles";
/** So many conditions, of one node that compares and three more each. @param {number} n @param {string} between */
const conditions = (n, between) => many(n, (at) => `contains(tolower(msdynci_firstname),'${at}')`).join(between);
const lambdas = many(5, (at) => `UnifiedActivity/any(a: contains(a/ViewUri,'${at}') and a/ActivityType eq 'View')`).join(" or ");

/**
 * @param {System} msci
 * @param {string} page address of a large page of the site
 * @returns {Promise<Record<string, Attack>>}
 */
export async function attacks(msci, page) {
  const known = browser();
  await msci.collect(known.batch(known.view("/"), known.user("Known")));
  const { cookies } = await msci.collect(known.batch(known.user("Known")), { cookies: { _msci: known.cookieId } });
  const hers = { cookieId: known.cookieId };
  const jar = { _msci: known.cookieId, ...cookies };
  const long = { ...jar, "euconsent-v2": `C${"A".repeat(4000)}`, other: "x".repeat(8000) };
  const { body: manifest } = await msci.fetch("/_msci/manifest.json");

  /** @param {string | Buffer} body @param {Record<string, string>} [headers] @returns {Attack} */
  const raw = (body, headers) => () => () =>
    answer(`${msci.base}/_msci/collect`, { method: "POST", body: /** @type {any} */ (body), headers: { "content-type": "application/json", ...headers } });
  /** A batch of somebody new, or of whoever is named. @param {(at: number) => Record<string, unknown>} make @param {{ cookieId?: string }} [of] */
  const batch = (make, of) => {
    const her = browser(of);
    return her.batch(...full(make).map((signal, at) => ({ seq: at + 1, time: Date.now(), ...signal })));
  };
  /** @param {Parameters<typeof batch>} of @returns {Attack} */
  const collect = (...of) => () => {
    const sent = batch(...of);
    return () => msci.collect(sent, { cookies: { _msci: sent.cookieId } });
  };
  /** The same where the visitor refuses: no object is asked, so it is what the Worker does by itself. @param {Parameters<typeof batch>} of @returns {Attack} */
  const refused = (...of) => () => {
    const sent = batch(...of);
    return () => msci.collect(sent, { headers: { "sec-gpc": "1" } });
  };
  /** @param {string} uri */
  const views = (uri) => (/** @type {number} */ at) => ({ type: "view", uri, title: text(20, at) });
  /** @param {Record<string, string>} [jar] @param {string} [path] @returns {Attack} */
  const visit = (jar = {}, path = page) => () => () => msci.fetch(path, { headers: { accept: "text/html" }, cookies: jar });
  /** @param {string} path @returns {Attack} */
  const read = (path) => () => () => msci.fetch(encoded(`/_msci/api/data/v9.2/${path}`), { headers: { authorization: `Bearer ${msci.adminToken}` } });
  const order = (/** @type {number} */ at) => ({ type: "event", name: `order${at % 10}`, properties: { total: at / 7 } });
  const wide = (/** @type {number} */ at) => ({ ...order(at), properties: properties(64, 8) });
  const user = (/** @type {"HS256" | "ES256"} */ alg) => () => {
    const authId = randomUUID();
    return { type: "user", authId, token: forged(alg, authId) };
  };

  return {
    "collect: one view": () => {
      const her = browser();
      const sent = her.batch(her.view("/"));
      return () => msci.collect(sent);
    },
    "collect: 500 events, of 10 measures each": collect(order),
    "collect: the same, of a customer": collect(order, hers),
    "collect: 500 events of 1 KB": collect((at) => ({ ...order(at), properties: properties(8, 100) })),
    "collect: events of 64 properties": collect(wide),
    "  the Worker's part of it": refused(wide),
    "collect: events of 32 KB": collect(() => ({ type: "event", name: "long", properties: properties(3, 7_900) })),
    "collect: views that each segment counts": collect(views(everything)),
    "  the Worker's part of it ": refused(views(everything)),
    "collect: such views, of a customer": collect(views(everything), hers),
    "collect: views that no segment counts": collect(views(text(8_000))),
    "collect: 500 consents": collect((at) => ({ type: "consent", purposes: { analytics: at % 2 ? "granted" : "denied" } })),
    "collect: 500 users, each another": collect((at) => ({ type: "user", authId: `Many${at}` })),
    "collect: 500 users, all the same": collect(() => ({ type: "user", authId: "Same", name: text(100), email: "a@b.example" })),
    "collect: 500 users, HS256 forged": collect(user("HS256")),
    "collect: 500 users, ES256 forged": collect(user("ES256")),
    "collect: tokens of 4 KB, forged": collect(() => ({ type: "user", authId: randomUUID(), token: forged("HS256", "x".repeat(2900)) })),
    "collect: signals that are none": collect(() => ({ type: "event", properties: properties(8, 100) })),
    "collect: gzip of a full body": () => {
      const body = gzipSync(JSON.stringify({ key: msci.ingestionKey, sentAt: Date.now(), ...batch(views(text(8_000))) }));
      return raw(body, { "content-encoding": "gzip" })();
    },
    "collect: gzip of 512 MB": raw(gzipSync(Buffer.alloc(512 * 1024 * 1024)), { "content-encoding": "gzip" }),
    "collect: JSON 10,000 deep": raw("[".repeat(10_000) + "]".repeat(10_000)),
    "collect: 250,000 numbers": raw(`{"a":[${"1,".repeat(250_000)}1]}`),
    "collect: 100,000 names": raw(`{${many(50_000, (at) => `"${at}":1`).join()}}`),
    "collect: 85,000 escapes": raw(`{"a":"${"\\u00e9".repeat(85_000)}"}`),
    "page of 1 MB, 100 experiences": visit(),
    "the same, of a customer with 12 KB of cookies": visit(long),
    "such a page, at an address of 6 KB": visit(jar, `${page}?${"a=%C3%A9&".repeat(800)}`),
    "a small page, with a proof that is none": visit({ ...long, "__Host-msci_p": "A".repeat(4000) }, "/small"),
    "decisions, of a customer": () => () => msci.fetch(`/_msci/decisions?uri=${encodeURIComponent(`/${"é/".repeat(700)}`)}`, { cookies: long }),
    "forget, of 500 signals": async () => {
      const her = browser();
      await msci.collect(her.batch(...many(SIGNALS, () => her.view("/"))));
      return () => msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: her.cookieId }, headers: { origin: msci.base } });
    },
    "the script": () => () => msci.fetch("/_msci/msci.js"),
    "the module": () => () => msci.fetch(`/_msci/assets/${Object.keys(manifest.files).find((name) => name.endsWith(".wasm"))}`),
    "read: a profile with all of it": read(`msdynci_p13nprofile(cookieid='${known.cookieId}',include=['segmentmembership','measures','unifiedactivity'])`),
    "read: a filter of 20 conditions": read(`${people}?$filter=${conditions(20, " or ")}`),
    "read: one 20 deep": read(`${people}?$filter=${"not (".repeat(9)}${conditions(15, " or ")}${")".repeat(9)}`),
    "read: one of lambdas": read(`${people}?$filter=${lambdas}`),
    "read: one that is none, of 4 KB": read(`${people}?$filter=${"(".repeat(4000)}`),
    "read: groups": read(`${people}?$apply=groupby((msdynci_firstname,msdynci_tier),aggregate($count as n))`),
    "read: 5,000 rows": read(people),
    "read: 20 customers with all they did": read(`${people}?$expand=msdynci_unifiedactivity&$top=20`),
    "read: what there is ($metadata)": read("$metadata"),
  };
}
