import { jitsuAnalytics } from "@jitsu/js";

const analytics = jitsuAnalytics({ host: location.origin, writeKey: "key:secret" });
analytics.page();
document.addEventListener("click", ({ target }) => analytics.track("click", { name: target.textContent }));
window.identify = (id) => analytics.identify(id);
