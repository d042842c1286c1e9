// @ts-check
// `npm start`: the Workers in the local runtime in front of a site. See tools/settings.mjs for what sets it.
import { createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { Stop, root, script } from "./lib.mjs";
import { readSettings } from "./settings.mjs";
import { setUp } from "./setup.mjs";
import { openState } from "./state.mjs";

await script(async () => {
  const settings = readSettings();
  // First, since a set-up takes minutes.
  openState(settings.state);
  for (const host of ["127.0.0.1", "::1"]) await free(settings.port, host);
  await setUp();
  if (settings.origin) await tryOrigin(settings.origin);

  const { startSystem } = await import("./serve.mjs");
  // Until it is ready, what goes wrong is told in one line, not by the runtime.
  let held = "";
  /** @type {(text: string) => unknown} */
  let log = (text) => (held += text);
  // The demo has a mail to send.
  const outbox = settings.origin ? undefined : { secret: secretOf("outbox", settings.identitySecret) };
  const system = await startSystem({ ...settings, outbox, log: (text) => void log(text) }).catch((error) => {
    throw new Stop(`the system does not start with the state folder ${settings.state}: ${error.message}`);
  });
  const { port } = new URL(system.base);
  const host = settings.adminHost ?? `localhost:${port}`;
  const token = settings.adminToken;
  const stored = await probe(Number(port), host, token).catch((error) => {
    throw new Stop(`the system does not answer, is the state folder ${settings.state} damaged? ${error.message}`);
  });
  system.runtime.on("exit", () => {
    console.error("the runtime ended unexpectedly");
    process.exit(1);
  });
  const file = join(root, "examples/contoso-coffee/seed.mjs");
  if (outbox && existsSync(file)) {
    const { moved, seed } = await import(file);
    // On another host than the administrator's the admin API does not answer; the system works all the same.
    const demo = { base: `http://${host}`, adminToken: token, mail: { url: `http://127.0.0.1:${port}/outbox/relay`, ...outbox } };
    await (stored.trackingTable === null ? seed : moved)(demo).catch((/** @type {Error} */ error) => {
      console.error(`warning: the demo's data is not loaded: ${error.message}`);
    });
  }
  log = (text) => process.stderr.write(text);
  log(held);
  console.log(`site         ${settings.origin ?? "the demo shop, Contoso Coffee"}`);
  if (outbox) console.log(`mails        http://localhost:${port}/outbox`);
  console.log(`console      http://${host}/_msci/console/`);
  console.log(`admin token  ${token}`);
  console.log(`ready http://localhost:${port}`);
});

/** A secret of its own for each use, the same at every start. @param {string} use @param {string} of */
function secretOf(use, of) {
  return `whsec_${createHmac("sha256", of).update(use).digest("base64")}`;
}

/**
 * A system that was killed a moment ago may still be on its way out, so a taken port gets a second look.
 * @param {number} port
 * @param {string} host
 */
async function free(port, host) {
  const end = Date.now() + 1500;
  for (;;) {
    try {
      return await tryPort(port, host);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((next) => setTimeout(next, 100));
    }
  }
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<void>}
 */
function tryPort(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      // A machine without IPv6 has no ::1 to be taken.
      if (error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT") return resolve();
      const taken = error.code === "EADDRINUSE" ? "is taken" : `cannot be used: ${error.message}`;
      reject(new Stop(`port ${port} ${taken}; set PORT to another one`));
    });
    server.listen({ port, host }, () => server.close(() => resolve()));
  });
}

/** @param {string} origin */
async function tryOrigin(origin) {
  try {
    await fetch(origin, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(3000) });
  } catch (error) {
    const { message, cause } = /** @type {Error & { cause?: NodeJS.ErrnoException }} */ (error);
    console.error(`warning: the site ${origin} does not answer (${cause?.code ?? message}); going on without it`);
  }
}

/**
 * Both Workers answer, and their objects read what is stored: the settings, in answer.
 * @param {number} port
 * @param {string} host
 * @param {string} token
 */
async function probe(port, host, token) {
  await get(port, host, "/_msci/health", {});
  return JSON.parse(await get(port, host, "/_msci/admin/v1/settings", { authorization: `Bearer ${token}` }));
}

/**
 * `fetch` would not send another Host than the address it connects to.
 * @param {number} port
 * @param {string} host
 * @param {string} path
 * @param {Record<string, string>} headers
 * @returns {Promise<string>}
 */
function get(port, host, path, headers) {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers: { ...headers, host }, timeout: 10_000 };
    const sent = request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${answer.statusCode}`));
      });
    });
    sent.on("timeout", () => sent.destroy(new Error(`${path} did not answer within 10 s`)));
    sent.on("error", reject).end();
  });
}
