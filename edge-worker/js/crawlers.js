// @ts-check
// Which programs say of themselves that they are no visitors, by a list that others maintain. Who lies is taken for one.
import { isbot } from "isbot";

/** What servers send with: whose signals those are, the site knows. */
const LIBRARIES = /^(?:apache-httpclient|axios|cloudflare-workers|curl|dart|go-http-client|guzzlehttp|java|node|okhttp|python|undici)\b/i;
/** Longer names are cut: a list of patterns is tried on them. */
const LONGEST = 512;

/** Browsers that a program drives are visitors too, since people test with them. @param {string} userAgent */
export function isCrawler(userAgent) {
  const name = userAgent.slice(0, LONGEST);
  return !LIBRARIES.test(name) && isbot(name.replace("Headless", ""));
}
