// @ts-check
// The isolate's clock, set ahead. The runtime's alarms go by its own: what is asked of them is set back.
const real = Date.now.bind(Date);
let ahead = 0;

Date.now = () => real() + ahead;

/** @param {number} ms ahead of the real time */
export function shift(ms) {
  ahead = ms;
}

/** The runtime's time of an instant of ours. @param {number | Date} at */
export const runtimeTime = (at) => Number(at) - ahead;
