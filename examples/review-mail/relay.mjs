// @ts-check
// A relay between MSCI and a mail provider: it takes the messages of an activation and asks the provider's HTTP
// API for one mail each. Written against `Request` and `Response`, so it runs as a Worker as it is; `serve.mjs`
// runs it in Node.js.
import { Webhook } from "standardwebhooks";

/**
 * @typedef {object} Env
 * @property {string} WEBHOOK_SECRET what `PUT /activations/{name}` answered
 * @property {string} MAIL_API address that takes `{ from, to, subject, text }`
 * @property {string} MAIL_KEY the provider's key
 * @property {string} MAIL_FROM
 *
 * @typedef {object} Message
 * @property {"segment.entered" | "segment.left"} type
 * @property {{ attributes?: Record<string, any>, consent?: Record<string, boolean> }} data
 */

/** Nothing is left to be done: MSCI sends the message no more. */
const DONE = 204;
/** MSCI sends it again, under the same id, for three days. */
const LATER = 503;

export default {
  /** @param {Request} request @param {Env} env */
  async fetch(request, env) {
    const body = await request.text();
    /** @type {Message} */
    let message;
    try {
      message = /** @type {Message} */ (new Webhook(env.WEBHOOK_SECRET).verify(body, Object.fromEntries(request.headers)));
    } catch {
      return new Response("this is not from MSCI", { status: 401 });
    }
    const { Email: to, FirstName: name } = message.data.attributes ?? {};
    const refused = message.data.consent?.personalization === false;
    // An unknown visitor has no address yet: the customer that they turn out to be enters by themselves.
    if (message.type !== "segment.entered" || typeof to !== "string" || refused) return new Response(null, { status: DONE });

    const answer = await fetch(env.MAIL_API, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.MAIL_KEY}`,
        "content-type": "application/json",
        // The same message may come twice; the provider sends one mail for one key.
        "idempotency-key": request.headers.get("webhook-id") ?? "",
      },
      body: JSON.stringify({ from: env.MAIL_FROM, to, subject: "Still comparing machines?", text: text(name) }),
    }).catch(() => undefined);
    if (answer?.ok) return new Response(null, { status: DONE });
    const temporary = !answer || answer.status === 408 || answer.status === 429 || answer.status >= 500;
    // What the provider refuses today, it refuses tomorrow: that is for people to look at.
    if (!temporary) console.error(`the provider refused a mail: ${answer.status}`);
    return new Response(null, { status: temporary ? LATER : DONE });
  },
};

/** @param {unknown} name */
const text = (name) => `Hello ${typeof name === "string" ? name : "there"},

you have been reading what others say about our machines. Come and try them: an hour with a barista, free, in the
shop next to you.

Contoso Coffee`;
