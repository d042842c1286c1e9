// @ts-check
/** The cart, and the page after an order. */
import { MOST_OF_ONE, totalOf } from "../cart.mjs";
import { html, literal } from "../html.mjs";
import { money, pathOf } from "../products.mjs";

/** @typedef {import("./layout.mjs").Page} Page */
/** @typedef {import("../cart.mjs").Line} Line */

/** @param {Line} line */
const cartLine = ({ product: p, quantity }) => html`<li>
  <div class="stage"><img src="/images/${p.slug}.svg" alt="" width="480" height="480"></div>
  <div class="what"><h2><a href="${pathOf(p)}">${p.name}</a></h2><p class="quiet">${money(p.price)} each</p></div>
  <form method="post" action="/cart">
    <input type="hidden" name="action" value="set"><input type="hidden" name="slug" value="${p.slug}">
    <label class="hush" for="quantity-${p.slug}">Quantity of ${p.name}</label>
    <input id="quantity-${p.slug}" name="quantity" type="number" min="1" max="${MOST_OF_ONE}" value="${quantity}" inputmode="numeric">
    <button class="link" type="submit">Update<span class="hush"> ${p.name}</span></button>
  </form>
  <form method="post" action="/cart">
    <input type="hidden" name="action" value="remove"><input type="hidden" name="slug" value="${p.slug}">
    <button class="link" type="submit">Remove<span class="hush"> ${p.name}</span></button>
  </form>
  <p class="price">${money(p.price * quantity)}</p>
</li>`;

/** @param {readonly Line[]} lines @returns {Page} */
export const cart = (lines) => ({
  title: "Cart",
  description: "What you are about to take home.",
  main:
    lines.length === 0
      ? html`<div class="centre"><h1>Your cart is empty.</h1><p>A good moment to look around.</p><p class="buttons"><a class="button" href="/coffee-machines/basic">Basic machines</a><a class="button plain" href="/coffee-machines/premium">Premium machines</a></p></div>`
      : html`
<div class="intro"><h1>Your cart</h1></div>
<div class="basket">
  <ul>${lines.map(cartLine)}</ul>
  <section class="card" aria-labelledby="sum-title">
    <h2 id="sum-title">Summary</h2>
    <dl><div><dt>Machines</dt><dd>${money(totalOf(lines))}</dd></div><div><dt>Delivery</dt><dd>Free</dd></div><div class="sum"><dt>Total</dt><dd id="cart-total">${money(totalOf(lines))}</dd></div></dl>
    <form method="post" action="/order"><button id="place-order" class="button" type="submit">Place order</button></form>
    <p class="quiet small">A demo: nothing is charged, nothing is sent.</p>
  </section>
</div>`,
});

/**
 * @param {import("../cart.mjs").Order} order
 * @param {boolean} first the first time that this page is shown for this order: only then is it an event
 * @returns {Page}
 */
export const thanks = (order, first) => ({
  title: "Thank you",
  description: "Your order is placed.",
  keep: false,
  scripts: first
    ? [`window["MSCI"].trackEvent({ name: "order_completed", properties: { total: ${literal(order.total)}, items: ${literal(order.items)}, currency: "EUR" } });`]
    : [],
  main: html`
<div class="centre">
  <p class="eyebrow">Order ${order.id}</p>
  <h1>Thank you. It is on the bench.</h1>
  <p>${order.items === 1 ? "One machine" : `${order.items} machines`}, ${money(order.total)} in all. We test every machine with real coffee before it leaves, so yours will smell a little of it.</p>
  <p class="buttons"><a class="button" href="/reviews/">Read reviews</a><a class="button plain" href="/">Go home</a></p>
</div>`,
});
