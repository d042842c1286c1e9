// @ts-check
// What the main thread of a page did, from Chromium's own trace. Durations are thread time, so that what
// other processes of the machine do in between does not count; milliseconds.

/**
 * @typedef {object} Event
 * @property {string} name
 * @property {string} ph
 * @property {number} pid
 * @property {number} tid
 * @property {number} [tts] thread time, microseconds
 * @property {number} [tdur]
 * @property {any} args
 */
/** @typedef {{ name: string, from: number, to: number, args: any }} Span in milliseconds of thread time */

const CATEGORIES = ["-*", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "v8.execute", "blink.user_timing"];

/** Under these everything runs that a script asked for; some of them lie inside of others. */
export const SCRIPT = new Set(
  ("EvaluateScript v8.compile v8.compileModule v8.evaluateModule FunctionCall RunMicrotasks TimerFire EventDispatch " +
    "FireIdleCallback FireAnimationFrame XHRReadyStateChange XHRLoad v8.callFunction v8.run MinorGC MajorGC").split(" "),
);
/** Style and layout, whoever asked for it. */
export const LAYOUT = new Set(["Layout", "UpdateLayoutTree"]);

/**
 * What the page's main thread did during `work`. The page marks "start" in it (`performance.mark`): that
 * tells which of the threads is the page's.
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<unknown>} work
 */
export async function trace(page, work) {
  const browser = page.context().browser();
  if (!browser) throw new Error("a page without a browser cannot be traced");
  await browser.startTracing(page, { categories: CATEGORIES });
  await work();
  /** @type {Event[]} */
  const events = JSON.parse((await browser.stopTracing()).toString()).traceEvents;
  const start = events.find(({ name, ph, tts }) => name === "start" && "IR".includes(ph) && tts !== undefined);
  if (!start) throw new Error("the trace has no mark of the page");
  const own = events.filter(({ pid, tid }) => pid === start.pid && tid === start.tid);
  /** @type {Span[]} */
  const spans = own
    .filter(({ ph, tts }) => ph === "X" && tts !== undefined)
    .map(({ name, tts = 0, tdur = 0, args }) => ({ name, from: tts / 1e3, to: (tts + tdur) / 1e3, args }))
    // What contains others comes before them.
    .sort((a, b) => a.from - b.from || b.to - a.to);
  return {
    spans,
    /** The first moment of a mark. @param {string} mark */
    at: (mark) => (own.find(({ name, tts }) => name === mark && tts !== undefined)?.tts ?? NaN) / 1e3,
  };
}

/**
 * The spans of these names that lie in no other one of these names, cut to the time from `from` to `to`.
 * @param {Span[]} spans
 * @param {Set<string>} names
 */
export function outermost(spans, names, from = -Infinity, to = Infinity) {
  /** @type {Span[]} */
  const found = [];
  for (const span of spans) {
    const begun = Math.max(span.from, from, found.at(-1)?.to ?? -Infinity);
    const ended = Math.min(span.to, to);
    if (names.has(span.name) && ended > begun) found.push({ ...span, from: begun, to: ended });
  }
  return found;
}

/** @param {Span[]} spans that do not overlap */
export const sum = (spans) => spans.reduce((total, { from, to }) => total + to - from, 0);

/** Dispatches of an event of the page. @param {Span[]} spans @param {string} type */
export const dispatches = (spans, type) => spans.filter(({ name, args }) => name === "EventDispatch" && args.data?.type === type);

/** Those of `spans` that lie in one of `others`. @param {Span[]} spans @param {Span[]} others */
export const within = (spans, others) => spans.filter(({ from, to }) => others.some((other) => from >= other.from && to <= other.to));
