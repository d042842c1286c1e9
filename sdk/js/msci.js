// `GET /_msci/msci.js`: finds the instance that a loader made (or makes it, from its own `data-*`
// attributes), starts everything that is to be downloaded at once, and hands the queue over.
//
// The build replaces the file names, the Worker replaces the quoted settings with a JSON object.
const settings = /** @type {any} */ ("__MSCI_SETTINGS__");
const methods =
  "initialize setUser trackView trackAction trackEvent setProperty setConfig setConsent reset optOut optIn decisions flush teardown status";

/** @typedef {any} Call [method, arguments, resolve, reject] */

/** @param {HTMLScriptElement} script */
const start = (script) => {
  const { name = "MSCI", ingestionKey, endpointUrl, personalization } = script.dataset;
  /** @type {any} */
  const page = window;
  const api = (page[name] = page[name] || {
    _q: [],
    _cfg: ingestionKey && { ingestionKey, endpointUrl, personalization },
  });
  const queue = api._q;
  // Another's object.
  if (!queue) return;
  const refused = { status: "refused", reason: "not_loaded" };
  const fail = () => {
    if (!queue.on) queue.splice(0).map((queue.push = (/** @type {Call} */ call) => call[2](refused)));
  };
  // An older snippet or copy knows fewer methods, none at all if there is none.
  for (const method of methods.split(" ")) {
    api[method] =
      api[method] ||
      ((/** @type {any[]} */ ...args) =>
        new Promise((resolve, reject) => {
          queue.length < 200 ? queue.push([method, args, resolve, reject]) : resolve(refused);
        }));
  }
  // A second copy: the first goes on alone.
  if (queue.by) return;
  queue.by = script.src;
  setTimeout(fail, 1e4);

  const ignore = () => {};
  const asset = (/** @type {string} */ file) => new URL("assets/" + file, script.src).href;
  // Without waiting for the script that will ask for it; one that does not come in time is replaced.
  const wasm = fetch(asset("__MSCI_WASM_FILE__"), { signal: AbortSignal.timeout && AbortSignal.timeout(5e3) });
  wasm.catch(ignore);
  // What applies decisions, where the page wants it; without it the page is shown as it is.
  api._cfg && api._cfg.personalization &&
    import(asset("__MSCI_APPLY_FILE__")).then((apply) => apply.start(api, settings)).catch(page.msciGuard || ignore);
  // What listens to the page's consent platform, where the site has one.
  settings.consent?.inputs && import(asset("__MSCI_CONSENT_FILE__")).then((consent) => consent.start(api, settings)).catch(ignore);
  import(asset("__MSCI_SDK_FILE__"))
    .then((sdk) => sdk.attach(api, settings, wasm))
    .catch(fail);
};

try {
  start(/** @type {any} */ (document.currentScript || document.querySelector("script[src*='/msci.js']")));
} catch (e) {
  // The page is worth more than its measurement.
}
