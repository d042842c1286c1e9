// @ts-check
// Faults that the local runtime does not have by itself: each must lose nothing, double nothing and mix
// nothing, and the site's page goes out all the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../../examples/contoso-coffee/seed.mjs";
import { faultySystem } from "../support/faults/system.mjs";
import { browser, profile } from "../support/signals.mjs";
import { until } from "../support/system.mjs";

/** @typedef {import("../support/faults/plan.mjs").Rule} Rule */

/** @type {Awaited<ReturnType<typeof faultySystem>>} */
let msci;
before(async () => {
  msci = await faultySystem();
  await seed({ base: msci.base, adminToken: msci.adminToken });
  // What a page says is part of these tests, how fast a busy machine is, is not.
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
});
after(() => msci.stop());

const ORDINARY = "Good coffee, every morning.";
const PREMIUM = "The Aurora is waiting for you.";
const machine = (/** @type {string} */ name) => `http://localhost/coffee-machines/premium/${name}`;

/** @param {Record<string, string>} cookies */
const page = (cookies) => msci.fetch("/", { cookies, headers: { accept: "text/html" } });

/** Names of the experiences that are decided for the home page. @param {Record<string, string>} cookies */
async function decided(cookies) {
  const answer = await msci.fetch("/_msci/decisions?uri=/", { cookies });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.experiences.map((/** @type {any} */ e) => e.name);
}

/** @param {string} lines */
const importLines = (lines) =>
  msci.admin("POST", "/tables/LoyaltySignUps/rows", lines, { "content-type": "application/x-ndjson" });

/** @param {Record<string, unknown>} row */
const imports = async (row) => assert.equal((await importLines(JSON.stringify(row))).status, 200);

/** How a customer's object asks for its imported row. */
const ADOPT = "ON CONFLICT DO UPDATE SET object";

/** A visitor with the cookies that the answers set. */
function visitor() {
  const self = browser();
  /** @type {Record<string, string>} */
  const cookies = { _msci: self.cookieId };
  return {
    ...self,
    cookies,
    /** @param {unknown[]} signals */
    async send(...signals) {
      const answer = await msci.collect(self.batch(...signals), { cookies });
      Object.assign(cookies, answer.cookies);
      return answer;
    },
    /** What the visitor's profile is, and the name of its object. */
    async seen() {
      const { status, body } = await profile(msci, self.cookieId);
      assert.equal(status, 200, JSON.stringify(body));
      return {
        id: /** @type {string} */ (body.msdynci_customerid),
        known: /** @type {boolean} */ (body.msdynci_known),
        cookies: /** @type {string[]} */ (body.msdynci_cookieids),
        views: body.measures.PageViews ?? 0,
        uris: body.unifiedactivity.map((/** @type {any} */ a) => a.msdynci_externalurl).sort(),
      };
    },
  };
}

/** @param {string} call as the costs name it */
const calls = async (call) => (await msci.told()).costs[call]?.calls ?? 0;

/** @param {{ status: number, headers: Headers, body: any }} answer @param {number} status */
function refused(answer, status = 503) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.ok(Number(answer.headers.get("retry-after")) >= 1, "it says when to come back");
  assert.equal(typeof answer.body.error.code, "string");
}

test("F1 the plug is pulled after the link is recorded: the cookie's alarm ships the log", async () => {
  const her = visitor();
  // Her first batch: no alarm is left over from an earlier one.
  await msci.faults({ on: "stub", match: "ship", does: "hold" });
  const lost = her.send(her.view("/1"), her.user("F1")).catch(() => undefined);
  await until(async () => (await msci.told()).held > 0, "the page is under way");
  await msci.kill9();
  await lost;
  await msci.restart();
  // A read would ship by itself.
  await until(() => calls("ProfileObject ship"), "the alarm ships");
  const seen = await her.seen();
  assert.deepEqual([seen.known, seen.uris], [true, ["/1"]]);
});

test("F17 the plug is pulled when the file of a forgotten visitor has just been written anew: her copy goes all the same", async () => {
  const her = visitor();
  await her.send(her.view("/what-she-saw"));
  const { id } = await her.seen();
  const copy = async () => (await msci.snapshots())[`p:${id}`] ?? "";
  await until(async () => (await copy()).includes("\"PageViews\":1"), "there is a copy");
  await msci.faults({ on: "deleteAll", match: id, does: "hold" });
  const forgotten = msci.fetch("/_msci/forget", { method: "POST", cookies: her.cookies }).catch(() => undefined);
  await until(async () => (await msci.told()).met[0], "the file is written anew");
  await msci.kill9();
  await forgotten;
  await msci.restart();
  // Nobody asks: a request would do it by itself.
  await until(async () => !(await copy()).includes("\"PageViews\":1"), "her copy has gone");
});

