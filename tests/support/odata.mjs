// @ts-check
// A small shop for tests of the read API: a known customer, an unknown visitor, an imported customer who
// was never seen, and a name nobody has.
import { randomUUID } from "node:crypto";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { browser } from "./signals.mjs";
import { until } from "./system.mjs";

export const CURRENT = "/_msci/api/data/v9.2/";
export const LEGACY = "/_msci/api/v1/instances/any-instance/data/";

/** Encodes an address as a client library does, what separates excepted; one that is encoded stays. @param {string} text */
export const encoded = (text) => (/%[0-9A-F]{2}/.test(text) ? text : encodeURI(text).replaceAll("+", "%2B").replaceAll("#", "%23"));

/** @typedef {Awaited<ReturnType<typeof import("./system.mjs").system>>} System */

/** @param {System} msci */
export function reader(msci) {
  /**
   * @param {string} path behind the root
   * @param {{ root?: string, headers?: Record<string, string>, method?: string }} [how]
   */
  return (path, { root = CURRENT, headers, method } = {}) =>
    msci.fetch(encoded(root + path), { method, headers: { authorization: `Bearer ${msci.adminToken}`, ...headers } });
}

/** Fills a system. @param {System} msci */
export async function shop(msci) {
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const [her, him, nobody] = [browser(), browser(), randomUUID()];
  const session = { id: "s1", start: Date.now() - 60_000 };
  const about = { session, sdk: "1.0.0", device: { timezone: "Europe/Madrid" } };
  const action = { type: "action", name: "Buy", actionType: "LClick", target: "button", elementId: "buy", isOutbound: false, coordinates: "10X20", elapsedMs: 12 };
  const signal = (/** @type {number} */ seq, /** @type {object} */ more) => ({ seq, time: Date.now() - 10_000 + seq * 1000, ...more });
  await msci.collect({
    ...her.batch(
      signal(1, { type: "view", uri: "https://shop.example/coffee-machines/premium/1?a=1", title: "Aurora", name: "aurora", viewType: "page", referrer: "https://search.example/", previous: "/" }),
      signal(2, { ...action, uri: "https://shop.example/cart" }),
      signal(3, { type: "event", name: "order_completed", properties: { total: 1250.5, kind: "machine" } }),
      signal(4, { type: "user", authId: "Loyalty1" }),
    ),
    ...about,
  });
  await msci.collect({ ...him.batch(signal(1, { type: "view", uri: "/reviews/1", title: "It's \"good\"" })), ...about });
  const ask = reader(msci);
  const id = async (/** @type {string} */ path) => (await ask(path)).body.msdynci_customerid;
  const known = await id(`msdynci_p13nprofile(cookieid='${her.cookieId}')`);
  const unknown = await id(`msdynci_p13nprofile(cookieid='${him.cookieId}')`);
  const imported = (await ask("msdynci_customerprofiles?$filter=msdynci_loyaltysignups_loyaltyid eq 'Loyalty2'")).body.value[0].msdynci_customerid;
  await until(async () => {
    const [row] = await msci.index("SELECT count(*) AS n FROM activity AS a JOIN cookie AS k ON k.object = a.object WHERE k.customer IN (?1, ?2)", known, unknown);
    const [people] = await msci.index("SELECT count(*) AS n FROM customer WHERE gone = 0 AND (id = ?1 AND body LIKE '%1250.5%' OR id = ?2)", known, unknown);
    return row.n === 4 && people.n === 2;
  }, "the index has all of it");
  return { ask, her, him, nobody, known, unknown, imported };
}
