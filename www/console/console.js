// @ts-check
// What the console's pages do beyond forms and links. Each of them works without this; with it, a code can be
// copied by a click, filters are put together part by part, and what changes by itself is asked for again.
import htmx from "htmx.org";
import { charts } from "./charts.js";
import { edit } from "./edit.js";
import { experience } from "./experience.js";
import { follow } from "./follow.js";
import { list } from "./lists.js";
import { live } from "./live.js";
import { optimizely } from "./optimizely.js";
import { results } from "./outcome.js";
import { explain, preview } from "./people.js";
import { relay } from "./picker.js";
import { replay } from "./replay.js";
import { upload } from "./upload.js";

/** Its types know no default export. */
const { config } = /** @type {any} */ (htmx);
// The pages' policy takes no code and no style from texts.
config.allowEval = false;
config.includeIndicatorStyles = false;
config.historyEnabled = false;
// What stands there stays while the Worker does not answer.
config.responseHandling = [
  { code: "2..", swap: true },
  { code: "...", swap: false },
];

document.addEventListener("click", async ({ target }) => {
  const button = target instanceof Element ? target.closest("button[data-copy]") : null;
  const source = button && document.getElementById(button.getAttribute("data-copy") ?? "");
  if (!button || !source) return;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    button.textContent = texts.note.copied;
  } catch {
    // Without the right to the clipboard: selected, so that the keys for copying do it.
    getSelection()?.selectAllChildren(source);
    button.textContent = texts.note.selected;
  }
  setTimeout(() => (button.textContent = said), 2000);
});

charts();
/** @param {string} which @param {(place: any) => unknown} work */
const each = (which, work) => document.querySelectorAll(which).forEach((place) => void work(place));
each("textarea[data-edit=customers]:enabled", (area) => edit(area, "customers"));
each("textarea[data-edit=activities]:enabled", (area) => edit(area, "activities"));
each("textarea[data-edit=experience]:enabled", experience);
each("[data-results]", results);
each("[data-preview]", preview);
each("[data-explain]", explain);
each("iframe.picked", relay);
each("[data-live]", live);
each(".scroll[aria-label=Customers]", list);
each("form[enctype]", upload);
each(`form[action$="/replay"]:has([name=state])`, replay);
each("[data-optimizely]", optimizely);
each("[data-events]", follow);
