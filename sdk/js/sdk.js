// The hands of what decides (the WebAssembly module, or its stand-in): tells it what happens, with the state
// of the browser at that moment, and does what it answers. Keeps whatever goes wrong away from the page.
import { attempt } from "./attempt.js";
import { consentOf, copied, errorOf, everyPurpose, fail, isText, namedOf, propertiesOf, userOf, viewOf } from "./calls.js";
import { campaign, exposures, gesture, here, view } from "./capture.js";
import { isGuid, line, read } from "./cookies.js";
import { create, decide, start } from "./module.js";
import { drop, keep, kind, left, purge, release, written } from "./store.js";

/** @typedef {string} Text */
/** @typedef {any} Any what comes from the page, or goes to what decides as JSON */
/** @typedef {{ create(): number, decide(instance: number, input: Text): Text, why?: unknown }} Core what decides; `why` it is not the module */

// The edge may be another host of the site: its cookies travel all the same.
const credentials = "include";
const STRANGER = { known: false, segments: [], fields: {}, experiences: [] };

// One for all instances of a page.
/** @type {Promise<Core> | undefined} */
let ready;
/** Why the module is not to be called any more. @type {unknown} */
let broken;

const standIn = (/** @type {unknown} */ why) =>
  // @ts-expect-error The build knows its name.
  import("./__MSCI_FALLBACK_FILE__").then((/** @type {Core} */ { create, decide }) => ({ create, decide, why }));

// `randomUUID` exists only on https.
const guid = () =>
  crypto.randomUUID?.() ??
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (/** @type {Any} */ digit) =>
    (digit ^ (/** @type {Any} */ (crypto.getRandomValues(new Uint8Array(1)))[0] & (15 >> (digit / 4)))).toString(16),
  );

const stored = (/** @type {Text} */ key) => attempt(() => JSON.parse(/** @type {Any} */ (localStorage.getItem(key))));

/** @type {Any} */
let device;

const facts = () => ({
  now: Math.round(performance.now()),
  time: Date.now(),
  jitter: (Math.random() * 1025) | 0,
  // As many as one input can ask for.
  guids: Array.from({ length: 8 }, guid),
  ...read(attempt(() => document.cookie)),
  session: stored("_msci_session"),
  // Whole, or nothing.
  consent: attempt(() => {
    const consent = stored("_msci_consent");
    return consent && consentOf(consent.said) && consent;
  }),
  offline: !navigator.onLine,
});

/**
 * Takes over an instance that a loader made.
 * @param {any} api the instance: `_q` is its queue, `_cfg` its configuration
 * @param {any} settings the site's public settings
 * @param {Promise<Response>} wasm the module, on its way
 */
