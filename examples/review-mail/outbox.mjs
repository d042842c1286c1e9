// @ts-check
// The recipe as `npm start` has it beside the demo shop: the relay, and in the place of a mail provider an outbox that
// sends nothing, and shows what it was asked to send until the system ends. Nothing of it is for a site that is real.
import relay from "./relay.mjs";

/** @typedef {{ from: string, to: string, subject: string, text: string }} Mail */

const PATH = "/outbox";
const FROM = "shop@contoso.example";
/** Mails that are kept. */
const KEPT = 100;
/** Longest mail, in bytes of JSON. */
const LONGEST = 64 * 1024;
/** By key of the request: however often one is made, it is one mail. The newest is last. @type {Map<string, Mail>} */
const mails = new Map();

export default {
  /** @param {Request} request @param {{ WEBHOOK_SECRET: string, MAIL_KEY: string }} env */
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case `POST ${PATH}/relay`:
        return relay.fetch(request, { ...env, MAIL_API: new URL(`${PATH}/emails`, request.url).href, MAIL_FROM: FROM });
      case `POST ${PATH}/emails`:
        return taken(request, env.MAIL_KEY);
      case `GET ${PATH}`:
        return new Response(page(), { headers: HEADERS });
      default:
        return new Response("There is nothing here.\n", { status: 404 });
    }
  },
};

/** What a provider answers. @param {Request} request @param {string} key */
async function taken(request, key) {
  if (request.headers.get("authorization") !== `Bearer ${key}`) return new Response(null, { status: 401 });
  const body = await request.text();
  if (body.length > LONGEST) return new Response(null, { status: 413 });
  const id = request.headers.get("idempotency-key") || crypto.randomUUID();
  mails.set(id, JSON.parse(body));
  const [oldest] = mails.keys();
  if (mails.size > KEPT && oldest) mails.delete(oldest);
  return Response.json({ id });
}

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** @param {unknown} text */
const escaped = (text) => String(text).replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);

/** @param {Mail} mail */
const shown = ({ from, to, subject, text }) => `<article>
<h2>${escaped(subject)}</h2>
<p>From ${escaped(from)} to ${escaped(to)}</p>
<pre>${escaped(text)}</pre>
</article>`;

const page = () => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Outbox</title></head>
<body><main>
<h1>Outbox</h1>
<p>In the place of a mail provider: what it was asked to send, newest first. Nothing leaves this machine.</p>
${[...mails.values()].reverse().map(shown).join("\n") || "<p>No mail yet: read a review in <a href=\"/reviews/\">the shop</a>, signed in, and load this page again.</p>"}
</main></body>
</html>`;
