// The changes themselves, as `edge-worker/js/rewriter.js` makes them in HTML. Values come from the edge escaped for
// where they go. Here, where code that is inserted would run with the page's rights, the HTML of a change is also
// stripped of everything that is code: scripts, handlers, addresses that are scripts.
import { attempt } from "./attempt.js";

/** @typedef {any} Any */
/** @typedef {{ selector: string, action: string, value: string, name?: string }} Change */

/** Of `Element`, by action. */
const METHODS = /** @type {Record<string, "replaceChildren" | "append" | "prepend" | "before" | "after">} */ ({
  setHtml: "replaceChildren",
  append: "append",
  prepend: "prepend",
  before: "before",
  after: "after",
});

// A document that loads and runs nothing.
const inert = document.implementation.createHTMLDocument("");

/** What changes have inserted: they change no more of it, as the edge does not. @type {WeakSet<Node>} */
const inserted = new WeakSet();

/** @param {Node} element */
export const isInserted = (element) => {
  for (let node = /** @type {Node | null} */ (element); node; node = node.parentNode) if (inserted.has(node)) return true;
  return false;
};

const policy = attempt(() =>
  /** @type {Any} */ (window).trustedTypes?.createPolicy("msci", { createHTML: (/** @type {string} */ html) => html }),
);

/** Whether an attribute would run something. @param {string} name @param {string} value */
const isCode = (name, value) =>
  /^(on.*|srcdoc)$/i.test(name) ||
  // Browsers drop these characters before they look for a scheme.
  /^(javascript|vbscript|data(?!:image\/)):/i.test(value.replace(/[\0-\x20]/g, ""));

/** @param {Element} context whose content it becomes @param {string} html */
const fragmentOf = (context, html) => {
  const parent = inert.importNode(context);
  parent.innerHTML = policy ? policy.createHTML(html) : html;
  for (const element of parent.querySelectorAll("*")) {
    // Those in the middle can make an address of something else, later.
    if (/^(script|animate|set)$/.test(element.localName)) element.remove();
    for (const { name, value } of [...element.attributes]) if (isCode(name, value)) element.removeAttribute(name);
  }
  const fragment = document.createDocumentFragment();
  fragment.append(...parent.childNodes);
  for (const node of fragment.childNodes) inserted.add(node);
  return fragment;
};

/** Makes one change to one element. @param {Element} element @param {Change} it */
export const change = (element, { action, value, name = "" }) => {
  // Code of the page is no place for a visitor's name.
  if (element.localName === "script" && action !== "remove") return;
  const method = METHODS[action];
  if (method) {
    const context = /^(before|after)$/.test(action) ? element.parentElement : element;
    if (context) element[method](fragmentOf(context, value));
  } else if (action === "setText") {
    const [text, more] = element.childNodes;
    // A framework goes on with the text that it made.
    if (text?.nodeType === 3 && !more) text.nodeValue = value;
    else element.textContent = value;
  } else if (action === "setAttribute") {
    if (!isCode(name, value)) element.setAttribute(name, value);
  } else if (action === "remove") element.remove();
};
