// @ts-check
/**
 * Cart and past orders live in cookies, so that the shop keeps no state of its own. What comes back from a browser is
 * read by a strict pattern: a line that does not fit the range is not there.
 */
import { bySlug } from "./products.mjs";

/** @typedef {{ product: import("./products.mjs").Product, quantity: number }} Line */
/** @typedef {{ id: string, date: string, items: number, total: number }} Order */

export const MOST_OF_ONE = 9;
const ORDERS_KEPT = 5;

/** @param {string | undefined} value @returns {Line[]} */
export function readCart(value) {
  /** @type {Line[]} */
  const lines = [];
  for (const part of (value ?? "").split(".")) {
    const [, slug, digits] = /^([a-z-]+)~([1-9])$/.exec(part) ?? [];
    const product = slug && bySlug(slug);
    if (product && !lines.some((l) => l.product === product)) lines.push({ product, quantity: Number(digits) });
  }
  return lines;
}

/** @param {readonly Line[]} lines */
export const writeCart = (lines) => lines.map((l) => `${l.product.slug}~${l.quantity}`).join(".");

/**
 * @param {readonly Line[]} lines @param {string} slug @param {(now: number) => number} change zero removes the line
 * @returns {Line[]}
 */
export function withQuantity(lines, slug, change) {
  const product = bySlug(slug);
  if (!product) return [...lines];
  const before = lines.find((l) => l.product === product)?.quantity ?? 0;
  const quantity = Math.min(MOST_OF_ONE, Math.max(0, Math.trunc(change(before)) || 0));
  const line = { product, quantity };
  const next = before > 0 ? lines.map((l) => (l.product === product ? line : l)) : [...lines, line];
  return next.filter((l) => l.quantity > 0);
}

/** @param {readonly Line[]} lines */
export const totalOf = (lines) => lines.reduce((sum, l) => sum + l.product.price * l.quantity, 0);

/** @param {readonly Line[]} lines */
export const itemsOf = (lines) => lines.reduce((sum, l) => sum + l.quantity, 0);

/** @param {readonly Line[]} lines @param {Date} now @returns {Order} */
export function placeOrder(lines, now) {
  const number = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte % 10).join("");
  return { id: `CC-${number}`, date: now.toISOString().slice(0, 10), items: itemsOf(lines), total: totalOf(lines) };
}

/** @param {string | undefined} value @returns {Order[]} newest first */
export function readOrders(value) {
  return (value ?? "").split(".").flatMap((part) => {
    const [, id, date, items, total] = /^(CC-\d{6})~(\d{4}-\d\d-\d\d)~(\d{1,3})~(\d{1,7})$/.exec(part) ?? [];
    return id && date ? [{ id, date, items: Number(items), total: Number(total) }] : [];
  });
}

/** @param {readonly Order[]} orders newest first */
export const writeOrders = (orders) =>
  orders.slice(0, ORDERS_KEPT).map((o) => `${o.id}~${o.date}~${o.items}~${o.total}`).join(".");
