// @ts-check
// What stands in the place of a Worker's main module: the control route, and its own handler behind it.
import { bindings } from "./bindings.mjs";
import { shift } from "./clock.mjs";
import { memory } from "./instance.mjs";
import { replace, report } from "./plan.mjs";
import "./response.mjs";

/**
 * @param {{ fetch(request: Request, env: any, context: unknown): Promise<Response> }} worker
 * @param {string} control path
 */
export const handler = (worker, control) => ({
  /** @param {Request} request @param {any} env @param {unknown} context */
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== control) return worker.fetch(request, bindings(env), context);
    if (request.method === "PUT") await replace(await request.json());
    if (request.method === "PATCH") shift(await request.json());
    if (request.method === "DELETE") exhaust();
    return Response.json({ ...report(), memory: memory().buffer.byteLength });
  },
});

/** Takes all memory that the instance may have. */
function exhaust() {
  for (let pages = 65_536; pages >= 1; pages >>= 1) {
    try {
      for (;;) memory().grow(pages);
    } catch {
      // Not so many at once.
    }
  }
}
