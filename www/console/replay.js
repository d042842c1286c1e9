// @ts-check
// All dead messages of an activation, sent again: of many customers some at a time.
import { data } from "./ask.js";
import { h } from "./dom.js";
import { many } from "./fill.js";
import { rounds } from "./rounds.js";

/** @param {HTMLFormElement} form */
export function replay(form) {
  const [, name = ""] = /activations\/([^/]+)\/replay$/.exec(form.action) ?? [];
  const told = h("div", { role: "status" });
  form.after(told);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const ask = (/** @type {object} */ more, /** @type {AbortSignal} */ signal) => data(`activations/${name}/replay`, { method: "POST", json: { state: "dead", ...more }, signal });
    const { under, done } = texts.replaying;
    void rounds(told, ask, { of: ({ replayed }) => replayed, under: (total) => many(under, total), done: (total) => many(done, total) });
  });
}
