// @ts-check
/** The home page. Its ids are the places that experiences change: welcome, hero, hero-*, offer, recommend. */
import { html } from "../html.mjs";
import { inRange } from "../products.mjs";
import { tiles } from "./layout.mjs";

/** @returns {import("./layout.mjs").Page} */
export const home = () => ({
  title: "Coffee machines for every morning",
  description: "Six coffee machines, from a simple filter brewer to a hand-spun copper lever, and beans roasted to order.",
  main: html`
<p id="welcome">Welcome to Contoso Coffee.</p>
<section id="hero" class="hero" aria-labelledby="hero-title">
  <div class="words">
    <h1 id="hero-title">Good coffee, every morning.</h1>
    <p id="hero-text">Basic brewing, done properly: a filter, fresh water and six quiet minutes. Start with a machine that asks nothing of you.</p>
    <a id="hero-link" class="button" href="/coffee-machines/basic">See basic machines</a>
  </div>
  <img id="hero-image" src="/images/hero-basic.svg" alt="A filter machine on a wooden counter in the morning sun" width="720" height="680">
</section>

<ul class="promises">
  <li><strong>60 days to change your mind</strong><span>We collect it, you keep the beans.</span></li>
  <li><strong>Repairable to the last screw</strong><span>Parts in stock for at least ten years.</span></li>
  <li><strong>Roasted when you order</strong><span>Never more than two days before it leaves.</span></li>
</ul>

<section id="recommend" aria-labelledby="recommend-title">
  <h2 id="recommend-title">A good place to start</h2>
  ${tiles(inRange("basic"))}
</section>

<section class="voice" aria-label="What customers say">
  <blockquote>
    <p>“Four flat whites in a row, the fourth as good as the first.”</p>
    <footer>Daniel W., Zürich, about the <a href="/reviews/aurora-dual-boiler">Aurora Dual Boiler</a></footer>
  </blockquote>
</section>

<section aria-labelledby="premium-title">
  <div class="row"><h2 id="premium-title">From the premium bench</h2><a class="more" href="/coffee-machines/premium">All premium machines</a></div>
  ${tiles(inRange("premium"))}
</section>

<section class="club" aria-labelledby="club-title">
  <img src="/images/plan-bean-club.svg" alt="" width="480" height="480" loading="lazy">
  <div class="words">
    <h2 id="club-title">The machine is half of it.</h2>
    <p>The bean club sends two bags a month from a farm we have visited, ground for the machine you own. Stop whenever you like.</p>
    <a class="button plain" href="/pricing">Compare bean plans</a>
  </div>
</section>`,
});
