// @ts-check
// Loads the SDK from the site's own Worker, so that it is always the version that the edge speaks.
// Importing this does nothing, in a browser or on a server.

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
const REFUSED = { status: "refused", reason: "not_loaded" };

export const MSCI = {
  /**
   * @param {import("./index.js").Config & { name?: string }} cfg
   * @returns {Promise<import("./index.js").Instance>}
   */
  async load({ name = "MSCI", ...cfg }) {
    if (typeof document === "undefined") {
      throw Object.assign(new Error("MSCI.load needs a browser"), { code: "no_browser" });
    }
    /** @type {any} */
    const page = window;
    // A snippet, or an earlier call, was here first: it is joined.
    if (!page[name]) {
      /** @type {any} */
      const queue = [];
      /** @type {any} */
      const api = (page[name] = { _q: queue, _cfg: cfg });
      for (const method of METHODS) {
        /** @param {unknown[]} args */
        api[method] = (...args) =>
          new Promise((resolve, reject) => {
            if (queue.length < 200) queue.push([method, args, resolve, reject]);
            else resolve(REFUSED);
          });
      }
      const fail = () => {
        if (queue.on) return;
        for (const call of queue.splice(0)) call[2](REFUSED);
        queue.push = (/** @type {any} */ call) => call[2](REFUSED);
      };
      const script = document.createElement("script");
      script.async = true;
      script.dataset.name = name;
      script.onerror = fail;
      script.src = (cfg.endpointUrl ?? "/_msci/").replace(/\/?$/, "/msci.js");
      setTimeout(fail, 10_000);
      document.head.append(script);
    }
    // Answered when the SDK has taken over, or when it is clear that it will not.
    await page[name].status();
    return page[name];
  },
};
