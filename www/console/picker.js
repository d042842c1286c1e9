// @ts-check
// Picking an element on a page of the site. It stands in a frame of a frame: the inner one is the site's, sandboxed,
// and the outer one (`relay`) a page of the console whose policy lets in that one origin. What comes from there is a
// text for a field, and nothing else.
import { data, reason, ROOT } from "./ask.js";
import { button, h } from "./dom.js";

/** Where the page that was shown last is remembered: the site may be on another host than the console. */
const LAST = "msci-picked-page";

/** Where a page is shown first: one without stars in it. @param {string} page */
const first = (page) => {
  const path = page.startsWith("/") ? page.replace(/\*.*$/, "") : "/";
  const last = localStorage.getItem(LAST) ?? "";
  return /^https?:/.test(last) && URL.canParse(path, last) ? new URL(path, last).href : path;
};

/** @param {string} page @param {(selector: string) => void} picked */
export function pick(page, picked) {
  const address = h("input", { id: "pick-address", value: first(page) });
  const told = h("p", { role: "status", class: "quiet" }, "Point at an element and click it. With the keyboard: arrow keys lead through the page, Enter picks, Escape leaves.");
  const place = h("div", { class: "frame-place" });
  const dialog = h(
    "dialog",
    { class: "picker", "aria-label": "Pick an element" },
    h(
      "form",
      { class: "line", submit: (/** @type {Event} */ event) => (event.preventDefault(), void show()) },
      h("label", { for: "pick-address" }, "Page of your site"),
      address,
      h("button", {}, "Show"),
      button("Close", () => dialog.close()),
    ),
    told,
    place,
  );
  /** @param {MessageEvent} event */
  const heard = ({ source, origin, data: said }) => {
    const frame = place.querySelector("iframe");
    if (!frame || source !== frame.contentWindow || origin !== location.origin) return;
    const selector = String(said?.selector ?? "").slice(0, 512);
    if (said?.msci === "ready") {
      frame.focus();
      frame.contentDocument?.querySelector("iframe")?.focus();
    }
    if (said?.msci === "point") told.textContent = `${selector}: ${String(said.words ?? "").slice(0, 80)}`;
    if (said?.msci === "leave") address.focus();
    if (said?.msci === "pick" && selector) {
      dialog.close();
      picked(selector);
    }
  };
  async function show() {
    const uri = address.value.trim();
    // Where it may not be shown, the reason is told here: a frame would stay empty.
    const answer = await data("preview", { method: "POST", json: { uri, pick: true } });
    if (!answer.ok) {
      told.textContent = reason(answer);
      return;
    }
    localStorage.setItem(LAST, uri);
    place.replaceChildren(h("iframe", { src: `${ROOT}pick?uri=${encodeURIComponent(uri)}`, title: "The page to pick on" }));
  }
  addEventListener("message", heard);
  dialog.addEventListener("close", () => {
    removeEventListener("message", heard);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  void show();
}

/** The outer frame: hands on what the inner one says. @param {HTMLIFrameElement} frame */
export function relay(frame) {
  addEventListener("message", ({ source, data: said }) => {
    if (source !== frame.contentWindow || parent === window) return;
    const [msci, selector, words] = [said?.msci, said?.selector, said?.words].map((one) => String(one ?? "").slice(0, 512));
    parent.postMessage({ msci, selector, words }, location.origin);
  });
  // Not before somebody listens to it.
  frame.src = frame.dataset.src ?? "";
}
