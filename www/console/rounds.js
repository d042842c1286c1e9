// @ts-check
// Work that the server does some of with each request: asked on until all is done, told how far it is, and given up on
// the way by whoever asked for it. What was done stays done.
import { reason } from "./ask.js";
import { button, h } from "./dom.js";

/** @typedef {{ ok: boolean, body: any }} Answer */

/**
 * @param {HTMLElement} told where it is said
 * @param {(more: { skiptoken?: string }, signal: AbortSignal) => Promise<Answer>} ask
 * @param {{ of: (body: any) => number, under: (total: number) => string, done: (total: number) => string, refused?: (answer: Answer) => string }} says
 */
export async function rounds(told, ask, { of, under, done, refused = reason }) {
  const say = (/** @type {string} */ kind, /** @type {string} */ words) => told.replaceChildren(h("p", { class: `note ${kind}` }, words));
  const over = new AbortController();
  const share = h("span", {});
  const cancel = button(texts.jobs.cancel, () => over.abort());
  told.replaceChildren(h("div", { class: "line" }, share, cancel));
  cancel.focus();
  let total = 0;
  let skiptoken = "";
  do {
    share.textContent = under(total);
    /** @type {Answer} */
    let answer;
    try {
      answer = await ask(skiptoken ? { skiptoken } : {}, over.signal);
    } catch {
      return say("bad", over.signal.aborted ? texts.done.cancelled : texts.note.silent);
    }
    if (!answer.ok) return say("bad", refused(answer));
    total += of(answer.body);
    skiptoken = answer.body.skiptoken ?? "";
  } while (skiptoken);
  say("good", done(total));
}
