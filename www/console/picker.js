// @ts-check
// Picking an element on a page of the site. It stands in a frame of a frame: the inner one is the site's, sandboxed,
// and the outer one (`relay`) a page of the console whose policy lets in that one origin. What comes from there is a
// text for a field, and nothing else.
import { data, reason, ROOT } from "./ask.js";
import { button, h } from "./dom.js";
import { many } from "./fill.js";

/** Where the page that was shown last is remembered: the site may be on another host than the console. */
const LAST = "msci-picked-page";

/** Where a page is shown first: one without stars in it. @param {string} page */
const first = (page) => {
  const path = page.startsWith("/") ? page.replace(/\*.*$/, "") : "/";
  const last = localStorage.getItem(LAST) ?? "";
  return /^https?:/.test(last) && URL.canParse(path, last) ? new URL(path, last).href : path;
};

/** What a page is told of a customer: what templates may name. @param {string} search */
async function fieldsOf(search) {
  if (!search) return {};
  const { body } = await data(`customers?kind=known&top=1&search=${encodeURIComponent(search)}`);
  return body?.customers?.[0]?.attributes ?? null;
}

/**
 * Shows a page of the site: to pick an element of it, or to see changes on it that are not saved yet.
 * @param {string} page
 * @param {{ picked: (selector: string) => void } | { changes: () => unknown[] }} work
 */
export function pick(page, work) {
  const tries = "changes" in work;
  const who = h("input", { id: "pick-who", type: "search", placeholder: texts.picker.anybody });
  const address = h("input", { id: "pick-address", value: first(page) });
  const told = h("p", { role: "status", class: "quiet" }, tries ? texts.picker.trying : texts.picker.picking);
  const place = h("div", { class: "frame-place" });
  const dialog = h(
    "dialog",
    { class: "picker", "aria-label": tries ? texts.picker.try : texts.experiences.pick },
    h(
      "form",
      { class: "line", submit: (/** @type {Event} */ event) => (event.preventDefault(), void show()) },
      h("label", { for: "pick-address" }, texts.picker.page),
      address,
      tries && h("label", { for: "pick-who" }, texts.picker.as),
      tries && who,
      h("button", {}, texts.picker.show),
      button(texts.picker.close, () => dialog.close()),
    ),
    told,
    place,
  );
  /** @param {MessageEvent} event */
  const heard = ({ source, origin, data: said }) => {
    const frame = place.querySelector("iframe");
    if (!frame || source !== frame.contentWindow || origin !== location.origin) return;
    const selector = String(said?.selector ?? "").slice(0, 512);
    if (said?.msci === "ready" && tries) frame.contentWindow?.postMessage({ msci: "draft", changes: work.changes(), fields }, location.origin);
    if (said?.msci === "drafted") told.textContent = many(texts.picker.tried, Number(said.words));
    if (said?.msci === "ready" && !tries) {
      frame.focus();
      frame.contentDocument?.querySelector("iframe")?.focus();
    }
    if (said?.msci === "point" && !tries) told.textContent = `${selector}: ${String(said.words ?? "").slice(0, 80)}`;
    if (said?.msci === "leave") address.focus();
    if (said?.msci === "pick" && selector && !tries) {
      dialog.close();
      work.picked(selector);
    }
  };
  /** Of whom the page is shown. @type {Record<string, unknown>} */
  let fields = {};
  async function show() {
    const uri = address.value.trim();
    // Where it may not be shown, the reason is told here: a frame would stay empty.
    const answer = await data("preview", { method: "POST", json: { uri, pick: true } });
    if (!answer.ok) {
      told.textContent = reason(answer);
      return;
    }
    localStorage.setItem(LAST, uri);
    const found = await fieldsOf(who.value.trim());
    if (!found) {
      told.textContent = texts.picker.noCustomer;
      return;
    }
    fields = found;
    place.replaceChildren(h("iframe", { src: `${ROOT}pick?uri=${encodeURIComponent(uri)}`, title: texts.picker.frame }));
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
  addEventListener("message", ({ source, origin, data: said }) => {
    // A sandboxed page has no origin to name; what it is told is of a page that it may see.
    if (source === parent && origin === location.origin && said?.msci === "draft") frame.contentWindow?.postMessage(said, "*");
    if (source !== frame.contentWindow || parent === window) return;
    const [msci, selector, words] = [said?.msci, said?.selector, said?.words].map((one) => String(one ?? "").slice(0, 512));
    parent.postMessage({ msci, selector, words }, location.origin);
  });
  // Not before somebody listens to it.
  frame.src = frame.dataset.src ?? "";
}
