// @ts-check
// Who says that they are a crawler: the list that the edge goes by, held against another one with the names of programs
// as they were seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crawlers } from "../support/crawlers.mjs";
import { isCrawler } from "../../edge-worker/js/crawlers.js";

test("of the crawlers that others have seen nearly all are known", () => {
  const names = crawlers();
  assert.ok(names.length > 1900, `${names.length} names`);
  const unknown = names.filter((name) => !isCrawler(name));
  assert.ok(unknown.length <= names.length / 100, `${unknown.length} of ${names.length}: ${unknown.slice(0, 20).join("; ")}`);
});

test("people, their in-app browsers, browsers that a program drives and what servers send with are no crawlers", () => {
  for (const name of [
    "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBDV/iPhone12,1]",
    "Mozilla/5.0 (Linux; Android 12; CUBOT KINGKONG) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
    "node", "undici", "curl/8.5.0", "python-requests/2.31", "Go-http-client/1.1", "axios/1.6", "okhttp/4.9", "Cloudflare-Workers",
  ]) assert.equal(isCrawler(name), false, name);
});

test("a name of any length and any letters costs little", () => {
  // Names are cut, so that nobody sends one that a pattern takes long for.
  for (const part of ["a", "Mozilla/", "bot", "http://", "((((", "é", "\ud800", "/ ", "1.1.1."]) {
    const long = part.repeat(100_000);
    assert.equal(isCrawler(long), isCrawler(long.slice(0, 512)), part);
  }
});
