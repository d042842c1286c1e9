// @ts-check
// One browser under load. It behaves as the SDK does: what it made stays queued under its identity (stream,
// seq) until an answer was read to its end and acknowledges it; whatever else happens, it is sent again.
import { PROFILE } from "../support/signals.mjs";

export const TABLE = "People";
/** `recount` of model.mjs counts the same from what was sent. @type {[string, unknown][]} */
export const DEFINITIONS = [
  [`/tables/${TABLE}`, { primaryKey: "PersonId", columns: { FirstName: "string" } }],
  ["/measures/Views", { aggregate: "count", filter: "ActivityType eq 'View'" }],
  ["/measures/Paid", { aggregate: "sum", property: "total", filter: "ActivityType eq 'paid'" }],
  ["/segments/Buyers", { filter: "Measures/Paid ge 1000" }],
  ["/segments/Readers", { filter: "UnifiedActivity/$count($filter=ActivityType eq 'View') ge 20" }],
  // A run signs in more often than people do.
  ["/settings", { trackingTable: TABLE, identity: { maxLinksPerDay: 100_000, maxLinks: 100_000 } }],
];

/** An answer takes milliseconds; one that takes this long will not come. */
const HUNG_MS = 30_000;
/** Acknowledged batches that may still be sent once more. */
const REMEMBERED = 20;

/**
 * @typedef {import("./model.mjs").Signal & { wire: Record<string, unknown>, sent: boolean }} Queued
 *
 * @typedef {object} Lane what one page sends: one stream under one cookie
 * @property {import("./model.mjs").Cookie} cookie
 * @property {string} id its cookieId
 * @property {string} stream
 * @property {number} seq
 * @property {Queued[]} queue
 *
 * @typedef {object} Tally what all devices together saw
 * @property {number} requests
 * @property {number} acknowledged signals
 * @property {number} resent signals that were sent again without an answer to the first try
 * @property {number} again acknowledged signals that were sent once more
 * @property {number} duplicates signals that were answered as duplicates
 * @property {number} unanswered requests
 * @property {number} hung requests
 * @property {number} pending answers
 * @property {number} unlinks
 * @property {number} forgotten signals
 * @property {Map<string, number>} refusals by status and code
 * @property {string[]} faults answers that break the contract
 *
 * @typedef {object} World
 * @property {Awaited<ReturnType<typeof import("../support/system.mjs").system>>} msci
 * @property {import("./model.mjs").Model} model
 * @property {Tally} tally
 * @property {() => boolean} roomy whether there may be more objects
 * @property {() => boolean} over whether there is nobody left to ask
 */

/** @returns {Tally} */
export const newTally = () => ({
  requests: 0,
  acknowledged: 0,
  resent: 0,
  again: 0,
  duplicates: 0,
  unanswered: 0,
  hung: 0,
  pending: 0,
  unlinks: 0,
  forgotten: 0,
  refusals: new Map(),
  faults: [],
});

export class Device {
  #world;
  #chance;
  #people;
  /** @type {Record<string, string>} */
  #jar = {};
  /** @type {Lane} Where people sign in. */
  #page;
  /** @type {Lane} A second page, on which nobody does. */
  #aside;
  /** Lanes of earlier cookies that are not empty yet. @type {Lane[]} */
  #earlier = [];
  /** @type {{ lane: Lane, batch: Queued[] }[]} */
  #acknowledged = [];
  /** Of customers that this device signed in as. @type {Map<string, string>} */
  #customerIds = new Map();

  /**
   * @param {World} world
   * @param {import("../support/chance.mjs").Chance} chance
   * @param {string[]} people those who use this device
   */
  constructor(world, chance, people) {
    this.#world = world;
    this.#chance = chance;
    this.#people = people;
    this.#page = this.#aside = this.#begin();
    this.#aside = this.#lane(this.#page.cookie, this.#page.id);
  }

