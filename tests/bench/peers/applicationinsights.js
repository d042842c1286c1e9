import { ApplicationInsights } from "@microsoft/applicationinsights-web";

const insights = new ApplicationInsights({
  config: { connectionString: `InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint=${location.origin}/`, maxBatchInterval: 1000 },
});
insights.loadAppInsights();
insights.addTelemetryInitializer(() => window.queued?.());
insights.trackPageView();
document.addEventListener("click", ({ target }) => insights.trackEvent({ name: "click", properties: { name: target.textContent } }));
window.identify = (id) => insights.setAuthenticatedUserContext(id, undefined, true);
