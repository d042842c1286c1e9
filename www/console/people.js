// @ts-check
// The site as one customer sees it: a link to a preview of a page, and why each experience is on a page or not.
import { data, reason, ROOT } from "./ask.js";
import { h } from "./dom.js";
import { fill } from "./fill.js";

/** Why an experience, or a change of it, is on a page or is not. @type {Record<string, string>} */
const WHY = { ...texts.why, ...texts.whyNot };

/** @param {any} customer */
const named = ({ attributes: { FullName, Name, FirstName, LastName } = /** @type {any} */ ({}), authId, customerId }) =>
  FullName || Name || [FirstName, LastName].filter(Boolean).join(" ") || authId || fill(texts.customers.visitor, { id: customerId.slice(0, 8) });

/** Asks for somebody and a page, and gives the link. @param {HTMLElement} place */
export function preview(place) {
  const search = h("input", { id: "preview-search", type: "search", maxlength: 200, autocomplete: "off" });
  const page = h("input", { id: "preview-page", value: "/" });
  const found = h("select", { id: "preview-who", required: true }, h("option", { value: "" }, texts.preview.searchFirst));
  const told = h("div", { role: "status" });
  const look = async () => {
    const of = async (/** @type {string} */ kind) => (await data(`customers?kind=${kind}&top=20&search=${encodeURIComponent(search.value)}`)).body?.customers ?? [];
    const people = [...(await of("known")), ...(await of("unknown"))];
    found.replaceChildren(...people.map((one) => h("option", { value: one.customerId }, named(one))));
    told.replaceChildren(people.length ? "" : h("p", { class: "quiet" }, texts.preview.nobody));
  };
  const make = async () => {
    const answer = await data("preview", { method: "POST", json: { customerId: found.value, uri: page.value } });
    if (!answer.ok) return told.replaceChildren(h("p", { class: "note bad" }, reason(answer)));
    const who = found.selectedOptions[0]?.textContent ?? "";
    const link = h("a", { href: answer.body.url, target: "_blank", rel: "noopener noreferrer", class: "button" }, fill(texts.preview.open, { who }));
    // It is good for one visit.
    link.addEventListener("click", () => setTimeout(() => told.replaceChildren(), 0));
    told.replaceChildren(link, h("p", { class: "help" }, texts.preview.openMeans));
    link.focus();
  };
  place.replaceChildren(
    h("p", {}, texts.preview.means),
    h("form", { class: "row", submit: (/** @type {Event} */ event) => (event.preventDefault(), void look()) }, labelled(texts.preview.search, search), h("button", { class: "plain" }, texts.preview.find)),
    h("form", { class: "row", submit: (/** @type {Event} */ event) => (event.preventDefault(), void make()) }, labelled(texts.picker.as, found), labelled(texts.preview.page, page), h("button", {}, texts.preview.make)),
    told,
  );
}

/** @param {string} label @param {HTMLElement} control */
const labelled = (label, control) => h("div", { class: "field" }, h("label", { for: control.id }, label), control);

/** Why a page is as it is for a customer. @param {HTMLElement} place */
export function explain(place) {
  const page = h("input", { id: "explain-page", value: "/" });
  const told = h("div", { role: "status" });
  const ask = async () => {
    const answer = await data("experiences/explain", { method: "POST", json: { customerId: place.dataset.explain, uri: page.value } });
    if (!answer.ok) return told.replaceChildren(h("p", { class: "note bad" }, reason(answer)));
    const { experiences, asStranger } = answer.body;
    const note = asStranger && h("p", { class: "note warn" }, asStranger === "consent" ? texts.explain.refused : texts.explain.stranger);
    told.replaceChildren(...[note, experiences.length ? h("ul", { class: "why" }, ...experiences.map(one)) : h("p", { class: "quiet" }, texts.explain.none)].filter(Boolean));
  };
  place.replaceChildren(h("form", { class: "row", submit: (/** @type {Event} */ event) => (event.preventDefault(), void ask()) }, labelled(texts.preview.page, page), h("button", {}, texts.explain.ask)), told);
}

/** @param {any} of */
function one({ name, taken, why, bucket, failed = [], failedOneOf = [], changes = [] }) {
  const words = WHY[why] ?? why;
  const rest = taken && bucket !== "treated" ? ` ${fill(texts.explain.variant, { name: bucket })}` : "";
  const codes = (/** @type {string[]} */ parts) => parts.map((part) => h("li", {}, h("code", {}, part)));
  const missed = changes.filter((/** @type {any} */ { made }) => !made);
  return h(
    "li",
    {},
    h("a", { href: `${ROOT}experiences/${encodeURIComponent(name)}` }, name),
    `: ${words}${rest}`,
    (failed.length > 0 || failedOneOf.length > 0) && h("ul", {}, ...codes([...failed, ...failedOneOf])),
    missed.length > 0 && h("ul", {}, ...missed.map((/** @type {any} */ change) => h("li", {}, h("code", {}, `${change.action} ${change.selector}`), ` ${WHY[change.why] ?? change.why}${change.what ? ` (${change.what})` : ""}`))),
  );
}
