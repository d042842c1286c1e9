// @ts-check
// Names of crawlers as people have seen them, without libraries that servers send with and browsers that programs drive.
import seen from "crawler-user-agents";

const OTHERS = ["browser-automation", "http-library"];

/** @returns {string[]} */
export function crawlers() {
  const ours = /** @type {{ tags?: string[], instances?: string[] }[]} */ (seen).filter(({ tags = [] }) => !tags.some((tag) => OTHERS.includes(tag)));
  return ours.flatMap(({ instances = [] }) => instances);
}
