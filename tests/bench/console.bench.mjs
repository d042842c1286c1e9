// @ts-check
// The console's pages with 100,000 customers of each kind: how long each takes to answer, in each order of the lists; and
// in Chromium, with nothing in its cache, until it can be used, and what it transfers.
import { launch } from "../support/chromium.mjs";
import { console as desk } from "../support/console.mjs";
import { idle } from "../support/jobs.mjs";
import { system } from "../support/system.mjs";
import { seed } from "../../examples/contoso-coffee/seed.mjs";

const ROWS = 100_000;
const ASKED = 7;
const OPENED = 5;
const ORDERS = ["lastSeen", "firstSeen", "authId"].flatMap((sort) => ["asc", "desc"].map((order) => `sort=${sort}&order=${order}`));
const LISTS = [
  "customers", "customers?kind=unknown",
  ...ORDERS.map((order) => `customers?${order}`),
  ...ORDERS.filter((order) => !order.includes("authId")).map((order) => `customers?kind=unknown&${order}`),
  "customers?search=mail50000%40", "customers?search=mail5000&sort=authId&order=desc", "customers?kind=unknown&search=00a0b&sort=firstSeen",
];
const PAGES = [
  "", "tracking", "tables", "tables/LoyaltySignUps", "measures", "measures/LifetimeValue", "segments", "segments/LoyalCustomers",
  "experiences", "experiences/premium-hero", "activations", "live", "jobs", "privacy", "tokens", "audit",
];

/** @param {number[]} of */
const middle = (of) => [...of].sort((a, b) => a - b)[of.length >> 1] ?? 0;
const ms = (/** @type {number} */ time) => `${time.toFixed(0).padStart(5)} ms`;

const msci = await system();
const chromium = await launch(undefined);
try {
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const row = (/** @type {number} */ i) => `Many${i},First${i % 1000},Last${i % 777},mail${i}@example.com,${i % 4 ? "Silver" : "Gold"},${i % 1600}`;
  const csv = ["LoyaltyId,FirstName,LastName,Email,Tier,Spend", ...Array.from({ length: ROWS }, (_, i) => row(i))].join("\n");
  await msci.admin("POST", "/tables/LoyaltySignUps/rows", csv, { "content-type": "text/csv" });
  await idle(msci);
  // Half of the customers were seen, and as many visitors have no name: what their objects would have written.
  const columns = "'tag', 1, 0";
  await msci.index(
    `INSERT OR IGNORE INTO customer SELECT object, ${columns}, 1, key, ?1 - abs(random() % 1e10), ?1 - abs(random() % 1e9), lower(key || char(10) || body), ` +
      "json_object('cookieIds', json_array(object), 'attributes', json(body), 'segments', json_array(), 'measures', json('{}'), 'n', 1), NULL, ?1 " +
      "FROM imported_row WHERE substr(object, 2, 1) < '8'",
    Date.now(),
  );
  await msci.index("UPDATE imported_row SET marked = 1 WHERE object IN (SELECT id FROM customer)");
  await msci.index(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) INSERT INTO customer SELECT " +
      `printf('%08x-0000-4000-8000-%012x', i * 2654435761 % 4294967296, i) AS id, ${columns}, 0, NULL, ?1 - abs(random() % 1e10), ?1 - abs(random() % 1e9), printf('%08x', i), ` +
      "json_object('cookieIds', json_array(printf('%08x', i)), 'attributes', json('{}'), 'segments', json_array(), 'measures', json('{}'), 'n', 1), NULL, ?1 FROM n",
    Date.now(), ROWS,
  );
  const there = await desk(chromium, msci.base);
  const storageState = await there.context.storageState();
  const cookie = storageState.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const root = `${msci.base}/_msci/console/`;

  console.log("Answers: the first page, and for lists the second");
  for (const path of [...LISTS, ...PAGES]) {
    /** @type {Record<string, number[]>} */
    const took = { first: [], second: [] };
    let next = "";
    for (let i = 0; i < ASKED; i++) {
      for (const [which, address] of Object.entries({ first: root + path, ...(next && { second: next }) })) {
        const begun = performance.now();
        const answer = await fetch(address, { headers: { cookie } });
        const text = await answer.text();
        if (answer.status !== 200 || text.length === 0) throw new Error(`${address} answered ${answer.status}`);
        took[which]?.push(performance.now() - begun);
        const link = /href="([^"]+)" rel="next"/.exec(text)?.[1];
        if (which === "first" && link && path.startsWith("customers")) next = new URL(link.replaceAll("&amp;", "&"), msci.base).href;
      }
    }
    const told = Object.entries(took).filter(([, times]) => times.length > 0);
    console.log(`${`/${path}`.padEnd(52)} ${told.map(([, times]) => `median ${ms(middle(times))}, worst ${ms(Math.max(...times))}`).join("; ")}`);
  }

  console.log("\nIn Chromium, nothing cached: until the load event, until it can be used (scripts run, the main thread idle), bytes transferred");
  for (const path of ["", "customers", "customers?kind=unknown", ...PAGES.slice(1)]) {
    const [loaded, usable] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    let bytes = 0;
    for (let i = 0; i < OPENED; i++) {
      const context = await chromium.newContext({ storageState });
      const page = await context.newPage();
      await page.goto(there.root + path, { waitUntil: "load" });
      const times = await page.evaluate(
        () =>
          new Promise((resolve) =>
            requestIdleCallback(() => {
              const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
              resolve([navigation?.loadEventEnd ?? 0, performance.now()]);
            }),
          ),
      );
      // What a page asks for by itself (a preview's count, say) is not the next one's.
      await page.waitForLoadState("networkidle");
      loaded.push(times[0]);
      usable.push(times[1]);
      await context.close();
    }
    bytes = await there.weighs(path);
    console.log(`${`/${path}`.padEnd(40)} load ${ms(middle(loaded))}, usable ${ms(middle(usable))} (worst ${ms(Math.max(...usable))}), ${(bytes / 1024).toFixed(1).padStart(6)} KB`);
  }
} finally {
  await chromium.close();
  await msci.stop();
}
