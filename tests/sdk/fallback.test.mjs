// @ts-check
// The WebAssembly module and its stand-in, side by side without a browser: the same visits, and what they
// sent, stored, wrote into cookies and settled is the same.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import * as fallback from "../../sdk/js/fallback.js";
import * as module from "../../sdk/js/module.js";
import { root } from "../../tools/lib.mjs";
import { chance } from "../support/chance.mjs";

/** @typedef {{ create(): number, decide(instance: number, input: string): string }} Core */
/** @typedef {any} Any */

const PURPOSES = ["storage", "analytics", "personalization"];
const EVERYTHING = { storage: "granted", analytics: "granted", personalization: "granted" };

before(async () => {
  const assets = join(root, "dist/sdk/assets");
  const name = readdirSync(assets).find((name) => name.endsWith(".wasm")) ?? "";
  await module.start(Promise.resolve(new Response(readFileSync(join(assets, name)))));
});

/** Without what is absent, whoever says so. @param {unknown} value */
const plain = (value) => JSON.parse(JSON.stringify(value, (_, it) => it ?? undefined) ?? "null");

/** A browser that keeps cookies and storage, as far as hands and edge see it. */
class Browser {
  /** @type {Record<string, Any>} */ storage = {};
  /** @type {string | undefined} */ cookieId;
  optedOut = false;
  keeps = true;
  /** @type {Map<string, Any>} */ rows = new Map();
  /** @type {{ body: Any, batch: number, retry: number, last: number }[]} */ underWay = [];
  /** Everything that was done. @type {Any[]} */ done = [];
  now = 0;
  instance = 0;
  owner = "";
  /** When it asked to be woken. */ wakes = Infinity;

  /** @param {Core} core */
  constructor(core) {
    this.core = core;
  }

  /** @param {string} what @param {Any} more @param {Any} facts those that chance has a part in */
  input(what, more, facts) {
    const input = {
      in: what,
      now: this.now,
      time: 1_790_000_000_000 + this.now,
      ...facts,
      cookieId: this.cookieId,
      optedOut: this.optedOut,
      session: this.storage._msci_session ?? null,
      consent: this.storage._msci_consent ?? null,
      ...more,
    };
    if (what === "tick") this.wakes = Infinity;
    for (const [verb, ...args] of JSON.parse(this.core.decide(this.instance, JSON.stringify(input)))) this.#do(verb, args);
  }

  /** @param {string} verb @param {Any[]} args */
  #do(verb, args) {
    if (verb === "name") this.cookieId = args[0] || undefined;
    else if (verb === "optOut") this.optedOut = args[0];
    else if (verb === "store" && !this.keeps) return;
    else if (verb === "store") args[1] ? (this.storage[args[0]] = plain(args[1])) : delete this.storage[args[0]];
    else if (verb === "keep") this.rows.set(`${args[0]} ${args[1]}`, plain(args[2]));
    else if (verb === "drop") for (const n of args[1]) this.rows.delete(`${args[0]} ${n}`);
    else if (verb === "purge") this.rows.clear();
    else if (verb === "load") this.owner = args[0];
    else if (verb === "wake") this.wakes = Math.min(this.wakes, this.now + args[0]);
    else if (verb === "send") {
      const [body, batch, retry, last] = args;
      this.underWay.push({ body: plain(body), batch, retry, last });
      this.done.push(["send", plain(body), retry, last]);
    } else this.done.push([verb, ...plain(args)]);
  }

  /** Rows of pages that ended, by owner. */
  left() {
    /** @type {Record<string, Any[]>} */
    const all = {};
    for (const [key, row] of this.rows) {
      const [owner = "", n] = key.split(" ");
      if (owner !== this.owner) (all[owner] ??= []).push([Number(n), row]);
    }
    return Object.entries(all);
  }

  state() {
    const { storage, cookieId, optedOut, rows, done } = this;
    // Promises settle later than everything else is done, in whatever order.
    const settled = done.filter(([verb]) => verb === "resolve").sort(([, a], [, b]) => a - b);
    const others = done.filter(([verb]) => verb !== "resolve");
    return { storage, cookieId, optedOut, rows: [...rows].sort(([a], [b]) => (a < b ? -1 : 1)), settled, others };
  }
}

/** An answer to a batch. @param {number} dice @param {Any} body @param {string} other a cookieId */
function answerTo(dice, body, other) {
  const all = body.signals.length;
  const ack = { stream: body.stream, upTo: body.signals[all - 1].seq };
  const taken = { cookieId: body.cookieId, ack, accepted: all, duplicate: 0, rejected: [] };
  const user = body.signals.some((/** @type {Any} */ { type }) => type === "user") ? { user: { status: "merged", pending: true } } : {};
  const answers = [
    { status: 200, answer: { ...taken, ...user } },
    { status: 200, answer: { ...taken, ...user, accepted: 0, duplicate: all } },
    { status: 200, answer: { ...taken, ...user, cookieId: other } },
    { status: 200, answer: { ...taken, accepted: all - 1, rejected: [{ seq: ack.upTo, code: "too_old" }] } },
    { status: 200, answer: { ...taken, accepted: all + 1 } },
    { status: 200, answer: { ...taken, ack: { stream: other } } },
    { status: 200, answer: null },
    { status: 200, answer: { ok: true } },
    { status: 0 },
    { status: 503, after: 2 },
    { status: 500, answer: { error: { code: "internal" } } },
    { status: 429, after: 0 },
    { status: 408 },
    { status: 413 },
    { status: 400, answer: { error: { code: "invalid_batch" } } },
    { status: 400, answer: { error: { code: "invalid_json" } } },
    { status: 404 },
    { status: 302 },
    ...(dice % 7 === 0 ? [{ status: 401 }] : []),
  ];
  return answers[dice % answers.length];
}

