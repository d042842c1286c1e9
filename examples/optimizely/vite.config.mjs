// @ts-check
// No plug-in. The one setting sends the SDK's requests of `npm run dev` to a running MSCI.
const target = process.env.MSCI_URL ?? "http://localhost:8787";

// With the page's own host: MSCI takes signals from pages of its own site.
export default { server: { proxy: { "/_msci": { target, changeOrigin: false } } } };
