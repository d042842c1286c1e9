// Where the runtime's rewriter would give up. It refuses markup whose reading depends on a full parser
// (a <style> inside a <select>, anything after a <frameset>), and gives up by ending the page there. So
// the page is read along, and from such a place on its bytes go out as they came.
//
// Seeing such a place where there is none costs personalisation of the rest, never a byte of the page.
const TEXTS = "script|style|title|textarea|xmp|iframe|noembed|noframes|noscript|plaintext";
/** @type {Record<string, RegExp>} */
const NEXT = {
  // What begins here, outside of all of these.
  markup: new RegExp(`<(?:(${TEXTS})|select|frameset|!--)(?![a-z0-9-])|<!--`, "gi"),
  select: /<(?:\/?(?:option|optgroup|hr)(?=[\s>\/])[^<>]*>|(\/select|select|input|textarea|keygen)(?=[\s>\/]))|<(?=[a-z\/!?])/gi,
  comment: /-->/g,
};
const INTERESTING = /<(?:select|frameset)/i;
/** A tag's beginning that the next chunk may complete. */
const UNFINISHED = /<(?:\/?[a-z]{0,10}|!-{0,2})$/i;
const UNFINISHED_INSIDE = /<(?:\/?[a-z]{0,10}|!-{0,2}|\/?(?:option|optgroup|hr)[^<>]*)$/i;

// What is looked for is ASCII, which both leave as it is. The first is the faster one by far; in the second a
// character is a byte, so that an index is a position.
const glance = new TextDecoder();
const exact = new TextDecoder("latin1");

export class Ambiguity {
  #place = "markup";
  #following = false;

  /**
   * Reads on. Says how many of the bytes are safe, and whether that is a place where the rewriter would give up
   * rather than the beginning of a tag that is not complete yet.
   * @param {Uint8Array} bytes
   * @param {boolean} last
   */
  read(bytes, last) {
    if (!this.#following) {
      const text = glance.decode(bytes);
      // Nearly every page has no select before its end: one native search a chunk.
      this.#following = INTERESTING.test(text);
      if (!this.#following) return { safe: bytes.length - (last ? 0 : (UNFINISHED.exec(text)?.[0].length ?? 0)), ends: false };
    }
    const text = exact.decode(bytes);
    const unfinished = last ? -1 : text.search(UNFINISHED_INSIDE);
    const end = unfinished < 0 ? text.length : unfinished;
    let at = 0;
    while (at < end) {
      const next = NEXT[this.#place] ?? new RegExp(`</${this.#place}(?![a-z0-9-])`, "gi");
      next.lastIndex = at;
      const found = next.exec(text);
      if (!found || found.index >= end) break;
      at = next.lastIndex;
      if (!this.#enter(found)) return { safe: found.index, ends: true };
    }
    return { safe: end, ends: false };
  }

  /** @param {RegExpExecArray} found @returns whether the rewriter can follow */
  #enter(found) {
    const name = (found[1] ?? "").toLowerCase();
    if (this.#place === "select") {
      if (found[0].length > 1 && !name) return true;
      if (!name) return false;
      // These end a select; a text area begins a text of its own.
      this.#place = name === "textarea" ? "textarea" : "markup";
      return true;
    }
    if (this.#place !== "markup") {
      this.#place = "markup";
      return true;
    }
    if (/^<frameset/i.test(found[0])) return false;
    if (name) this.#place = name;
    else this.#place = found[0].startsWith("<!--") ? "comment" : "select";
    return true;
  }
}