/** One visit of many pages, drawn from a seed, in both. @param {number} seed */
function visit(seed) {
  const { below, pick, guid } = chance(seed);
  const both = [new Browser(module), new Browser(fallback)];
  const [one] = both;
  if (!one) throw new Error();
  /** @type {string[]} */
  const log = [];
  let sent = 0;
  let calls = 0;
  const input = (/** @type {string} */ what, /** @type {Any} */ more = {}) => {
    const facts = { guids: Array.from({ length: 8 }, guid), jitter: below(1025), offline: below(30) === 0 };
    log.push(`${one.now} ${what} ${JSON.stringify(more)}`);
    for (const browser of both) browser.input(what, more, facts);
    const [a, b] = both.map((browser) => browser.state());
    assert.deepEqual(b, a, `seed ${seed}\n${log.join("\n")}`);
    sent += one.done.filter(([verb]) => verb === "send").length;
    for (const browser of both) browser.done = [];
  };
  // Nobody answers, for so long that a page gives up; or nothing is kept.
  const away = below(8) === 0;
  if (below(8) === 0) for (const browser of both) browser.keeps = false;
  const rules = { required: below(3) === 0, barred: below(12) === 0, holds: below(4) > 0 };
  const page = () => {
    for (const browser of both) {
      browser.instance = browser.core.create();
      browser.underWay = [];
      browser.owner = "";
      browser.wakes = Infinity;
    }
    input("start", { ...rules, campaign: below(2) ? { utm_source: "mail", plan: "a" } : {} });
    signal("view");
  };
  const signal = (/** @type {string} */ type) => {
    const signal = { time: 1_790_000_000_000 + one.now - below(2) * 31 * 86_400_000 * (below(20) === 0 ? 1 : 0), type, name: `n"\\é${below(9)}`, authId: `K${below(3)}` };
    const properties = type === "user" ? null : pick([{}, { plan: "gold" }, { n: 1.5e-7, x: true }]);
    input("signal", { signal, properties, ...(type === "user" && { call: ++calls }) });
  };
  page();
  for (let step = 0; step < (away ? 200 : 60); step++) {
    const passes = away ? 400_000 : pick([0, 1, 300, 1_000, 5_000, 400_000, below(40) === 0 ? 2_000_000 : 10]);
    for (const browser of both) browser.now += passes;
    const next = below(22);
    if (next < 5) signal(pick(["view", "event", "event", "action", "user"]));
    else if (next < 8) input("tick");
    else if (next < 14 && one.underWay.length > 0) {
      const at = below(one.underWay.length);
      const dice = below(1000);
      const other = guid();
      const [answered] = both.map((browser) => {
        const [{ batch, body } = { batch: 0, body: {} }] = browser.underWay.splice(at, 1);
        return { batch, body };
      });
      input("reply", { batch: answered?.batch, ...(away && dice % 50 ? { status: 0 } : answerTo(dice, answered?.body, other)) });
    } else if (next === 14) input("setConsent", { purposes: { [pick(PURPOSES)]: pick(["granted", "denied"]) } });
    else if (next === 15) input("setConsent", { purposes: EVERYTHING });
    else if (next === 16) input(pick(["reset", "optIn", "optIn", "optOut"]));
    else if (next === 17) input(pick(["hidden", "shown", "online", "visible"]));
    else if (next === 18) input(pick(["flush", "decisions", "status"]), { call: ++calls });
    else if (next === 19) away || page();
    else if (next === 20) {
      for (const [owner, rows] of one.left()) input("left", { owner, rows });
    } else if (below(3) === 0) {
      // Another tab.
      const said = pick([undefined, { storage: "denied" }, { analytics: "denied", storage: "granted" }, EVERYTHING]);
      const out = below(6) === 0;
      for (const browser of both) {
        if (said) browser.storage._msci_consent = { time: 1_790_000_000_000 + one.now, said };
        else delete browser.storage._msci_consent;
        if (out) browser.optedOut = true;
      }
    }
  }
  return sent;
}

test("the stand-in answers as the module does, in 400 visits drawn by chance", () => {
  let sent = 0;
  for (let seed = 1; seed <= 400; seed++) sent += visit(seed);
  assert.ok(sent > 2_000, `${sent} batches were sent`);
});
