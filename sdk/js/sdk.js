// The hands of the WebAssembly module: tells it what happens, with the state of the browser at that
// moment, and does what it answers. Decides nothing, and keeps whatever goes wrong away from the page.
import { create, decide, start } from "./module.js";
import { drop, keep, kind, left, purge, release, written } from "./store.js";

/** @typedef {string} Text */
/** @typedef {any} Any what comes from the page, or goes to the module as JSON */

// What a click on, or inside of, is an interaction.
const INTERACTIVE =
  "a[href],area[href],button,summary,[role=button],[role=link],input[type=submit],input[type=button],input[type=image],[data-msci-name],[data-msci-target]";
// Whose text is its name, and what a visitor can write into: text around that is never read.
const LABELLED = "a,button,summary,[role]";
const WRITABLE = "input,textarea,select,[contenteditable]";

// One module for all instances of a page.
/** @type {Promise<void> | undefined} */
let ready;

// Blocked cookies and storage throw on every touch, and any object of the page may.
/**
 * @template T
 * @param {() => T} act
 * @returns {T | undefined}
 */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

// `randomUUID` exists only on https.
const guid = () =>
  crypto.randomUUID?.() ??
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (/** @type {Any} */ digit) =>
    (digit ^ (/** @type {Any} */ (crypto.getRandomValues(new Uint8Array(1)))[0] & (15 >> (digit / 4)))).toString(16),
  );

// The edge takes texts of 8 KB.
const clip = (/** @type {Text} */ text) => text?.slice(0, 2e3);
const stored = (/** @type {Text} */ key) => attempt(() => JSON.parse(/** @type {Any} */ (localStorage.getItem(key))));

const device = {
  language: navigator.language,
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  screen: screen.width + "x" + screen.height,
};

const facts = () => ({
  now: Math.round(performance.now()),
  time: Date.now(),
  jitter: (Math.random() * 1025) | 0,
  guids: [guid(), guid(), guid(), guid()],
  uri: clip(location.href),
  origin: location.origin,
  path: location.pathname,
  search: location.search,
  title: clip(document.title),
  referrer: clip(document.referrer),
  exposures: /** @type {HTMLMetaElement | null} */ (document.querySelector("meta[name=msci-x]"))?.content,
  cookie: attempt(() => document.cookie),
  session: stored("_msci_session"),
  consent: stored("_msci_consent"),
  gpc: /** @type {Any} */ (navigator).globalPrivacyControl,
  offline: !navigator.onLine,
  store: kind,
  device,
});

// What an element says about itself.
const clicked = (/** @type {Any} */ { target, pageX, pageY }) => {
  const element = target.closest(INTERACTIVE);
  if (!element || target.closest("[data-msci-ignore]")) return;
  const attribute = (/** @type {Text} */ name) => element.getAttribute(name)?.trim();
  const labelled =
    element.matches(LABELLED) && !element.closest(WRITABLE) && !element.querySelector(WRITABLE);
  return {
    name: (
      attribute("data-msci-name") ||
      attribute("aria-label") ||
      (labelled && element.textContent.trim().replace(/\s+/g, " ")) ||
      attribute("title") ||
      attribute("alt") ||
      attribute("name") ||
      attribute("id") ||
      element.localName
    ).slice(0, 99),
    target: clip(attribute("data-msci-target") || element.href || element.localName),
    elementId: attribute("id"),
    isOutbound: !!element.host && element.host !== location.host,
    coordinates: Math.round(pageX) + "X" + Math.round(pageY),
  };
};

/**
 * Takes over an instance that a loader made.
 * @param {any} api the instance: `_q` is its queue, `_cfg` its configuration
 * @param {unknown} settings the site's public settings
 * @param {Promise<Response>} wasm the module, on its way
 */
