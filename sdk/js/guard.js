// The guard, for the head of a page whose changes are applied in the browser: one function expression, which the
// page calls with (window, document, milliseconds) in front of the snippet.
//
// It hides the page until it is decided what becomes of it, for that time at most, a second at the longest: its own
// timer lifts it, whatever else fails. What is decided after that is not applied any more. A style sheet that a
// script makes is no inline style, so no policy of the page refuses it, and no framework finds it in its elements.
(function (/** @type {any} */ w, /** @type {any} */ d, /** @type {number} */ ms) {
  try {
    var sheet = new CSSStyleSheet();
    /** @type {any} */
    var lift = (w.msciGuard = () => {
      lift.over = 1;
      sheet.replaceSync("");
    });
    var begin = () => setTimeout(lift, Math.min(ms, 1e3));
    // Nobody sees a page that is only prepared: its time begins when it is shown.
    d.prerendering ? d.addEventListener("prerenderingchange", begin, { once: true }) : begin();
    d.addEventListener("error", (/** @type {any} */ event) => /\/msci\.js/.test(event.target.src) && lift(), true);
    sheet.replaceSync("html{opacity:0!important}");
    d.adoptedStyleSheets = [...d.adoptedStyleSheets, sheet];
  } catch (e) {}
})
