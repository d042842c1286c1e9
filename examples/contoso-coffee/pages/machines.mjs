// @ts-check
/** Lists of machines and the page of each. */
import { MOST_OF_ONE } from "../cart.mjs";
import { html } from "../html.mjs";
import { inRange, money, products, ranges } from "../products.mjs";
import { crumbs, stars, tiles } from "./layout.mjs";

/** @typedef {import("./layout.mjs").Page} Page */
/** @typedef {import("../products.mjs").Product} Product */
/** @typedef {import("../products.mjs").Range} Range */

/** @returns {Page} */
export const allMachines = () => ({
  title: "All machines",
  description: "The whole range, basic and premium.",
  main: html`
<div class="intro"><h1>Six machines. That is all.</h1><p>We sell only what we would keep in our own kitchens, and can repair in our own workshop.</p></div>
${["basic", "premium"].map((r) => {
  const range = /** @type {Range} */ (r);
  return html`<section aria-labelledby="${range}-title"><div class="row"><h2 id="${range}-title">${ranges[range].name}</h2></div>${tiles(inRange(range))}</section>`;
})}`,
});

/** @param {Range} range @returns {Page} */
export const machineList = (range) => {
  const { name, title, text } = ranges[range];
  const other = range === "basic" ? "premium" : "basic";
  return {
    title: name,
    description: text,
    main: html`
<div class="intro"><p class="eyebrow">${name}</p><h1>${title}</h1><p>${text}</p></div>
${tiles(inRange(range), "h2")}
<p class="aside">${range === "basic" ? "Want to go further?" : "Too much machine?"} <a class="more" href="/coffee-machines/${other}">See ${ranges[other].name.toLowerCase()}</a></p>`,
  };
};

/** @param {Product} p @returns {Page} */
export const machine = (p) => ({
  title: p.name,
  description: p.story,
  main: html`
${crumbs([["Machines", "/coffee-machines"], [ranges[p.range].name, `/coffee-machines/${p.range}`]], p.name)}
<div class="machine">
  <div class="stage"><img id="machine-image" src="/images/${p.slug}.svg" alt="${p.picture}" width="480" height="480"></div>
  <div class="words">
    <h1 id="machine-name">${p.name}</h1>
    <p class="lead">${p.tagline}</p>
    <p class="facts"><span class="price" id="machine-price">${money(p.price)}</span><a href="/reviews/${p.slug}">${stars(p)}</a></p>
    <form class="buy" method="post" action="/cart">
      <input type="hidden" name="action" value="add"><input type="hidden" name="slug" value="${p.slug}">
      <label for="quantity">Quantity</label>
      <input id="quantity" name="quantity" type="number" min="1" max="${MOST_OF_ONE}" value="1" inputmode="numeric">
      <button id="add-to-cart" class="button" type="submit">Add to cart</button>
    </form>
    <p>${p.story}</p>
    <h2 class="label">Details</h2>
    <dl class="specs">${p.specs.map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>
    <p><a class="more" href="/reviews/${p.slug}">Read what owners say</a></p>
  </div>
</div>
<section id="recommend" aria-labelledby="recommend-title">
  <h2 id="recommend-title">Next to it on the shelf</h2>
  ${tiles(inRange(p.range).filter((other) => other !== p))}
</section>`,
});

/** @param {string} query @param {readonly Product[]} found @returns {Page} */
export const search = (query, found) => ({
  title: "Search",
  description: "Search the range.",
  main: html`
<div class="intro">
  <h1>What are you looking for?</h1>
  <form class="find" role="search" method="get" action="/search">
    <label class="hush" for="q">Search machines</label>
    <input id="q" name="q" type="search" value="${query}" maxlength="100" placeholder="Lever, walnut, filter…">
    <button class="button" type="submit">Search</button>
  </form>
  ${query ? html`<p role="status">${found.length === 0 ? "Nothing found" : found.length === 1 ? "One machine" : `${found.length} machines`} for “${query}”.</p>` : ""}
</div>
${query && found.length > 0 ? tiles(found, "h2") : html`<section><h2>Perhaps one of these</h2>${tiles(products.slice(2, 5))}</section>`}`,
});

