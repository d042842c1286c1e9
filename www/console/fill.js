// @ts-check
// Texts with places. All that people read stands in `texts.json`: `texts.group.key` is that text, put in when the
// scripts are bundled.

/** @param {string} text @param {Record<string, string | number>} places */
export const fill = (text, places) => text.replace(/\{([A-Za-z]+)\}/g, (_, name) => String(places[name]));

/** A text that hangs on a number. @param {{ one: string, other: string }} forms @param {number} count @param {Record<string, string | number>} [places] */
export const many = ({ one, other }, count, places) => fill(count === 1 ? one : other, { ...places, count });

/**
 * Values to choose from with their words; what has none is shown as it is.
 * @template {string} const T
 * @param {readonly T[]} values
 * @param {Record<T, string>} words
 * @returns {[T, string][]}
 */
export const listed = (values, words) => values.map((value) => [value, words[value] ?? value]);
