// @ts-check
/**
 * The few shapes that all illustrations share. Every drawing stands on the line y = 420 of a 480 × 480 sheet, is
 * outlined in the same ink, and uses presentation attributes only, so that no CSP has to allow inline styles.
 */

export const INK = "#2b1a12";
export const COFFEE = "#4a2a18";
export const CREAM = "#f8efe3";
export const STEEL = "#dcd8d1";
export const STEEL_DARK = "#b3ada4";
export const WALNUT = "#8a5632";
export const COPPER = "#c4743d";

/** Opens the group in which everything is drawn with one pen. @param {string} shapes */
export const pen = (shapes) =>
  `<g fill="none" stroke="${INK}" stroke-width="3" stroke-linejoin="round" stroke-linecap="round">${shapes}</g>`;

/** A patch of colour behind a machine, and its shadow on the table. @param {string} colour @param {number} left @param {number} right */
export const backdrop = (colour, left, right) => `
  <path fill="${colour}" fill-opacity=".34" d="M78 262c-14-86 44-178 142-196 92-17 186 32 206 122 17 78-14 172-92 204-98 40-238-22-256-130z"/>
  <ellipse cx="${(left + right) / 2}" cy="422" rx="${(right - left) / 2 + 26}" ry="13" fill="${INK}" fill-opacity=".2"/>`;

/** A cup seen from the front; x, y is its upper left corner. @param {number} x @param {number} y @param {number} w @param {string} colour */
export const cup = (x, y, w, colour) => {
  const h = w * 0.78;
  return `
  <path d="M${x + w - 2} ${y + h * 0.2}h${w * 0.12}q${w * 0.2} 0 ${w * 0.2} ${h * 0.26}t-${w * 0.3} ${h * 0.3}" stroke-width="5"/>
  <path fill="${colour}" d="M${x} ${y}h${w}q1 ${h * 0.62} -${w * 0.2} ${h}h-${w * 0.6}q-${w * 0.21} -${h * 0.38} -${w * 0.2} -${h}z"/>
  <path stroke="#fff" stroke-opacity=".6" d="M${x + w * 0.16} ${y + h * 0.22}q1 ${h * 0.3} ${w * 0.1} ${h * 0.46}"/>`;
};

/** Three loose lines of steam rising from x, y. @param {number} x @param {number} y @param {string} [colour] */
export const steam = (x, y, colour = "#b89f8a") => `
  <g stroke="${colour}" stroke-opacity=".75" stroke-width="3">
    <path d="M${x} ${y}c-9-12 9-18 0-31s5-15 2-22"/>
    <path d="M${x + 16} ${y + 2}c-7-10 8-16 1-27s4-12 2-17"/>
    <path d="M${x - 16} ${y + 2}c-7-10 8-14 1-24s3-10 1-15"/>
  </g>`;

/** A round pressure gauge. @param {number} x @param {number} y @param {number} r @param {number} angle needle, in degrees from upright */
export const gauge = (x, y, r, angle) => `
  <circle cx="${x}" cy="${y}" r="${r}" fill="#fffaf3"/>
  <path stroke-width="2" d="M${x - r * 0.62} ${y + r * 0.3}a${r * 0.69} ${r * 0.69} 0 1 1 ${r * 1.24} 0" stroke="${COPPER}"/>
  <path stroke-width="2.5" d="M${x} ${y}v-${r * 0.58}" transform="rotate(${angle} ${x} ${y})"/>
  <circle cx="${x}" cy="${y}" r="2.4" fill="${INK}" stroke="none"/>`;

/** A portafilter seen from the front: collar, basket, twin spout, and a handle towards the lower left. @param {number} x centre @param {number} y top @param {string} handle colour */
export const portafilter = (x, y, handle) => `
  <path stroke-width="17" d="M${x - 34} ${y + 18}l-62 25"/>
  <path stroke="${handle}" stroke-width="11" d="M${x - 42} ${y + 21}l-54 22"/>
  <path stroke="#fff" stroke-opacity=".35" stroke-width="2.5" d="M${x - 50} ${y + 20}l-38 15"/>
  <path fill="${STEEL}" d="M${x - 38} ${y}h76v14q0 18-20 18h-36q-20 0-20-18z"/>
  <path fill="${STEEL_DARK}" d="M${x - 16} ${y + 32}h32v5q0 5 3 12h-9q-5-7-10-7t-10 7h-9q3-7 3-12z"/>`;

/** A steam wand that hangs from x, y and leans by dx. @param {number} x @param {number} y @param {number} dx @param {number} length */
export const wand = (x, y, dx, length) => `
  <path stroke-width="10" d="M${x} ${y}q${dx * 0.2} ${length * 0.5} ${dx} ${length}"/>
  <path stroke="${STEEL}" stroke-width="5" d="M${x} ${y}q${dx * 0.2} ${length * 0.5} ${dx} ${length}"/>
  <circle cx="${x + dx}" cy="${y + length + 3}" r="6" fill="${STEEL_DARK}"/>`;
