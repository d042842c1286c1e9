// @ts-check
/**
 * Contoso Coffee: a small shop, as a site of its own. It knows nothing of whoever stands in front of it; all that ties
 * it to the product is the snippet in its pages, and the three calls that a customer's site makes (setUser, trackEvent,
 * reset). It keeps no state but its visitors' cookies.
 */
import { placeOrder, readCart, readOrders, withQuantity, writeCart, writeOrders } from "./cart.mjs";
import { literal } from "./html.mjs";
import { asset, cookie, cookiesOf, fromThisSite, newNonce, plain, privatePage, redirect, sharedPage } from "./http.mjs";
import { images } from "./images.mjs";
import * as pages from "./pages.mjs";
import { bySlug, find } from "./products.mjs";
import { css } from "./style.css.mjs";
import { identityToken, openSession, sealSession, SESSION_SECONDS } from "./token.mjs";

/** @typedef {{ IDENTITY_SECRET?: string, TABLE?: string }} Env the identity secret (its UTF-8 bytes are the key), and the identity table */
/** @typedef {import("./pages/layout.mjs").Page} Page */
/** @typedef {import("./pages/layout.mjs").Visitor} Visitor */

const SESSION = "shop_session";
const CART = "shop_cart";
const ORDERS = "shop_orders";
/** Holds the id of an order whose thanks have not been shown yet. */
const THANKS = "shop_thanks";
const THANKS_PATH = "/order/thanks";

const CART_SECONDS = 30 * 24 * 3600;
const LOYALTY_ID = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;
const COOKIE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

const seconds = () => Math.floor(Date.now() / 1000);

export default {
  /** @param {Request} request @param {Env} env @returns {Promise<Response>} */
  async fetch(request, env) {
    switch (request.method) {
      case "GET":
        return get(request, env);
      case "HEAD": {
        const { status, headers } = await get(request, env);
        return new Response(null, { status, headers });
      }
      case "POST":
        return fromThisSite(request) ? post(request, env) : plain(403, "This form was sent from another site.");
      default:
        return plain(405, "Only GET, HEAD and POST are understood.", { Allow: "GET, HEAD, POST" });
    }
  },
};

/** @param {Request} request @param {Env} env */
async function get(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  const image = images[pathname];
  if (image !== undefined) return asset(request, image, "image/svg+xml", 3600);
  if (pathname === "/style.css") return asset(request, css, "text/css; charset=utf-8", 300);
  if (pathname === "/robots.txt") return plain(200, "User-agent: *\nDisallow: /account\nDisallow: /cart\nDisallow: /order/", { "Cache-Control": "public, max-age=3600" });

  // The one page that shared caches may keep: nothing of the visitor goes into it.
  if (pathname === "/pricing") {
    return sharedPage(request, pages.document(pages.pricing(), pathname, pages.STRANGER, null), [pages.snippetText]);
  }

  const visitor = await visitorOf(request, env);
  if (pathname === "/account" && !visitor.loyaltyId) return redirect("/sign-in");
  if (pathname === "/sign-in" && visitor.loyaltyId) return redirect("/account");
  if (pathname === THANKS_PATH) return thanks(request, env, visitor, searchParams.get("order") ?? "");

  const page = pageAt(pathname, searchParams, visitor);
  if (page) return answer(request, env, page, visitor);
  const moved = pathname.endsWith("/") ? pathname.slice(0, -1) : `${pathname}/`;
  if (moved === "/pricing" || pageAt(moved, searchParams, visitor)) return redirect(moved, [], 308);
  return answer(request, env, pages.notFound(), visitor);
}

/** @param {string} path @param {URLSearchParams} query @param {Visitor} visitor @returns {Page | null} */
function pageAt(path, query, visitor) {
  switch (path) {
    case "/":
      return pages.home();
    case "/coffee-machines":
      return pages.allMachines();
    case "/coffee-machines/basic":
      return pages.machineList("basic");
    case "/coffee-machines/premium":
      return pages.machineList("premium");
    case "/reviews/":
      return pages.reviewList();
    case "/about":
      return pages.about();
    case "/search": {
      const words = (query.get("q") ?? "").trim().slice(0, 100);
      return pages.search(words, find(words));
    }
    case "/sign-in":
      return pages.signIn();
    case "/account":
      return visitor.loyaltyId ? pages.account(visitor.loyaltyId, visitor.orders) : null;
    case "/cart":
      return pages.cart(visitor.cart);
  }
  const [, range, machine] = /^\/coffee-machines\/(basic|premium)\/([a-z-]+)$/.exec(path) ?? [];
  const product = machine && bySlug(machine);
  if (product && product.range === range) return pages.machine(product);
  const reviewed = bySlug(/^\/reviews\/([a-z-]+)$/.exec(path)?.[1] ?? "");
  return reviewed ? pages.machineReviews(reviewed) : null;
}

