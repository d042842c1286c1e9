// @ts-nocheck The runtime's rewriter and its streams have no types here.
// Applies a plain list of edits to an HTML stream. Rust decides what the edits are; closures from Rust
// as handlers would outlive the request and leak.
//
// The runtime's rewriter ends a page where it cannot follow it. So the page is read along on its way in, and from
// such a place on it goes out as it came. What was read to its end once without one is known by its validator, and
// never passes through JavaScript again.
//
// For `#hero` the runtime reads the attributes of every element, for `h1#hero` those of every `h1`. Of a page that is
// known, it is known too which elements a selector finds, and so many pages take less than one constant change.
import { Ambiguity } from "./ambiguity.js";

const HTML = { html: true };
/** Bytes that are read at a time: few enough to keep, enough that JavaScript is not asked often. */
const CHUNK = 65_536;
/** Pages whose reading is remembered. */
const FOLLOWED = 1_000;

/** Selectors whose elements are remembered, for each of them. */
const REMEMBERED = 50;
/** What finds elements by their attributes alone. */
const NAMELESS = /^[#.[][^\s,>+~:|\\]*$/;
/** More names than these are no faster than none. */
const NAMES = 4;
const NAME = /^[a-z][a-z0-9-]*$/;

/**
 * What is known of a page's bytes: where something for the head has its place, and by selector the one that finds the
 * same elements sooner, empty where there are none.
 * @typedef {{ place: keyof typeof places, selectors: Map<string, string> }} Known
 */

/** By address and strong validator. @type {Map<string, Known>} */
const followed = new Map();

const actions = {
  setText: (element, edit) => element.setInnerContent(edit.value),
  setHtml: (element, edit) => element.setInnerContent(edit.value, HTML),
  // The rewriter escapes quotes alone: `&colon;` would become what it stands for.
  setAttribute: (element, edit) => element.setAttribute(edit.name, edit.value.replaceAll("&", "&amp;")),
  append: (element, edit) => element.append(edit.value, HTML),
  prepend: (element, edit) => element.prepend(edit.value, HTML),
  before: (element, edit) => element.before(edit.value, HTML),
  after: (element, edit) => element.after(edit.value, HTML),
  remove: (element) => element.remove(),
};

/** Text comes in pieces, cut anywhere: it is held until it is whole. */
function replaced({ name, value }) {
  let held = "";
  return (piece) => {
    held += piece.text;
    if (!piece.lastInTextNode) return void piece.remove();
    piece.replace(held.replaceAll(name, value), HTML);
    held = "";
  };
}

/** Headers that describe the bytes as they were. */
const OF_BYTES = ["content-length", "content-md5", "digest", "repr-digest", "content-digest", "accept-ranges"];
/** Headers by which others than this browser would keep or find the page again. */
const OF_COPIES = ["etag", "last-modified", "expires", "age", "surrogate-control", "cdn-cache-control", "cloudflare-cdn-cache-control"];

/**
 * The page with what Rust says that becomes of it (`Changes` in `site/changes.rs`); as it is, where that is nothing. One that is
 * personal is nobody else's (law 7); the others are the same for everybody.
 * @param {string} [changes]
 */
export function changed(page, changes) {
  if (!changes) return page;
  const [kind, control, location, head, edits, ...cookies] = changes.split("\n");
  if (kind === "gpc") return Response.json({ gpc: true }, { headers: { "Cache-Control": "no-store" } });
  const answer = location
    ? new Response(null, { status: 302, headers: { Location: location } })
    : head ? rewritten(page, JSON.parse(edits), head) : new Response(page.body, page);
  const { headers } = answer;
  if (head) for (const name of OF_BYTES) headers.delete(name);
  if (kind === "personal") {
    for (const name of OF_COPIES) headers.delete(name);
  } else if (head) {
    const validator = headers.get("etag");
    if (validator?.startsWith('"')) headers.set("ETag", "W/" + validator);
  }
  if (control) headers.set("Cache-Control", control);
  for (const cookie of cookies) headers.append("Set-Cookie", cookie);
  return answer;
}

/** The page through the rewriter. */
function rewritten(page, edits, head) {
  const bytes = name(page);
  const known = bytes === undefined ? undefined : followed.get(bytes);
  const rewriter = new HTMLRewriter();
  /** Names of the elements that are found, by selectors of which they are not known. @type {Map<string, Set<string>>} */
  const found = new Map();
  // Each handler costs a turn: edits of the same elements that follow each other are one.
  for (let i = 0; i < edits.length; ) {
    const { selector, action } = edits[i];
    const first = i++;
    if (action === "replaceText") {
      rewriter.on(selector, { text: replaced(edits[first]) });
      continue;
    }
    while (edits[i]?.selector === selector && edits[i].action !== "replaceText") i++;
    const sooner = known?.selectors.get(selector) ?? selector;
    if (!sooner) continue;
    let names = found.get(selector);
    if (bytes !== undefined && !names && NAMELESS.test(selector) && !known?.selectors.has(selector)) found.set(selector, (names = new Set()));
    edited(rewriter, sooner, edits.slice(first, i), names);
  }
  if (!known) return page.body ? new Response(piped(page, rewriter, head, bytes, found), page) : new Response(null, page);
  // Here one for the head is enough, since it is known that its end is there to be seen.
  if (known.place === "head") rewriter.on("head", { element: (element) => void element.append(head, HTML) });
  else places[known.place](rewriter, (_, put) => put(head));
  if (found.size > 0) rewriter.onDocument({ end: () => remember(known, found) });
  return rewriter.transform(page);
}

/** What a page that was seen to its end has shown. @param {Known} known @param {Map<string, Set<string>>} found */
function remember({ selectors }, found) {
  for (const [selector, names] of found) {
    const plain = names.size > NAMES || ![...names].every((name) => NAME.test(name));
    if (selectors.size < REMEMBERED) selectors.set(selector, plain ? selector : [...names].map((name) => name + selector).join());
  }
}

/** @param {Set<string>} [names] takes those of the elements that are found */
function edited(rewriter, selector, edits, names) {
  const element = (element) => {
    if (names && names.size <= NAMES) names.add(element.tagName);
    for (const edit of edits) {
      try {
        actions[edit.action](element, edit);
      } catch (error) {
        // An edit that this element cannot take leaves the element alone; thrown on, it would end the page.
        console.warn(`${edit.action} on ${selector}: ${error}`);
      }
    }
  };
  try {
    rewriter.on(selector, { element });
  } catch (error) {
    // A selector that the rewriter does not know takes its own edits with it, not the page.
    console.warn(`selector ${selector} is not supported: ${error}`);
  }
}

/** Of a page that says by a strong validator which bytes it has. @returns {string | undefined} */
const name = (page) => {
  const validator = page.headers.get("etag");
  return validator?.startsWith('"') ? page.url + validator : undefined;
};

/** Where HTML of ours goes: the end of the head, or what comes next where that cannot be seen. */
const places = {
  head: (rewriter, put) => rewriter.on("head", { element: (head) => head.onEndTag((tag) => put("head", (html) => tag.before(html, HTML))) }),
  // A head whose end is left out has none for the rewriter.
  body: (rewriter, put) => rewriter.on("body", { element: (body) => put("body", (html) => body.prepend(html, HTML)) }),
  end: (rewriter, put) => rewriter.onDocument({ end: (end) => put("end", (html) => end.append(html, HTML)) }),
};

function piped(page, rewriter, head, bytes, found) {
  /** @type {{ place?: keyof typeof places, cut: boolean }} */
  const seen = { cut: false };
  for (const one of Object.values(places)) {
    one(rewriter, (name, put) => {
      // Where the rewriter is left behind, its end is not the page's.
      if (!seen.place && !(name === "end" && seen.cut)) put(head);
      seen.place ??= name;
    });
  }
  const into = new IdentityTransformStream();
  const out = new IdentityTransformStream();
  const through = rewriter.transform(new Response(into.readable, page));
  const ended = (/** @type {boolean} */ cut) => {
    if (cut || bytes === undefined || !seen.place) return;
    if (followed.size === FOLLOWED) followed.clear();
    const known = { place: seen.place, selectors: new Map() };
    remember(known, found);
    followed.set(bytes, known);
  };
  // A page that ends early, here or on the way in, ends early for the visitor too: nothing else to do.
  pump(page.body, into.writable, through.body, out.writable, () => (seen.cut = true)).then(ended, () => {});
  return out.readable;
}

/** The page through the rewriter up to where it can follow, the rest as it came; answers whether there was one. */
async function pump(source, into, rewritten, out, cut) {
  const reader = source.getReader({ mode: "byob" });
  const writer = out.getWriter();
  const { rest, through } = feed(reader, into, cut);
  try {
    await copy(rewritten.getReader({ mode: "byob" }), writer);
    await through;
    const left = await rest;
    if (left) {
      await writer.write(left);
      await copy(reader, writer);
    }
    await writer.close();
    return Boolean(left);
  } catch (error) {
    await Promise.all([writer.abort(error), reader.cancel(error)]);
    throw error;
  }
}

async function copy(reader, writer) {
  let buffer = new ArrayBuffer(CHUNK);
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) return;
    await writer.write(value);
    buffer = value.buffer;
  }
}

/** Feeds the rewriter; `rest` becomes the bytes at which it stopped, or nothing. */
function feed(reader, into, cut) {
  let settle;
  const rest = new Promise((resolve) => (settle = resolve));
  const through = (async () => {
    const writer = into.getWriter();
    const ambiguity = new Ambiguity();
    let buffer = new ArrayBuffer(CHUNK);
    let held = new Uint8Array();
    try {
      for (;;) {
        const { done, value = new Uint8Array() } = await reader.read(new Uint8Array(buffer));
        const bytes = held.length ? joined(held, value) : value;
        const { safe, ends } = ambiguity.read(bytes, done);
        if (safe > 0) await writer.write(bytes.subarray(0, safe));
        held = bytes.slice(safe);
        if (done || ends) {
          if (ends) cut();
          settle(ends ? held : undefined);
          await writer.close();
          return;
        }
        buffer = value.buffer;
      }
    } catch (error) {
      settle(undefined);
      await writer.abort(error);
      throw error;
    }
  })();
  through.catch(() => {});
  return { rest, through };
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
