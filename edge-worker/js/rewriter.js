// Applies a plain list of edits to an HTML stream. Rust decides what the edits are; closures from Rust
// as handlers would outlive the request and leak.
import { Ambiguity } from "./ambiguity.js";

const HTML = { html: true };

const actions = {
  setText: (element, edit) => element.setInnerContent(edit.value),
  setHtml: (element, edit) => element.setInnerContent(edit.value, HTML),
  setAttribute: (element, edit) => element.setAttribute(edit.name, edit.value),
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

export function rewrite(response, edits) {
  let rewriter = new HTMLRewriter();
  for (const edit of JSON.parse(edits)) {
    if (edit.action === "replaceText") {
      rewriter = rewriter.on(edit.selector, { text: replaced(edit) });
      continue;
    }
    try {
      rewriter = rewriter.on(edit.selector, {
        element: (element) => {
          try {
            actions[edit.action](element, edit);
          } catch (error) {
            // An edit that this element cannot take leaves the element alone; thrown on, it would end the page.
            console.warn(`${edit.action} on ${edit.selector}: ${error}`);
          }
        },
      });
    } catch (error) {
      // A selector that the rewriter does not know takes its own edit with it, not the page.
      console.warn(`selector ${edit.selector} is not supported: ${error}`);
    }
  }
  const into = new TransformStream();
  const out = new TransformStream();
  const rewritten = rewriter.transform(new Response(into.readable, response));
  // A page that ends early, here or on the way in, ends early for the visitor too: nothing else to do.
  pump(response.body, into.writable, rewritten.body, out.writable).catch(() => {});
  return new Response(out.readable, rewritten);
}

/** The page through the rewriter up to where it can follow, the rest as it came. */
async function pump(source, into, rewritten, out) {
  const reader = source.getReader();
  const { rest, through } = feed(reader, into);
  const failed = (reason) => Promise.all([out.abort(reason), reader.cancel(reason)]);
  try {
    await rewritten.pipeTo(out, { preventClose: true, preventAbort: true });
    await through;
    const left = await rest;
    const writer = out.getWriter();
    if (left) {
      await writer.write(left);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        await writer.write(value);
      }
    }
    await writer.close();
  } catch (error) {
    await failed(error);
  }
}

/** Feeds the rewriter; `rest` becomes the bytes at which it stopped, or nothing. */
function feed(reader, into) {
  let settle;
  const rest = new Promise((resolve) => (settle = resolve));
  const through = (async () => {
    const writer = into.getWriter();
    const ambiguity = new Ambiguity();
    const decoder = new TextDecoder("latin1");
    let held = new Uint8Array();
    try {
      for (;;) {
        const { done, value = new Uint8Array() } = await reader.read();
        const bytes = held.length ? joined(held, value) : value;
        // One character a byte, so that an index is a position; tags are ASCII in every charset we take.
        const { safe, ends } = ambiguity.read(decoder.decode(bytes), done);
        if (safe > 0) await writer.write(bytes.subarray(0, safe));
        held = bytes.subarray(safe);
        if (done || ends) {
          settle(ends ? held : undefined);
          await writer.close();
          return;
        }
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
