import { AnalyticsBrowser } from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load(
  {
    writeKey: "key",
    cdnURL: location.origin + "/cdn",
    // Called by its queue with the first view, before anything is enriched or sent.
    plugins: [{ name: "queued", type: "before", version: "1", isLoaded: () => true, load: async () => {}, page: (event) => (window.queued?.(), event) }],
  },
  { integrations: { "Segment.io": { apiHost: location.host + "/v1", protocol: "http" } } },
);
analytics.page();
document.addEventListener("click", ({ target }) => analytics.track("click", { name: target.textContent }));
window.identify = (id) => analytics.identify(id);
