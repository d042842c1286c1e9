// Applies decisions in the browser, for pages that the Worker does not stand in front of: it asks as any page may,
// and does to the document what the edge's rewriter does to its HTML. An asset of its own, for pages that ask for it.
//
// What is decided in time is applied, later answers are not: the visitor has seen the page. What appears late is
// changed when it appears, as long as that may be part of loading. Whatever fails, the page is shown as it is.
import { attempt } from "./attempt.js";
import { here } from "./capture.js";
import { attributes, told } from "./friends.js";
import { change, isInserted } from "./changes.js";
import { overhear } from "./overhear.js";

/** @typedef {any} Any */
/** @typedef {{ selector: string, action: string, value: string, name?: string }} Change */

/** A visitor waits no longer. */
const PATIENCE = 1_000;
/** How long after a decision elements may still appear, in milliseconds, and how many are changed at most. */
const WATCH = 30_000;
const MOST = 1_000;
/** A redirect has led here: that page leads no further, wherever the site's own redirects ended. */
const LED = "_msci_led";
const MARKER = "meta[name=msci-x]";
/** Those that cannot be done twice without being seen twice. */
const ADDS = /^(append|prepend|before|after)$/;

/** The page's configuration as an object, whichever way it was said. @param {Any} said */
const wanted = (said) =>
  said === true
    ? { apply: true }
    : typeof said === "string"
      ? Object.fromEntries(said.split(/[\s,]+/).map((name) => [name, true]))
      : said;

/** What has had an addition, by what was added. Persistent parts of a page outlive its decisions. @type {Map<string, WeakSet<Element>>} */
const added = new Map();

/**
 * @param {Any} api the instance
 * @param {Any} settings the site's public settings
 */
export const start = async (api, settings) => {
  const cfg = wanted(api._cfg.personalization);
  const guard = /** @type {Any} */ (window).msciGuard;
  const lift = () => guard?.();
  const patience = Math.min(cfg.timeoutMs ?? PATIENCE, PATIENCE);
  const placeNow = () => here(settings.capture?.history).place;
  let place = placeNow();
  /** The page is as it was loaded. */
  let initial = true;
  let marked = false;
  // The Worker itself has changed it.
  const isRewritten = () => initial && !marked && document.querySelector(MARKER);
  /** Counts decisions: an answer to another page comes too late. */
  let turn = 0;
  let ended = false;
  let stop = () => {};

  const end = () => {
    turn++;
    stop();
    lift();
  };

  const mark = (/** @type {string} */ exposures) => {
    document.querySelector(MARKER)?.remove();
    marked = true;
    if (!exposures) return;
    const meta = document.createElement("meta");
    meta.name = "msci-x";
    meta.content = exposures;
    document.head.append(meta);
    // The view is on its way already, most often in the same batch.
    api.trackEvent({ name: "experience_viewed", exposures });
  };

  /** Leaves for another page, unless that cannot end. @param {string} value */
  const leave = (value) => {
    const to = new URL(value, location.href);
    if (!/^https?:$/.test(to.protocol) || to.href.split("#")[0] === location.href.split("#")[0] || led) return;
    // Without a memory of it there is no end to be sure of.
    sessionStorage.setItem(LED, "1");
    location.replace(to.href);
    return true;
  };
  const led = attempt(() => sessionStorage.getItem(LED));
  attempt(() => sessionStorage.removeItem(LED));

  /** Answers whether another page comes. */
  const decide = async () => {
    const now = ++turn;
    stop();
    // A page that nobody has seen yet is not decided.
    if (/** @type {Any} */ (document).prerendering) {
      await new Promise((seen) => document.addEventListener("prerenderingchange", seen, { once: true }));
    }
    const answer = api.decisions();
    answer.then((/** @type {Any} */ decided) => decided.segments && now === turn && attributes(cfg, decided), () => {});
    if (!cfg.apply) return false;
    if (isRewritten()) lift();
    const decided = await Promise.race([answer, new Promise((late) => setTimeout(late, patience))]);
    // The marker of a page that is still on its way is in its head.
    if (decided?.experiences?.[0] && !document.body) await bodied();
    if (!decided?.experiences || now !== turn || (initial && guard?.over) || isRewritten()) return false;
    const changes = decided.experiences.flatMap((/** @type {Any} */ it) => it.changes);
    mark(decided.experiences.map((/** @type {Any} */ { name, variant }) => name + ":" + variant).join());
    const redirect = changes.find((/** @type {Change} */ { action }) => action === "redirect");
    // Hidden until the other page comes; the guard's own timer knows when it does not.
    if (redirect && attempt(() => leave(redirect.value))) return true;
    stop = watch(changes.filter((/** @type {Change} */ { action }) => action !== "redirect"));
    return false;
  };
  const run = () => {
    decide().then((left) => left || lift(), lift);
  };

  // What the visitor or the page says against it counts at once.
  overhear(api, ([method, args]) => {
    const refused = /^setCon/.test(method) && /denied|"userConsent":false/.test(JSON.stringify(args));
    if (!refused && !/^(reset|optOut|teardown)$/.test(method)) return;
    if (method === "teardown") ended = true;
    else told(cfg);
    end();
  });

  const moved = () => {
    const now = placeNow();
    if (ended || now === place) return;
    place = now;
    initial = false;
    // It spoke of the page before.
    document.querySelector(MARKER)?.remove();
    run();
  };
  for (const method of /** @type {const} */ (["pushState", "replaceState"])) {
    const original = history[method];
    history[method] = function () {
      const result = original.apply(this, /** @type {Any} */ (arguments));
      attempt(moved);
      return result;
    };
  }
  addEventListener("popstate", moved);
  run();
};

