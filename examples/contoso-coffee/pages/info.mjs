// @ts-check
/** Pages that are the same for everyone: plans, about, and what is not there. */
import { html } from "../html.mjs";
import { plans } from "../products.mjs";

/** @typedef {import("./layout.mjs").Page} Page */

/** @returns {Page} */
export const pricing = () => ({
  title: "Pricing",
  description: "Three ways to get beans: pay as you go, the bean club, or an office plan.",
  main: html`
<div class="intro"><p class="eyebrow">Pricing</p><h1>Three ways to never run out.</h1><p>Machines you buy once. Beans come as often as you drink them. Every plan can be changed or stopped from one month to the next.</p></div>
<div class="plans">${plans.map((plan) => html`<section class="plan${plan.best ? " best" : ""}" aria-labelledby="${plan.image}">
  ${plan.best ? html`<p class="badge">Most chosen</p>` : ""}
  <img src="/images/${plan.image}.svg" alt="${plan.picture}" width="480" height="480">
  <h2 id="${plan.image}">${plan.name}</h2>
  <p class="amount"><span>${plan.price}</span> ${plan.per}</p>
  <ul>${plan.points.map((point) => html`<li>${point}</li>`)}</ul>
  <a class="button${plan.best ? "" : " plain"}" href="/sign-in">Choose ${plan.name}</a>
</section>`)}</div>
<section class="questions" aria-labelledby="questions-title">
  <h2 id="questions-title">Asked often</h2>
  <details><summary>Can you grind for my machine?</summary><p>Yes. Tell us which one you have, and we set the grinder for it. Whole beans stay fresh longer, though.</p></details>
  <details><summary>When does a new bag leave?</summary><p>Beans are roasted on Tuesdays and Fridays and leave the same evening.</p></details>
  <details><summary>What does delivery cost?</summary><p>€4 for a single bag. From two bags, and for every machine, it is free.</p></details>
</section>`,
});

/** @returns {Page} */
export const about = () => ({
  title: "About",
  description: "A workshop, a roastery, and eleven people who like mornings.",
  main: html`
<section class="hero" aria-labelledby="about-title">
  <div class="words">
    <p class="eyebrow">About</p>
    <h1 id="about-title">Eleven people who like mornings.</h1>
    <p>Contoso Coffee began in 2009 as a repair bench for other people’s espresso machines. After four thousand of them we knew what breaks, and began to choose, and later to build, the ones that do not.</p>
    <p>The roaster came in 2015, second hand, and has been running twice a week since then.</p>
    <a class="button" href="/coffee-machines">See the machines</a>
  </div>
  <img src="/images/roastery.svg" alt="A copper drum roaster beside sacks of green coffee" width="720" height="680">
</section>`,
});

/** @returns {Page} */
export const notFound = () => ({
  status: 404,
  title: "Page not found",
  description: "There is nothing at this address.",
  main: html`
<div class="centre">
  <p class="eyebrow">404</p>
  <h1>This cup is empty.</h1>
  <p>There is nothing at this address. It may have moved, or never have been brewed.</p>
  <p class="buttons"><a class="button" href="/">Go home</a><a class="button plain" href="/search">Search</a></p>
</div>`,
});

/** @param {number} status @param {string} title @param {string} text @returns {Page} */
export const problem = (status, title, text) => ({
  status,
  title,
  description: text,
  main: html`<div class="centre"><h1>${title}</h1><p>${text}</p><p class="buttons"><a class="button" href="/">Go home</a></p></div>`,
});
