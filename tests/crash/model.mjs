// @ts-check
// Where each signal belongs, by the rules that a client can rely on (design §5), from what clients sent and
// nothing else. A crash, a resend or a duplicate changes nothing here: that is what a run checks.
//
// The order of making is the order that counts, because clients send `user` signals of one cookie one after
// the other, in order.

/**
 * @typedef {object} Signal
 * @property {string} stream
 * @property {number} seq
 * @property {"view" | "event" | "user"} type
 * @property {number} cents of an event: what was paid
 * @property {string} [authId] of a `user` signal
 * @property {string} [outcome] of a `user` signal: what the browser is to hear, once placed
 * @property {Cookie} [cookie] whose log it belongs to, once placed
 * @property {boolean} acknowledged
 *
 * @typedef {object} Cookie one cookieId of one browser
 * @property {string} key its cookieId, or how it derives from another one's
 * @property {string} [id] the cookieId; of a derived one, once the edge has told it
 * @property {Cookie} root
 * @property {string} [link] authId of the customer that it belongs to
 * @property {boolean} forgotten
 * @property {Signal[]} log
 * @property {Map<string, { from: number, to: string | undefined }[]>} turns by stream
 */

/** More hops than people share a browser; the edge gives up as well. */
const HOPS = 16;

export class Model {
  /** @type {Map<string, Cookie>} by key */
  cookies = new Map();
  /** @type {Map<string, Signal>} by identity */
  signals = new Map();
  /** Customers that ever had a cookie. @type {Set<string>} */
  customers = new Set();
  merges = 0;
  rotations = 0;
  /** What clients were told that cannot be. @type {string[]} */
  contradictions = [];

  /** A browser makes a cookieId. @param {string} id */
  mint(id) {
    return this.#cookie(id, undefined, id);
  }

  /**
   * A browser makes a signal under a cookie.
   * @param {Cookie} sender
   * @param {Signal} signal
   */
  place(sender, signal) {
    let cookie = sender;
    for (let hop = 0; hop < HOPS; hop += 1) {
      const turns = cookie.turns.get(signal.stream) ?? [];
      if (signal.authId) {
        const other = cookie.link !== undefined && cookie.link !== signal.authId;
        turns.push({ from: signal.seq, to: other ? signal.authId : undefined });
        cookie.turns.set(signal.stream, turns);
      }
      const owner = turns.findLast((turn) => turn.from <= signal.seq)?.to;
      if (owner === undefined) break;
      cookie = this.#derived(cookie, owner);
    }
    if (signal.type === "user") this.#sign(sender, cookie, signal);
    signal.cookie = cookie;
    cookie.log.push(signal);
    this.signals.set(`${signal.stream}/${signal.seq}`, signal);
  }

  /** @param {Cookie} sender @param {Cookie} cookie @param {Signal} signal */
  #sign(sender, cookie, signal) {
    signal.outcome = "already";
    if (signal.authId && cookie.link === undefined) {
      cookie.link = signal.authId;
      this.customers.add(signal.authId);
      this.merges += 1;
      signal.outcome = "merged";
    }
    if (cookie === sender) return;
    if (signal.outcome === "merged") this.rotations += 1;
    signal.outcome = "rotated";
  }

  /** An administrator takes the link back. @param {Cookie} cookie */
  unlink(cookie) {
    cookie.link = undefined;
  }

  /** A visitor has everything of the cookie purged. @param {Cookie} cookie */
  forget(cookie) {
    cookie.link = undefined;
    cookie.forgotten = true;
    for (const signal of cookie.log) this.signals.delete(`${signal.stream}/${signal.seq}`);
    cookie.log = [];
  }

  /**
   * The edge told the cookieId of a cookie; it must not tell another one later.
   * @param {Cookie} cookie
   * @param {string} id
   */
  name(cookie, id) {
    cookie.id ??= id;
    if (cookie.id !== id) this.contradictions.push(`${cookie.key} was told as ${cookie.id}, then as ${id}`);
  }

  /** The cookieId of another customer on the same browser. @param {Cookie} own @param {string} authId */
  #derived(own, authId) {
    const from = (/** @type {Cookie} */ root) => this.#cookie(`${root.key}>${authId}`, root, undefined);
    const first = from(own.root);
    return first === own ? from(own) : first;
  }

  /** @param {string} key @param {Cookie | undefined} root @param {string | undefined} id */
  #cookie(key, root, id) {
    const known = this.cookies.get(key);
    if (known) return known;
    /** @type {any} */
    const made = { key, id, link: undefined, forgotten: false, log: [], turns: new Map() };
    /** @type {Cookie} */
    const cookie = Object.assign(made, { root: root ?? made });
    this.cookies.set(key, cookie);
    return cookie;
  }

  /** What each profile is to show: unknown ones by cookie, known ones by authId. */
  profiles() {
    /** @type {{ authId: string | undefined, cookies: Cookie[] }[]} */
    const all = [];
    for (const cookie of this.cookies.values()) {
      if (!cookie.link && (cookie.log.length > 0 || cookie.forgotten)) all.push({ authId: undefined, cookies: [cookie] });
    }
    for (const authId of this.customers) {
      all.push({ authId, cookies: [...this.cookies.values()].filter((cookie) => cookie.link === authId) });
    }
    return all.map((profile) => ({ ...profile, ...recount(profile.cookies.flatMap((cookie) => cookie.log)) }));
  }
}

/** What the definitions of a run count, as `DEFINITIONS` of device.mjs says. @param {Signal[]} signals */
function recount(signals) {
  const views = signals.filter((signal) => signal.type === "view").length;
  const paid = signals.filter((signal) => signal.type === "event");
  const cents = paid.reduce((sum, signal) => sum + signal.cents, 0);
  return {
    activities: views + paid.length,
    measures: { Views: views, Paid: paid.length > 0 ? cents / 100 : null },
    segments: [...(cents >= 100_000 ? ["Buyers"] : []), ...(views >= 20 ? ["Readers"] : [])],
  };
}
