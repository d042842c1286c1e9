// Listens to the consent platforms of a page, and says what they say: an asset of its own, for sites whose settings
// name one. Until all of those have spoken nothing is said, and so nothing is collected; of what they say the stricter
// counts. What a platform says later counts from then on.
import { attempt } from "./attempt.js";
import { overhear } from "./overhear.js";

/** @typedef {any} Any */
/** @typedef {Partial<Record<"storage" | "analytics" | "personalization", boolean>>} Said what is open by purpose; one that was not decided is not in it */

const page = /** @type {Any} */ (window);
/** How often a page is asked for its platform, and how many times: one that comes later than that is no part of it. */
const EVERY = 250;
const TIMES = 240;

/**
 * Transparency & Consent Framework of the IAB, version 2: which of its purposes is which of ours says `core/src/wire/tcf.rs` too.
 * @param {(said: Said) => void} say
 * @returns {() => void} ends it
 */
const tcf = (say) => {
  let left = TIMES;
  let stop = () => clearTimeout(timer);
  const listen = () => {
    if (!page.__tcfapi) {
      if (left--) timer = setTimeout(listen, EVERY);
      return;
    }
    page.__tcfapi("addEventListener", 2, (/** @type {Any} */ it, /** @type {boolean} */ fine) => {
      if (!fine) return;
      stop = () => page.__tcfapi("removeEventListener", 2, () => {}, it.listenerId);
      // While its dialogue is open, what it shows is what was decided before, or nothing.
      if (!/^(tcloaded|useractioncomplete)$/.test(it.eventStatus)) return;
      const has = (/** @type {number} */ purpose) => it.gdprApplies === false || it.purpose?.consents?.[purpose] === true;
      say({ storage: has(1), analytics: has(8), personalization: has(5) && has(6) });
    });
  };
  /** @type {Any} */
  let timer;
  listen();
  return () => stop();
};

/**
 * Google Consent Mode, version 2: the commands of `gtag`, those before and those to come.
 * @param {(said: Said) => void} say
 * @returns {() => void} ends it
 */
const googleConsentMode = (say) => {
  /** @type {Record<string, boolean | undefined>} */
  const types = {};
  let ended = false;
  const take = (/** @type {Any} */ command) => {
    if (ended || command?.[0] !== "consent") return;
    const [, kind, said] = command;
    for (const type of ["analytics_storage", "personalization_storage"]) {
      const granted = said[type] === "granted";
      // Where a default holds is Google's to know, and one that denies only waits for the visitor's word.
      if (kind === "update" && said[type]) types[type] = granted;
      else if (kind === "default" && granted && !said.region) types[type] ??= true;
    }
    const { analytics_storage: analytics, personalization_storage: personalization } = types;
    // Either of them needs the cookie.
    const storage = analytics || personalization || (analytics ?? personalization);
    say({ storage, analytics, personalization });
  };
  const layer = (page.dataLayer = page.dataLayer || []);
  for (const command of layer) attempt(() => take(command));
  const { push } = layer;
  layer.push = function () {
    for (const command of arguments) attempt(() => take(command));
    return push.apply(this, arguments);
  };
  return () => {
    ended = true;
  };
};

/** By their names in the settings. @type {Record<string, (say: (said: Said) => void) => () => void>} */
const inputs = { tcf, googleConsentMode };

/**
 * @param {Any} api the instance
 * @param {Any} settings the site's public settings
 */
export const start = (api, settings) => {
  /** @type {string[]} */
  const names = settings.consent.inputs;
  /** @type {Record<string, Said>} */
  const heard = {};
  /** What was said last, by purpose. @type {Any} */
  let last = {};
  const say = () => {
    /** @type {Any} */
    const now = {};
    for (const purpose of /** @type {const} */ (["storage", "analytics", "personalization"])) {
      const all = names.map((name) => heard[name]?.[purpose]);
      if (all.includes(false)) now[purpose] = "denied";
      else if (!all.includes(undefined)) now[purpose] = "granted";
    }
    const news = Object.fromEntries(Object.entries(now).filter(([purpose, word]) => last[purpose] !== word));
    last = now;
    if (Object.keys(news)[0]) api.setConsent(news).catch(() => {});
  };
  const ends = names.map((name) =>
    attempt(() =>
      inputs[name]?.((said) => {
        heard[name] = said;
        say();
      }),
    ),
  );
  overhear(api, ([method]) => {
    // Somebody else begins: what the platform says is to be said of them, too.
    if (method === "reset" || method === "optIn") {
      last = {};
      setTimeout(say);
    }
    if (method === "teardown") for (const end of ends) attempt(() => end?.());
  });
};
