import { Ninetailed } from "@ninetailed/experience.js";

const ninetailed = new Ninetailed({ clientId: "key", environment: "main" }, { url: location.origin });
ninetailed.page();
document.addEventListener("click", ({ target }) => ninetailed.track("click", { name: target.textContent }));
window.identify = (id) => ninetailed.identify(id);
