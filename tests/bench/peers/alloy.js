import { createInstance } from "@adobe/alloy";

const alloy = createInstance({ name: "alloy" });
// Its edge has to have a domain; nothing has this one.
alloy("configure", { datastreamId: "key", orgId: "ABC@AdobeOrg", edgeDomain: "alloy.invalid", clickCollectionEnabled: true });
const send = (type, more) =>
  alloy("sendEvent", { xdm: { eventType: type, web: { webPageDetails: { URL: location.href, name: document.title } }, ...more } }).catch(() => {});
send("web.webpagedetails.pageViews");
document.addEventListener("click", () => send("web.webinteraction.linkClicks"));
window.identify = (id) => send("identity", { identityMap: { customer: [{ id }] } });
