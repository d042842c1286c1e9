// @ts-check
// Elements in one expression. Texts become text, never markup.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [given] functions listen to the event of that name, other values are attributes, `false` none
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") element.addEventListener(name, /** @type {EventListener} */ (value));
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A choice of one.
 * @param {string} label
 * @param {(string | [string, string] | { group: string, of: [string, string][] })[]} options values, or values with words
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
export function select(label, options, chosen, changed) {
  const option = (/** @type {string | [string, string]} */ one) => {
    const [value, words] = typeof one === "string" ? [one, one] : one;
    return h("option", { value, selected: value === chosen }, words);
  };
  const all = options.map((one) => (typeof one === "object" && "group" in one ? h("optgroup", { label: one.group }, ...one.of.map(option)) : option(one)));
  const element = h("select", { "aria-label": label, change: () => changed(element.value) }, ...all);
  return element;
}

/** @param {string} words @param {() => void} pressed @param {Record<string, unknown>} [given] */
export const button = (words, pressed, given) => h("button", { type: "button", class: "plain", click: pressed, ...given }, words);

/** @param {(...given: any[]) => void} work @param {number} ms */
export function later(work, ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return (/** @type {any[]} */ ...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
}
