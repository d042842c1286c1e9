// What is seen without being told: where the page is, and what a visitor's gesture was. Of an element it is
// what it says about itself: attributes, and the text of one that holds nothing a visitor can write into;
// never any typed text, never the value of a field, and nothing for which the page had to be laid out.

import { attempt } from "./attempt.js";

/** @typedef {string} Text */
/** @typedef {any} Any what comes from the page */

// What a gesture on, or inside of, is an interaction; what has an attribute of ours is, too.
const INTERACTIVE =
  "a[*|href],area[href],button,summary,[role=button],[role=link],input:is([type=submit],[type=button],[type=image],[type=reset])";
// Whose text is its name, and what a visitor can write into: text around that is never read.
const LABELLED = "a,button,summary,[role=button],[role=link],[role=tab],[role^=menuitem]";
const WRITABLE =
  "input:not([type=submit],[type=button],[type=image],[type=reset],[type=checkbox],[type=radio]),textarea,select,[contenteditable],[role=textbox],[role=searchbox],[role=combobox]";
// What a campaign writes into the address that it leads to.
const CAMPAIGN = /^utm_(source|medium|campaign|term|content)$/;
const BUTTONS = /** @type {Record<Text, Text>} */ ({ click: "LClick", auxclick: "MClick", contextmenu: "RClick" });

// The edge takes texts of 8 KB.
const clip = (/** @type {Text} */ text) => text?.slice(0, 2e3);

/** What led to this page. */
export const campaign = () =>
  Object.fromEntries([...new URLSearchParams(location.search)].filter(([name, said]) => CAMPAIGN.test(name) && said.length < 300));

/** What the edge has done to the page, for its views. */
export const exposures = () => document.querySelector("meta[name=msci-x]")?.getAttribute("content") || undefined;

/** Where the page is, and what of that is a view when it changes. @param {Text} [history] the setting */
export const here = (history) => ({
  uri: clip(location.href),
  place: history === "off" ? "" : location.pathname + (history === "path" ? "" : location.search),
});

/** A view of the page. @param {{ uri: Text }} [before] where it was until now */
export const view = (before) => ({
  uri: clip(location.href),
  // What is empty is left out.
  title: clip(document.title) || undefined,
  // The marker speaks of the page that was loaded.
  exposures: before ? undefined : exposures(),
  viewType: "page",
  previous: before?.uri,
  referrer: (!before && clip(document.referrer)) || undefined,
});

const ours = (/** @type {Any} */ node) =>
  node.getAttributeNames().some((/** @type {Text} */ name) => name.startsWith("data-msci-"));

/** The interaction that a gesture is, if it is one. @param {Any} event */
export const gesture = (event) => {
  const { type, key, button, pageX, pageY } = event;
  // The right button comes besides its menu, others go back and forward; a key for the menu is no button.
  if (type === "auxclick" ? button !== 1 : type === "contextmenu" && !(button >= 0)) return;
  // From the innermost element outwards, through shadow roots as far as they are open.
  const path = event.composedPath().filter((/** @type {Any} */ node) => node.matches);
  const within = (/** @type {Text} */ selector) => path.some((/** @type {Any} */ node) => node.matches(selector));
  let element = path.find((/** @type {Any} */ node) => node.matches(INTERACTIVE) || ours(node));
  if (!element || element.matches(":disabled") || within("[data-msci-ignore]")) return;
  const writable = within(WRITABLE);
  // A key acts on what has the focus, and only where it does not write.
  const focused = element === path[0] && !writable;
  // What the page says about a component is said about what is inside.
  for (let node = element; (node = node.getRootNode().host); ) if (ours(node)) element = node;
  // Space scrolls where a link has the focus.
  if (key && (!focused || (key === " " && element.matches("a:not([role]),area,[role=link]")))) return;

  const attribute = (/** @type {Text} */ name, of = element) => clip(of?.getAttribute(name)?.trim());
  const { href, origin } = element;
  // Of a link in SVG, it is an object, and relative.
  const link = origin ? element : href && attempt(() => new URL(href.baseVal ?? href, document.baseURI));
  const name =
    attribute("data-msci-name") ||
    attribute("aria-label") ||
    (element.matches(LABELLED) &&
      !writable &&
      !element.querySelector(WRITABLE) &&
      (clip(element.textContent).replace(/\s+/g, " ").trim() || attribute("alt", element.querySelector("[alt]")))) ||
    attribute("title") ||
    attribute("alt") ||
    attribute("name") ||
    attribute("id") ||
    element.localName;
  return {
    actionType: BUTTONS[type] ?? (key === "Enter" ? "KEnter" : "KSpace"),
    name: name.slice(0, 99),
    target: clip(attribute("data-msci-target") || link?.href || element.localName),
    elementId: attribute("id") || undefined,
    isOutbound: !!link?.host && link.host !== location.host,
    coordinates: pageX + 1 ? Math.round(pageX) + "X" + Math.round(pageY) : undefined,
    uri: clip(location.href),
  };
};
