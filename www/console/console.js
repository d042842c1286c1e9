// @ts-check
// What the console's pages do beyond forms and links. Each of them works without this; with it, a code can be
// copied by a click, filters are put together part by part, and what changes by itself is asked for again.
import htmx from "htmx.org";
import { charts } from "./charts.js";
import { edit } from "./edit.js";

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
    button.textContent = "Copied";
  } catch {
    // Without the right to the clipboard: selected, so that the keys for copying do it.
    getSelection()?.selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = said), 2000);
});

charts();
for (const area of /** @type {NodeListOf<HTMLTextAreaElement>} */ (document.querySelectorAll("textarea[data-edit]"))) {
  const what = area.dataset.edit;
  if (what === "customers" || what === "activities") void edit(area, what);
}
