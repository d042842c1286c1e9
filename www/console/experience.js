// @ts-check
// The editor of an experience. The definition's text is what counts and what is sent: the editor changes its own parts
// of it, and leaves what it does not know as it is. A text that is no definition stays as it was typed.
import { button, h, select } from "./dom.js";
import { edit } from "./edit.js";
import { fill, listed } from "./fill.js";
import { pick } from "./picker.js";

/** @typedef {{ selector?: string, action: string, value?: string, name?: string }} Change */
/** @typedef {{ name: string, weight: number, changes: Change[] }} Variant */
/** @typedef {Record<string, any> & { changes?: Change[], variants?: Variant[] }} Experience */

const ACTIONS = /** @type {const} */ (["setText", "setHtml", "setAttribute", "append", "prepend", "before", "after", "remove", "redirect"]);

let fields = 0;

/** A field with its label, and what it means. @param {string} label @param {string} help @param {HTMLElement} control */
function field(label, help, control) {
  control.id ||= `e-${(fields += 1)}`;
  const described = `${control.id}-help`;
  if (help) control.setAttribute("aria-describedby", described);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, help && h("span", { class: "help", id: described }, help));
}

/** @param {HTMLTextAreaElement} area */
export function experience(area) {
  const place = h("div", { class: "builder" });
  /** @type {HTMLElement} */ (area.parentElement).before(place);

  const show = () => {
    const read = parsed(area.value);
    place.replaceChildren(...(read ? editor(read) : [h("p", { class: "quiet" }, texts.experience.noDefinition)]));
  };

  /** @param {Experience} own @returns {HTMLElement[]} */
  function editor(own) {
    const changed = () => {
      area.value = JSON.stringify(own, null, 2);
    };
    /** What is not said is left out. @param {string} name @param {unknown} value */
    const set = (name, value) => {
      if (value === undefined || value === "") delete own[name];
      else own[name] = value;
      changed();
    };
    /** @param {string} label @param {string} help @param {string} name @param {Record<string, unknown>} [given] @param {(text: string) => unknown} [typed] */
    const line = (label, help, name, given = {}, typed = (text) => text) => {
      const input = h("input", { value: own[name] ?? "", ...given, change: () => set(name, input.value === "" ? undefined : typed(input.value)) });
      return field(label, help, input);
    };
    /** @param {string} label @param {string} help @param {string} name @param {"customers" | "activities"} over */
    const filter = (label, help, name, over) => {
      const text = h("textarea", { rows: 2, spellcheck: "false", input: () => set(name, text.value), change: () => set(name, text.value) });
      text.value = own[name] ?? "";
      const whole = h("section", { class: "part" }, field(label, help, text));
      queueMicrotask(() => void edit(text, over));
      return whole;
    };
    const active = h("input", { type: "checkbox", id: "e-active", checked: own.active !== false, change: () => set("active", active.checked) });
    const pages = h("textarea", { rows: 3, spellcheck: "false", input: () => set("pages", pages.value.split("\n").map((page) => page.trim()).filter(Boolean)) });
    pages.value = (own.pages ?? []).join("\n");
    return [
      h("div", { class: "field check" }, active, h("label", { for: "e-active" }, texts.experience.active)),
      filter(texts.experience.audience, texts.experience.audienceHelp, "audience", "customers"),
      field(texts.experience.pages, texts.experience.pagesHelp, pages),
      holdout(own, set),
      changes(own, changed, () => pages.value.split("\n")[0] ?? ""),
      filter(texts.experience.goal, texts.experience.goalHelp, "goal", "activities"),
      h(
        "div",
        { class: "columns" },
        line(texts.experience.priority, texts.experience.priorityHelp, "priority", { type: "number", step: 1 }, Number),
        line(texts.experience.from, texts.experience.fromHelp, "from"),
        line(texts.experience.until, texts.experience.untilHelp, "until"),
      ),
    ];
  }

  /** @param {Experience} own @param {(name: string, value: unknown) => void} set */
  function holdout(own, set) {
    const range = h("input", { type: "range", min: 0, max: 100, step: 1, value: Math.round((own.holdout ?? 0) * 100) });
    const shown = h("output", {});
    const say = () => (shown.textContent = fill(texts.experience.holdoutMeans, { number: range.value }));
    range.addEventListener("input", () => {
      set("holdout", Number(range.value) / 100);
      say();
    });
    say();
    const whole = field(texts.experience.holdout, "", range);
    range.setAttribute("aria-valuetext", fill(texts.note.percent, { number: range.value }));
    whole.append(shown);
    return whole;
  }

  /** Changes, or variants with changes of their own. @param {Experience} own @param {() => void} changed @param {() => string} first */
  function changes(own, changed, first) {
    const whole = h("section", { class: "part" });
    let tried = 0;
    const draw = (/** @type {string} */ focus = "") => {
      const variants = own.variants ?? [];
      whole.replaceChildren(
        h("h2", {}, texts.experience.changes),
        ...(variants.length
          ? variants.map((variant, at) =>
              h(
                "div",
                { class: "group", role: "group", "aria-label": fill(texts.experience.variant, { name: variant.name }) },
                h(
                  "div",
                  { class: "line" },
                  text(texts.experience.variantName, variant.name, (name) => ((variant.name = name), changed())),
                  h("input", { type: "number", class: "short", min: 0, value: variant.weight, "aria-label": texts.experience.weight, change: (/** @type {any} */ { target }) => ((variant.weight = Number(target.value)), changed()) }),
                  button(texts.experience.remove, () => {
                    variants.splice(at, 1);
                    if (!variants.length) {
                      delete own.variants;
                      own.changes = variant.changes;
                    }
                    redraw(".add");
                  }, { "aria-label": fill(texts.experience.removeVariant, { name: variant.name }) }),
                ),
                list(variant.changes, `v${at}`, redraw, changed, first),
              ),
            )
          : [list((own.changes ??= []), "c", redraw, changed, first)]),
        h(
          "div",
          { class: "line" },
          variants.length > 1 && select(texts.experience.variantToTry, variants.map(({ name }) => name), variants[tried]?.name ?? "", (name) => (tried = variants.findIndex((one) => one.name === name))),
          button(texts.experience.try, () => pick(first(), { changes: () => own.variants?.[tried]?.changes ?? own.changes ?? own.variants?.[0]?.changes ?? [] })),
        ),
        h(
          "div",
          { class: "line add" },
          button(texts.experience.addVariant, () => {
            const names = "ABCDEFGHIJKLMNOPQRST";
            if (!own.variants?.length) own.variants = [{ name: "A", weight: 1, changes: own.changes ?? [] }];
            delete own.changes;
            own.variants.push({ name: names[own.variants.length] ?? `V${own.variants.length}`, weight: 1, changes: [] });
            redraw(".add");
          }),
        ),
      );
      if (focus) /** @type {HTMLElement | null} */ (whole.querySelector(focus)?.querySelector("select, input, button"))?.focus();
    };
    const redraw = (/** @type {string} */ focus) => {
      changed();
      draw(focus);
    };
    draw();
    return whole;
  }

  area.addEventListener("input", show);
  show();
}