test("F17 the plug is pulled between the old file of a forgotten visitor and the new one: what she was is known all the same", async () => {
  const her = visitor();
  const batch = her.batch(her.view("/what-she-saw"));
  assert.equal((await msci.collect(batch, { cookies: her.cookies })).body.accepted, 1);
  const { id } = await her.seen();
  await msci.faults({ on: "torn", match: id, does: "refuse", times: 1 });
  const forgotten = msci.fetch("/_msci/forget", { method: "POST", cookies: her.cookies }).catch(() => undefined);
  await until(async () => (await msci.told()).met[0], "the old file is gone");
  await msci.kill9();
  await forgotten;
  await msci.restart();
  await until(async () => !(await msci.snapshots())[`renewal:${id}`], "the file is written anew");
  // A tab of hers that did not hear of it sends once more what she wants gone.
  assert.equal((await msci.collect(batch, { cookies: her.cookies })).status, 200);
  assert.deepEqual((await her.seen()).uris, []);
});

test("F1 until the customer has accepted the link, reads by cookie answer the unknown profile", async () => {
  const her = visitor();
  await her.send(her.view("/1"));
  const id = await msci.under([{ on: "stub", match: "ship", does: "refuse" }], async () => {
    const linked = await her.send(her.user("F1-refused"));
    assert.deepEqual([linked.status, linked.body.accepted, linked.body.pending], [200, 1, true]);
    const seen = await her.seen();
    assert.deepEqual([seen.known, seen.uris], [false, ["/1"]]);
    return seen.id;
  });
  await until(async () => (await her.seen()).known, "the link is accepted");
  const seen = await her.seen();
  assert.deepEqual([seen.cookies, seen.uris], [[her.cookieId], ["/1"]]);
  assert.notEqual(seen.id, id);
});

test("F1 a customer's object that does not answer holds up nobody for long", async () => {
  const her = visitor();
  await her.send(her.view("/1"));
  await msci.under([{ on: "stub", match: "ship", does: "hold" }], async () => {
    // The entry ends a call after 30 s: this has to come from the budget for shipping.
    const linked = await msci.collect(her.batch(her.user("F1-held")), { cookies: her.cookies });
    assert.deepEqual([linked.status, linked.body.pending], [200, true]);
  });
  await until(async () => (await her.seen()).known, "the link is accepted");
});

for (const [what, rule] of /** @type {[string, Rule][]} */ ([
  ["the customer's object crashes after it took a page", { on: "object", match: "ship", does: "crash", times: 1 }],
  ["the answer to a page is lost", { on: "stub", match: "ship", does: "lose", times: 1 }],
  ["a page is delivered twice", { on: "stub", match: "ship", does: "twice", times: 1 }],
])) {
  test(`F2 ${what}: nothing counts twice, and the same is answered`, async () => {
    const her = visitor();
    await her.send(her.view("/1"));
    const authId = `F2-${rule.does}`;
    const batch = her.batch(her.view("/2"), her.user(authId));
    const first = await msci.under([rule], async () => {
      const answer = await msci.collect(batch, { cookies: her.cookies });
      const { met } = await msci.told();
      assert.ok((met[0] ?? 0) >= 1, "the fault was met");
      return answer;
    });
    assert.deepEqual([first.status, first.body.accepted, first.body.user.status], [200, 2, "merged"]);
    await until(async () => (await her.seen()).known, "the link is accepted");
    const again = await msci.collect(batch, { cookies: her.cookies });
    assert.deepEqual([again.body.duplicate, again.body.user], [2, { status: "merged" }]);
    assert.ok(again.cookies["__Host-msci_p"]);
    const seen = await her.seen();
    assert.deepEqual([seen.uris, seen.views, seen.cookies], [["/1", "/2"], 2, [her.cookieId]]);
  });
}

