// @ts-check
// A selector for one element that still finds it when the page around it changes a little: by what people named, not
// by where it stands; and that the edge's rewriter knows, while the page is still arriving (no siblings, no `:has`).

/** Names that programs make, and other ones at the next build: hashes, counters, states. */
const MADE = /\d{3}|^(is|has|js|ng|css|sc|jsx|svelte)-|__[\w-]{5,}$|(?=.*\d)(?=.*[a-zA-Z])^[\w-]{8,}$|^(active|open|selected|current|hover|focus|visible|hidden)$/;
/** Attributes that say what an element is, the best first. */
const ATTRIBUTES = ["data-testid", "data-test", "data-id", "data-name", "name", "itemprop", "aria-label", "role", "for", "rel"];

/** @param {string} value */
const quoted = (value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** What an element can be called without its place, the best first. @param {Element} element */
function* names(element) {
  const tag = element.localName;
  const { id } = element;
  if (id && !MADE.test(id)) yield `#${CSS.escape(id)}`;
  for (const name of ATTRIBUTES) {
    const value = element.getAttribute(name);
    if (value && value.length <= 60 && !/[\n\r]/.test(value)) yield `${tag}[${name}=${quoted(value)}]`;
  }
  const classes = [...element.classList].filter((name) => !MADE.test(name));
  for (const name of classes) yield `${tag}.${CSS.escape(name)}`;
  if (classes.length > 1) yield tag + classes.map((name) => `.${CSS.escape(name)}`).join("");
  yield tag;
}

/** @param {Element} element */
export function selector(element) {
  const { ownerDocument: page } = element;
  const one = (/** @type {string} */ text) => {
    try {
      return page.querySelectorAll(text).length === 1;
    } catch {
      return false;
    }
  };
  for (const name of names(element)) if (one(name)) return name;
  // Not by itself: below somebody who is, as near as possible.
  const place = nth(element);
  for (let above = element.parentElement; above && above.localName !== "html"; above = above.parentElement) {
    for (const name of names(above)) {
      if (!one(name)) continue;
      const own = [...names(element)].find((own) => one(`${name} ${own}`));
      return own ? `${name} ${own}` : path(element, above, name);
    }
  }
  return one(place) ? place : path(element, page.documentElement, "html");
}

/** @param {Element} element */
function nth(element) {
  const tag = element.localName;
  const same = [...(element.parentElement?.children ?? [])].filter((other) => other.localName === tag);
  return same.length > 1 ? `${tag}:nth-of-type(${same.indexOf(element) + 1})` : tag;
}

/** Step by step from above. @param {Element} element @param {Element} above @param {string} name */
function path(element, above, name) {
  const steps = [];
  for (let at = element; at !== above && at.parentElement; at = at.parentElement) steps.unshift(nth(at));
  return [name, ...steps].join(" > ");
}
