// @ts-check
// The least that a personal page takes on this runtime: one value of KV, one replacement that is always the same.
export default {
  /** @param {Request} request @param {{ VALUES: { get(key: string): Promise<string | null> }, SITE: { fetch(request: Request): Promise<Response> } }} env */
  async fetch(request, env) {
    const [value, page] = await Promise.all([env.VALUES.get("visitor"), env.SITE.fetch(request)]);
    // @ts-expect-error A class of the runtime's.
    const rewriter = new HTMLRewriter().on("#hero", {
      element: (/** @type {any} */ element) => value && element.setInnerContent("The Aurora is waiting for you."),
    });
    return rewriter.transform(page);
  },
};