export const attach = async (api, settings, wasm) => {
  const queue = api._q;
  await (ready ??= start(wasm));
  queue.on = 1;
  // A page that nobody has seen yet has no view, and needs no cookie.
  if (/** @type {Any} */ (document).prerendering) {
    await new Promise((seen) => document.addEventListener("prerenderingchange", seen, { once: true }));
  }

  const instance = create(JSON.stringify(settings));
  const listening = new AbortController();
  const calls = new Map();
  let count = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  // Why calls are refused, once they are.
  /** @type {Any} */
  let over;

  const end = (/** @type {Text} */ reason) => {
    over = { status: "refused", reason };
    listening.abort();
    clearTimeout(timer);
    for (const [resolve] of calls.values()) resolve(over);
  };

  const settle = (/** @type {0 | 1} */ how) => async (/** @type {number} */ call, /** @type {Any} */ value) => {
    // What was said is durable before anybody relies on it.
    await written();
    calls.get(call)?.[how](value);
    calls.delete(call);
  };

  const resolve = settle(0);
  /** @param {number} call @param {Text} code */
  const reject = (call, code) => settle(1)(call, Object.assign(new Error("MSCI: " + code), { code }));

  /** @type {Record<string, (...args: Any[]) => unknown>} */
  const verbs = {
    cookie: (line) => (document.cookie = line),
    store: (key, value) =>
      value ? localStorage.setItem(key, JSON.stringify(value)) : localStorage.removeItem(key),
    wake: (ms) => {
      clearTimeout(timer);
      timer = setTimeout(step, ms, "tick");
    },
    send: async (url, body, batch, retry, last) => {
      let status = 0;
      let answer;
      let after;
      try {
        const response = await fetch(url, {
          method: "POST",
          body: JSON.stringify(body),
          // Goes on when the page does not. A retry does without: others on the page may have used up
          // the browser's quota for such requests.
          keepalive: !!last || !retry,
          headers: retry ? { "X-Retry-Count": retry } : {},
          signal: AbortSignal.timeout?.(3e4),
        });
        status = response.status;
        after = response.headers.get("Retry-After");
        // Seconds, or a date.
        if (after) after = Math.max(0, Math.round(+after || (Date.parse(after) - Date.now()) / 1e3));
        answer = await response.json();
      } catch {}
      step("reply", { batch, status, after, answer });
    },
    tell: (url) => fetch(url, { method: "POST", keepalive: true }).catch(() => {}),
    get: (call, url, instead) =>
      fetch(url + encodeURIComponent(location.href))
        .then((response) => (response.ok ? response.json() : instead))
        .catch(() => instead)
        .then((value) => resolve(call, value)),
    resolve,
    reject,
    warn: (text) => console.warn("MSCI: " + text),
    keep,
    drop,
    purge,
    load: (own) => left(own, (owner, rows) => step("left", { owner, rows })),
  };

  /**
   * @param {Text} what
   * @param {Any} [more]
   */
  const step = (what, more) => {
    let effects = "[]";
    try {
      // Half a surrogate pair would cost the whole batch.
      const input = JSON.stringify({ in: what, ...facts(), ...more }).replace(/\\ud[89a-f]../g, "\\ufffd");
      effects = decide(instance, input);
    } catch (error) {
      // After a trap the module's memory is not to be trusted; anything else was in the arguments.
      if (error instanceof WebAssembly.RuntimeError) end("failed");
      else reject(more?.call, "invalid_field");
    }
    for (const [verb, ...args] of JSON.parse(effects)) attempt(() => verbs[verb]?.(...args));
  };

  const run = (/** @type {Any} */ [method, args, ...promise]) => {
    if (over) return promise[0](over);
    calls.set(++count, promise);
    if (method === "setUser") {
      // Nothing that a page waits for hangs, whatever becomes of the module.
      setTimeout(resolve, 5e3, count, { status: "queued" });
      const [user] = args;
      if (user?.authId?.trim) args = [{ ...user, authId: user.authId.trim().normalize() }];
    }
    step("call", { method, args, call: count });
    if (method === "teardown") end("torn_down");
  };

  const tell = (/** @type {Text} */ what, /** @type {Any} */ more = undefined) => over || step(what, more);
  const listen = (/** @type {EventTarget} */ target, /** @type {Text} */ type, /** @type {(event: Any) => unknown} */ act) =>
    target.addEventListener(type, act, { capture: true, passive: true, signal: listening.signal });
  listen(document, "click", (event) => {
    const more = attempt(() => clicked(event));
    if (more) tell("click", more);
  });
  listen(document, "visibilitychange", () => document.visibilityState === "hidden" && tell("hidden"));
  listen(window, "pagehide", () => {
    tell("hidden");
    release();
  });
  listen(window, "pageshow", (event) => event.persisted && tell("shown"));
  listen(window, "online", () => tell("online"));
  listen(window, "popstate", () => tell("moved"));
  for (const method of /** @type {const} */ (["pushState", "replaceState"])) {
    const original = history[method];
    history[method] = function () {
      const result = original.apply(this, /** @type {Any} */ (arguments));
      tell("moved");
      return result;
    };
  }

  const waiting = queue.splice(0);
  queue.push = run;
  // Properties that the snippet sets belong to the first view too.
  while (waiting[0]?.[0] === "setProperty") run(waiting.shift());
  if (api._cfg) run(["initialize", [api._cfg], () => {}, (/** @type {Error} */ error) => console.warn(error)]);
  waiting.map(run);
};
