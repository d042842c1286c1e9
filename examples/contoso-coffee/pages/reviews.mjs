// @ts-check
/** Reviews: all machines, and those of one. */
import { html } from "../html.mjs";
import { inRange, money, pathOf, products, rating, reviewsOf } from "../products.mjs";
import { crumbs, stars } from "./layout.mjs";

/** @typedef {import("./layout.mjs").Page} Page */
/** @typedef {import("../products.mjs").Product} Product */

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** @param {number} n */
const row = (n) =>
  html`<p class="star-row"><span aria-hidden="true">${"★".repeat(n)}<span class="faint">${"★".repeat(5 - n)}</span></span><span class="hush">${n} of 5 stars</span></p>`;

/** @returns {Page} */
export const reviewList = () => ({
  title: "Reviews",
  description: "What people say after a few months with their machine.",
  main: html`
<div class="intro"><p class="eyebrow">Reviews</p><h1>After the first hundred cups.</h1><p>We ask three months after delivery, not three days. Every answer is here, the grumpy ones too.</p></div>
<ul class="review-list">${products.map((p) => html`<li>
  <div class="stage"><img src="/images/${p.slug}.svg" alt="" width="480" height="480" loading="lazy"></div>
  <div><h2><a href="/reviews/${p.slug}">${p.name}</a></h2>${stars(p)}<p>“${reviewsOf(p)[0]?.text}”</p></div>
</li>`)}</ul>`,
});

/** @param {Product} p @returns {Page} */
export const machineReviews = (p) => ({
  title: `Reviews of the ${p.name}`,
  description: `${rating(p).count} reviews of the ${p.name}.`,
  main: html`
${crumbs([["Reviews", "/reviews/"]], p.name)}
<div class="reviewed">
  <aside class="card" aria-label="The machine">
    <div class="stage"><img src="/images/${p.slug}.svg" alt="${p.picture}" width="480" height="480"></div>
    <div class="row"><p class="name">${p.name}</p><p class="price">${money(p.price)}</p></div>
    <a class="button" href="${pathOf(p)}">See the machine</a>
  </aside>
  <div>
    <h1>${p.name}, reviewed</h1>
    <p class="lead">${stars(p)}</p>
    ${reviewsOf(p).map((r) => html`<article class="review">
      ${row(r.stars)}
      <h2>${r.title}</h2>
      <p>${r.text}</p>
      <p class="quiet">${r.author}, ${r.place} · <time datetime="${r.date}">${day.format(new Date(r.date))}</time></p>
    </article>`)}
    <h2 class="label">Reviews of similar machines</h2>
    <ul class="links">${inRange(p.range).filter((other) => other !== p).map((other) => html`<li><a class="more" href="/reviews/${other.slug}">${other.name}</a></li>`)}</ul>
  </div>
</div>`,
});
