// @ts-check
/** What a new system starts with: the shop's customers, and the four ideas it wants to try. All of it goes through the admin API. */

const TABLE = "LoyaltySignUps";

const table = {
  primaryKey: "LoyaltyId",
  columns: { FirstName: "string", LastName: "string", FullName: "string", Email: "string", Tier: "string", Spend: "number" },
};

const measures = {
  LifetimeValue: {
    aggregate: "sum",
    property: "total",
    filter: "ActivityType eq 'order_completed'",
    display: { unit: "EUR" },
  },
  PageViews: { aggregate: "count", filter: "ActivityType eq 'View'" },
};

const segments = {
  PremiumBrowsers: {
    displayName: "Browses premium coffee machines",
    filter: "UnifiedActivity/$count($filter=ActivityType eq 'View' and contains(ViewUri,'/coffee-machines/premium/')) ge 2",
  },
  HighLifetimeValue: {
    displayName: "High lifetime value",
    filter: "Spend ge 1000 or Measures/LifetimeValue ge 1000",
  },
  LoyalCustomers: {
    displayName: "Loyal customers",
    filter: "Tier in ('Gold','Platinum')",
  },
  ReviewReaders: {
    displayName: "Read reviews in the last 30 days",
    filter: "UnifiedActivity/any(a: a/ActivityType eq 'View' and contains(a/ViewUri,'/reviews/') and a/ActivityTime gt now() sub duration'P30D')",
  },
};

const experiences = {
  "premium-hero": {
    audience: "IsMemberOfSegment('PremiumBrowsers')",
    pages: ["/"],
    priority: 1,
    goal: "ActivityType eq 'order_completed'",
    changes: [
      { selector: "#hero-title", action: "setText", value: "The Aurora is waiting for you." },
      { selector: "#hero-text", action: "setText", value: "Two boilers, one perfect shot. Free delivery, and sixty days to change your mind." },
      { selector: "#hero-link", action: "setText", value: "Meet the Aurora Dual Boiler" },
      { selector: "#hero-link", action: "setAttribute", name: "href", value: "/coffee-machines/premium/aurora-dual-boiler" },
      { selector: "#hero-image", action: "setAttribute", name: "src", value: "/images/hero-premium.svg" },
      { selector: "#hero-image", action: "setAttribute", name: "alt", value: "A dual boiler espresso machine with walnut panels" },
    ],
  },
  "high-value-offer": {
    audience: "IsMemberOfSegment('HighLifetimeValue')",
    pages: ["/", "/coffee-machines/*", "/cart"],
    priority: 2,
    changes: [
      { selector: "#offer", action: "setHtml", value: "Thank you for your trust, {{ FirstName | default(\"friend\") }}: <code>GRAZIE15</code> takes 15 % off your next machine." },
    ],
  },
  "loyal-welcome": {
    audience: "IsMemberOfSegment('LoyalCustomers')",
    pages: ["/"],
    priority: 3,
    changes: [{ selector: "#welcome", action: "setText", value: "Welcome back, {{ FirstName }}!" }],
  },
  "review-readers": {
    audience: "IsMemberOfSegment('ReviewReaders')",
    pages: ["/"],
    changes: [
      { selector: "#recommend-title", action: "setText", value: "Reviewed by people like you" },
      { selector: "#recommend", action: "append", value: "<p class=\"quiet\">Still comparing? <a href=\"/reviews/\">Every review, good and bad, is here.</a></p>" },
    ],
  },
};

const FIRST = ["Noah", "Mia", "Liam", "Zoë", "Omar", "Ines", "Kofi", "Yuki", "Lars", "Aino"];
const LAST = ["Keller", "Okafor", "Tanaka", "Moreau", "Silva", "Nowak", "Haddad", "Lindqvist", "Rossi", "Byrne"];
const TIERS = ["Bronze", "Silver", "Gold", "Platinum"];

/** Abbie Moss and a hundred others, the same on every system. */
function* customers() {
  yield { LoyaltyId: "Loyalty1", FirstName: "Abbie", LastName: "Moss", FullName: "Abbie Moss", Email: "abbie.moss@example.com", Tier: "Gold", Spend: 1250 };
  for (let i = 0; i < 100; i++) {
    const [first, last] = [FIRST[i % 10] ?? "", LAST[Math.floor(i / 10)] ?? ""];
    yield {
      LoyaltyId: `Loyalty${i + 2}`,
      FirstName: first,
      LastName: last,
      FullName: `${first} ${last}`,
      Email: `${first}.${last}@example.com`.toLowerCase().normalize("NFD").replace(/\p{M}/gu, ""),
      Tier: TIERS[(i * 7) % 4],
      Spend: (i * 37) % 1600,
    };
  }
}

/** @typedef {{ base: string, adminToken: string, mail?: { url: string, secret: string } }} System with who takes the mails, if anybody does */

/** The activation that `mail` is told by. */
const MAIL = "activations/review-mail";
/** @param {System["mail"]} mail */
const activation = (mail) => JSON.stringify({ segment: "ReviewReaders", on: ["entered"], ...mail });

/** @param {System} system */
const caller = ({ base, adminToken }) =>
  /** @param {string} method @param {string} path @param {string} [body] @param {string} [type] */
  async (method, path, body, type = "application/json") => {
    // On a connection of its own: an idle one may just be closing, and nobody tries again.
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": type, connection: "close" };
    const answer = await fetch(`${base}/_msci/admin/v1/${path}`, { method, body, headers });
    if (!answer.ok && !(method === "GET" && answer.status === 404)) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };

/**
 * Fills a new system. Can be repeated: `trackingTable`, by which a new system is told, is set last.
 * @param {System} system
 */
export async function seed(system) {
  const call = caller(system);
  await call("PUT", `tables/${TABLE}`, JSON.stringify(table));
  const rows = [...customers()].map((row) => JSON.stringify(row)).join("\n");
  await call("POST", `tables/${TABLE}/rows`, rows, "application/x-ndjson");
  for (const [kind, definitions] of Object.entries({ measures, segments, experiences })) {
    for (const [name, definition] of Object.entries(definitions)) {
      await call("PUT", `${kind}/${name}`, JSON.stringify(definition));
    }
  }
  if (system.mail) await call("PUT", MAIL, activation(system.mail));
  await call("PUT", "settings", JSON.stringify({ trackingTable: TABLE }));
}

/**
 * A system that was filled before, and may now be at another port: the activation, where it is still the one of here,
 * tells whoever takes the mails now.
 * @param {System} system
 */
export async function moved(system) {
  const call = caller(system);
  const answer = await call("GET", MAIL);
  const there = answer.ok && new URL((await answer.json()).url);
  const here = system.mail && new URL(system.mail.url);
  if (there && here && there.hostname === here.hostname && there.pathname === here.pathname) await call("PUT", MAIL, activation(system.mail));
}
