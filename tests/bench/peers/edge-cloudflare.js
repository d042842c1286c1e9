import { handleRequest } from "@growthbook/edge-cloudflare";

export default { fetch: (request, env) => handleRequest(request, env) };
