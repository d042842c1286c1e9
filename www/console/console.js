// @ts-check
// What the console's pages do beyond forms and links. Each of them works without this; with it, a code can be
// copied by a click, a preview follows the typing, and what changes by itself is asked for again.
import htmx from "htmx.org";

// The pages' policy takes no code and no style from texts.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.historyEnabled = false;
// A fault is shown where the answer would stand.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "...", swap: true },
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
