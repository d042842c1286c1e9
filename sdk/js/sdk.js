// The hands of the WebAssembly module: tells it what happens, with the state of the browser at that
// moment, and does what it answers. Decides nothing, and keeps whatever goes wrong away from the page.
import { create, decide, start } from "./module.js";
import { drop, keep, kind, left, purge, release, written } from "./store.js";

/** @typedef {string} Text */
/** @typedef {any} Any what comes from the page, or goes to the module as JSON */

// What a gesture on, or inside of, is an interaction; what has an attribute of ours is, too.
const INTERACTIVE =
  "a[*|href],area[href],button,summary,[role=button],[role=link],input[type=submit],input[type=button],input[type=image],input[type=reset]";
// Whose text is its name, and what a visitor can write into: text around that is never read.
const LABELLED = "a,button,summary,[role=button],[role=link],[role=tab],[role^=menuitem]";
const WRITABLE =
  "input:not([type=submit],[type=button],[type=image],[type=reset],[type=checkbox],[type=radio]),textarea,select,[contenteditable],[role=textbox],[role=searchbox],[role=combobox]";
// What a campaign writes into the address that it leads to.
const CAMPAIGN = /^utm_(source|medium|campaign|term|content)$/;

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
  campaign: Object.fromEntries(
    [...new URLSearchParams(location.search)].filter(([name, said]) => CAMPAIGN.test(name) && said.length < 300),
  ),
  title: clip(document.title),
  referrer: clip(document.referrer),
  hidden: document.hidden,
  exposures: /** @type {HTMLMetaElement | null} */ (document.querySelector("meta[name=msci-x]"))?.content,
  cookie: attempt(() => document.cookie),
  session: stored("_msci_session"),
  consent: stored("_msci_consent"),
  gpc: /** @type {Any} */ (navigator).globalPrivacyControl,
  offline: !navigator.onLine,
  store: kind,
  device,
});

const ours = (/** @type {Any} */ node) =>
  node.getAttributeNames().some((/** @type {Text} */ name) => name.startsWith("data-msci-"));

// What a gesture was, and what its element says about itself.
const gesture = (/** @type {Any} */ event) => {
  const { type: on, key, button, pageX, pageY } = event;
  // From the innermost element outwards, through shadow roots as far as they are open.
  const path = event.composedPath().filter((/** @type {Any} */ node) => node.matches);
  const within = (/** @type {Text} */ selector) => path.some((/** @type {Any} */ node) => node.matches(selector));
  let element = path.find((/** @type {Any} */ node) => node.matches(INTERACTIVE) || ours(node));
  if (!element || element.matches(":disabled") || within("[data-msci-ignore]")) return;
  const writable = within(WRITABLE);
  // A key acts on what has the focus, and only where it does not write.
  const activates = element === path[0] && !writable;
  // What the page says about a component is said about what is inside.
  for (let node = element; (node = node.getRootNode().host); ) if (ours(node)) element = node;

  const attribute = (/** @type {Text} */ name, of = element) => clip(of?.getAttribute(name)?.trim());
  const { href } = element;
  // Of a link in SVG, it is an object, and relative.
  const link = href && attempt(() => new URL(href, document.baseURI));
  return {
    on,
    key,
    button,
    activates,
    link: element.matches("a:not([role]),area,[role=link]"),
    name: (
      attribute("data-msci-name") ||
      attribute("aria-label") ||
      (element.matches(LABELLED) &&
        !writable &&
        !element.querySelector(WRITABLE) &&
        (clip(element.textContent).replace(/\s+/g, " ").trim() || attribute("alt", element.querySelector("[alt]")))) ||
      attribute("title") ||
      attribute("alt") ||
      attribute("name") ||
      attribute("id") ||
      element.localName
    ).slice(0, 99),
    target: clip(attribute("data-msci-target") || link?.href || element.localName),
    elementId: attribute("id"),
    isOutbound: !!link?.host && link.host !== location.host,
    coordinates: pageX + 1 ? Math.round(pageX) + "X" + Math.round(pageY) : "",
  };
};

/**
 * Takes over an instance that a loader made.
 * @param {any} api the instance: `_q` is its queue, `_cfg` its configuration
 * @param {any} settings the site's public settings
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

  // Where the site names the query parameters that it wants, no other is even looked at: people's names,
  // tokens and search words stand in them, in fragments too.
  const named = settings.capture?.queryParameters;
  const bare = (/** @type {Text} */ key, /** @type {Any} */ value) =>
    named?.map && /^(uri|referrer|target)$/.test(key) && /^(\S*|\W.*|\w+:.*)[?#]/.test(value)
      ? attempt(() => {
          const url = new URL(value, location.href);
          for (const name of [...url.searchParams.keys()]) named.includes(name) || url.searchParams.delete(name);
          url.hash = url.hash.replace(/^[^?]*=.*|\?.*/, "");
          return url.href;
        })
      : value;

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
        // Seconds, or a date; as a number that the module reads.
        if (after) after = Math.min(1e6, Math.max(0, Math.round(+after || (Date.parse(after) - Date.now()) / 1e3)));
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
      const input = JSON.stringify({ in: what, ...facts(), ...more }, bare).replace(/\\ud[89a-f]../g, "\\ufffd");
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
  // When the last gesture was: the click that a label passes on has the time of its own.
  let last = 0;
  // Enter or Space is down: the clicks that it makes are the same gesture.
  /** @type {KeyboardEvent | undefined} */
  let pressed;
  const act = (/** @type {Any} */ event) => {
    // What scripts do is nobody's gesture.
    const more = event.isTrusted && last !== event.timeStamp && attempt(() => gesture(event));
    if (more) {
      last = event.timeStamp;
      tell("click", more);
    }
  };
  listen(document, "click", (event) => (event.detail || !pressed) && act(event));
  listen(document, "auxclick", act);
  listen(document, "contextmenu", act);
  listen(document, "keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    pressed = event;
    if (!event.repeat) act(event);
  });
  listen(document, "keyup", (event) => {
    const up = pressed;
    // The click of Space comes after this, and maybe another key.
    if (event.key === up?.key) setTimeout(() => up === pressed && (pressed = undefined));
  });
  listen(document, "visibilitychange", () => tell(document.visibilityState));
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
