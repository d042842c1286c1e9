// @ts-check
// Chance from a seed: the same seed makes the same choices, so that a failing run can be told by one number.

/** @param {number} seed */
export function chance(seed) {
  let state = seed >>> 0;
  /** In [0, 1). Mulberry32, public domain. */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (/** @type {number} */ end) => Math.floor(next() * end);
  return {
    next,
    below,
    /** From `low` to `high`, both included. */
    between: (/** @type {number} */ low, /** @type {number} */ high) => low + below(high - low + 1),
    /** True in this share of all calls. */
    happens: (/** @type {number} */ share) => next() < share,
    /**
     * @template T
     * @param {readonly T[]} list not empty
     * @returns {T}
     */
    pick: (list) => /** @type {T} */ (list[below(list.length)]),
    /** A GUID v4. */
    guid() {
      const hex = Array.from({ length: 32 }, () => below(16).toString(16));
      hex[12] = "4";
      hex[16] = "89ab"[below(4)] ?? "8";
      return hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
  };
}

/** @typedef {ReturnType<typeof chance>} Chance */
