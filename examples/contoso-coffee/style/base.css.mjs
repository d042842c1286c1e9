// @ts-check
/** Colours, type, and what is on every page. */
export const base = String.raw`
:root {
  color-scheme: light dark;
  --paper: #faf5ee; --card: #fffcf8; --sand: #f2e8db; --sand-deep: #e9dac7;
  --ink: #2b1a12; --soft: #6b5546; --faint: #d8c6b2; --line: #e6d9c9;
  --copper: #9c4f1f; --copper-deep: #7f3d14; --on-copper: #fffaf3;
  --shadow: 0 1px 2px rgb(60 32 14 / .05), 0 12px 32px -12px rgb(60 32 14 / .18);
  --serif: "Iowan Old Style", "Palatino Linotype", "URW Palladio L", Palatino, P052, "Book Antiqua", Georgia, serif;
  --sans: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, system-ui, sans-serif;
  --edge: max(1.25rem, calc((100% - 74rem) / 2));
  --gap: clamp(4rem, 3rem + 4vw, 7rem);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17100c; --card: #211813; --sand: #34271e; --sand-deep: #443327;
    --ink: #f5ece2; --soft: #c4b1a1; --faint: #57443a; --line: #3a2c23;
    --copper: #e5a06b; --copper-deep: #f2b98c; --on-copper: #23130a;
    --shadow: 0 1px 2px rgb(0 0 0 / .3), 0 16px 36px -12px rgb(0 0 0 / .6);
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 var(--sans); min-height: 100vh; display: flex; flex-direction: column; overflow-wrap: break-word; }
img { display: block; max-width: 100%; height: auto; }
h1, h2, h3, p, ul, ol, dl, dd, blockquote, figure { margin: 0; }
ul, ol { padding: 0; list-style: none; }
h1, h2, h3 { font-family: var(--serif); font-weight: 500; letter-spacing: -.022em; line-height: 1.06; text-wrap: balance; }
h1 { font-size: clamp(2.6rem, 1.7rem + 4vw, 4.75rem); }
h2 { font-size: clamp(1.8rem, 1.4rem + 1.6vw, 2.6rem); }
h3 { font-size: 1.35rem; }
p { text-wrap: pretty; }
a { color: inherit; text-underline-offset: .2em; text-decoration-thickness: 1px; }
a:hover { color: var(--copper); }
:focus-visible { outline: 3px solid var(--copper); outline-offset: 3px; border-radius: 6px; }
main:focus { outline: none; }
::selection { background: var(--copper); color: var(--on-copper); }

.hush { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet { color: var(--soft); }
.small { font-size: .9rem; }
.eyebrow { color: var(--copper); font-size: .95rem; font-weight: 600; letter-spacing: .01em; }
.label { font: 600 1rem/1.4 var(--sans); letter-spacing: 0; }
.lead { font-size: 1.25rem; color: var(--soft); line-height: 1.45; }
.price { font-variant-numeric: tabular-nums; white-space: nowrap; }
.row { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .25rem 1.5rem; }
.more { color: var(--copper); font-weight: 600; text-decoration-line: none; border-bottom: 1px solid currentColor; padding-bottom: .1em; }
.more::after { content: " →"; }
.more:hover { color: var(--copper-deep); }
.skip { position: absolute; left: 1rem; top: -6rem; z-index: 2; padding: .75rem 1.25rem; background: var(--ink); color: var(--paper); border-radius: 0 0 .75rem .75rem; }
.skip:focus { top: 0; }

.button, button.button { display: inline-flex; align-items: center; justify-content: center; min-height: 3.25rem; padding: .6rem 1.75rem; border: 1.5px solid var(--copper); border-radius: 99px; background: var(--copper); color: var(--on-copper); font: 600 1.0625rem/1.25 var(--sans); text-align: center; text-decoration: none; cursor: pointer; transition: background-color .2s, border-color .2s, color .2s; }
.button:hover { background: var(--copper-deep); border-color: var(--copper-deep); color: var(--on-copper); }
.button.plain { background: transparent; border-color: var(--faint); color: var(--ink); }
.button.plain:hover { border-color: var(--copper); color: var(--copper); }
.button:focus-visible { border-radius: 99px; }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; }
button.link { border: 0; background: none; padding: .6rem .25rem; color: var(--soft); font: inherit; font-size: .95rem; text-decoration: underline; text-underline-offset: .2em; cursor: pointer; }
button.link:hover { color: var(--copper); }
input { font: inherit; color: inherit; min-height: 3.25rem; padding: .5rem 1rem; border: 1.5px solid #8d7665; border-radius: .9rem; background: var(--card); width: 100%; }
input::placeholder { color: var(--soft); opacity: 1; }
input[type=number] { width: 5.25rem; }
label { font-weight: 600; }

.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem clamp(1rem, 3vw, 3rem); padding: 1.1rem var(--edge); }
.brand { display: inline-flex; align-items: center; gap: .6rem; font: 500 1.4rem/1 var(--serif); letter-spacing: -.02em; text-decoration: none; color: var(--ink); }
.brand svg { color: var(--copper); flex: none; }
.logo-line { stroke: var(--paper); }
.top nav { display: flex; align-items: center; gap: clamp(.9rem, 2vw, 1.9rem); font-size: 1rem; }
.top nav a { display: inline-flex; align-items: center; min-height: 2.75rem; text-decoration: none; border-bottom: 2px solid transparent; }
.top nav a[aria-current] { border-color: var(--copper); }
.top .wide { margin-left: .28em; }
.top .own { margin-left: auto; }
.count { display: inline-grid; place-items: center; min-width: 1.45rem; height: 1.45rem; margin-left: .4rem; padding: 0 .35rem; border-radius: 99px; background: var(--copper); color: var(--on-copper); font-size: .85rem; font-weight: 600; }
@media (max-width: 60rem) {
  .top { padding-block: .75rem .25rem; }
  .top .shop { order: 3; width: 100%; justify-content: space-between; border-top: 1px solid var(--line); }
  .top .wide { display: none; }
}
@media (max-width: 26rem) {
  .top { column-gap: .5rem; }
  .brand { font-size: 1.15rem; gap: .35rem; }
  .brand svg { width: 23px; height: 23px; }
  .top .own { gap: .7rem; }
}

/* Empty, the slot takes no room; filled by an experience, it shows, whether or not the attribute went. */
#offer:empty { display: none; }
#offer:not(:empty) { display: block; margin: .5rem var(--edge) 0; padding: .9rem 1.5rem; border-radius: 1.25rem; background: var(--ink); color: var(--paper); text-align: center; }
#offer :is(strong, b) { font-weight: 600; }
#offer :is(code, kbd) { display: inline-block; margin: .15rem .25rem; padding: .1rem .65rem; border: 1.5px dashed currentColor; border-radius: .5rem; font: 600 1rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; letter-spacing: .06em; }
#offer a { color: inherit; }

main { flex: 1; width: 100%; padding: 0 var(--edge) var(--gap); display: flow-root; }
main > section { margin-top: var(--gap); }
.bottom { display: grid; grid-template-columns: 1fr auto; gap: 2rem; align-items: start; padding: 3rem var(--edge); border-top: 1px solid var(--line); }
.bottom div .quiet { margin-top: .75rem; max-width: 26rem; }
.bottom nav { display: grid; grid-template-columns: auto auto; gap: 0 2.5rem; }
.bottom nav a { display: block; padding: .4rem 0; text-decoration: none; }
.bottom > p { grid-column: 1 / -1; max-width: none; }
@media (max-width: 44rem) { .bottom { grid-template-columns: 1fr; } }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { transition: none !important; } }
@media (prefers-color-scheme: dark) { .hero > img { filter: brightness(.9); } }
`;