for (const role of ["cookie's", "customer's"]) {
  test(`F3 a statement fails in the ${role} object: all of its transaction is kept or nothing`, async () => {
    let n = -1;
    for (let met = Infinity; met > n; ) {
      n += 1;
      const [phone, her] = [visitor(), visitor()];
      const authId = `F3-${role}-${n}`;
      await phone.send(phone.view("/phone"), phone.user(authId));
      await her.send(her.view("/before"));
      const { id } = await (role === "cookie's" ? her : phone).seen();
      const batch = her.batch(her.view("/at"), her.user(authId));
      const first = await msci.under([{ on: "sql", match: id, does: "refuse", skip: n, times: 1 }], async () => {
        const answer = await msci.collect(batch, { cookies: her.cookies });
        met = (await msci.told()).met[0] ?? 0;
        return answer;
      });
      if (first.status !== 200) refused(first);
      // What the fault left is what the resend meets, be it the edge's own or the browser's.
      const again = await msci.collect(batch, { cookies: her.cookies });
      for (const { body } of [first, again].filter(({ status }) => status === 200)) {
        assert.ok([0, 2].includes(body.accepted), `all or nothing: ${body.accepted} of 2`);
        assert.equal(body.accepted + body.duplicate, 2);
      }
      assert.equal(again.status, 200);
      if (first.status === 200) assert.equal(again.body.duplicate, 2);
      assert.equal(again.body.user.status, "merged");
      await until(async () => (await her.seen()).known, "the link is accepted");
      const seen = await her.seen();
      assert.deepEqual(seen.uris, ["/at", "/before", "/phone"]);
      assert.deepEqual([seen.views, [...seen.cookies].sort()], [3, [phone.cookieId, her.cookieId].sort()]);
    }
    assert.ok(n > 5, "the statements of a transaction were met one by one");
  });
}

test("F9 two tabs sign in as the same customer at once: one link, and one of them is told that it was there", async () => {
  const tab = visitor();
  const other = browser({ cookieId: tab.cookieId });
  await tab.send(tab.view("/"));
  const answers = await Promise.all([
    msci.collect(tab.batch(tab.user("F9")), { cookies: tab.cookies }),
    msci.collect(other.batch(other.user("F9")), { cookies: tab.cookies }),
  ]);
  assert.deepEqual(answers.map((answer) => answer.body.user.status).sort(), ["already", "merged"]);
  for (const answer of answers) {
    assert.equal(answer.body.cookieId, tab.cookieId);
    assert.ok(answer.cookies["__Host-msci_p"]);
  }
  const seen = await tab.seen();
  assert.deepEqual([seen.known, seen.cookies, seen.views], [true, [tab.cookieId], 1]);
});

test("F8 two tabs sign in as different customers at once: one is linked, the other gets a cookieId of its own", async () => {
  const tab = visitor();
  const other = browser({ cookieId: tab.cookieId });
  await tab.send(tab.view("/both"));
  const answers = await Promise.all([
    msci.collect(tab.batch(tab.user("F8-a"), tab.view("/a")), { cookies: tab.cookies }),
    msci.collect(other.batch(other.user("F8-b"), other.view("/b")), { cookies: tab.cookies }),
  ]);
  assert.deepEqual(answers.map((answer) => answer.body.user.status).sort(), ["merged", "rotated"]);
  const profiles = await Promise.all(answers.map((answer) => profile(msci, answer.body.cookieId)));
  const told = profiles.map(({ body }) => [
    body.msdynci_loyaltysignups_loyaltyid,
    ...body.unifiedactivity
      .map((/** @type {any} */ a) => a.msdynci_externalurl)
      .filter((/** @type {string} */ uri) => uri !== "/both"),
  ]);
  assert.deepEqual(told, [["F8-a", "/a"], ["F8-b", "/b"]]);
  assert.equal(profiles.filter(({ body }) => body.unifiedactivity.length === 2).length, 1, "the past belongs to one");
});

/** Waits until KV alone decides what a visitor sees. @param {Record<string, string>} cookies @param {string} text */
async function untilKv({ _msci_v: _, ...cookies }, text, limit = 15_000) {
  await until(async () => {
    const before = await calls("ProfileObject read");
    const answer = await page(cookies);
    return answer.body.includes(text) && (await calls("ProfileObject read")) === before;
  }, `KV has “${text}”`, limit);
}

