// @ts-check
// The string literals of a source, each with where it stands: whether people read what is there.

/** @typedef {{ text: string, line: number, place: "text" | "attribute" | "code" | "other", before: string }} Literal */

/** Attributes that people read, or hear. */
const READ = /^(aria-label|aria-valuetext|alt|title|placeholder|label)$/;

/** Of Rust with maud's `html!`. @param {string} source @returns {Literal[]} */
export function ofRust(source) {
  /** @type {Literal[]} */
  const found = [];
  /** What is open: code, or markup's content (`html`), or the value of an attribute (its name). @type {string[]} */
  const open = ["code"];
  let before = "";
  const token = /\/\/[^\n]*|"((?:[^"\\]|\\[^])*)"|'(?:[^'\\\n]|\\[^\n]{1,8})'|[^]/g;
  for (const { 0: whole, 1: text, index } of source.matchAll(token)) {
    if (whole.startsWith("//")) continue;
    const here = open.at(-1) ?? "code";
    const attribute = /([\w-]+)=\s*$/.exec(before)?.[1];
    if (text !== undefined) {
      const named = here === "html" ? attribute : here;
      const place = here === "code" ? "code" : here === "html" && attribute === undefined && !/=\s*$/.test(before) ? "text" : READ.test(named ?? "") ? "attribute" : "other";
      const shown = text.replace(/\\\n\s*/g, "").replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign));
      found.push({ text: shown, line: source.slice(0, index).split("\n").length, place, before });
    } else if (whole === "{") {
      const value = /[#.]\s*$/.test(before) ? "class" : attribute;
      open.push(/html!\s*$/.test(before) ? "html" : here === "html" ? (value ?? (/\bcode\s*$/.test(before) ? "source" : "html")) : here);
    } else if (whole === "(" || whole === "[") open.push("code");
    else if (/[)\]}]/.test(whole)) open.pop();
    before = (before + whole).slice(-60);
  }
  return found;
}

/** Whether it is a sentence, or a word that begins one. @param {string} text */
export const isSentence = (text) => /[A-Za-z][,;:.!?…]? [A-Za-z]/.test(text) || /^\s*[A-Z][a-z]+(?![A-Za-z])/.test(text);