/** @param {Request} request @param {Env} env @returns {Promise<Visitor>} */
async function visitorOf(request, env) {
  const cookies = cookiesOf(request);
  const session = cookies.get(SESSION);
  const loyaltyId = session && env.IDENTITY_SECRET ? await openSession(env.IDENTITY_SECRET, session, seconds()) : null;
  return { loyaltyId, cart: readCart(cookies.get(CART)), orders: readOrders(cookies.get(ORDERS)) };
}

/**
 * Signed in, every page says who it is for; that is idempotent. Such a page is not stored: going back to it later would
 * hand on a token that is over, or greet someone who has signed out.
 * @param {Request} request @param {Env} env @param {Page} page @param {Visitor} visitor
 */
async function answer(request, env, page, visitor) {
  const nonce = newNonce();
  const { loyaltyId } = visitor;
  const scripts = [...(page.scripts ?? [])];
  if (loyaltyId && env.IDENTITY_SECRET) {
    const cookieId = cookiesOf(request).get("_msci") ?? "";
    const token = await identityToken(env.IDENTITY_SECRET, {
      loyaltyId,
      table: env.TABLE ?? "LoyaltySignUps",
      cookieId: COOKIE_ID.test(cookieId) ? cookieId : null,
      now: seconds(),
    });
    scripts.unshift(`window["MSCI"].setUser({ authId: ${literal(loyaltyId)}, token: ${literal(token)} });`);
  }
  const body = pages.document({ ...page, scripts }, new URL(request.url).pathname, visitor, nonce);
  return privatePage(request, { body, nonce, status: page.status ?? 200, keep: page.keep !== false && !loyaltyId });
}

/** @param {Request} request @param {Env} env @param {Visitor} visitor @param {string} id */
async function thanks(request, env, visitor, id) {
  const order = visitor.orders.find((o) => o.id === id);
  if (!order) return redirect("/");
  const first = cookiesOf(request).get(THANKS) === id;
  const response = await answer(request, env, pages.thanks(order, first), visitor);
  if (first) response.headers.append("Set-Cookie", cookie(request, THANKS, "", { maxAge: 0, path: THANKS_PATH }));
  return response;
}

/** @param {Request} request @param {Env} env */
async function post(request, env) {
  const { pathname } = new URL(request.url);
  const form = await request.formData().catch(() => new FormData());
  /** @param {string} name */
  const field = (name) => String(form.get(name) ?? "").trim();
  const visitor = await visitorOf(request, env);
  switch (pathname) {
    case "/sign-in":
      return signIn(request, env, visitor, field("loyaltyId"));
    case "/sign-out":
      return signOut(request, env);
    case "/cart": {
      const asked = Math.max(0, Number(field("quantity") || "1"));
      const action = field("action") || "add";
      const change = { add: (/** @type {number} */ now) => now + asked, set: () => asked, remove: () => 0 };
      if (Number.isNaN(asked) || (action !== "add" && action !== "set" && action !== "remove")) return redirect("/cart");
      const lines = withQuantity(visitor.cart, field("slug"), change[action]);
      return redirect("/cart", [cookie(request, CART, writeCart(lines), { maxAge: lines.length > 0 ? CART_SECONDS : 0 })]);
    }
    case "/order":
      return order(request, visitor);
    default:
      return plain(405, "There is no form here.", { Allow: "GET, HEAD" });
  }
}

/** @param {Request} request @param {Env} env @param {Visitor} visitor @param {string} loyaltyId */
async function signIn(request, env, visitor, loyaltyId) {
  if (!env.IDENTITY_SECRET) {
    const text = "The shop was started without IDENTITY_SECRET, so it cannot sign anyone in.";
    return answer(request, env, pages.problem(503, "Signing in is switched off", text), visitor);
  }
  if (!LOYALTY_ID.test(loyaltyId)) {
    const fault = "That does not look like a loyalty number. It starts with a letter, for instance Loyalty1.";
    return answer(request, env, pages.signIn({ status: 422, entered: loyaltyId, fault }), visitor);
  }
  const value = await sealSession(env.IDENTITY_SECRET, loyaltyId, seconds());
  return redirect("/account", [cookie(request, SESSION, value, { maxAge: SESSION_SECONDS })]);
}

/** Whoever uses this browser next finds neither the cart nor the orders. @param {Request} request @param {Env} env */
async function signOut(request, env) {
  const response = await answer(request, env, pages.signedOut(), pages.STRANGER);
  for (const name of [SESSION, CART, ORDERS]) response.headers.append("Set-Cookie", cookie(request, name, "", { maxAge: 0 }));
  return response;
}

/** @param {Request} request @param {Visitor} visitor */
function order(request, visitor) {
  if (visitor.cart.length === 0) return redirect("/cart");
  const placed = placeOrder(visitor.cart, new Date());
  return redirect(`${THANKS_PATH}?order=${placed.id}`, [
    cookie(request, CART, "", { maxAge: 0 }),
    cookie(request, ORDERS, writeOrders([placed, ...visitor.orders]), { maxAge: CART_SECONDS }),
    cookie(request, THANKS, placed.id, { maxAge: 600, path: THANKS_PATH }),
  ]);
}
