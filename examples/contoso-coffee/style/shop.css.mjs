// @ts-check
/** The pages themselves. */
export const shop = String.raw`
.stage { border-radius: 1.5rem; overflow: hidden; background: radial-gradient(120% 100% at 50% 12%, var(--sand) 40%, var(--sand-deep)); }
.stage img { width: 100%; }

#welcome { margin-top: clamp(1.25rem, 3vw, 2.25rem); font-size: 1.0625rem; color: var(--soft); }
#welcome::before { content: ""; display: inline-block; width: 2rem; height: 2px; margin-right: .8rem; vertical-align: .28em; background: var(--copper); }
.hero, main > section.hero { display: grid; grid-template-columns: minmax(0, 1.02fr) minmax(0, 1fr); gap: clamp(1.75rem, 5vw, 4.5rem); align-items: center; margin-top: clamp(1rem, 2vw, 1.5rem); }
.hero .words { display: grid; gap: 1.5rem; justify-items: start; }
.hero .words p:not(.eyebrow) { font-size: 1.2rem; color: var(--soft); max-width: 32rem; }
.hero > img { width: 100%; border-radius: 2rem 2rem 2rem 11rem; box-shadow: var(--shadow); }
@media (max-width: 52rem) {
  .hero, main > section.hero { grid-template-columns: minmax(0, 1fr); }
  .hero > img { border-radius: 1.5rem 1.5rem 1.5rem 6rem; }
}

.promises { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: 1.5rem 2.5rem; margin-top: clamp(2.5rem, 5vw, 4rem); padding: 1.75rem 0; border-block: 1px solid var(--line); }
.promises strong { display: block; font-weight: 600; }
.promises span { color: var(--soft); }

.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19.5rem), 1fr)); gap: 2.5rem clamp(1.25rem, 2.5vw, 2rem); }
* + .tiles { margin-top: 2rem; }
.tile { position: relative; }
.tile .stage { margin-bottom: 1.1rem; }
.tile .stage img { transition: transform .45s cubic-bezier(.2, .7, .2, 1); }
.tile:hover .stage img { transform: translateY(-2.5%) scale(1.03); }
.tile :is(h2, h3) { font-size: 1.45rem; }
.tile .row { flex-wrap: nowrap; margin-bottom: .3rem; }
.tile a { text-decoration: none; }
.tile a::after { content: ""; position: absolute; inset: 0; border-radius: 1.5rem; }
.tile a:focus-visible { outline: none; }
.tile a:focus-visible::after { outline: 3px solid var(--copper); outline-offset: 4px; }
@media (max-width: 38rem) {
  .tiles { gap: 1rem; }
  .tile { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); column-gap: 1.1rem; align-content: center; grid-template-rows: 1fr auto auto 1fr; }
  .tile .stage { grid-row: 1 / -1; margin: 0; border-radius: 1.1rem; }
  .tile .row { grid-row: 2; display: block; }
  .tile > .quiet { grid-row: 3; font-size: 1rem; line-height: 1.45; }
}

.voice { text-align: center; }
.voice p { max-width: 46rem; margin: 0 auto 1.25rem; font: 500 clamp(1.9rem, 1.3rem + 2.6vw, 3.2rem)/1.14 var(--serif); letter-spacing: -.02em; text-wrap: balance; }
.voice footer { color: var(--soft); }
.club { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.25fr); align-items: center; gap: clamp(1rem, 4vw, 4rem); padding: clamp(1.5rem, 4vw, 3.5rem); border-radius: 2rem; background: var(--sand); }
.club .words { display: grid; gap: 1.25rem; justify-items: start; }
.club p { color: var(--soft); font-size: 1.15rem; max-width: 30rem; }
.club img { width: min(100%, 22rem); justify-self: center; }
.club .button.plain { border-color: var(--soft); }
@media (max-width: 44rem) { .club { grid-template-columns: minmax(0, 1fr); } .club img { width: 13rem; } }

.intro { display: grid; gap: 1.1rem; justify-items: start; padding: clamp(2rem, 5vw, 4rem) 0 clamp(1.5rem, 3vw, 2.5rem); }
.intro h1 { max-width: 16ch; }
.intro > p:not(.eyebrow) { max-width: 38rem; font-size: 1.2rem; color: var(--soft); }
.aside { margin-top: 3.5rem; }
.centre { display: grid; gap: 1.25rem; justify-items: start; align-content: center; min-height: 56vh; max-width: 40rem; padding: 3rem 0; }
.find { display: flex; flex-wrap: wrap; gap: .75rem; width: min(100%, 36rem); }
.find input { flex: 1 1 14rem; border-radius: 99px; padding-inline: 1.4rem; }
.crumbs { padding-top: 1.25rem; font-size: .95rem; color: var(--soft); }
.crumbs ol { display: flex; flex-wrap: wrap; align-items: baseline; }
.crumbs li + li::before { content: "/"; margin: 0 .6rem; color: var(--faint); }
.crumbs a { display: inline-block; padding: .25rem 0; text-decoration: none; }

.machine, .enter { display: grid; grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); gap: clamp(1.75rem, 5vw, 4.5rem); align-items: start; margin-top: 1.25rem; }
.machine .stage { border-radius: 2rem; position: sticky; top: 1.5rem; }
.machine .words { display: grid; gap: 1.4rem; padding-top: 1rem; }
.machine h1 { font-size: clamp(2.4rem, 1.6rem + 3vw, 3.75rem); }
.facts { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1.75rem; }
.facts .price { font: 500 1.9rem/1.2 var(--serif); }
.facts a { text-decoration: none; }
.rating { white-space: nowrap; }
.star, .star-row { color: var(--copper); }
.star-row { letter-spacing: .12em; }
.faint { color: var(--faint); }
.buy { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; padding: 1.25rem 0; border-block: 1px solid var(--line); }
.buy .button { flex: 1 1 11rem; }
.specs > div { display: flex; justify-content: space-between; gap: 1.5rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
.specs dt { color: var(--soft); }
.specs dd { text-align: right; }
.enter { align-items: center; padding: clamp(1rem, 4vw, 3rem) 0; }
.enter .words { display: grid; gap: 1rem; }
.enter form { display: grid; gap: .4rem; max-width: 26rem; margin-top: .75rem; }
.enter form > label:not(:first-of-type), .enter form .button { margin-top: 1rem; }
.fault { padding: .9rem 1.1rem; margin-bottom: .75rem; border-left: 4px solid var(--copper); border-radius: .5rem; background: var(--sand); }
@media (max-width: 52rem) { .machine, .enter { grid-template-columns: minmax(0, 1fr); } .enter .stage { display: none; } .machine .stage { position: static; } .machine .words { padding-top: 0; } }

.review-list { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 2.25rem clamp(1.5rem, 4vw, 3.5rem); }
.review-list li { display: grid; grid-template-columns: clamp(6rem, 12vw, 9.5rem) minmax(0, 1fr); gap: 1.25rem; align-items: start; }
.review-list .stage { border-radius: 1.25rem; }
.review-list h2 { font-size: 1.5rem; }
.review-list h2 a { text-decoration: none; }
.review-list p { margin-top: .5rem; color: var(--soft); display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; }
.reviewed { display: grid; grid-template-columns: minmax(0, 20rem) minmax(0, 1fr); gap: clamp(1.75rem, 6vw, 5rem); align-items: start; margin-top: 1.5rem; }
.reviewed h1 { font-size: clamp(2.3rem, 1.6rem + 2.6vw, 3.5rem); margin-bottom: .6rem; }
.reviewed .card { position: sticky; top: 1.5rem; }
.review { padding: 1.75rem 0; border-bottom: 1px solid var(--line); display: grid; gap: .5rem; max-width: 42rem; }
.review h2 { font-size: 1.5rem; }
.review + .label { margin-top: 2rem; }
.links { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin-top: .75rem; }
.card { display: grid; gap: 1rem; padding: 1.1rem 1.1rem 1.5rem; border: 1px solid var(--line); border-radius: 1.75rem; background: var(--card); box-shadow: var(--shadow); }
.card .stage { border-radius: 1.1rem; }
.card .name { font: 500 1.35rem/1.2 var(--serif); }
@media (max-width: 52rem) { .reviewed { grid-template-columns: minmax(0, 1fr); } .reviewed .card { position: static; } .reviewed .card .stage { display: none; } }

.plans { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: 1.5rem; align-items: stretch; }
.plan { position: relative; display: flex; flex-direction: column; gap: .9rem; padding: 1.5rem 1.75rem 1.75rem; border: 1px solid var(--line); border-radius: 1.75rem; background: var(--card); }
.plan.best { border-color: var(--copper); box-shadow: var(--shadow); }
.plan img { width: 12rem; align-self: center; }
.plan h2 { font-size: 1.75rem; }
.plan .badge { position: absolute; top: 1.25rem; right: 1.25rem; padding: .2rem .8rem; border-radius: 99px; background: var(--copper); color: var(--on-copper); font-size: .9rem; font-weight: 600; }
.amount { color: var(--soft); }
.amount span { font: 500 2.4rem/1 var(--serif); color: var(--ink); }
.plan ul { display: grid; gap: .5rem; margin-bottom: auto; padding-bottom: .5rem; }
.plan li { padding-left: 1.6rem; position: relative; }
.plan li::before { content: ""; position: absolute; left: .1rem; top: .5em; width: .75rem; height: .38rem; border: solid var(--copper); border-width: 0 0 2px 2px; transform: rotate(-48deg); }
.questions { max-width: 46rem; }
.questions h2 { margin-bottom: 1.25rem; }
details { border-bottom: 1px solid var(--line); }
summary { padding: 1.1rem 0; font-weight: 600; cursor: pointer; }
details p { padding-bottom: 1.25rem; color: var(--soft); }

.scroll { overflow-x: auto; margin-top: 1.25rem; }
.orders { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.orders :is(th, td) { padding: .9rem 1rem .9rem 0; text-align: left; border-bottom: 1px solid var(--line); font-weight: 400; white-space: nowrap; }
.orders thead th { color: var(--soft); font-size: .95rem; }
.orders :is(th, td):nth-child(n + 3) { text-align: right; padding-right: 0; padding-left: 1rem; }
.basket { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 20rem); gap: clamp(1.75rem, 4vw, 3.5rem); align-items: start; }
.basket li { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem; padding: 1.25rem 0; border-bottom: 1px solid var(--line); }
.basket li:first-child { padding-top: 0; }
.basket li .stage { width: 6rem; border-radius: 1.1rem; }
.basket li .what { flex: 1 1 9rem; }
.basket li h2 { font-size: 1.3rem; }
.basket li h2 a { text-decoration: none; }
.basket li form { display: flex; align-items: center; gap: .5rem; }
.basket li .price { min-width: 4.5rem; text-align: right; margin-left: auto; }
.basket .card { padding: 1.5rem; }
.basket .card h2 { font-size: 1.5rem; }
.basket dl > div { display: flex; justify-content: space-between; padding: .35rem 0; }
.basket dl > .sum { margin-top: .5rem; padding-top: .85rem; border-top: 1px solid var(--line); font-weight: 600; font-size: 1.2rem; }
.basket .card .button { width: 100%; }
@media (max-width: 38rem) { .orders { font-size: .95rem; } .orders :is(th, td) { padding-right: .6rem; } .orders :is(th, td):nth-child(n + 3) { padding-left: .4rem; } }
@media (max-width: 38rem) { .basket li { column-gap: .75rem; } .basket li input { width: 4.4rem; } .basket li .price { min-width: 0; } }
@media (max-width: 52rem) { .basket { grid-template-columns: minmax(0, 1fr); } }
`;
