// @ts-check
// A builder beside each text that is a filter. The text is what counts and what is sent; what the builder cannot show
// stays in it as it was typed. While it is typed the server reads it: its fault is shown where it stands, and for how
// many customers it holds, or of a filter over activities, how many have one like that.
import { ask, data, post } from "./ask.js";
import { build } from "./builder.js";
import { h, later } from "./dom.js";
import { FIELDS } from "./fields.js";
import { fill, many } from "./fill.js";
import { normal, read, text } from "./filter.js";

/** @type {Promise<import("./builder.js").Names> | undefined} */
let names;

/** @param {HTMLTextAreaElement} area @param {"customers" | "activities"} over */
export async function edit(area, over) {
  const ofActivities = over === "activities";
  const known = await (names ??= ask("names").then(({ body }) => body));
  const spelt = (/** @type {"attribute" | "measure" | "segment" | "field"} */ what, /** @type {string} */ name) => {
    /** @type {string[][]} */
    const listed = what === "field" ? FIELDS : known[/** @type {"attributes"} */ (`${what}s`)];
    const all = listed.map(([own = ""]) => own);
    return all.find((own) => own.toLowerCase() === name.toLowerCase()) ?? (what === "field" ? name.replace(/^properties\//i, "Properties/") : name);
  };
  const place = h("div", { class: "builder", role: "group", "aria-label": texts.builder.title });
  const told = h("div", { role: "status", class: "told", id: document.getElementById("preview") ? false : "preview" });
  area.before(place);
  area.parentElement?.after(told);

  /** @type {AbortController | undefined} */
  let asking;
  /** @param {boolean} redraws whether the builder shows what the text says; not while it is the builder that writes it */
  const look = async (redraws) => {
    asking?.abort();
    const { signal } = (asking = new AbortController());
    try {
      await shown(area.value, redraws, signal);
    } catch (error) {
      // What was asked meanwhile is answered instead.
      if (!signal.aborted) told.replaceChildren(note(texts.note.silent, "bad"));
    }
  };
  const soon = later(look, 300);

  /** @param {string} filter @param {boolean} redraws @param {AbortSignal} signal */
  async function shown(filter, redraws, signal) {
    if (filter.trim() === "") {
      told.replaceChildren();
      if (redraws) show({ is: "all", of: [] });
      return;
    }
    const { body } = await post("tree", { filter, over }, signal);
    if (typeof body?.fault === "string") {
      told.replaceChildren(note(fill(texts.builder.faultAt, { fault: body.fault, place: body.at }), "bad"), marked(filter, body.at));
      if (redraws) place.replaceChildren(h("p", { class: "quiet" }, texts.builder.faulty));
      return;
    }
    if (redraws) {
      const group = read(body.tree, spelt, ofActivities);
      if (group) show(group);
      else place.replaceChildren(h("p", { class: "quiet" }, texts.builder.beyond));
    }
    const asked = ofActivities ? `UnifiedActivity/$count($filter=${filter}) ge 1` : filter;
    const preview = await data("segments/preview", { method: "POST", json: { filter: asked }, signal });
    told.replaceChildren(preview.ok ? counted(preview.body, ofActivities) : note(preview.body?.error?.message ?? "", "bad"));
  }

  /** @param {import("./filter.js").Group} group */
  const show = (group) => {
    build(place, group, {
      names: known,
      ofActivities,
      changed: () => {
        area.value = text(normal(group));
        area.dispatchEvent(new Event("change", { bubbles: true }));
        soon(false);
      },
    });
  };
  area.addEventListener("input", () => {
    // What the page before had found is over.
    document.querySelectorAll("pre.told").forEach((old) => old.remove());
    soon(true);
  });
  await look(true);
}

/** @param {string} words @param {string} kind */
const note = (words, kind) => h("p", { class: `note ${kind}` }, words);

/** @param {{ count: number, approximate?: boolean }} found @param {boolean} ofActivities */
function counted({ count, approximate }, ofActivities) {
  const { holds, holdsAbout, have, haveAbout } = texts.builder;
  const [exactly, about] = ofActivities ? [have, haveAbout] : [holds, holdsAbout];
  return h("p", { class: "note" }, many(approximate ? about : exactly, count));
}

/** The filter with the place where its fault stands. @param {string} filter @param {number} at in bytes */
function marked(filter, at) {
  const bytes = new TextEncoder().encode(filter);
  const before = new TextDecoder().decode(bytes.slice(0, at));
  const rest = filter.slice(before.length);
  const word = /^.[\p{L}\p{N}]*/su.exec(rest)?.[0] ?? "";
  return h("pre", { "aria-label": texts.definitions.faultPlace }, before, h("mark", {}, word || "…"), rest.slice(word.length));
}