/** @param {string} label @param {string} value @param {(text: string) => void} typed @param {Record<string, unknown>} [given] */
function text(label, value, typed, given) {
  const input = h("input", { "aria-label": label, value, placeholder: label, autocomplete: "off", ...given, input: () => typed(input.value) });
  return input;
}

/** @param {Change[]} of @param {string} id @param {(focus: string) => void} redraw @param {() => void} changed @param {() => string} first */
function list(of, id, redraw, changed, first) {
  const rows = of.map((change, at) => {
    const action = select(texts.experience.action, listed(ACTIONS, texts.actions), change.action, (action) => {
      change.action = action;
      if (action === "redirect") delete change.selector;
      if (action === "remove") delete change.value;
      if (action !== "setAttribute") delete change.name;
      redraw(`.${id}-${at}`);
    });
    const where = text(texts.experience.selector, change.selector ?? "", (selector) => ((change.selector = selector), changed()));
    const value = h("textarea", { "aria-label": texts.experience.value, rows: 2, placeholder: texts.experience.valueHelp, input: () => ((change.value = value.value), changed()) });
    value.value = change.value ?? "";
    const picked = (/** @type {string} */ selector) => {
      where.value = change.selector = selector;
      changed();
      where.focus();
    };
    return h(
      "li",
      { class: `${id}-${at}` },
      h(
        "div",
        { class: "line" },
        action,
        change.action !== "redirect" && h("span", { class: "line" }, where, button(texts.experience.pick, () => pick(first(), { picked }))),
        change.action === "setAttribute" && text(texts.experience.attribute, change.name ?? "", (name) => ((change.name = name), changed())),
        change.action !== "remove" && value,
        button(texts.experience.remove, () => {
          of.splice(at, 1);
          redraw(`.${id}-add`);
        }, { "aria-label": fill(texts.experience.removeChange, { number: at + 1 }) }),
      ),
    );
  });
  const add = button(texts.experience.addChange, () => {
    of.push({ selector: "", action: "setText", value: "" });
    redraw(`.${id}-${of.length - 1}`);
  });
  return h("div", {}, h("ul", { class: "changes" }, ...rows), h("div", { class: `line ${id}-add` }, add));
}

/** @param {string} text @returns {Experience | null} */
function parsed(text) {
  try {
    const read = JSON.parse(text);
    const lists = (/** @type {unknown} */ of) => of === undefined || (Array.isArray(of) && of.every((one) => one && typeof one === "object"));
    const fits = read && typeof read === "object" && !Array.isArray(read) && lists(read.changes) && lists(read.variants);
    return fits && (read.variants ?? []).every((/** @type {any} */ one) => lists((one.changes ??= []))) ? read : null;
  } catch {
    return null;
  }
}
