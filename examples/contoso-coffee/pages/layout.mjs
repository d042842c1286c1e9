// @ts-check
/** The frame around every page, and the pieces that pages share. */
import { html, raw } from "../html.mjs";
import { itemsOf } from "../cart.mjs";
import { money, pathOf, rating } from "../products.mjs";
import { snippet } from "../snippet.mjs";

/** @typedef {import("../html.mjs").Html} Html */
/** @typedef {import("../products.mjs").Product} Product */

/**
 * What the shop knows of the visitor from its own cookies.
 * @typedef {{ loyaltyId: string | null, cart: readonly import("../cart.mjs").Line[], orders: readonly import("../cart.mjs").Order[] }} Visitor
 */

/** @type {Visitor} */
export const STRANGER = { loyaltyId: null, cart: [], orders: [] };

/**
 * @typedef {object} Page
 * @property {string} title
 * @property {string} description
 * @property {Html} main
 * @property {number} [status] 200 unless given
 * @property {string[]} [scripts] calls of the tracking library, run once the snippet has made it
 * @property {boolean} [keep] false: the browser must not show this page again without asking
 */

/** The text inside the snippet's element, for policies that name it by hash. */
export const snippetText = snippet.replace(/^<script[^>]*>|<\/script>\s*$/g, "");

/** @param {string} text @param {string} href @param {string} path */
const navLink = (text, href, path) => {
  const here = path === href || (href.length > 1 && path.startsWith(href.endsWith("/") ? href : `${href}/`));
  return html`<a href="${href}"${here ? raw(' aria-current="page"') : ""}>${text}</a>`;
};

/** @param {string} range @param {string} path */
const rangeLink = (range, path) => {
  const href = `/coffee-machines/${range.toLowerCase()}`;
  const here = path === href || path.startsWith(`${href}/`);
  return html`<a href="${href}"${here ? raw(' aria-current="page"') : ""}>${range}<span class="wide"> machines</span></a>`;
};

const logo = raw(`<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false"><path fill="currentColor" d="M16 2c10 1.5 12.5 19 0 28C3.5 21 6 3.5 16 2z"/><path fill="none" class="logo-line" stroke-width="2.4" stroke-linecap="round" d="M16 4c-6 8 6 15 0 24"/></svg>`);

const glass = raw(`<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false"><path fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" d="M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20"/></svg>`);

/** @param {string} path @param {Visitor} visitor */
const header = (path, visitor) => {
  const items = itemsOf(visitor.cart);
  return html`<header class="top">
  <a class="brand" href="/">${logo}<span>Contoso Coffee</span></a>
  <nav class="shop" aria-label="Shop">${rangeLink("Basic", path)}${rangeLink("Premium", path)}${navLink("Reviews", "/reviews/", path)}${navLink("Pricing", "/pricing", path)}</nav>
  <nav class="own" aria-label="Your things">
    <a href="/search" class="icon"${path === "/search" ? raw(' aria-current="page"') : ""}>${glass}<span class="hush">Search</span></a>
    ${visitor.loyaltyId ? navLink("Account", "/account", path) : navLink("Sign in", "/sign-in", path)}
    <a href="/cart"${path === "/cart" ? raw(' aria-current="page"') : ""}>Cart${items > 0 ? html` <span class="count">${items}<span class="hush">${items === 1 ? " item" : " items"}</span></span>` : ""}</a>
  </nav>
</header>`;
};

const footer = html`<footer class="bottom">
  <div>
    <p class="brand">${logo}<span>Contoso Coffee</span></p>
    <p class="quiet">Machines and beans for people who would rather make it at home.</p>
  </div>
  <nav aria-label="More">
    <a href="/coffee-machines">All machines</a>
    <a href="/reviews/">Reviews</a>
    <a href="/pricing">Bean plans</a>
    <a href="/about">About us</a>
    <a href="/account">Your account</a>
  </nav>
  <p class="quiet small">A demo shop. Nothing here is for sale, and nobody will be charged.</p>
</footer>`;

/**
 * @param {Page} page @param {string} path @param {Visitor} visitor
 * @param {string | null} nonce for the inline scripts; null where the policy names them by hash
 */
export function document(page, path, visitor, nonce) {
  const open = nonce ? `<script nonce="${nonce}"` : "<script";
  const calls = (page.scripts ?? []).map((text) => raw(`${open}>${text}</script>\n`));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title} | Contoso Coffee</title>
<meta name="description" content="${page.description}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${raw(open + snippet.slice("<script".length))}
${calls}</head>
<body>
<a class="skip" href="#content">Skip to content</a>
${header(path, visitor)}
<aside id="offer" aria-label="Offer" hidden></aside>
<main id="content" tabindex="-1">
${page.main}
</main>
${footer}
</body>
</html>
`.text;
}

/** @param {Product} p */
export function stars(p) {
  const { count, stars: average } = rating(p);
  return html`<span class="rating"><span class="star" aria-hidden="true">★</span> ${average.toFixed(1)}<span class="hush"> of 5 stars</span> <span class="quiet">(${count})<span class="hush"> reviews</span></span></span>`;
}

/** @param {Product} p @param {"h2" | "h3"} [level] */
export function tile(p, level = "h3") {
  const name = html`<a href="${pathOf(p)}">${p.name}</a>`;
  return html`<article class="tile">
  <div class="stage"><img src="/images/${p.slug}.svg" alt="${p.picture}" width="480" height="480" loading="lazy"></div>
  <div class="row">${level === "h2" ? html`<h2>${name}</h2>` : html`<h3>${name}</h3>`}<p class="price">${money(p.price)}</p></div>
  <p class="quiet">${p.tagline}</p>
</article>`;
}

/** @param {readonly Product[]} list @param {"h2" | "h3"} [level] */
export const tiles = (list, level) => html`<div class="tiles">${list.map((p) => tile(p, level))}</div>`;

/** @param {readonly [string, string][]} steps @param {string} here */
export const crumbs = (steps, here) =>
  html`<nav class="crumbs" aria-label="Breadcrumb"><ol>${steps.map(([text, href]) => html`<li><a href="${href}">${text}</a></li>`)}<li aria-current="page">${here}</li></ol></nav>`;
