// @ts-check
// The changes of an experience that is still being written, made to the page in the frame. What the edge does once it is
// saved is the truth (`POST /preview` shows it); this follows the typing.

/** @typedef {{ selector?: string, action: string, value?: string, name?: string }} Change */

const SLOT = /\{\{\s*(\w+)\s*(?:\|\s*default\(\s*"([^"]*)"\s*\)\s*)?\}\}/g;

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A template filled in; null where a field without a default is missing. @param {string} template @param {Record<string, unknown>} fields @param {boolean} html */
export function filled(template, fields, html) {
  let whole = true;
  const text = template.replace(SLOT, (_, name, fallback) => {
    const own = Object.keys(fields).find((field) => field.toLowerCase() === name.toLowerCase());
    const value = own !== undefined && fields[own] !== null ? String(fields[own]) : fallback;
    if (value === undefined) whole = false;
    return html ? escaped(value ?? "") : (value ?? "");
  });
  return whole ? text : null;
}

/** @type {Record<string, (element: Element, value: string, name: string) => void>} */
const ACTIONS = {
  setText: (element, value) => (element.textContent = value),
  setHtml: (element, value) => (element.innerHTML = value),
  setAttribute: (element, value, name) => element.setAttribute(name, value),
  append: (element, value) => element.insertAdjacentHTML("beforeend", value),
  prepend: (element, value) => element.insertAdjacentHTML("afterbegin", value),
  before: (element, value) => element.insertAdjacentHTML("beforebegin", value),
  after: (element, value) => element.insertAdjacentHTML("afterend", value),
  remove: (element) => element.remove(),
};

/** Makes the changes that can be made, and says of how many elements. @param {Change[]} changes @param {Record<string, unknown>} fields */
export function draft(changes, fields) {
  let made = 0;
  for (const { selector = "", action, value = "", name = "" } of changes) {
    const text = filled(value, fields, action !== "setText" && action !== "setAttribute");
    const act = ACTIONS[action];
    if (text === null || !act) continue;
    try {
      const found = document.querySelectorAll(selector);
      found.forEach((element) => act(element, text, name));
      made += found.length;
    } catch {
      // A selector or a name that is still being typed.
    }
  }
  return made;
}
