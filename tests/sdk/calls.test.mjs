// @ts-check
// What the SDK makes of cookies and of arguments, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { consentOf, namedOf, propertiesOf, userOf, viewOf } from "../../sdk/js/calls.js";
import { isGuid, line, read } from "../../sdk/js/cookies.js";

const GOOD = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";

/** The code that something fails with. @param {() => unknown} act */
function code(act) {
  try {
    act();
  } catch (error) {
    return /** @type {any} */ (error).code;
  }
  return undefined;
}

test("the id is found among other cookies, in lower case", () => {
  for (const cookies of [
    `_msci=${GOOD}`,
    `a=b; _msci=${GOOD}; c`,
    `_msci_v=1; x_msci=2;_msci = ${GOOD.toUpperCase()} `,
    `_msci=junk; _msci=${GOOD}`,
  ]) {
    assert.equal(read(cookies).cookieId, GOOD, cookies);
  }
});

test("what is not a GUID v4 counts as absent", () => {
  const wrong = [
    "",
    "null",
    "3f43317e-d1ef-1cd3-9917-2d3342111d1a",
    "3f43317e-d1ef-4cd3-c917-2d3342111d1a",
    GOOD + GOOD,
    GOOD.slice(1),
    GOOD.replaceAll("-", ""),
    `${GOOD}; Domain=other.example`,
  ];
  for (const value of wrong) assert.equal(isGuid(value), false, value);
  for (const value of wrong.slice(0, -1)) assert.equal(read(`_msci=${value}`).cookieId, undefined, value);
  assert.deepEqual([isGuid(GOOD), isGuid(7), read(undefined).cookieId, read(`x_msci=${GOOD}`).cookieId], [true, false, undefined, undefined]);
});

test("only an explicit one is an opt-out", () => {
  assert.deepEqual([read("a=1; _msci_optout=1").optedOut, read("_msci_optout=0; _msci=1").optedOut], [true, false]);
});

test("cookies are written with their attributes", () => {
  assert.equal(line("_msci", "x", undefined, "https:"), "_msci=x; Path=/; SameSite=Lax; Max-Age=31536000; Secure");
  assert.equal(line("_msci", "x", { domain: "shop.example", maxAgeDays: 30 }, "http:"), "_msci=x; Path=/; SameSite=Lax; Max-Age=2592000; Domain=shop.example");
  assert.equal(line("_msci", "", { domain: null }, "http:"), "_msci=; Path=/; SameSite=Lax; Max-Age=0");
});

test("what is not a word for nobody is somebody", () => {
  for (const authId of ["Loyalty1", "O'Neil", "😀", "00", "nobody", '"x"']) assert.deepEqual(userOf({ authId }), { authId });
  assert.deepEqual(userOf({ authId: " Lo\u0065\u0301 " }), { authId: "Lo\u00e9" }, "trimmed, in one form");
});

test("words for nobody are refused in any case and quoted", () => {
  for (const nobody of ["", " ", "null", "undefined", "none", "nan", "true", "false", "0", "-1", "anonymous", "guest", "[object Object]"]) {
    for (const authId of [nobody, nobody.toUpperCase(), `"${nobody}"`, `\\"${nobody}\\"`, `' ${nobody} '`]) {
      assert.equal(code(() => userOf({ authId })), "authid_invalid", authId);
    }
  }
  for (const authId of [null, 5, true, {}, ["K"]]) assert.equal(code(() => userOf({ authId })), "authid_invalid", String(authId));
});

test("an authId has at most 256 bytes, other fields 8 KB of text", () => {
  assert.equal(code(() => userOf({ authId: "a".repeat(256) })), undefined);
  for (const authId of ["a".repeat(257), "é".repeat(129)]) assert.equal(code(() => userOf({ authId })), "authid_invalid");
  assert.equal(code(() => userOf({ name: "a".repeat(8192) })), undefined);
  for (const name of [5, {}, "a".repeat(8193)]) assert.equal(code(() => userOf({ name })), "invalid_field");
});

test("a user who says nothing is none", () => {
  for (const user of [undefined, null, {}, [], "Loyalty1", { name: "" }, { other: "x" }]) assert.equal(code(() => userOf(user)), "invalid_user");
});

test("a name, an address, and properties of the right sort are asked for", () => {
  for (const of of [null, {}, { name: " " }, { name: 5 }]) assert.equal(code(() => namedOf(of)), "name_missing");
  for (const of of [null, {}, { uri: "" }, { uri: 5 }]) assert.equal(code(() => viewOf(of)), "uri_missing");
  for (const own of [{ a: {} }, { a: [1] }, [], [1, 2], "text", 1]) assert.equal(code(() => propertiesOf(own)), "invalid_field", JSON.stringify(own));
  assert.deepEqual(propertiesOf({ a: 1, b: "", c: false, d: null }), { a: 1, b: "", c: false });
  for (const text of ['{"__proto__":1,"a":2}', '{"a":2,"__proto__":null}']) {
    const kept = propertiesOf(JSON.parse(text));
    assert.deepEqual([Object.keys(kept), Object.getPrototypeOf(kept)], [["a"], Object.prototype], text);
  }
  assert.deepEqual([propertiesOf(undefined), propertiesOf(null)], [{}, {}]);
  assert.equal(viewOf({ uri: "https://a.example/p" }).viewType, "page");
});

test("consent is whole or it is nothing", () => {
  const all = { storage: "granted", analytics: "denied", personalization: "granted" };
  assert.deepEqual(consentOf(all), all);
  for (const bad of [{ storage: "denied", ads: "granted" }, { storage: true }, { storage: "yes" }, { storage: ["granted"] }, "granted"]) {
    assert.equal(code(() => consentOf(bad)), "invalid_consent", JSON.stringify(bad));
  }
});