/** Resolves when the page has a body. */
const bodied = () =>
  new Promise((/** @type {Any} */ there) => {
    new MutationObserver((_, observer) => {
      if (!document.body) return;
      observer.disconnect();
      there();
    }).observe(document, { childList: true, subtree: true });
  });

/** Whether the parser is through with an element: what follows would land in it otherwise. @param {Element} element */
const isWhole = (element) => {
  if (document.readyState !== "loading") return true;
  for (let node = /** @type {Node | null} */ (element); node; node = node.parentNode) if (node.nextSibling) return true;
  return false;
};

/**
 * Changes what is there, and what appears while the page is loading.
 * @param {Change[]} changes
 * @returns {() => void} ends it
 */
const watch = (changes) => {
  // An element that goes takes nothing with it that others want to change.
  const ordered = [...changes].sort((a, b) => +(a.action === "remove") - +(b.action === "remove"));
  const memories = ordered.map((it) => {
    if (!ADDS.test(it.action)) return new WeakSet();
    const key = JSON.stringify(it);
    const memory = added.get(key) ?? new WeakSet();
    added.set(key, memory);
    return memory;
  });
  /** What the parser is not through with. @type {[Element, number][]} */
  let unfinished = [];
  let count = 0;

  const act = (/** @type {ParentNode[]} */ roots) => {
    // All of it is found before anything is changed: no change fits what another has made.
    const found = unfinished;
    unfinished = [];
    ordered.forEach(({ selector }, at) =>
      attempt(() => {
        for (const root of roots) {
          if (/** @type {Any} */ (root).matches?.(selector)) found.push([/** @type {Element} */ (root), at]);
          for (const element of root.querySelectorAll(selector)) found.push([element, at]);
        }
      }),
    );
    for (const it of found) {
      const [element, at] = it;
      const memory = /** @type {WeakSet<Element>} */ (memories[at]);
      if (memory.has(element) || isInserted(element)) continue;
      if (!isWhole(element)) {
        unfinished.push(it);
        continue;
      }
      memory.add(element);
      if (count++ < MOST) attempt(() => change(element, /** @type {Change} */ (ordered[at])));
    }
    if (count >= MOST) stop();
  };

  const observer = new MutationObserver((records) => {
    const nodes = new Set(records.flatMap(({ addedNodes }) => [...addedNodes]));
    // Only what is on top: the rest is found below it.
    const tops = [...nodes].filter((node) => node.nodeType === 1 && node.isConnected && !nodes.has(/** @type {Any} */ (node.parentNode)));
    act(/** @type {Any} */ (tops));
  });
  const parsed = () => act([]);
  const stop = () => {
    observer.disconnect();
    document.removeEventListener("readystatechange", parsed);
    clearTimeout(timer);
  };
  const timer = setTimeout(stop, WATCH);
  if (ordered[0]) {
    observer.observe(document, { childList: true, subtree: true });
    document.addEventListener("readystatechange", parsed);
    act([document]);
  } else stop();
  return stop;
};
