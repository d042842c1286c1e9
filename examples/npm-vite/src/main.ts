import { MSCI, type MsciError } from "msci-sdk";

// Resolves at once; the page does not wait for the SDK. The view of this page is captured without a call.
const msci = await MSCI.load({ ingestionKey: "local", endpointUrl: "/_msci/" });

const result = document.querySelector<HTMLElement>("#result")!;

document.querySelector<HTMLFormElement>("#sign-in")!.addEventListener("submit", async (event) => {
  event.preventDefault();
  const authId = String(new FormData(event.currentTarget as HTMLFormElement).get("loyalty"));
  try {
    // A real site's server authenticates them first, and gives the page a signed `token` to pass on here.
    const { status, reason } = await msci.setUser({ authId });
    result.textContent = reason ? `${status}: ${reason}` : status;
  } catch (error) {
    result.textContent = (error as MsciError).code;
  }
});

document.querySelector("#subscribe")!.addEventListener("click", async () => {
  const refused = await msci.trackEvent({ name: "newsletter_subscribed", properties: { source: "example" } });
  result.textContent = refused ? refused.reason : "subscribed";
});
