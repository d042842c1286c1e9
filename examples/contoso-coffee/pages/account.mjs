// @ts-check
/** Signing in and out, and the account. */
import { html } from "../html.mjs";
import { money } from "../products.mjs";

/** @typedef {import("./layout.mjs").Page} Page */
/** @typedef {import("../cart.mjs").Order} Order */

const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** The example orders of every account: there is no shop behind this shop. @type {readonly Order[]} */
const EARLIER = [
  { id: "CC-204417", date: "2026-02-14", items: 2, total: 28 },
  { id: "CC-187702", date: "2025-11-03", items: 1, total: 189 },
];

/** @param {{ status?: number, entered?: string, fault?: string }} [attempt] @returns {Page} */
export const signIn = ({ status = 200, entered = "", fault = "" } = {}) => ({
  status,
  title: "Sign in",
  description: "Sign in with your loyalty number.",
  main: html`
<div class="enter">
  <div class="words">
    <h1>Welcome back.</h1>
    <p>Your loyalty number is on your card, and on every parcel we ever sent you.</p>
    <form method="post" action="/sign-in">
      ${fault ? html`<p class="fault" id="fault" role="alert">${fault}</p>` : ""}
      <label for="loyalty-id">Loyalty number</label>
      <input id="loyalty-id" name="loyaltyId" value="${entered}" required maxlength="40" autocomplete="username" autocapitalize="off" spellcheck="false" aria-describedby="${fault ? "fault " : ""}loyalty-hint"${fault ? html` aria-invalid="true"` : ""}>
      <p class="quiet small" id="loyalty-hint">Try Loyalty1, Loyalty2, Loyalty3 and so on.</p>
      <label for="pin">Demo PIN</label>
      <input id="pin" name="pin" type="password" value="2468" inputmode="numeric" autocomplete="off" aria-describedby="pin-hint">
      <p class="quiet small" id="pin-hint">This is a demo: there are no real accounts, and the PIN is not checked.</p>
      <button id="sign-in" class="button" type="submit">Sign in</button>
    </form>
  </div>
  <div class="stage"><img src="/images/lumo-single.svg" alt="" width="480" height="480"></div>
</div>`,
});

/** @param {string} loyaltyId @param {readonly Order[]} orders @returns {Page} */
export const account = (loyaltyId, orders) => ({
  title: "Your account",
  description: "Your orders.",
  main: html`
<div class="intro">
  <p class="eyebrow">Your account</p>
  <h1 id="hello">Hello, ${loyaltyId}</h1>
  <p>Good to have you back. The kettle is on.</p>
  <form method="post" action="/sign-out"><button id="sign-out" class="button plain" type="submit">Sign out</button></form>
</div>
<section aria-labelledby="orders-title">
  <h2 id="orders-title">Your orders</h2>
  <div class="scroll"><table class="orders">
    <thead><tr><th scope="col">Order</th><th scope="col">Date</th><th scope="col">Items</th><th scope="col">Total</th></tr></thead>
    <tbody>${[...orders, ...EARLIER].map((o) => html`<tr><th scope="row">${o.id}</th><td><time datetime="${o.date}">${shortDay.format(new Date(o.date))}</time></td><td>${o.items}</td><td>${money(o.total)}</td></tr>`)}</tbody>
  </table></div>
</section>`,
});

/** @returns {Page} */
export const signedOut = () => ({
  title: "Signed out",
  description: "You are signed out.",
  keep: false,
  scripts: ['window["MSCI"].reset();'],
  main: html`
<div class="centre">
  <h1>See you tomorrow morning.</h1>
  <p>You are signed out on this browser, and your cart here is empty.</p>
  <p class="buttons"><a class="button" href="/">Go home</a><a class="button plain" href="/sign-in">Sign in again</a></p>
</div>`,
});