  /** Uses the site until it is told to stop. @param {() => boolean} on */
  async live(on) {
    while (on()) {
      this.#browse();
      if (this.#chance.happens(0.3)) await Promise.all([this.#flush(), this.#send(this.#aside)]);
      else await this.#flush();
      if (this.#chance.happens(0.1)) await this.#sendAgain();
      if (this.#chance.happens(0.03)) this.#reset();
      if (this.#chance.happens(0.02)) await this.#unlink();
      if (this.#chance.happens(0.003)) await this.#forget();
      await new Promise((next) => setTimeout(next, this.#chance.below(40)));
    }
  }

  /** Sends what is left, and something old once more. */
  async finish() {
    await this.#drain();
    await this.#sendAgain();
  }

  async #drain() {
    while (this.#waiting().length > 0) await Promise.all([this.#flush(), this.#send(this.#aside)]);
  }

  #waiting() {
    return [this.#page, this.#aside, ...this.#earlier].flatMap((lane) => lane.queue);
  }

  /** A cookie that no browser had before. @returns {Lane} */
  #begin() {
    const id = this.#chance.guid();
    this.#jar = { _msci: id };
    return this.#lane(this.#world.model.mint(id), id);
  }

  /** @param {import("./model.mjs").Cookie} cookie @param {string} id @returns {Lane} */
  #lane(cookie, id) {
    return { cookie, id, stream: this.#chance.guid(), seq: 0, queue: [] };
  }

  #browse() {
    for (let n = this.#chance.between(0, 12); n > 0; n -= 1) {
      const lane = this.#chance.happens(0.25) ? this.#aside : this.#page;
      if (this.#chance.happens(0.2)) this.#make(lane, "event");
      else if (lane === this.#page && this.#chance.happens(0.06)) this.#make(lane, "user");
      else this.#make(lane, "view");
    }
  }

  /** @param {Lane} lane @param {"view" | "event" | "user"} type */
  #make(lane, type) {
    const seq = ++lane.seq;
    const time = Date.now() - (this.#chance.happens(0.05) ? this.#chance.below(86_400_000) : 0);
    /** @type {Queued} */
    const signal = { stream: lane.stream, seq, type, cents: 0, acknowledged: false, sent: false, wire: { seq, time, type } };
    if (type === "view") signal.wire.uri = `/${this.#chance.below(1000)}`;
    if (type === "event") {
      signal.cents = this.#chance.between(1, 9999);
      Object.assign(signal.wire, { name: "paid", properties: { total: signal.cents / 100 } });
    }
    if (type === "user") {
      signal.authId = this.#someone(lane.cookie);
      Object.assign(signal.wire, signal.authId ? { authId: signal.authId } : { name: "Someone" });
    }
    this.#world.model.place(lane.cookie, signal);
    lane.queue.push(signal);
  }

  /** Who signs in now; sometimes it is only a name that is told. @param {import("./model.mjs").Cookie} cookie */
  #someone(cookie) {
    if (this.#chance.happens(0.1)) return undefined;
    if (cookie.link && !this.#world.roomy()) return cookie.link;
    return this.#chance.pick(this.#people);
  }

  /** Old cookies first, so that what was made earlier arrives earlier. */
  async #flush() {
    const [lane = this.#page] = this.#earlier;
    await this.#send(lane);
    this.#earlier = this.#earlier.filter((earlier) => earlier.queue.length > 0);
  }

  /** One batch of a lane, or two at a time or in the wrong order. @param {Lane} lane */
  async #send(lane) {
    if (lane.queue.length === 0) return;
    const size = this.#chance.between(1, 20);
    const first = lane.queue.slice(0, size);
    const second = lane.queue.slice(size, size + this.#chance.between(1, 20));
    // Who signs in before whom is the order of arrival, so what follows a `user` signal waits for it.
    const bound = first.some((signal) => signal.type === "user") || second.length === 0;
    const way = bound ? "alone" : this.#chance.pick(["alone", "alone", "parallel", "reversed"]);
    if (way === "parallel") await Promise.all([this.#deliver(lane, first), this.#deliver(lane, second)]);
    if (way === "reversed") await this.#deliver(lane, second);
    if (way === "reversed" || way === "alone") await this.#deliver(lane, first);
    lane.queue = lane.queue.filter((signal) => !signal.acknowledged);
  }

  /** What was acknowledged comes once more, as when a proxy repeats a request. */
  async #sendAgain() {
    if (this.#acknowledged.length === 0) return;
    const { lane, batch } = this.#chance.pick(this.#acknowledged);
    await this.#deliver(lane, batch);
  }

  /**
   * One try. The answer, if there is one, is held against the contract and the model.
   * @param {Lane} lane
   * @param {Queued[]} batch
   */
  async #deliver(lane, batch) {
    const { msci, tally } = this.#world;
    const before = batch.filter((signal) => signal.acknowledged).length;
    const again = before === batch.length;
    const fresh = batch.filter((signal) => !signal.sent).length;
    tally.again += before;
    tally.resent += batch.length - before - fresh;
    for (const signal of batch) signal.sent = true;
    const own = this.#jar._msci === lane.id;
    const named = own && this.#chance.happens(0.3) ? {} : { cookieId: lane.id };
    const sent = { ...named, stream: lane.stream, signals: batch.map((signal) => signal.wire) };
    const retry = fresh < batch.length ? { "x-retry-count": "1" } : undefined;
    const cookies = { ...this.#jar };
    const answer = await this.#ask(() => msci.collect(sent, { cookies, headers: retry }));
    if (!answer) return;
    const { body } = answer;
    const complain = (/** @type {string} */ what) =>
      void tally.faults.push(`${what}; sent ${batch.length} of ${lane.stream} from ${batch[0]?.seq} by ${lane.id}, answered ${JSON.stringify(body)}`);
    if (answer.status !== 200 || !Array.isArray(body.rejected)) return complain(`status ${answer.status}`);
    const purged = batch.filter((signal) => signal.cookie?.forgotten).map((signal) => `${signal.seq} erased`);
    const rejected = body.rejected.map((/** @type {any} */ one) => `${one.seq} ${one.code}`);
    if (rejected.join() !== purged.join()) complain("a good signal was rejected, or a purged one was not");
    if (body.accepted + body.duplicate + body.rejected.length !== batch.length) complain("not one verdict a signal");
    if (body.duplicate < before - purged.length) complain(`${before} of these were acknowledged before`);
    if (body.accepted < fresh) complain(`${fresh} of these were never sent before`);
    if (body.ack?.stream !== lane.stream || body.ack.upTo !== batch.at(-1)?.seq) complain("another range is acknowledged");
    for (const signal of batch) signal.acknowledged = true;
    tally.acknowledged += batch.length - before;
    tally.duplicates += body.duplicate;
    if (body.pending) tally.pending += 1;
    // An unlink in between changes what is said of the same signals now.
    const user = batch.findLast((signal) => signal.type === "user");
    if (!again && body.user?.status !== user?.outcome) complain(`the user's outcome should be ${user?.outcome}`);
    const belongs = batch.at(-1)?.cookie;
    if (!own || !belongs) {
      if (body.cookieId !== cookies._msci) complain("another cookie's batch changes this browser's");
    } else {
      this.#world.model.name(belongs, body.cookieId);
    }
    if (again) return;
    if (own && this.#jar._msci === lane.id) this.#adopt(lane, belongs, answer);
    this.#acknowledged.push({ lane, batch });
    if (this.#acknowledged.length > REMEMBERED) this.#acknowledged.splice(this.#chance.below(REMEMBERED), 1);
  }

  /**
   * What the browser does with an answer about its own cookie.
   * @param {Lane} lane
   * @param {import("./model.mjs").Cookie | undefined} cookie
   * @param {import("../support/system.mjs").Answer} answer
   */
  #adopt(lane, cookie, answer) {
    Object.assign(this.#jar, answer.cookies);
    if (!cookie || answer.body.cookieId === lane.id) return;
    this.#jar._msci = answer.body.cookieId;
    this.#leave(() => this.#lane(cookie, answer.body.cookieId));
  }

  #reset() {
    if (this.#world.roomy()) this.#leave(() => this.#begin());
  }

  /** New streams; what is queued under the old ones keeps its cookie. @param {() => Lane} begin */
  #leave(begin) {
    this.#earlier.push(...[this.#page, this.#aside].filter((lane) => lane.queue.length > 0));
    this.#page = begin();
    this.#aside = this.#lane(this.#page.cookie, this.#page.id);
  }

  /** An administrator takes this browser's link back, while it has nothing under way. */
  async #unlink() {
    await this.#drain();
    const { cookie, id } = this.#page;
    const authId = cookie.link;
    if (!authId) return;
    const customer = await this.#customerId(authId, id);
    if (!customer) return;
    const unlink = () => this.#world.msci.admin("POST", `/customers/${customer}/unlink`, { cookieId: id });
    let tries = 0;
    const answer = await this.#insist(() => ((tries += 1), unlink()));
    // After a try without an answer it may be done already.
    if (answer.status === 200 || (answer.status === 404 && tries > 1)) {
      this.#world.model.unlink(cookie);
      this.#world.tally.unlinks += 1;
    } else {
      this.#world.tally.faults.push(`unlinking ${id} from ${authId} answered ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }

  /** @param {string} authId @param {string} cookieId */
  async #customerId(authId, cookieId) {
    const known = this.#customerIds.get(authId);
    if (known) return known;
    const { msci } = this.#world;
    const { body } = await this.#insist(() =>
      msci.fetch(`${PROFILE}(cookieid='${cookieId}')`, { headers: { authorization: `Bearer ${msci.adminToken}` } }),
    );
    if (!body.msdynci_known) return undefined;
    this.#customerIds.set(authId, body.msdynci_customerid);
    return body.msdynci_customerid;
  }

  /** The visitor has everything purged, while nothing is under way, and comes back as somebody new. */
  async #forget() {
    const { model, msci, tally, roomy } = this.#world;
    if (!roomy()) return;
    await this.#drain();
    const { cookie, id } = this.#page;
    const answer = await this.#insist(() => msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: id } }));
    if (answer.body.forgotten !== true) {
      tally.faults.push(`forget answered ${answer.status} ${JSON.stringify(answer.body)}`);
      return;
    }
    tally.forgotten += cookie.log.length;
    model.forget(cookie);
    this.#leave(() => this.#begin());
  }

  /** @param {() => Promise<import("../support/system.mjs").Answer>} request */
  async #insist(request) {
    for (;;) {
      const answer = await this.#ask(request);
      if (answer) return answer;
    }
  }

  /**
   * The answer, or nothing when there was none or a 5xx: then it is time to try again.
   * @param {() => Promise<import("../support/system.mjs").Answer>} request
   */
  async #ask(request) {
    const { tally, over } = this.#world;
    if (over()) throw new Error("the run is over");
    tally.requests += 1;
    let timer;
    /** @type {Promise<"hung">} */
    const hung = new Promise((resolve) => (timer = setTimeout(resolve, HUNG_MS, "hung")));
    try {
      const answer = await Promise.race([request(), hung]);
      if (answer === "hung") tally.hung += 1;
      else if (answer.status < 500) return answer;
      else {
        const code = answer.body?.error?.code;
        if (!code) tally.faults.push(`a ${answer.status} without a code: ${String(answer.body).slice(0, 200)}`);
        const kind = `${answer.status} ${code}`;
        tally.refusals.set(kind, (tally.refusals.get(kind) ?? 0) + 1);
      }
    } catch {
      tally.unanswered += 1;
    } finally {
      clearTimeout(timer);
    }
    await new Promise((next) => setTimeout(next, this.#chance.between(20, 80)));
    return undefined;
  }
}
