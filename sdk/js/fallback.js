// What decides where WebAssembly does not run: the functions of `module.js`, with the same inputs, the same
// effects, and the same names for everything that is kept and sent, so that either goes on where the other
// ended. `tests/sdk/fallback.test.mjs` holds the two against each other.

/** @typedef {any} Any */
/** @typedef {string} Text */
/** @typedef {{ owner: Text, row: number, ticket: number, at: number, origin: Any, seq: number, signal: Any, batch?: number }} Queued */

const DAY = 864e5;

/** @type {((input: Any) => Any[])[]} */
const instances = [];

/** Makes an instance. */
export const create = () => instances.push(client()) - 1;

/** What an instance answers to an input. @param {number} instance @param {string} input */
export const decide = (instance, input) => JSON.stringify(instances[instance]?.(JSON.parse(input)));

const client = () => {
  /** The input under way, and what it leads to. @type {Any} */
  let facts;
  /** @type {Any[]} */
  let out;

  let started = false;
  /** What the visitor said, when, whether that is known to be stored, and what stands above it. @type {Record<Text, Text>} */
  let said = {};
  let saidAt = 0;
  let stored = false;
  let required = false;
  let barred = false;
  let optedOut = false;
  /** Until the visitor has said something. @type {[signal: Any, call: number][]} */
  let held = [];
  let holds = false;

  /** @type {Any} */
  let session = {};
  /** Under which names signals are made; none before something may be stored. @type {Any} */
  let origin;
  /** The visitor took back what it stands on: a later grant begins another. */
  let forgotten = false;
  let owner = "";
  /** @type {Queued[]} */
  let queue = [];
  let seq = 0;
  let tickets = 0;
  let batches = 0;
  /** Up to this ticket nothing waits for company. */
  let forced = 0;
  /** Most signals in the next batch. */
  let most = 20;
  let attempts = 0;
  let notBefore = 0;
  /** Tries without any answer, since the last answer. */
  let unanswered = 0;
  /** The edge said how long to wait. */
  let asked = false;
  let paused = false;
  let ended = false;
  let acknowledged = 0;
  /** @type {Record<Text, number>} */
  let rejected = {};
  /** Calls that wait for what has this ticket to leave the queue; of a `user` signal, for its verdict. @type {[ticket: number, call: number, user?: boolean][]} */
  let waiting = [];

  /** The `user` signal that this input decides, and why against it. @type {Any} */
  let decided;
  /** @type {Any} */
  let why;

  const effect = (/** @type {Any[]} */ ...one) => out.push(one);
  const count = (/** @type {Text} */ code, n = 1) => (rejected[code] = (rejected[code] ?? 0) + n);
  const refuse = (/** @type {number} */ call, /** @type {Text} */ reason) => effect("resolve", call, { status: "refused", reason });
  const load = () => origin && !forgotten && effect("load", owner);

  // 0: yes, 1: once the visitor has said so, 2: no.
  const gate = (/** @type {Text} */ purpose) =>
    barred || optedOut || said[purpose] === "denied" ? 2 : required && !said[purpose] ? 1 : 0;
  const gateOf = (/** @type {Any} */ { type }) => Math.max(gate("storage"), /user|consent/.test(type) ? 0 : gate("analytics"));

  const stopped = () => paused || unanswered > 9;
  // The visitor goes on: that is worth one more try, once the wait is over.
  const again = () => void (unanswered = Math.min(unanswered, 9));

  const whyNot = () => (optedOut ? "opted_out" : "consent_missing");

  const begin = (/** @type {Text} */ cookieId) => {
    const stream = facts.guids.shift();
    owner ||= stream;
    origin = { ...origin, cookieId, stream };
    seq = 0;
  };
  const touch = () => {
    const now = facts.time;
    const lasts = (/** @type {Any} */ it) => now - it?.last <= 18e5 && now - it.start <= DAY;
    const known = lasts(facts.session) && facts.session;
    let { last = 0 } = session;
    if (known) session = { ...known };
    else if (!lasts(session)) session = { id: facts.guids.shift(), start: now, campaign: session.id ? undefined : session.campaign };
    session.last = last = Math.max(now, last, known ? known.last : 0);
    if (last - (known ? known.last : 0) >= 1e4) effect("store", "_msci_session", session);
    origin = { ...origin, session: { id: session.id, start: session.start } };
  };
  const open = () => {
    if ((origin && !forgotten) || !started || gate("storage")) return;
    const cookieId = facts.cookieId ?? facts.guids.shift();
    effect("name", cookieId);
    begin(cookieId);
    touch();
    forgotten = false;
    load();
    return !facts.cookieId && affirm();
  };

  const remove = (/** @type {(it: Queued) => unknown} */ gone) => {
    queue = queue.filter((it) => {
      if (!gone(it)) return true;
      if (!forgotten) effect("drop", it.owner, [it.row]);
      return false;
    });
  };
  const add = (/** @type {Any} */ signal) => {
    const it = { owner, row: ++tickets, ticket: tickets, at: facts.now, origin, seq: ++seq, signal };
    queue.push(it);
    effect("keep", owner, it.row, { ...origin, seq, signal });
    if (/user|consent/.test(signal.type)) forced = tickets;
    makeRoom();
  };
  const tell = (/** @type {Any} */ purposes, /** @type {number} */ time) =>
    origin && !forgotten && add({ time, type: "consent", purposes });
  // Tells the edge what it cannot know of a cookieId that is new; answers whether there is anything.
  const affirm = () => {
    if (saidAt) tell(said, saidAt);
    return saidAt > 0;
  };
  const makeRoom = () => {
    while (queue[1e3]) {
      const oldest = queue.find((it) => !it.batch && it.signal.type !== "user");
      if (!oldest) return;
      remove((it) => it === oldest);
      count("queue_full");
    }
  };
  const take = (/** @type {Any} */ signal, /** @type {number} */ call) => {
    const how = gateOf(signal);
    if (how === 1 && holds && !held[199]) return void held.push([signal, call]);
    if (origin && !how) {
      touch();
      add(signal);
      if (call) waiting.push([tickets, call, true]);
    } else if (call) refuse(call, whyNot());
  };

  // What waits and goes together: of one origin, up to a `user` signal, in 15 KB.
  const next = (/** @type {number} */ most) => {
    const free = queue.filter((it) => !it.batch);
    const of = JSON.stringify(free[0]?.origin);
    let bytes = 0;
    const end = free.findIndex((it, i) => {
      bytes += new TextEncoder().encode(JSON.stringify(it.signal)).length;
      return i && (i === most || bytes > 15e3 || JSON.stringify(it.origin) !== of || free[i - 1]?.signal.type === "user");
    });
    return end < 0 ? free : free.slice(0, end);
  };
  const send = (/** @type {Queued[]} */ taken, last = 0) => {
    batches++;
    const signals = taken.map((it) => {
      it.batch = batches;
      return { seq: it.seq, ...it.signal };
    });
    effect("send", { ...taken[0]?.origin, ephemeral: facts.cookieId ? undefined : true, signals }, batches, attempts, last);
  };
  const hidden = () => {
    if (stopped() || (asked && notBefore > facts.now)) return;
    // Nothing overtakes a `user` signal: whose it is hangs on that one's answer.
    for (let taken; !queue.some((it) => it.batch && it.signal.type === "user") && (taken = next(20))[0]; ) send(taken, 1);
  };
  const pump = () => {
    const [head] = queue;
    if (head && !ended && !stopped() && !facts.offline && !queue.some((it) => it.batch)) {
      const taken = next(most);
      const full = head.ticket <= forced || taken.length < queue.length || taken.length >= most;
      const wait = Math.max(notBefore, full ? 0 : head.at + 1e3) - facts.now;
      wait > 0 ? effect("wake", wait) : send(taken);
    }
    waiting = waiting.filter(([ticket, call, user]) => {
      const waits = origin && (user ? ticket !== decided : !stopped() && queue.some((it) => it.ticket <= ticket));
      const reason = origin ? user && why : whyNot();
      if (!waits) reason ? refuse(call, reason) : effect("resolve", call, ...(user ? [facts.answer?.user ?? { status: "queued" }] : []));
      return waits;
    });
  };
  // What became of a batch; answers whether the cookie is to be written again.
  const settle = () => {
    const { batch, status, answer, after, now } = facts;
    const sent = queue.filter((it) => it.batch === batch);
    const [first] = sent;
    if (!first) return;
    const user = sent.find((it) => it.signal.type === "user");
    const refusals = answer?.rejected?.map ? answer.rejected : [];
    let changed;
    let rotated;
    // Only an answer that accounts for each signal is an acknowledgement.
    if (status === 200 && answer?.cookieId && answer.ack?.stream === first.origin.stream && answer.accepted + answer.duplicate + refusals.length === sent.length) {
      acknowledged += sent.length - refusals.length;
      for (const { seq, code } of refusals) {
        count(code);
        if (seq === user?.seq) why = code;
      }
      changed = first.origin.cookieId !== origin.cookieId;
      rotated = !changed && answer.cookieId !== origin.cookieId;
      if (rotated) begin(answer.cookieId);
    } else if (
      /40[138]|413|429/.test(status)
        ? status !== 413 || sent[1]
        : // Bodies are whole when they leave: what is no JSON was damaged on the way, unless it is each time.
          status < 400 || status > 499 || (answer?.error?.code === "invalid_json" && attempts < 2)
    ) {
      // Kept: until another page, in halves, or for a while.
      if (status === 401 || status === 403) paused = true;
      else if (status === 413) most = sent.length >> 1;
      else {
        if (notBefore <= now) {
          attempts++;
          unanswered++;
        }
        if (status) unanswered = 0;
        asked = after != null;
        const wait = asked ? after * 1e3 : (1e3 * 2 ** Math.min(attempts - 1, 9) * (512 + facts.jitter)) / 1024;
        notBefore = now + Math.min(Math.max(Math.floor(wait), 1e3), 3e5);
      }
      for (const it of sent) delete it.batch;
      return;
    } else {
      const code = answer?.error?.code ?? "http_" + status;
      count(code, sent.length);
      why = code;
    }
    remove((it) => it.batch === batch);
    attempts = notBefore = unanswered = 0;
    asked = false;
    most = Math.min(most * 2, 20);
    decided = user?.ticket;
    if (rotated) affirm();
    return changed || rotated;
  };
  const reply = () => {
    const changed = origin && settle();
    if (origin && !gate("storage")) {
      if (changed) effect("name", origin.cookieId);
    } else if (facts.status === 200) {
      // It was sent before the visitor said no, and may have set cookies again.
      effect("name", "");
      effect("endProof");
    }
  };
  const left = () => {
    if (!origin || forgotten) return;
    const { rows, owner, time } = facts;
    const adopted = [];
    for (const [row, it] of rows) {
      // A page that came back may have had them before.
      if (queue.some((known) => known.row === row && known.owner === owner)) continue;
      const { cookieId, stream, session, seq, signal } = it ?? {};
      if (signal?.time + 30 * DAY >= time) {
        adopted.push({ owner, row, ticket: ++tickets, at: 0, origin: { cookieId, stream, session }, seq, signal });
      } else {
        effect("drop", owner, [row]);
        count(signal ? "expired" : "damaged");
      }
    }
    queue = [...adopted, ...queue];
    makeRoom();
    withdraw();
  };

  // Forgets what may not be sent any more. What follows is another stream, so that it is no gap.
  const withdraw = () => {
    const { length } = queue;
    remove((it) => gateOf(it.signal) === 2);
    if (queue.length < length) begin(origin.cookieId);
  };
  const say = (/** @type {Any} */ purposes) => {
    const before = said;
    said = { ...said, ...purposes };
    return Object.keys(said).some((purpose) => said[purpose] !== before[purpose]);
  };
  // Takes over what is stored; answers whether it says anything new.
  const remember = () => {
    const { consent } = facts;
    stored = !!consent;
    saidAt = consent?.time || saidAt;
    return say(consent?.said);
  };
  // Leaves nothing on the device but what the visitor said.
  const clear = () => {
    effect("name", "");
    effect("store", "_msci_session");
    effect("purge");
  };
  // Removes what names this browser, if anything does.
  const forget = () => {
    if (!origin || forgotten) return;
    forgotten = true;
    session = {};
    clear();
    effect("endProof");
  };
  const takeHeld = () => {
    for (const [signal, call] of held.splice(0)) take(signal, call);
  };
  // Carries out what the visitor said.
  const obey = (/** @type {Any} */ purposes = undefined) => {
    // The edge hears of it before what it allows, and even when it allows nothing any more.
    const told = open();
    if (origin) withdraw();
    if (purposes && !told) tell(purposes, facts.time);
    if (gate("storage")) forget();
    takeHeld();
  };
  const optOut = () => {
    optedOut = true;
    said = {};
    stored = false;
    effect("optOut", true);
    effect("store", "_msci_consent");
    forget();
    origin = undefined;
    owner = "";
    queue = [];
    rejected = {};
    seq = tickets = batches = forced = attempts = notBefore = unanswered = acknowledged = saidAt = 0;
    most = 20;
    paused = asked = false;
    takeHeld();
  };

  /** By what happens. @type {Record<Text, () => unknown>} */
  const inputs = {
    start: () => {
      ({ required, barred, holds, optedOut } = facts);
      started = true;
      session.campaign = facts.campaign;
      remember();
      open();
      if (gate("storage") < 2) return;
      clear();
      // There was a visit before this stood against it.
      if (facts.session) effect("endProof");
      if (barred && !Object.values(said).includes("denied")) {
        stored = false;
        effect("store", "_msci_consent");
      }
    },
    signal: () => {
      const { signal, properties, call } = facts;
      const view = signal.type === "view";
      if (view) again();
      if (view && origin && !gateOf(signal)) touch();
      const all = { ...(view && session.campaign), ...properties };
      take(Object.keys(all).length ? { ...signal, properties: all } : signal, call);
    },
    setConsent: () => {
      const { purposes } = facts;
      if (!say(purposes)) return;
      saidAt = facts.time;
      // Not known to be stored before it is read back: there may be no storage, which is no withdrawal.
      stored = false;
      const kept = (said.storage === "granted" || !required) && !barred && !optedOut;
      effect("store", "_msci_consent", ...(kept ? [{ time: saidAt, said }] : []));
      obey(purposes);
    },
    reset: () => {
      session = {};
      if (!origin || forgotten) return;
      const cookieId = facts.guids.shift();
      effect("name", cookieId);
      effect("store", "_msci_session");
      begin(cookieId);
      affirm();
      effect("endProof");
    },
    optOut,
    optIn: () => {
      optedOut = false;
      effect("optOut", false);
      open();
    },
    decisions: () => effect("decide", facts.call, !gate("storage") && !gate("personalization")),
    flush: () => {
      forced = tickets;
      waiting.push([tickets, facts.call]);
    },
    status: () =>
      effect("status", facts.call, {
        cookieId: origin?.cookieId,
        queued: held.length + queue.length,
        acknowledged,
        transport: !origin ? "off" : paused ? "paused" : stopped() ? "blocked" : queue.some((it) => it.batch) ? "sending" : attempts ? "retrying" : "idle",
        rejected: Object.entries(rejected).map(([code, n]) => ({ code, n })),
        consent: { ...said, required: required || undefined, gpc: barred || undefined, optedOut: optedOut || undefined },
      }),
    teardown: () => {
      hidden();
      ended = true;
    },
    shown: () => {
      for (const it of queue) delete it.batch;
      load();
    },
    hidden,
    visible: again,
    online: () => {
      if (unanswered) notBefore = 0;
      again();
      load();
    },
    left,
    reply,
  };

  return (/** @type {Any} */ input) => {
    facts = input;
    out = [];
    decided = why = 0;
    if (started) {
      // What the visitor said in another tab.
      const before = stored;
      const news = remember();
      if (facts.optedOut && !optedOut) optOut();
      else if (before && !stored ? say({ storage: "denied", analytics: "denied", personalization: "denied" }) : news) obey();
    }
    inputs[facts.in]?.();
    pump();
    return out;
  };
};
