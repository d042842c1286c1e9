// @ts-check
/**
 * HTML is made by the `html` tag alone: whatever is put into it is text and gets escaped, unless it is already `Html`.
 * So a forgotten escape shows as visible markup, never as markup that runs.
 */

export class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

/** Trusts a text that this repository wrote itself. @param {string} text */
export const raw = (text) => new Html(text);

/** @type {Readonly<Record<string, string>>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** @param {unknown} value @returns {string} */
function render(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(render).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
}

/** @param {TemplateStringsArray} parts @param {...unknown} values */
export function html(parts, ...values) {
  let text = parts[0] ?? "";
  values.forEach((value, i) => {
    text += render(value) + (parts[i + 1] ?? "");
  });
  return new Html(text);
}

/** A value as a JavaScript literal that cannot end the script element it stands in. @param {unknown} value */
export const literal = (value) =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