test("F10 KV has the visitor from before the merge: the object answers, and nothing stale is written back", async () => {
  const her = visitor();
  await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
  await untilKv(her.cookies, PREMIUM);
  const { id } = await her.seen();
  await msci.under([{ on: "kv.get", does: "stale", asOf: Date.now() }], async () => {
    await her.send(her.user("Loyalty1"));
    for (let again = 0; again < 3; again++) {
      const { body } = await page(her.cookies);
      assert.ok(body.includes("Welcome back, Abbie!") && body.includes(PREMIUM));
      assert.deepEqual(await decided(her.cookies), ["loyal-welcome", "high-value-offer", "premium-hero"]);
    }
  });
  await untilKv(her.cookies, "Welcome back, Abbie!");
  await until(async () => (await page({ _msci: her.cookieId })).body.includes(ORDINARY), "the copy of the unknown profile is gone");
  const seen = await her.seen();
  assert.deepEqual([seen.known, seen.cookies.includes(her.cookieId)], [true, true]);
  assert.notEqual(seen.id, id);
});

for (const [what, asOf] of /** @type {[string, (her: ReturnType<typeof visitor>) => Promise<number>][]} */ ([
  ["says that there is nothing", async () => 0],
  [
    "is as it was after the first action",
    async (her) => {
      await her.send(her.view("/reviews/aurora"));
      await untilKv(her.cookies, "Reviewed by people like you");
      return Date.now();
    },
  ],
])) {
  test(`F10 zero stale reads of one's own writes while KV ${what}`, async () => {
    const visitors = Array.from({ length: 5 }, visitor);
    const time = Math.max(...(await Promise.all(visitors.map(asOf))));
    await msci.under([{ on: "kv.get", does: "stale", asOf: time }], () =>
      Promise.all(visitors.map(async (her, n) => {
        /** @param {string} experience @param {string} text @param {unknown[]} signals */
        const shows = async (experience, text, ...signals) => {
          assert.equal((await her.send(...signals)).status, 200);
          assert.ok((await page(her.cookies)).body.includes(text), text);
          assert.ok((await decided(her.cookies)).includes(experience), experience);
        };
        await shows("premium-hero", PREMIUM, her.view(machine("a")), her.view(machine("b")));
        await shows("review-readers", "Reviewed by people like you", her.view("/reviews/solstice"));
        await shows("high-value-offer", "GRAZIE15", her.event("order_completed", { total: 1000 }));
        await imports({ LoyaltyId: `Own${time}-${n}`, FirstName: `Visitor${n}`, Tier: "Gold" });
        await shows("loyal-welcome", `Welcome back, Visitor${n}!`, her.user(`Own${time}-${n}`));
        // Another customer on the same browser sees nothing of the first one.
        await her.send(her.user(`Next${time}-${n}`));
        assert.deepEqual(await decided(her.cookies), []);
        await shows("premium-hero", PREMIUM, her.view(machine("a")), her.view(machine("b")));
      })));
  });
}

test("F11 while KV refuses writes, the objects answer; afterwards the copy is made up for", async () => {
  const her = visitor();
  await her.send(her.view(machine("aurora")));
  const { id } = await her.seen();
  await msci.under([
    { on: "kv.put", match: id, does: "refuse", error: { message: "KV PUT failed: 429 Too Many Requests" } },
    { on: "kv.put", does: "refuse", error: { message: "KV PUT failed: 500 Internal Server Error" } },
    { on: "kv.get", does: "refuse", error: { message: "KV GET failed: 500 Internal Server Error" } },
  ], async () => {
    await her.send(her.view(machine("solstice")));
    await until(async () => ((await msci.told()).met[0] ?? 0) >= 2, "the alarm tried a second time", 30_000);
    assert.ok((await page(her.cookies)).body.includes(PREMIUM));
    assert.deepEqual(await decided(her.cookies), ["premium-hero"]);
    await her.send(her.user("Loyalty1"));
    assert.ok((await page(her.cookies)).body.includes("Welcome back, Abbie!"));
  });
  await untilKv(her.cookies, "Welcome back, Abbie!", 60_000);
});

test("F11 a KV write of unknown outcome that lands on a newer one is put right", async () => {
  const her = visitor();
  await her.send(her.view("/"));
  const { id } = await her.seen();
  await msci.under([{ on: "kv.put", match: id, does: "defer", times: 1 }], async () => {
    await until(async () => (await msci.told()).held > 0, "the first write is under way");
    await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
    await untilKv(her.cookies, PREMIUM);
  });
  assert.ok((await page({ _msci: her.cookieId })).body.includes(ORDINARY), "the older one has landed on top");
  // A minute later, and up to another: each object repeats at a moment of its own.
  await untilKv(her.cookies, PREMIUM, 180_000);
});

