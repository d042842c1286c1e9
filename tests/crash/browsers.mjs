// @ts-check
// Kills a browser at random moments while its pages make signals, starts it again on the same profile, and in the end
// holds what the edge has against what pages were told is safe: each of those signals is there, and none is there twice.
// The network in between loses answers, refuses and stalls.
import { chance } from "../support/chance.mjs";
import { resident } from "../support/chromium.mjs";
import { TAG, gate } from "../support/gate.mjs";
import { status } from "../support/sdk.mjs";
import { profile } from "../support/signals.mjs";
import { system, until } from "../support/system.mjs";

/** How long a browser may take until its pages make signals. */
const ALIVE_MS = 180_000;
/** How long the last page may take to send what all others have left. */
const DRAINED_MS = 300_000;
/** Tabs at a time. */
const TABS = 3;
/** Fewer processes to start and to kill: a run is about what they leave. */
const LEAN = ["--process-per-site", "--in-process-gpu"];
const PEOPLE = 4;

/** What a page does all the time: signals of each kind, sign-ins, and at last another page. Runs in the page. */
const LIFE = (/** @type {number} */ people) => {
  const { MSCI } = /** @type {any} */ (window);
  const page = crypto.randomUUID().slice(0, 8);
  const below = (/** @type {number} */ n) => Math.floor(Math.random() * n);
  const say = (/** @type {string} */ what) => void fetch("/says", { method: "POST", body: what }).catch(() => {});
  let made = 0;
  const act = async () => {
    // What is dropped for want of room is another matter.
    if ((await MSCI.status()).queued > 60) return setTimeout(act, 100);
    const id = `${page}-${(made += 1)}`;
    const acts = [
      () => MSCI.trackEvent({ name: id, properties: { filling: "x".repeat(below(400)) } }),
      () => MSCI.trackView({ uri: `/v/${id}`, title: id }),
      () => MSCI.trackAction({ name: id, type: "Tap" }),
    ];
    // Only IndexedDB outlives a browser that is killed: what went elsewhere is told as such.
    acts[below(acts.length)]?.().then(async () => say((await MSCI.status()).store === "indexedDB" ? id : `elsewhere ${id}`));
    if (below(60) === 0) void MSCI.setUser({ authId: `Person${below(people)}` });
    if (below(80) === 0) location.href = `/page/${id}`;
    else setTimeout(act, below(40));
    return undefined;
  };
  void act();
};

/**
 * @param {{ kills: number, signals: number, seed: number, minutes?: number, tell?: (line: string) => void }} options at
 *   least so many signals, spread over all lives of the browser; after so many minutes nothing more is killed
 */
export async function campaign({ kills: most, signals, seed, minutes = 60, tell = () => {} }) {
  const begun = performance.now();
  const luck = chance(seed);
  const msci = await system();
  const site = await gate(msci.base);
  const browser = await resident(undefined, { args: LEAN });
  try {
    await msci.admin("PUT", "/tables/People", { primaryKey: "PersonId", columns: { FirstName: "string" } });
    await msci.admin("PUT", "/settings", { trackingTable: "People" });
    site.otherwise = () => {
      const n = luck.next();
      if (n < 0.75) return "pass";
      if (n > 0.9) return { status: 503, headers: { "retry-after": "1" } };
      return luck.pick(/** @type {const} */ (["lost", "half", "reset", "cut", "silent"]));
    };
    const life = `${TAG}<script>(${LIFE})(${PEOPLE})</script>`;
    const fallback = site.page;
    site.page = () => life;
    let kills = 0;
    const toldSafe = () => [...new Set(site.said)].filter((id) => !id.startsWith("elsewhere"));
    while (kills < most && performance.now() - begun < minutes * 60_000) {
      if (kills > 0) await browser.start();
      kills += 1;
      const safe = toldSafe().length;
      // The driver may wait for ever for a tab of a browser that was killed meanwhile: nobody waits for it.
      for (let tab = 0; tab < TABS; tab += 1) void open(browser.context, site.base);
      // Some die while the first page still comes up; the last one makes what is missing.
      if (kills < most && luck.happens(0.1)) await pause(luck.below(400));
      else {
        const due = Math.max(1, Math.ceil((signals - safe) / (most - kills + 1)));
        await until(() => toldSafe().length >= safe + due, `pages say that ${due} signals are safe, in life ${kills}`, ALIVE_MS);
        await pause(luck.below(500));
      }
      await browser.kill9();
      if (kills % 10 === 0) tell(`${kills} kills, ${toldSafe().length} signals safe, ${site.arrived.length} requests`);
    }

    site.otherwise = "pass";
    site.page = fallback;
    await browser.start();
    const killed = performance.now();
    const page = await browser.context.newPage();
    await page.goto(`${site.base}/last`);
    await until(async () => (await status(page)).queued === 0 && (await page.evaluate(waiting)) === 0, "nothing waits on the device", DRAINED_MS);
    const drained = performance.now();
    const { rejected } = await status(page);

    const safe = toldSafe();
    const named = site.arrived.flatMap(({ batch, answer }) => [batch.cookieId, answer?.body.cookieId ?? batch.cookieId]);
    const held = await holding(msci, new Set(named));
    const verdicts = site.arrived.flatMap(({ answer }) => (answer?.status === 200 ? [answer.body] : []));
    const sum = (/** @type {(verdict: any) => number} */ of) => verdicts.reduce((all, verdict) => all + of(verdict), 0);
    return {
      lost: safe.filter((id) => !held.has(id)),
      doubled: [...held].filter(([, times]) => times > 1).map(([id]) => id),
      // What is dropped by rule would be no loss, but there is nothing to drop here.
      rejected: [...rejected.map((/** @type {any} */ of) => of.code), ...verdicts.flatMap(({ rejected }) => rejected.map((/** @type {any} */ of) => of.code))],
      figures: {
        kills,
        "signals told safe": safe.length,
        "told in another store": new Set(site.said).size - safe.length,
        "signals held": [...held.values()].reduce((all, times) => all + times, 0),
        requests: site.arrived.length,
        "without a good answer": site.arrived.filter(({ fate }) => fate !== "pass").length,
        accepted: sum(({ accepted }) => accepted),
        "answered duplicate": sum(({ duplicate }) => duplicate),
        cookies: new Set(site.arrived.map(({ batch }) => batch.cookieId)).size,
        merges: sum(({ user }) => Number(user?.status === "merged")),
        rotations: sum(({ user }) => Number(user?.status === "rotated")),
        drained: `${((drained - killed) / 1000).toFixed(1)} s after the last start`,
        time: `${((performance.now() - begun) / 1000).toFixed(1)} s`,
      },
    };
  } finally {
    await browser.stop();
    site.close();
    await msci.stop();
  }
}

