// @ts-check
// What stands in the main module's place: the control route, and the Worker's own handler behind it.
import { bindings } from "./bindings.mjs";
import { memory } from "./instance.mjs";
import { replace, report } from "./plan.mjs";

/** @param {{ fetch(request: Request, env: any, context: unknown): Promise<Response> }} worker */
export const handler = (worker) => ({
  /** @param {Request} request @param {any} env @param {unknown} context */
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== "/__faults") return worker.fetch(request, bindings(env), context);
    if (request.method === "PUT") await replace(await request.json());
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