test("F11 while KV does not answer at all, pages go out and decisions come from the object", async () => {
  const her = visitor();
  await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
  await msci.admin("PUT", "/settings", { profileDeadlineMs: 75 });
  try {
    await msci.under([{ on: "kv.get", does: "hold" }], async () => {
      assert.equal((await page(her.cookies)).status, 200);
      assert.deepEqual(await decided(her.cookies), ["premium-hero"]);
    });
  } finally {
    await msci.admin("PUT", "/settings", { profileDeadlineMs: 10_000 });
  }
});

test("F11 no signal waits for KV or for the index: with both of them mute everything is answered", async () => {
  const mute = ["kv.get", "kv.put", "kv.delete", "kv.list", "d1"].map((on) => /** @type {Rule} */ ({ on, does: "hold" }));
  await msci.under(mute, async () => {
    const her = visitor();
    for (let n = 0; n < 3; n++) assert.equal((await her.send(her.view(`/${n}`))).body.accepted, 1);
    const merged = await her.send(her.user("F11-mute"));
    assert.deepEqual(merged.body.user, { status: "merged" });
    assert.equal((await her.send(her.view("/after"))).body.accepted, 1);
    const rotated = await her.send(her.user("F11-mute-other"), her.view("/his"));
    assert.deepEqual([rotated.body.user.status, rotated.body.accepted], ["rotated", 2]);
  });
});

test("F11 while the index is away signals merge; the imported row comes once it is back", async () => {
  const her = visitor();
  await imports({ LoyaltyId: "F11-index", FirstName: "Ines", Tier: "Gold" });
  await msci.under([{ on: "d1", match: ADOPT, does: "refuse" }], async () => {
    assert.equal((await her.send(her.view("/"), her.user("F11-index"))).body.user.status, "merged");
    await until(async () => ((await msci.told()).met[0] ?? 0) >= 1, "the row was asked for");
    assert.equal((await her.send(her.view("/2"))).body.accepted, 1);
  });
  // Once more the answer is lost on its way: asking again does no harm.
  await msci.under([{ on: "d1", match: ADOPT, does: "lose", times: 1 }], () =>
    until(async () => (await page(her.cookies)).body.includes("Welcome back, Ines!"), "the row is there"));
  assert.equal((await her.seen()).views, 2);
});

test("F12 KV remembers that a new cookie had nothing: nothing of it is believed", async () => {
  const her = visitor();
  const asked = (await msci.told()).passed["kv.get"] ?? 0;
  await msci.under([{ on: "kv.get", does: "stale" }], async () => {
    assert.equal((await her.send(her.view(machine("aurora")), her.view(machine("solstice")))).status, 200);
    assert.equal((await msci.told()).passed["kv.get"] ?? 0, asked, "taking signals asks KV nothing");
    assert.deepEqual(await decided(her.cookies), ["premium-hero"]);
    assert.equal((await her.seen()).views, 2);
  });
});

for (const [what, role] of [["cookie's", "read"], ["customer's", "ship"]]) {
  test(`F13 the ${what} object is gone in the middle of a session: its storage has all there was`, async () => {
    const her = visitor();
    const batch = her.batch(her.view(machine("aurora")));
    await msci.collect(batch, { cookies: her.cookies });
    if (role === "ship") await her.send(her.user("F13"));
    const { id } = await her.seen();
    const born = (await msci.told()).passed[`new ${id}`] ?? 0;
    // The life of the object that has the profile.
    const life = () => her.cookies._msci_v?.split(".")[0];
    await her.send(her.view("/"));
    const before = life();
    await msci.under([{ on: "object", match: `read ${id}`, does: "crash", times: 1 }], async () => {
      assert.ok([200, 503].includes((await profile(msci, her.cookieId)).status));
      await until(async () => (await profile(msci, her.cookieId)).status === 200, "the object is there again");
    });
    assert.equal((await msci.collect(batch, { cookies: her.cookies })).body.duplicate, 1);
    await her.send(her.view(machine("solstice")));
    assert.deepEqual(await decided(her.cookies), ["premium-hero"], "the one view and the other make two");
    const seen = await her.seen();
    assert.deepEqual([seen.id, seen.views, seen.known, life()], [id, 3, role === "ship", before]);
    assert.equal((await msci.told()).passed[`new ${id}`], born + 1, "it was made again");
  });
}

