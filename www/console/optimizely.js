// @ts-check
// Setting up Optimizely Web Experimentation: segments as attributes in the browser, and as lists of members.
import { data, reason, ROOT } from "./ask.js";
import { button, h } from "./dom.js";
import { fill, many } from "./fill.js";
import { rounds } from "./rounds.js";

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
    say("good", texts.optimizely.saved);
  };
  const send = (/** @type {string} */ segment) =>
    rounds(told, (more, signal) => data(`segments/${encodeURIComponent(segment)}/export`, { method: "POST", json: { format: "optimizely", ...more }, signal }), {
      of: ({ lists }) => lists.reduce((/** @type {number} */ sum, /** @type {{ ids: number }} */ { ids }) => sum + ids, 0),
      under: (total) => many(texts.optimizely.uploading, total, { segment }),
      done: (total) => many(texts.optimizely.uploaded, total, { segment }),
      refused: (answer) => (answer.body?.error?.code === "no_account" ? texts.optimizely.saveFirst : reason(answer)),
    });
  const rows = (segments.body?.items ?? []).map((/** @type {{ name: string }} */ { name }) =>
    h(
      "tr",
      {},
      h("td", {}, name),
      h("td", {}, h("a", { href: `${ROOT}data/segments/${encodeURIComponent(name)}/export?format=optimizely`, download: `${name}.csv` }, fill(texts.optimizely.download, { segment: name }))),
      role === "Viewer" ? "" : h("td", {}, button(texts.optimizely.upload, () => void send(name), { "aria-label": fill(texts.optimizely.uploadOf, { segment: name }) })),
    ),
  );
  const label = (/** @type {string} */ words, /** @type {HTMLElement} */ control) => h("div", { class: "field" }, h("label", { for: control.id }, words), control);
  place.replaceChildren(
    h("p", {}, texts.optimizely.browser),
    h("p", {}, texts.optimizely.lists),
    role === "Administrator" ? h("form", { class: "row", submit: (/** @type {Event} */ event) => (event.preventDefault(), void save()) }, label(texts.optimizely.project, project), label(texts.optimizely.token, token), h("button", {}, texts.optimizely.save)) : "",
    told,
    rows.length > 0
      ? h("div", { class: "scroll", role: "region", "aria-label": texts.optimizely.table, tabindex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ...[texts.columns.segment, texts.optimizely.file, ...(role === "Viewer" ? [] : [texts.optimizely.list])].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows)))
      : h("p", { class: "quiet" }, texts.optimizely.none),
  );
}
