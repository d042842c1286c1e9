// @ts-check
// The site behind all of them: one page of 100 KB, as shops have them, with one place to be changed.
const card = (/** @type {number} */ n) =>
  `<li class="card" data-sku="${n}"><a href="/p/${n}"><img src="/i/${n}.webp" alt="Machine ${n}" loading="lazy" width="320" height="240"></a>` +
  `<h3>Machine ${n}</h3><p>Brews a cup in ${n % 60} seconds &amp; keeps it warm.</p><button class="buy" type="button">Add to basket</button></li>\n`;
const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="stylesheet" href="/s.css"></head><body><h1 id="hero">Good coffee, every morning.</h1><ul>\n`;
let body = "";
for (let n = 0; body.length < 100_000 - head.length - 60; n++) body += card(n);
const PAGE = new TextEncoder().encode(`${head}${body}</ul></body></html>`);

export default {
  /** With a strong validator, but at `/unnamed`. @param {Request} request */
  fetch: ({ url }) =>
    new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8", ...(!url.endsWith("/unnamed") && { etag: '"1"' }) } }),
};
