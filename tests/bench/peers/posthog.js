import posthog from "posthog-js";

posthog.init("key", {
  api_host: location.origin + "/posthog",
  autocapture: true,
  capture_pageview: true,
  opt_out_useragent_filter: true,
  disable_session_recording: true,
  disable_surveys: true,
  before_send: (event) => (window.queued?.(), event),
});
window.identify = (id) => posthog.identify(id);
