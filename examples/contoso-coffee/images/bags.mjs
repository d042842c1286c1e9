// @ts-check
/** Bean bags for the plans: one, two, and a crate for the office. */
import { COPPER, CREAM, WALNUT, backdrop, pen } from "./pencil.mjs";

/** One bag, x is its left edge, colour that of the paper. @param {number} x @param {number} y @param {number} scale @param {string} colour */
const bag = (x, y, scale, colour) => `<g transform="translate(${x} ${y}) scale(${scale})">
  <path fill="${colour}" d="M6 34q-10 90 0 192h128q10-102 0-192z"/>
  <path fill="${colour}" d="M0 12h140v26H0z"/><path fill="#2b1a12" fill-opacity=".16" stroke="none" d="M2 26h136v12H2zM110 40h22q8 90 0 184h-22q8-92 0-184z"/>
  <path fill="${CREAM}" d="M26 86h80v96H26z"/>
  <path fill="${COPPER}" d="M66 104c18 2 22 40 0 56-22-16-18-54 0-56z"/><path stroke-width="2.5" d="M66 106c-8 18 8 32 0 52"/>
  <path stroke-width="2.5" d="M46 172h40"/><circle cx="66" cy="60" r="7" fill="${CREAM}"/></g>`;

export const oneBag = backdrop("#d9b48c", 170, 310) + pen(bag(160, 190, 1.02, "#c98f66"));

export const twoBags = backdrop("#a9bd9f", 110, 380) + pen(bag(234, 176, 1.08, "#8a9d82") + bag(106, 210, 0.93, "#c98f66"));

export const crate = backdrop("#9bb3c2", 84, 400) + pen(`
  ${bag(104, 150, 0.9, "#c98f66")}${bag(184, 136, 0.95, "#5f7c8f")}${bag(272, 156, 0.86, "#8a9d82")}
  <path fill="${WALNUT}" d="M84 282h316v138H84z"/>
  <path stroke-width="2.5" d="M84 328h316M84 374h316"/>
  <path fill="#a56d44" d="M84 282h28v138H84zM372 282h28v138h-28z"/>
  <path fill="#2b1a12" d="M208 340h68q9 0 9 11t-9 11h-68q-9 0-9-11t9-11z"/>
  <path stroke="#d3a27a" stroke-width="2" d="M132 304h60m110 4h44m-190 90h80"/>`);
