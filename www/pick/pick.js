// @ts-check
// On a page of the site that the console shows in a frame: what is pointed at is framed, and a click or Enter says
// which element it is. Nothing else of the page can be used meanwhile. The arrow keys lead through the elements: up
// and down out of and into them, left and right beside.
import { draft } from "./draft.js";
import { selector } from "./selector.js";

const to = document.currentScript?.getAttribute("data-to") ?? "";
/** @type {Element | null} */
let here = null;

// What a script makes is no inline style; the page's elements stay as they are.
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
const mark = document.createElement("div");
mark.setAttribute("popover", "manual");
mark.id = "msci-mark";

/** @param {Element | null} element */
function point(element) {
  if (!element || element === mark || element === document.documentElement) return;
  here = element;
  const { left, top, width, height } = element.getBoundingClientRect();
  sheet.replaceSync(
    `#msci-mark{all:initial;position:fixed;inset:auto;left:${left}px;top:${top}px;width:${width}px;height:${height}px;box-sizing:border-box;display:block;
    outline:3px solid #2450c8;background:rgb(36 80 200/.15);pointer-events:none;margin:0;padding:0;border:0;overflow:visible}
    #msci-mark::after{content:attr(data-name);position:absolute;left:0;top:100%;max-width:90vw;padding:2px 6px;background:#2450c8;color:#fff;font:13px/1.5 system-ui,sans-serif;white-space:nowrap}*{cursor:crosshair!important}`,
  );
  if (!mark.isConnected) document.documentElement.append(mark);
  // Above all that the page itself has on top.
  if (!mark.matches(":popover-open")) mark.showPopover();
  mark.dataset.name = selector(element);
  tell("point", element);
}

/** @param {"point" | "pick"} what @param {Element} element */
function tell(what, element) {
  const words = (element.textContent ?? "").replace(/\s+/g, " ").trim().slice(0, 80);
  parent.postMessage({ msci: what, selector: selector(element), tag: element.localName, words }, to);
}

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

for (const kind of ["click", "mousedown", "mouseup", "pointerdown", "pointerup", "touchend", "dblclick", "submit", "auxclick", "contextmenu"]) {
  addEventListener(
    kind,
    (event) => {
      stop(event);
      if (kind === "click" && event.target instanceof Element) tell("pick", event.target);
    },
    { capture: true, passive: false },
  );
}
addEventListener("mouseover", ({ target }) => target instanceof Element && point(target), true);
addEventListener("scroll", () => here && point(here), { capture: true, passive: true });
addEventListener(
  "keydown",
  (event) => {
    const at = here ?? document.body;
    /** @type {Record<string, () => Element | null>} */
    const steps = {
      ArrowUp: () => (at === document.body ? null : at.parentElement),
      ArrowDown: () => at.firstElementChild,
      ArrowLeft: () => at.previousElementSibling,
      ArrowRight: () => at.nextElementSibling,
    };
    const step = steps[event.key];
    if (step) {
      stop(event);
      const next = step();
      next?.scrollIntoView({ block: "nearest" });
      point(next);
    } else if (event.key === "Enter" || event.key === " ") {
      stop(event);
      if (here) tell("pick", here);
    } else if (event.key === "Escape") {
      parent.postMessage({ msci: "leave" }, to);
    }
  },
  true,
);
// What is typed in the console, tried here.
addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.msci !== "draft" || !Array.isArray(data.changes)) return;
  parent.postMessage({ msci: "drafted", words: String(draft(data.changes, data.fields ?? {})) }, to);
});
// The page is whole.
const ready = () => parent.postMessage({ msci: "ready" }, to);
if (document.readyState === "loading") addEventListener("DOMContentLoaded", ready);
else ready();
