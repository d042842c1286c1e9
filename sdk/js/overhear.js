import { attempt } from "./attempt.js";

/** @typedef {any} Any */

/**
 * Hears each call of an instance before the instance does, however often its queue's `push` is replaced.
 * @param {Any} api
 * @param {(call: Any) => unknown} heard
 */
export const overhear = (api, heard) => {
  const queue = api._q;
  let { push } = queue;
  Object.defineProperty(queue, "push", {
    configurable: true,
    get: () => (/** @type {Any} */ call) => {
      attempt(() => heard(call));
      return push.call(queue, call);
    },
    set: (other) => (push = other),
  });
};
