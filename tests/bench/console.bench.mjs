// @ts-check
// The console's pages with 100,000 customers: how long each takes to answer.
import { idle } from "../support/jobs.mjs";
import { system } from "../support/system.mjs";
import { seed } from "../../examples/contoso-coffee/seed.mjs";

const ROWS = 100_000;
const ASKED = 7;
const PAGES = [
  "", "tracking", "customers", "customers?search=mail50000%40", "customers?kind=unknown", "tables", "tables/LoyaltySignUps",
  "measures", "segments", "segments/LoyalCustomers", "jobs",
];

const msci = await system();
try {
  await seed({ base: msci.base, adminToken: msci.adminToken });
  const row = (/** @type {number} */ i) => `Many${i},First${i % 1000},Last${i % 777},mail${i}@example.com,${i % 4 ? "Silver" : "Gold"},${i % 1600}`;
  const csv = ["LoyaltyId,FirstName,LastName,Email,Tier,Spend", ...Array.from({ length: ROWS }, (_, i) => row(i))].join("\n");
  await msci.admin("POST", "/tables/LoyaltySignUps/rows", csv, { "content-type": "text/csv" });
  await idle(msci);
  const root = `${msci.base}/_msci/console/`;
  const { cookies } = await msci.fetch("/_msci/console/sign-in", {
    method: "POST",
    headers: { origin: msci.base, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ token: msci.adminToken }).toString(),
  });
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join("; ");
  for (const path of PAGES) {
    const took = [];
    for (let i = 0; i < ASKED; i++) {
      const begun = performance.now();
      const answer = await fetch(root + path, { headers: { cookie } });
      const { length } = await answer.text();
      if (answer.status !== 200 || length === 0) throw new Error(`${path} answered ${answer.status}`);
      took.push(performance.now() - begun);
    }
    took.sort((a, b) => a - b);
    console.log(`${`/${path}`.padEnd(40)} median ${took[3]?.toFixed(0).padStart(5)} ms, worst ${took.at(-1)?.toFixed(0).padStart(5)} ms`);
  }
} finally {
  await msci.stop();
}
