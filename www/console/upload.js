// @ts-check
// Rows of a file, uploaded with their progress, and taken back on the way; of any size, since nothing is held. What was
// written when an upload is cancelled stays: the same file again writes the rest.
import { data, ROOT } from "./ask.js";
import { button, h } from "./dom.js";
import { fill, listed, many } from "./fill.js";

/** @typedef {{ line: number, code: string, message: string }} Rejected */

/** @param {HTMLFormElement} form */
export function upload(form) {
  const told = h("div", { role: "status" });
  form.after(told);
  form.addEventListener("submit", (event) => {
    const file = /** @type {HTMLInputElement} */ (form.elements.namedItem("file")).files?.[0];
    if (!file) return;
    event.preventDefault();
    send(form, file, told);
  });
}

/** @param {HTMLFormElement} form @param {File} file @param {HTMLElement} told */
function send(form, file, told) {
  const [, name = ""] = /tables\/([^/]+)\/rows$/.exec(form.action) ?? [];
  // A request of this kind alone tells how much of it has gone.
  const request = new XMLHttpRequest();
  request.open("POST", `${ROOT}data/tables/${name}/rows?rejected=all`);
  request.setRequestHeader("content-type", /\.(csv|txt)$/i.test(file.name) ? "text/csv" : "application/x-ndjson");
  request.setRequestHeader("x-msci-form", /** @type {HTMLInputElement} */ (form.elements.namedItem("form")).value);
  const bar = h("progress", { max: file.size || 1, value: 0, "aria-label": fill(texts.uploading.progressOf, { file: file.name }) });
  const share = h("span", {}, fill(texts.note.percent, { number: 0 }));
  const cancel = button(texts.jobs.cancel, () => request.abort());
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.max = total || 1;
    bar.value = loaded;
    share.textContent = loaded === total ? texts.uploading.arrived : fill(texts.note.percent, { number: Math.floor((loaded / total) * 100) });
  });
  const ended = (/** @type {HTMLElement[]} */ ...words) => told.replaceChildren(...words);
  const failed = (/** @type {string} */ words) => ended(h("p", { class: "note bad" }, words));
  request.addEventListener("load", () => {
    const answer = parsed(request.responseText);
    if (request.status !== 200) return failed(answer?.error?.message ?? texts.uploading.failed);
    ended(...report(answer, file.name));
    void data(`tables/${name}`).then(({ body }) => {
      const count = form.parentElement?.querySelector("p");
      if (count && typeof body?.rows === "number") count.textContent = many(texts.tables.rowCount, body.rows);
    });
  });
  request.addEventListener("error", () => failed(texts.uploading.broken));
  request.addEventListener("abort", () => failed(texts.uploading.cancelled));
  told.replaceChildren(h("div", { class: "line" }, bar, share, cancel));
  cancel.focus();
  request.send(file);
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What became of the lines. @param {any} answer @param {string} file */
function report({ rejected, unlisted = 0, ...counts }, file) {
  const bad = /** @type {Rejected[]} */ (rejected);
  const numbers = listed(["received", "created", "updated", "unchanged"], texts.counts).map(([name, words]) => [words, counts[name]]);
  const list = h(
    "dl",
    { class: "numbers" },
    ...[...numbers, [texts.counts.rejected, bad.length + unlisted]].map(([name, count]) => h("div", {}, h("dt", {}, String(name)), h("dd", {}, String(count)))),
  );
  if (!bad.length) return [list, h("p", { class: "note good" }, texts.upload.allTaken)];
  const rows = bad.slice(0, 100).map(({ line, code, message }) => h("tr", {}, h("td", {}, String(line)), h("td", {}, h("code", {}, code)), h("td", {}, message)));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...[texts.columns.line, texts.columns.code, texts.columns.why].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows));
  const more = bad.length + unlisted - rows.length;
  return [
    list,
    h("h2", {}, texts.upload.notTaken),
    h("div", { class: "scroll", role: "region", "aria-label": texts.upload.notTaken, tabindex: 0 }, table),
    more > 0 && h("p", {}, fill(texts.upload.more, { number: more })),
    unlisted > 0 && h("p", {}, fill(texts.uploading.first, { number: bad.length })),
    h("p", {}, h("a", { class: "button plain", download: `${file}.rejected.csv`, href: URL.createObjectURL(new Blob([csv(bad)], { type: "text/csv" })) }, texts.uploading.download)),
  ].filter((part) => part !== false);
}

/** A table program takes a cell that begins like a formula for one: it begins with a quote here. @param {string | number} cell */
function quoted(cell) {
  const text = String(cell);
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

/** @param {Rejected[]} bad */
const csv = (bad) => ["line,code,message", ...bad.map(({ line, code, message }) => [line, quoted(code), quoted(message)].join(","))].join("\r\n") + "\r\n";
