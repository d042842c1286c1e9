// @ts-check
// A part of a page that is kept as new as the page would be if it were loaded again.
import { ROOT } from "./ask.js";

const EVERY_MS = 4000;

/** Not while somebody reads in it, or has the keyboard in it. @param {HTMLElement} place */
function busy(place) {
  const selected = getSelection();
  const reads = selected !== null && !selected.isCollapsed && place.contains(selected.anchorNode);
  return document.hidden || reads || place.contains(document.activeElement);
}

/** @param {HTMLElement} place with an id */
export function live(place) {
  const look = async () => {
    if (busy(place)) return;
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.status === 401) location.reload();
    if (!answer?.ok || !answer.url.includes(ROOT) || busy(place)) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.id);
    if (next && next.innerHTML !== place.innerHTML) place.replaceChildren(...next.childNodes);
  };
  setInterval(look, EVERY_MS);
}
