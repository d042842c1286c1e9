import { RudderAnalytics } from "@rudderstack/analytics-js/lite";

const analytics = new RudderAnalytics();
analytics.load("key", location.origin, { configUrl: location.origin + "/rudder" });
analytics.page();
document.addEventListener("click", ({ target }) => analytics.track("click", { name: target.textContent }));
window.identify = (id) => analytics.identify(id);