test("F13 an object that the runtime evicts when idle goes on where it was", async () => {
  const her = visitor();
  await her.send(her.view(machine("aurora")));
  const { id } = await her.seen();
  // A call keeps an object awake, so only the number of times it was made is looked at.
  const made = async () => (await msci.told()).passed[`new ${id}`] ?? 0;
  const before = await made();
  for (let idle = 11_000; (await made()) === before; idle += 5000) {
    assert.ok(idle < 60_000, "the runtime never evicts it");
    await new Promise((next) => setTimeout(next, idle));
    await her.send(her.view("/idle"));
  }
  await her.send(her.view(machine("solstice")));
  assert.deepEqual(await decided(her.cookies), ["premium-hero"]);
});

/** As the platform says that an object has moved. */
const MOVED = { message: "Durable Object reset because its code was updated.", retryable: true };
const OVERLOADED = { message: "Durable Object is overloaded. Too many requests queued.", overloaded: true };

test("F14 the cookie's object has moved: the edge asks once more, and the browser hears nothing of it", async () => {
  const her = visitor();
  await msci.under([{ on: "stub", match: "collect", does: "refuse", times: 1, error: MOVED }], async () => {
    const answer = await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
    assert.deepEqual([answer.status, answer.body.accepted], [200, 2]);
  });
  await msci.under([{ on: "stub", match: "collect", does: "lose", times: 1, error: MOVED }], async () => {
    const answer = await her.send(her.view("/lost"));
    assert.deepEqual([answer.status, answer.body.accepted + answer.body.duplicate], [200, 1]);
  });
  await msci.under([{ on: "stub", match: "read", does: "refuse", times: 1, error: MOVED }], async () => {
    assert.equal((await her.seen()).views, 3);
  });
});

test("F14 the customer's object has moved: the cookie's object asks once more", async () => {
  const her = visitor();
  await msci.under([{ on: "stub", match: "ship", does: "refuse", times: 1, error: MOVED }], async () => {
    const merged = await her.send(her.view("/"), her.user("F14"));
    assert.deepEqual(merged.body.user, { status: "merged" });
    assert.equal(merged.body.pending, undefined);
  });
});

test("F14 an object that cannot be reached twice in a row is not asked a third time", async () => {
  const her = visitor();
  await msci.under([{ on: "stub", match: "collect", does: "refuse", error: MOVED }], async () => {
    refused(await her.send(her.view("/")));
    assert.deepEqual((await msci.told()).met, [2]);
  });
  assert.equal((await her.send(her.view("/"))).status, 200);
});

test("F15 an overloaded object is left alone: the edge asks once, the browser is told to wait", async () => {
  const her = visitor();
  const batch = her.batch(her.view("/"));
  await msci.under([{ on: "stub", match: "collect", does: "refuse", error: { ...OVERLOADED, retryable: true } }], async () => {
    refused(await msci.collect(batch, { cookies: her.cookies }), 429);
    assert.deepEqual((await msci.told()).met, [1]);
  });
  assert.equal((await msci.collect(batch, { cookies: her.cookies })).body.accepted, 1);
  await msci.under([{ on: "stub", match: "read", does: "refuse", error: OVERLOADED }], async () => {
    assert.equal((await page(her.cookies)).status, 200);
    refused(await profile(msci, her.cookieId), 429);
  });
});

test("F15 an overloaded customer's object does not keep the cookie's from taking signals", async () => {
  const her = visitor();
  await her.send(her.view("/1"), her.user("F15"));
  await msci.under([{ on: "stub", match: "ship", does: "refuse", error: OVERLOADED }], async () => {
    const taken = await her.send(her.view("/2"));
    assert.deepEqual([taken.status, taken.body.accepted, taken.body.pending], [200, 1, true]);
    assert.deepEqual((await msci.told()).met, [1]);
  });
  await until(async () => (await her.seen()).views === 2, "the rest is shipped");
});

test("F16 a signal that no row can hold is rejected by itself, and the others are taken", async () => {
  const her = visitor();
  const big = { text: Array(5).fill("x".repeat(8000)) };
  const answer = await her.send(her.view("/1"), her.event("big", big), her.view("/2"));
  assert.deepEqual([answer.status, answer.body.accepted], [200, 2]);
  assert.deepEqual(answer.body.rejected.map((/** @type {any} */ r) => [r.seq, r.code]), [[2, "too_large"]]);
  assert.deepEqual((await her.seen()).uris, ["/1", "/2"]);
});

