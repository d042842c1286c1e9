// @ts-check
// Loads the SDK from the site's own Worker, so that it is always the version that the edge speaks.
// Importing this does nothing, in a browser or on a server.
//
// `load` makes what the snippet makes: an object whose calls wait in `_q` until the SDK takes them over,
// or until it is clear that it will not. So it costs the page nothing to await it.

// Those of the snippet; a test holds the two lists equal.
const METHODS = [
  "initialize",
  "setUser",
  "trackView",
  "trackAction",
  "trackEvent",
  "setProperty",
  "setConfig",
  "setConsent",
  "reset",
  "optOut",
  "optIn",
  "decisions",
  "flush",
  "teardown",
  "status",
];
const MOST_CALLS = 200;
const PATIENCE_MS = 10_000;
const REFUSED = { status: "refused", reason: "not_loaded" };

/**
 * @param {string} code
 * @param {string} text
 */
const failure = (code, text) => Object.assign(new Error(`MSCI: ${text}`), { code });

/** @type {typeof import("./index.js").MSCI} */
export const MSCI = {
  async load(options) {
    const { name = "MSCI", nonce, ...cfg } = options ?? {};
    if (typeof document === "undefined") {
      throw failure("no_browser", "load() is for browsers; on a server there is nothing to load");
    }
    if (!cfg.ingestionKey) throw failure("ingestion_key_missing", "load() needs an ingestionKey");
    /** @type {any} */
    const page = window;
    // A snippet, or an earlier call, was here first: it is joined.
    if (page[name]?._q) return page[name];
    if (page[name]) throw failure("name_taken", `window.${name} is something else`);

    /** @type {any} */
    const queue = [];
    /** @type {any} */
    const instance = { _q: queue, _cfg: cfg };
    for (const method of METHODS) {
      instance[method] = (/** @type {unknown[]} */ ...args) =>
        new Promise((resolve, reject) => {
          // The SDK's own `push`, once it has taken over, runs the call.
          if (queue.length < MOST_CALLS) queue.push([method, args, resolve, reject]);
          else resolve(REFUSED);
        });
    }
    const fail = () => {
      if (queue.on) return;
      for (const call of queue.splice(0)) call[2](REFUSED);
      queue.push = (/** @type {any} */ call) => call[2](REFUSED);
    };
    setTimeout(fail, PATIENCE_MS);
    page[name] = instance;

    const script = document.createElement("script");
    script.async = true;
    script.onerror = fail;
    // How the script finds the instance that it is for.
    script.dataset.name = name;
    if (nonce) script.nonce = nonce;
    try {
      script.src = (cfg.endpointUrl ?? "/_msci/").replace(/\/?$/, "/msci.js");
      document.head.append(script);
    } catch {
      // A page may refuse addresses of scripts (Trusted Types). That is not worth its own failure.
      fail();
    }
    return instance;
  },
};