export const attach = async (api, settings, wasm) => {
  const queue = api._q;
  /** @type {Core} */
  let core = await (ready ??= start(wasm).then(() => ({ create, decide }), standIn));
  queue.on = 1;
  // A page that nobody has seen yet has no view, and needs no cookie.
  if (/** @type {Any} */ (document).prerendering) {
    await new Promise((seen) => document.addEventListener("prerenderingchange", seen, { once: true }));
  }

  // Where the site names the query parameters that it wants, no other is even looked at: people's names,
  // tokens and search words stand in them, in fragments too.
  const named = settings.capture?.queryParameters;
  const bare = (/** @type {Text} */ key, /** @type {Any} */ value) =>
    named?.map && /^(uri|referrer|previous|target)$/.test(key) && /^(\S*|\W.*|\w+:.*)[?#]/.test(value)
      ? attempt(() => {
          const url = new URL(value, location.href);
          for (const name of [...url.searchParams.keys()]) named.includes(name) || url.searchParams.delete(name);
          url.hash = url.hash.replace(/^[^?]*=.*|\?.*/, "");
          return url.href;
        })
      : value;

  // What is no module of ours fails at the first input, where that is dealt with.
  /** @type {Any} */
  let instance = attempt(core.create);
  const listening = new AbortController();
  /** Those that are not settled yet. @type {Map<number, [resolve: (value: Any) => void, reject: (error: Any) => void, method: Text]>} */
  const calls = new Map();
  let count = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  // Why calls are refused, once they are.
  /** @type {Any} */
  let over;

  /** What the page decided, and where the edge listens. @type {Any} */
  let config;
  let endpoint = "";
  let views = true;
  let clicks = true;
  /** Properties of all signals. @type {Record<Text, Any>} */
  let properties = {};
  /** Where the visitor is, once they have seen the page, and since when. @type {{ uri: Text, place: Text } | undefined} */
  let seen;
  let since = 0;

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
  const reject = settle(1);

  const setCookie = (/** @type {Text} */ name, /** @type {Text} */ value, /** @type {Any} */ of) => {
    document.cookie = line(name, value, of, location.protocol);
  };

  /** @type {Record<string, (...args: Any[]) => unknown>} */
  const verbs = {
    name: (cookieId) => setCookie("_msci", cookieId, settings.cookie),
    optOut: (is) => setCookie("_msci_optout", is ? "1" : "", { ...settings.cookie, maxAgeDays: 365 }),
    // Scripts cannot end what this browser may see of a known customer: that cookie is `HttpOnly`. Failing
    // costs nothing, it is bound to the old cookieId.
    endProof: () => fetch(endpoint + "reset", { method: "POST", credentials, keepalive: true }).catch(() => {}),
    store: (key, value) =>
      value ? localStorage.setItem(key, JSON.stringify(value)) : localStorage.removeItem(key),
    wake: (ms) => {
      clearTimeout(timer);
      timer = setTimeout(step, ms, "tick");
    },
    send: async (what, batch, retry, last) => {
      let status = 0;
      let answer;
      let after;
      try {
        const response = await fetch(endpoint + "collect", {
          method: "POST",
          credentials,
          body: JSON.stringify({
            key: config.ingestionKey,
            sentAt: Date.now(),
            sdk: "__MSCI_VERSION__",
            // Asking `Intl` for the time zone takes longer than all of the start: only where it has to be,
            // and not before the first batch.
            device: (device ??= {
              language: navigator.language,
              timezone: attempt(
                () => /** @type {Any} */ (window).Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
              ),
              screen: screen.width + "x" + screen.height,
            }),
            ...what,
          }),
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
        // It would be written into a cookie.
        if (answer?.cookieId && !isGuid(answer.cookieId)) answer = null;
      } catch {}
      step("reply", { batch, status, after, answer });
    },
    decide: (call, allowed) =>
      (allowed ? fetch(endpoint + "decisions?uri=" + encodeURIComponent(location.href), { credentials }) : Promise.reject())
        .then((response) => response.ok && response.json())
        .catch(() => {})
        .then((value) => resolve(call, value || STRANGER)),
    status: (call, value) => resolve(call, { ...value, store: kind, wasm: String(core.why ?? "ok") }),
    resolve,
    warn: () => console.warn("MSCI: more than 100 custom events in a second, the rest is dropped"),
    keep: (owner, n, row) => keep(owner, n, { ...row, to: config.ingestionKey }),
    drop,
    purge,
    load: (own) => left(own, config.ingestionKey, (owner, rows) => step("left", { owner, rows })),
  };

  /**
   * @param {Text} what
   * @param {Any} [more]
   */
  let step = (what, more) => {
    drain();
    // Half a surrogate pair would cost the whole batch.
    const input = JSON.stringify({ in: what, ...facts(), ...more }, bare).replace(/\\ud[89a-f]../g, "\\ufffd");
    let effects = [];
    try {
      if (broken && !core.why) throw broken;
      effects = JSON.parse(core.decide(instance, input));
    } catch (error) {
      recover(error, what, more);
    }
    for (const [verb, ...args] of effects) attempt(() => verbs[verb]?.(...args));
  };

  // After a trap the module's memory is not to be trusted. Its stand-in goes on, with what is on the device.
  const recover = async (/** @type {unknown} */ error, /** @type {[Text, Any?]} */ ...input) => {
    const missed = [input];
    const again = step;
    step = (...later) => void missed.push(later);
    try {
      if (core.why) throw error;
      if (!broken) {
        broken = error;
        ready = standIn(error);
        release();
      }
      core = await /** @type {Promise<Core>} */ (ready);
      instance = core.create();
    } catch {
      return end("failed");
    }
    step = again;
    if (config) begin();
    for (const later of missed) step(...later);
    for (const [call, [, , method]] of calls) if (method === "flush") step(method, { call });
  };

  const begin = () => {
    const { consent, capture } = settings;
    step("start", {
      required: config.userConsent === false || consent?.mode === "required",
      // By the browser's word, or by the header that the edge saw.
      barred: consent?.honourGpc !== false && (settings.gpc === true || /** @type {Any} */ (navigator).globalPrivacyControl === true),
      holds: capture?.sendAfterGrant !== false,
      campaign: campaign(),
    });
  };

  /**
   * @param {Text} type
   * @param {Any} members
   * @param {Any} [own] properties
   * @param {number} [call] that it settles
   */
  const signal = (type, members, own, call) =>
    step("signal", {
      signal: { time: Date.now(), type, ...members },
      properties: type === "user" ? null : { ...properties, ...propertiesOf(own) },
      call,
    });

  // What gestures were waits until the page has answered them: telling the module is no part of that.
  /** @type {Any[]} */
  let gestures = [];
  const drain = () => {
    for (const input of gestures.splice(0)) step("signal", input);
  };

  const see = (/** @type {{ uri: Text } | undefined} */ before = undefined) => {
    views ? signal("view", view(before)) : step("visible");
    seen = here(settings.capture?.history);
    since = performance.now();
  };

  const configure = (/** @type {Any} */ cfg) => {
    views = cfg?.autoCapture?.view ?? views;
    clicks = cfg?.autoCapture?.click ?? clicks;
  };

  /** Methods. One that answers `true` has its call settled by what comes of it. @type {Record<Text, (...args: Any[]) => Any>} */
  const methods = {
    initialize: (cfg) => {
      if (config) fail("already_initialized");
      if (!isText(cfg?.ingestionKey)) fail("ingestion_key_missing");
      endpoint = new URL(cfg.endpointUrl ?? "/_msci/", location.href).href.replace(/\/?$/, "/");
      config = cfg;
      // Unmentioned, both are on; once one is mentioned, the other is what it says.
      views = clicks = !cfg.autoCapture;
      configure(cfg);
      begin();
      if (cfg.userConsent === true) methods.setConsent?.(everyPurpose(true));
      if (!document.hidden) see();
    },
    setUser: (user, _, call) => {
      signal("user", userOf(user), null, call);
      // Nothing that a page waits for hangs, whatever becomes of it.
      return setTimeout(resolve, 5e3, call, { status: "queued" });
    },
    trackView: (of) => signal("view", { ...viewOf(of), exposures: exposures() }, of.properties),
    trackAction: (of) =>
      signal("action", { ...namedOf(of), uri: location.href, ...copied({ actionType: of.type }, "actionType") }, of.properties),
    trackEvent: (of) => signal("event", namedOf(of), of.properties),
    setProperty: (name, value) => {
      if (typeof name !== "string") fail("name_missing");
      const { [name]: _, ...others } = properties;
      properties = { ...others, ...propertiesOf({ [name]: value }) };
    },
    setConfig: (cfg) => {
      configure(cfg);
      if (typeof cfg?.userConsent === "boolean") methods.setConsent?.(everyPurpose(cfg.userConsent));
    },
    setConsent: (purposes) => step("setConsent", { purposes: consentOf(purposes) ?? {} }),
    reset: () => {
      properties = {};
      step("reset");
    },
    optOut: () => step("optOut"),
    optIn: () => step("optIn"),
    teardown: (_, __, call) => {
      step("teardown");
      const [done] = /** @type {Any} */ (calls.get(call));
      calls.delete(call);
      end("torn_down");
      return written().then(done);
    },
  };
  for (const method of ["decisions", "flush", "status"]) {
    methods[method] = (_, __, call) => {
      step(method, { call });
      return true;
    };
  }

  const run = (/** @type {Any} */ [method, args, done, failed]) => {
    if (over) return done(over);
    const call = ++count;
    calls.set(call, [done, failed, method]);
    try {
      if (!config && !/^(initialize|setProperty|opt|status|teardown)/.test(method)) fail("not_initialized");
      // Plain data: nothing of the page's own runs later.
      const [first = null, second = null] = JSON.parse(JSON.stringify(args));
      const act = methods[method] ?? fail("unknown_method");
      if (!act(first, second, call)) resolve(call, undefined);
    } catch (error) {
      reject(call, /** @type {Any} */ (error).code ? error : errorOf("invalid_field"));
    }
  };

  const tell = (/** @type {() => unknown} */ what) => over || attempt(what);
  const listen = (/** @type {EventTarget} */ target, /** @type {Text} */ type, /** @type {(event: Any) => unknown} */ act) =>
    target.addEventListener(type, (event) => tell(() => act(event)), { capture: true, passive: true, signal: listening.signal });
  // When the last gesture was: the click that a label passes on has the time of its own.
  let last = 0;
  // Enter or Space is down: the clicks that it makes are the same gesture.
  /** @type {KeyboardEvent | undefined} */
  let pressed;
  const act = (/** @type {Any} */ event) => {
    // What scripts do is nobody's gesture.
    if (!clicks || !event.isTrusted || last === event.timeStamp) return;
    const action = gesture(event);
    if (!action) return;
    last = event.timeStamp;
    const elapsedMs = Math.round(performance.now() - since);
    gestures.push({ signal: { time: Date.now(), type: "action", ...action, elapsedMs }, properties });
    if (!gestures[1]) setTimeout(tell, 50, drain);
  };
  const moved = () => {
    if (seen && seen.place !== here(settings.capture?.history).place) see(seen);
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
  listen(document, "visibilitychange", () => {
    // One that was opened hidden has its view when it is looked at.
    document.hidden ? step("hidden") : !seen && config ? see() : step("visible");
  });
  listen(window, "pagehide", () => {
    step("hidden");
    release();
  });
  listen(window, "pageshow", (event) => {
    if (!event.persisted) return;
    step("shown");
    see();
  });
  listen(window, "online", () => step("online"));
  listen(window, "popstate", moved);
  for (const method of /** @type {const} */ (["pushState", "replaceState"])) {
    const original = history[method];
    history[method] = function () {
      const result = original.apply(this, /** @type {Any} */ (arguments));
      tell(moved);
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
