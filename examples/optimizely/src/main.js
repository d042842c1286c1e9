import { createInstance, createStaticProjectConfigManager } from "@optimizely/optimizely-sdk";
import { MSCI } from "msci-sdk";
// Your project's own comes from Optimizely, by `createPollingProjectConfigManager({ sdkKey })`.
import datafile from "./datafile.json";

const msci = await MSCI.load({ ingestionKey: "local" });
const optimizely = createInstance({
  projectConfigManager: createStaticProjectConfigManager({ datafile: JSON.stringify(datafile) }),
});

// Segments that the setting `decisionSegments` shows to browsers. Where MSCI does not answer, there are none.
const [{ segments = [] }, { cookieId = "unknown" }] = await Promise.all([msci.decisions(), msci.status(), optimizely.onReady()]);
const attributes = Object.fromEntries(segments.map((name) => [name, "true"]));

const { enabled } = optimizely.createUserContext(cookieId, attributes).decide("premium_offer");
document.querySelector("#offer").textContent = enabled ? "A free espresso course with any machine." : "New machines every month.";