test("F16 an imported row that no database takes is rejected by its line, and the others are taken", async () => {
  /** @param {number} n @param {number} bytes */
  const row = (n, bytes) => JSON.stringify({ LoyaltyId: `F16-${n}`, FirstName: "x".repeat(bytes) });
  const lines = [row(1, 10), row(2, 2_500_000), row(3, 10), ...Array.from({ length: 300 }, (_, n) => row(n + 10, 10_000))];
  const done = await importLines(lines.join("\n"));
  assert.equal(done.status, 200, JSON.stringify(done.body));
  assert.deepEqual([done.body.created, done.body.rejected.map((/** @type {any} */ r) => r.line)], [302, [2]]);
});

test("F16 an object whose storage is full says so for each signal, and keeps what it has", async () => {
  const her = visitor();
  await her.send(her.view("/1"));
  const { id } = await her.seen();
  const full = { message: "database or disk is full: SQLITE_FULL" };
  await msci.under([{ on: "full", match: id, does: "refuse", error: full }], async () => {
    const answer = await her.send(her.view("/2"), her.view("/3"));
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual([answer.body.accepted, answer.body.rejected.length], [0, 2]);
    assert.deepEqual((await her.seen()).uris, ["/1"]);
  });
  assert.equal((await her.send(her.view("/4"))).body.accepted, 1);
  assert.deepEqual((await her.seen()).uris, ["/1", "/4"]);
});

test("F19 an alarm that panics eight times comes a ninth time", async () => {
  const her = visitor();
  await imports({ LoyaltyId: "F19", FirstName: "Kofi", Tier: "Gold" });
  // The crate unwraps what preparing a statement answers.
  await msci.under([{ on: "d1.prepare", match: ADOPT, does: "refuse" }], async () => {
    await her.send(her.view("/"), her.user("F19"));
    await until(async () => ((await msci.told()).met[0] ?? 0) >= 8, "eight alarms panicked", 60_000);
  });
  // No read, no signal: what brings the copy to KV is the alarm.
  await untilKv(her.cookies, "Welcome back, Kofi!", 30_000);
  // The runtime drops an alarm after six throws.
  assert.equal((await msci.told()).passed["alarm threw"], undefined);
});

test("F19 an alarm that cannot be set is set by the next request", async () => {
  const her = visitor();
  await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
  await untilKv(her.cookies, PREMIUM);
  const { id } = await her.seen();
  const batch = her.batch(her.view("/reviews/aurora"));
  await msci.under([{ on: "alarm", match: id, does: "refuse" }], async () => {
    await msci.collect(batch, { cookies: her.cookies });
    assert.ok(((await msci.told()).met[0] ?? 0) >= 1, "the alarm could not be set");
  });
  assert.equal((await msci.collect(batch, { cookies: her.cookies })).body.duplicate, 1);
  await untilKv(her.cookies, "Reviewed by people like you");
});

/** The edge Worker panics when it says that it is well. @type {Rule} */
const PANIC = { on: "response", match: '{"status":"ok"', does: "refuse", times: 1 };
/** The console Worker panics at an import. @type {Rule} */
const IMPORT_PANIC = { on: "d1.prepare", match: "INSERT INTO imported_row (source, key, version, object, body)", does: "refuse", times: 1 };

/**
 * What ends an instance while others wait.
 * @type {[string, (id: string) => Rule, (her: ReturnType<typeof visitor>) => Promise<any>][]}
 */
const ENDS = [
  [
    "a panic in an object",
    (id) => ({ on: "storage", match: id, does: "refuse", times: 1 }),
    (her) => msci.fetch("/_msci/forget", { method: "POST", cookies: { _msci: her.cookieId } }),
  ],
  ["a panic at the edge", () => PANIC, () => msci.fetch("/_msci/health")],
];

