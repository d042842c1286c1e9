// @ts-check
// Setting up Optimizely Web Experimentation: segments as attributes in the browser, and as lists of members.
import { data, reason, ROOT } from "./ask.js";
import { button, h } from "./dom.js";

/** @param {HTMLElement} place */
export async function optimizely(place) {
  const told = h("div", { role: "status" });
  const say = (/** @type {string} */ kind, /** @type {string} */ words) => told.replaceChildren(h("p", { class: `note ${kind}` }, words));
  const role = place.dataset.optimizely;
  const [account, segments] = await Promise.all([data("accounts/optimizely"), data("segments")]);
  const project = h("input", { id: "o-project", inputmode: "numeric", required: true, pattern: "\\d+", value: account.ok ? account.body.projectId : "" });
  const token = h("input", { id: "o-token", type: "password", autocomplete: "off", required: true });
  const save = async () => {
    const json = { projectId: Number(project.value), token: token.value, ...(account.ok && { url: account.body.url }) };
    const answer = await data("accounts/optimizely", { method: "PUT", json });
    if (!answer.ok) return say("bad", reason(answer));
    token.value = "";
    say("good", "Saved. The token is not shown again.");
  };
  const send = async (/** @type {string} */ name) => {
    let total = 0;
    let skiptoken;
    do {
      say("", `${name} is being uploaded: ${total} ids so far.`);
      /** @type {Awaited<ReturnType<typeof data>>} */
      const answer = await data(`segments/${encodeURIComponent(name)}/export`, { method: "POST", json: { format: "optimizely", ...(skiptoken && { skiptoken }) } });
      if (!answer.ok) return say("bad", answer.body?.error?.code === "no_account" ? "Save the account first." : reason(answer));
      for (const { ids } of answer.body.lists) total += ids;
      skiptoken = answer.body.skiptoken;
    } while (skiptoken);
    say("good", `${name} is uploaded: ${total} ids.`);
  };
  const rows = (segments.body?.items ?? []).map((/** @type {{ name: string }} */ { name }) =>
    h(
      "tr",
      {},
      h("td", {}, name),
      h("td", {}, h("a", { href: `${ROOT}data/segments/${encodeURIComponent(name)}/export?format=optimizely`, download: `${name}.csv` }, `Download ${name}`)),
      role === "Viewer" ? "" : h("td", {}, button("Upload", () => void send(name), { "aria-label": `Upload ${name}` })),
    ),
  );
  const label = (/** @type {string} */ words, /** @type {HTMLElement} */ control) => h("div", { class: "field" }, h("label", { for: control.id }, words), control);
  place.replaceChildren(
    h("p", {}, "In the browser: put personalization: { optimizely: true } into the script's cfg. Each page then tells Optimizely the visitor's segments as attributes, each named as its segment, and takes them back when they leave. Which segments a page may know the setting decisionSegments says."),
    h("p", {}, "To target members elsewhere, keep lists of their ids in Optimizely. Such a list is a list attribute of type Cookie, over the cookie _msci: upload it with an account, or download a file and put it there by hand."),
    role === "Administrator" ? h("form", { class: "row", submit: (/** @type {Event} */ event) => (event.preventDefault(), void save()) }, label("Project id", project), label("API token", token), h("button", {}, "Save account")) : "",
    told,
    rows.length > 0
      ? h("div", { class: "scroll", role: "region", "aria-label": "Lists for Optimizely", tabindex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ...["Segment", "File", ...(role === "Viewer" ? [] : ["List"])].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows)))
      : h("p", { class: "quiet" }, "There is no segment yet."),
  );
}
