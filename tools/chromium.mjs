// @ts-check
// Finds the browser that the tests drive, or gets it.
import { getuid } from "node:process";
import { Stop, find, must } from "./lib.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of an installed Chromium, or undefined. */
export function findChromium() {
  return process.env.CHROMIUM || NAMES.map(find).find(Boolean);
}

/** Installs Debian's when there is none and this machine lets us. */
export async function ensureChromium() {
  if (findChromium()) return;
  const root = getuid?.() === 0;
  const sudo = find("sudo");
  const apt = find("apt-get");
  if (apt && (root || sudo)) {
    console.error("set-up: apt-get install chromium");
    const [command, ...before] = root ? [apt] : [sudo ?? "", "-n", apt];
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    // A stale list names packages that are gone; one unreachable list does not spoil the others.
    await must(command, [...before, "update", "-q"], { env }).catch(() => {});
    await must(command, [...before, "install", "-qy", "--no-install-recommends", "chromium"], { env }).catch(() => {});
  }
  if (!findChromium()) throw new Stop("the browser tests need Chromium: install it, or set CHROMIUM to its path");
}