for (const [what, rule, end] of ENDS) {
  test(`F20 ${what} with 200 requests in flight: each is answered, and nothing acknowledged is lost`, async () => {
    const her = visitor();
    await her.send(her.view(machine("aurora")), her.view(machine("solstice")));
    // Nothing is left for her object's alarm to do.
    await untilKv(her.cookies, PREMIUM);
    const { id, uris } = await her.seen();
    /** @type {Rule[]} */
    const plan = [
      rule(id),
      // A page that KV keeps waiting asks the object after a while.
      { on: "object", match: "read", does: "hold" },
      { on: "object", match: "collect", does: "hold" },
      { on: "kv.get", does: "hold" },
    ];
    const flight = await msci.under(plan, async () => {
      const signal = AbortSignal.timeout(20_000);
      const waiting = Array.from({ length: 200 }, (_, n) => {
        const one = visitor();
        const body = JSON.stringify({ key: "local", sentAt: Date.now(), ...one.batch(one.view("/flight")) });
        const answer = () => {
          const as = { cookies: one.cookies, signal };
          if (n % 4 === 0) return msci.fetch("/", { ...as, headers: { accept: "text/html" } });
          if (n % 4 === 1) return msci.fetch("/_msci/decisions?uri=/", as);
          return msci.fetch("/_msci/collect", { ...as, method: "POST", body });
        };
        return { one, n, body, answer: answer() };
      });
      await until(async () => (await msci.told()).held >= 200, "all of them are in flight", 20_000);
      refused(await end(her));
      return Promise.all(waiting.map(async (one) => ({ ...one, answer: await one.answer })));
    });
    for (const { n, answer } of flight) {
      if (n % 4 === 0) assert.deepEqual([answer.status, answer.body.includes(ORDINARY)], [200, true]);
      else refused(answer);
    }
    for (const { one, body } of flight.filter(({ n }) => n % 4 > 1)) {
      const again = await msci.fetch("/_msci/collect", { method: "POST", body, cookies: one.cookies });
      assert.deepEqual([again.status, again.body.accepted + again.body.duplicate], [200, 1]);
    }
    assert.equal((await her.send(her.view("/after"))).body.accepted, 1);
    assert.deepEqual((await her.seen()).uris, ["/after", ...uris]);
  });
}

test("F20 a panic in the console: what it had in flight is answered, and visitors and readers notice nothing", async () => {
  /** @type {Rule[]} */
  const plan = [IMPORT_PANIC, { on: "stub", match: "read", does: "hold" }, { on: "object", match: "collect", does: "hold" }];
  const { flight, reads } = await msci.under(plan, async () => {
    const flight = Array.from({ length: 100 }, visitor).map((one) => ({ one, answer: one.send(one.view("/flight")) }));
    const asked = flight.map(({ one }) => msci.admin("POST", "/experiences/explain", { cookieId: one.cookieId, uri: "/" }));
    const reads = flight.slice(0, 50).map(({ one }) => profile(msci, one.cookieId));
    await until(async () => (await msci.told()).held === 250, "all of them are in flight", 20_000);
    refused(await importLines('{"LoyaltyId":"F20"}'));
    for (const answer of await Promise.all(asked)) refused(answer);
    return { flight, reads };
  });
  for (const { one, answer } of flight) {
    assert.equal((await answer).body.accepted, 1);
    assert.deepEqual((await one.seen()).uris, ["/flight"]);
  }
  for (const answer of await Promise.all(reads)) assert.ok([200, 404].includes(answer.status), "nor do readers");
});

const FULL = 63;

/** A batch just below the cap of 512 KB. @param {ReturnType<typeof visitor>} one */
const full = (one) => one.batch(...Array.from({ length: FULL }, () => one.event("full", { text: "x".repeat(8000) })));

test("F21 a hundred bodies at the cap at once are all taken, by one and the same instance", async () => {
  const printed = msci.printed.length;
  const answers = await Promise.all(Array.from({ length: 100 }, () => msci.collect(full(visitor()))));
  assert.deepEqual(answers.filter(({ status, body }) => status !== 200 || body.accepted !== FULL), []);
  const gone = msci.printed.slice(printed).filter((line) => line.includes("the instance ended"));
  assert.deepEqual(gone, []);
});

test("F21 an instance out of memory is replaced, and nothing acknowledged is lost", async () => {
  // A new instance, which has no free memory left from others' work.
  await msci.under([PANIC], async () => refused(await msci.fetch("/_msci/health")));
  assert.equal((await msci.fetch("/_msci/health")).status, 200);
  const printed = msci.printed.length;
  await msci.exhaust();
  const sent = await Promise.all(Array.from({ length: 20 }, async () => {
    const one = visitor();
    const batch = full(one);
    return { one, batch, answer: await msci.collect(batch) };
  }));
  const gone = msci.printed.slice(printed).join("");
  assert.match(gone, /the instance ended, a new one follows/);
  for (const { one, batch, answer } of sent) {
    if (answer.status !== 200) refused(answer);
    const again = await msci.collect(batch);
    if (answer.status === 200) assert.deepEqual([answer.body.accepted, again.body.duplicate], [FULL, FULL]);
    else assert.ok([0, FULL].includes(again.body.accepted));
    assert.equal((await one.send(one.view("/next"))).body.accepted, 1);
  }
});