/** A tab of its own; the browser may be gone before it is there. @param {import("playwright-core").BrowserContext} context @param {string} base */
const open = async (context, base) => {
  try {
    await (await context.newPage()).goto(`${base}/first`, { waitUntil: "commit" });
  } catch {}
};

/** Rows of the queue on the device, in either store. Runs in the page. @returns {Promise<number>} */
const waiting = () =>
  new Promise((resolve, reject) => {
    const opened = indexedDB.open("_msci");
    opened.onerror = reject;
    opened.onsuccess = () => {
      const counted = opened.result.transaction("signals").objectStore("signals").count();
      counted.onsuccess = () => {
        opened.result.close();
        resolve(counted.result + Object.keys(localStorage).filter((key) => key.startsWith("_msci:")).length);
      };
    };
  });

/**
 * How often each signal is in the timelines of all customers to whom these cookies belong, by the name it was given. The
 * objects themselves answer, so that nothing has to be waited for.
 * @param {Awaited<ReturnType<typeof system>>} msci
 * @param {Set<string>} cookies
 */
async function holding(msci, cookies) {
  const customers = new Set();
  for (const cookie of cookies) {
    const { status, body } = await profile(msci, cookie);
    if (status === 200) customers.add(body.msdynci_customerid);
  }
  // The answer that told a rotated cookieId may have been lost with the browser, and its link refused (a person has
  // 50 a day): then only the list knows of the visitor.
  for (const kind of ["known", "unknown"]) {
    for await (const { customerId } of pages(msci, `/customers?kind=${kind}&top=200`, "customers")) customers.add(customerId);
  }
  /** @type {Map<string, number>} */
  const held = new Map();
  for (const customerId of customers) {
    for await (const { title } of pages(msci, `/customers/${customerId}/timeline?top=200`, "activities")) {
      if (/^[0-9a-f]{8}-\d+$/.test(title)) held.set(title, (held.get(title) ?? 0) + 1);
    }
  }
  return held;
}

/**
 * All items of a list.
 * @param {Awaited<ReturnType<typeof system>>} msci
 * @param {string} path with a query
 * @param {string} member that holds the items
 */
async function* pages(msci, path, member) {
  let next = path;
  for (;;) {
    const { status, body } = await msci.admin("GET", next);
    if (status === 404) return;
    if (status !== 200) throw new Error(`GET ${next} answered ${status}`);
    yield* body[member];
    if (!body.skiptoken) return;
    next = `${path}&skiptoken=${encodeURIComponent(body.skiptoken)}`;
  }
}

const pause = (/** @type {number} */ ms) => new Promise((next) => setTimeout(next, ms));
