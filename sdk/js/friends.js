// What other tools on the page are told of the decisions, where the page asks for it: which segments the visitor is
// in, in the form that each of them takes. No attribute of a person is handed on.
import { attempt } from "./attempt.js";

/** @typedef {any} Any */

// Optimizely keeps attributes for ever: which of them are ours is kept as long. What begins like a row of the queue
// goes when the visitor has the device emptied.
const KEY = "_msci:optimizely";

const page = /** @type {Any} */ (window);

/** @param {string} name of a queue that its owner reads, now or when it comes @param {Any} entry */
const push = (name, entry) => (page[name] = page[name] || []).push(entry);

const optimizely = (/** @type {string[]} */ segments) => {
  const before = /** @type {string[]} */ (attempt(() => JSON.parse(localStorage.getItem(KEY) ?? "[]")) ?? []);
  // Its values are texts; `null` takes one back.
  const all = [...before.map((name) => [name, null]), ...segments.map((name) => [name, "true"])];
  if (!all[0]) return;
  push("optimizely", { type: "user", attributes: Object.fromEntries(all) });
  attempt(() => (segments[0] ? localStorage.setItem(KEY, JSON.stringify(segments)) : localStorage.removeItem(KEY)));
};

/** Tells those that the page names. @param {Any} cfg @param {Any} decided */
export const attributes = (cfg, { known, segments, experiences }) => {
  if (cfg.optimizely) attempt(() => optimizely(segments));
  if (cfg.dataLayer) {
    attempt(() =>
      push("dataLayer", {
        event: "msci_decisions",
        msci_known: known,
        // Texts: of a list, a tag manager keeps the end of a longer one before it.
        msci_segments: segments.join(),
        msci_experiences: experiences.map((/** @type {Any} */ { name, variant }) => name + ":" + variant).join(),
      }),
    );
  }
  if (cfg.growthbook) {
    attempt(() => push("growthbook_queue", (/** @type {Any} */ it) => it.updateAttributes({ msci_known: known, msci_segments: segments })));
  }
};

/** Takes back what was told of a visitor. @param {Any} cfg */
export const told = (cfg) => attributes(cfg, { known: false, segments: [], experiences: [] });
