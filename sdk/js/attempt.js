/**
 * What it answers, or nothing: blocked cookies and storage throw on every touch, and any object of the page may.
 * @template T
 * @param {() => T} act
 * @returns {T | undefined}
 */
export const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};
