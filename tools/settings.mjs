// @ts-check
// How a local system is set: the environment, over `.dev.vars`, over the defaults.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Stop, root } from "./lib.mjs";

/** Made once at random; whoever has them owns the system. */
const SECRETS = ["MSCI_ADMIN_TOKEN", "MSCI_IDENTITY_SECRET"];

/**
 * Reads the settings, and writes the secrets that nobody has chosen yet into `.dev.vars`.
 * @param {string} [file]
 */
export function readSettings(file = join(root, ".dev.vars")) {
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "";
  /** @type {Record<string, string | undefined>} */
  const values = { ...parse(kept), ...process.env };
  const missing = SECRETS.filter((name) => !values[name]);
  if (missing.length > 0) {
    for (const name of missing) values[name] = randomBytes(24).toString("base64url");
    const lines = missing.map((name) => `${name}=${values[name]}\n`);
    const gap = kept === "" || kept.endsWith("\n") ? "" : "\n";
    try {
      writeFileSync(file, kept + gap + lines.join(""), { mode: 0o600 });
    } catch (error) {
      throw new Stop(`cannot keep the made secrets in ${file}: ${/** @type {Error} */ (error).message}`);
    }
  }
  return {
    port: port(values.PORT || "8787"),
    state: resolve(root, values.MSCI_STATE || ".msci-state"),
    origin: origin(values.MSCI_ORIGIN),
    adminToken: values.MSCI_ADMIN_TOKEN ?? "",
    identitySecret: values.MSCI_IDENTITY_SECRET ?? "",
    ingestionKey: values.MSCI_INGESTION_KEY || "local",
    adminHost: values.MSCI_ADMIN_HOST || undefined,
  };
}

/**
 * `KEY=value` a line; `#` begins a comment line; quotes around a value are not part of it.
 * @param {string} text
 */
function parse(text) {
  /** @type {Record<string, string>} */
  const values = {};
  for (const line of text.split("\n")) {
    const found = /^\s*([A-Z_][A-Z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (found?.[1]) values[found[1]] = (found[2] ?? "").replace(/^(["'])(.*)\1$/, "$2");
  }
  return values;
}

/** @param {string} text */
function port(text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw new Stop(`PORT is not a port: ${text}`);
  return number;
}

/** @param {string | undefined} text */
function origin(text) {
  if (!text) return undefined;
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin;
  throw new Stop(`MSCI_ORIGIN is not a URL: ${text}`);
}
