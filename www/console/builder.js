// @ts-check
// A filter, put together part by part. It shows what `filter.js` reads, and changes it in place; after each change
// the text is written anew.
import { button, h, select } from "./dom.js";
import { FIELDS, typeOfField } from "./fields.js";
import { UNITS, isGroup, unitOf } from "./filter.js";
import { listed } from "./fill.js";

/** @typedef {import("./filter.js").Part} Part */
/** @typedef {import("./filter.js").Group} Group */
/** @typedef {import("./filter.js").Condition} Condition */
/** @typedef {import("./filter.js").Activity} Activity */
/** @typedef {{ attributes: [string, string][], measures: [string, string][], segments: [string][] }} Names */

const PROPERTY = "Properties/";
/** @type {Record<string, string[]>} */
const OPERATORS_OF = {
  text: ["eq", "ne", "contains", "excludes", "startswith", "endswith", "in", "empty", "filled"],
  number: ["eq", "ne", "ge", "gt", "le", "lt", "in", "empty", "filled"],
  bool: ["eq", "ne", "empty", "filled"],
};
/** What a group asks of its parts, and how a number is compared with how often. */
const GROUPS = /** @type {const} */ (["all", "any", "none"]);
const OFTEN = /** @type {const} */ (["ge", "le", "eq", "gt", "lt", "ne"]);
/** What a text of the language can name. */
const NAME = /^[\p{L}_$][\p{L}\p{N}_$.]*$/u;

/** What a value of this type begins as. @param {string} type */
const initial = (type) => (type === "number" ? 0 : type === "bool" ? true : "");

/** @param {Condition["value"]} value */
const typeOf = (value) => ({ number: "number", boolean: "bool" })[/** @type {"number"} */ (typeof (Array.isArray(value) ? value[0] : value))] ?? "text";

/**
 * @param {HTMLElement} place
 * @param {Group} filter
 * @param {{ names: Names, ofActivities: boolean, changed: () => void }} with_
 */
export function build(place, filter, { names, ofActivities, changed }) {
  /** Where in the filter the keyboard goes after it was drawn anew. @type {string} */
  let focus = "";

  const draw = () => {
    place.replaceChildren(group(filter, "", null, ofActivities));
    if (focus) /** @type {HTMLElement | null} */ (place.querySelector(`[data-at="${focus}"]`)?.querySelector("select, input, button"))?.focus();
    focus = "";
  };
  /** The filter has other parts now. @param {string} at */
  const rebuilt = (at) => {
    focus = at;
    draw();
    changed();
  };

  /** @param {string} type @param {boolean} inActivity @param {string} [name] @returns {Condition} */
  const condition = (type, inActivity, name) => {
    const [first, kind] = (inActivity ? FIELDS : names.attributes)[0] ?? ["Id", "text"];
    const chosen = type === "any" ? "text" : name ? type : kind;
    return { is: "attribute", name: name ?? first ?? "", op: "eq", value: inActivity && !name ? "View" : initial(chosen ?? "text") };
  };

  /** @param {Group} own @param {string} at @param {(() => void) | null} removed @param {boolean} inActivity @returns {HTMLElement} */
  function group(own, at, removed, inActivity) {
    const add = (/** @type {Part} */ part) => {
      own.of.push(part);
      rebuilt(`${at}.${own.of.length - 1}`);
    };
    const parts = own.of.map((part, place) => {
      const its = `${at}.${place}`;
      const gone = () => {
        own.of.splice(place, 1);
        rebuilt(own.of.length ? `${at}.${Math.min(place, own.of.length - 1)}` : `${at}+`);
      };
      return h("li", { "data-at": its }, isGroup(part) ? group(part, its, gone, inActivity) : row(own, place, its, gone, inActivity));
    });
    const nothing = h("p", { class: "quiet" }, inActivity ? texts.builder.everything : texts.builder.everybody);
    return h(
      "div",
      { class: "group", role: "group", "aria-label": texts.builder.group },
      h(
        "div",
        { class: "line" },
        select(texts.builder.groupIs, listed(GROUPS, texts.groups), own.is, (is) => ((own.is = /** @type {Group["is"]} */ (is)), changed())),
        removed && button(texts.builder.remove, removed, { "aria-label": texts.builder.removeGroup }),
      ),
      own.of.length ? h("ul", {}, ...parts) : nothing,
      h(
        "div",
        { class: "line", "data-at": `${at}+` },
        button(texts.builder.add, () => add(condition("", inActivity))),
        button(texts.builder.addGroup, () => add({ is: own.is === "any" ? "all" : "any", of: [condition("", inActivity)] })),
      ),
    );
  }

  /**
   * A part and its controls. A choice that changes which others there are redraws those alone: whoever chooses by
   * keyboard stays where they are.
   * @param {Group} own @param {number} place @param {string} at @param {() => void} gone @param {boolean} inActivity
   */
  function row(own, place, at, gone, inActivity) {
    const [rest, below] = [h("span", { class: "rest" }), h("div")];
    const fill = (/** @type {Exclude<Part, Group>} */ part) => {
      rest.replaceChildren(...controls(part, inActivity));
      below.replaceChildren(...(part.is === "activity" ? [h("p", { class: "quiet" }, texts.builder.these), group(part.where, `${at}w`, null, true)] : []));
    };
    const other = (/** @type {Exclude<Part, Group>} */ next) => {
      own.of[place] = next;
      fill(next);
      changed();
    };
    const part = /** @type {Exclude<Part, Group>} */ (own.of[place]);
    fill(part);
    const what = inActivity ? fieldOf(/** @type {Condition} */ (part), other) : whatOf(part, other);
    return h("div", {}, h("div", { class: "line" }, what, rest, button(texts.builder.remove, gone)), below);
  }

  /** @param {Exclude<Part, Group>} part @param {boolean} inActivity @returns {HTMLElement[]} */
  function controls(part, inActivity) {
    if (part.is === "activity") return times(part);
    if (part.is === "segment") {
      const is = select(texts.builder.whether, [["in", texts.builder.yes], ["out", texts.builder.no]], part.op, (op) => ((part.op = /** @type {"in" | "out"} */ (op)), changed()));
      const which = select(texts.builder.which, names.segments.map(([name]) => name), part.name, (name) => ((part.name = name), changed()));
      return [which, is];
    }
    const property = inActivity && part.name.startsWith(PROPERTY) ? [propertyOf(part)] : [];
    return [...property, ...test(part, inActivity)];
  }

  /** What a part is about. @param {Exclude<Part, Group>} part @param {(next: Exclude<Part, Group>) => void} other */
  function whatOf(part, other) {
    const chosen = part.is === "attribute" || part.is === "measure" ? `${part.is} ${part.name}` : part.is;
    const listed = (/** @type {string} */ is, /** @type {[string, string][]} */ of) =>
      of.filter(([name]) => NAME.test(name)).map(([name]) => /** @type {[string, string]} */ ([`${is} ${name}`, name]));
    /** @type {[string, string][]} */
    const more = [["activity", texts.builder.activities], ...(names.segments.length ? [/** @type {[string, string]} */ (["segment", texts.builder.member])] : [])];
    const options = [
      { group: texts.builder.attributes, of: listed("attribute", names.attributes) },
      ...(names.measures.length ? [{ group: texts.builder.measures, of: listed("measure", names.measures) }] : []),
      { group: texts.builder.more, of: more },
    ];
    return select(texts.builder.what, options, chosen, (value) => {
      const [is, name = ""] = value.split(" ");
      if (is === "activity") other({ is, op: "ge", count: 1, within: null, where: { is: "all", of: [condition("", true)] } });
      else if (is === "segment") other({ is, name: names.segments[0]?.[0] ?? "", op: "in" });
      else {
        const [, type = "text"] = (is === "measure" ? names.measures : names.attributes).find(([known]) => known === name) ?? [];
        other({ ...condition(type, false, name), is: /** @type {Condition["is"]} */ (is) });
      }
    });
  }

  /** Which field of an activity a part is about. @param {Condition} part @param {(next: Exclude<Part, Group>) => void} other */
  function fieldOf(part, other) {
    const own = part.name.startsWith(PROPERTY);
    /** @type {[string, string][]} */
    const options = [...FIELDS.map(([name]) => /** @type {[string, string]} */ ([name, texts.fields[name]])), [PROPERTY, texts.builder.property]];
    if (!own && !FIELDS.some(([name]) => name === part.name)) options.push([part.name, part.name]);
    return select(texts.builder.what, options, own ? PROPERTY : part.name, (name) => {
      other(condition(typeOfField(name) ?? "any", true, name === PROPERTY ? `${PROPERTY}total` : name));
    });
  }

  /** @param {Condition} part */
  function propertyOf(part) {
    const input = h("input", {
      "aria-label": texts.builder.propertyName,
      value: part.name.slice(PROPERTY.length),
      pattern: NAME.source,
      input: () => {
        if (!NAME.test(input.value)) return;
        part.name = PROPERTY + input.value;
        changed();
      },
    });
    return input;
  }

  /** @param {Condition} part @param {boolean} inActivity */
  function typeOfPart({ is, name, value }, inActivity) {
    const known = inActivity ? typeOfField(name) : (is === "measure" ? names.measures : names.attributes).find(([own]) => own === name)?.[1];
    return known && known !== "any" ? { type: known, free: false } : { type: typeOf(value), free: true };
  }

  /** Operator and value. @param {Condition} part @param {boolean} inActivity @returns {HTMLElement[]} */
  function test(part, inActivity) {
    let { type, free } = typeOfPart(part, inActivity);
    const [how, box] = [h("span", { class: "rest" }), h("span", { class: "rest" })];
    const kind =
      free &&
      select(texts.builder.kind, listed(["text", "number", "bool"], texts.types), type, (chosen) => {
        type = chosen;
        part.value = part.op === "in" ? [initial(type)] : initial(type);
        if (!OPERATORS_OF[type]?.includes(part.op)) part.op = "eq";
        operators();
        show();
        changed();
      });
    const show = () => {
      if (kind) kind.hidden = part.value === null;
      box.replaceChildren(...(part.value === null ? [] : [value(part, type)]));
    };
    const operators = () => {
      const all = OPERATORS_OF[type] ?? [];
      const offered = all.includes(part.op) ? all : [...all, part.op];
      const chosen = select(texts.builder.how, listed(offered, texts.operators), part.op, (op) => {
        const first = (Array.isArray(part.value) ? part.value[0] : part.value) ?? initial(type);
        part.op = op;
        part.value = op === "empty" || op === "filled" ? null : op === "in" ? [first] : first;
        show();
        changed();
      });
      how.replaceChildren(chosen);
    };
    operators();
    show();
    return [how, ...(kind ? [kind] : []), box];
  }

  /** @param {Condition} part @param {string} type */
  function value(part, type) {
    const typed = (/** @type {string} */ text) => (type === "number" ? Number(text) : type === "bool" ? text === "true" : text);
    if (Array.isArray(part.value)) {
      const lines = h("textarea", {
        "aria-label": texts.builder.values,
        rows: Math.min(part.value.length + 1, 6),
        input: () => {
          const all = lines.value.split("\n").filter((line) => line !== "");
          part.value = (all.length ? all : [""]).map(typed).filter((one) => !Number.isNaN(one));
          changed();
        },
      });
      lines.value = part.value.join("\n");
      return lines;
    }
    if (type === "bool") return select(texts.builder.value, [["true", texts.builder.yes], ["false", texts.builder.no]], String(part.value), (truth) => ((part.value = truth === "true"), changed()));
    const input = h("input", {
      "aria-label": texts.builder.value,
      ...(type === "number" && { type: "number", step: "any" }),
      value: part.value,
      input: () => {
        // What is no number yet changes nothing.
        if (type === "number" && (input.value === "" || Number.isNaN(Number(input.value)))) return;
        part.value = typed(input.value);
        changed();
      },
    });
    return input;
  }

  /** How often, and since when. @param {Activity} part @returns {HTMLElement[]} */
  function times(part) {
    const count = h("input", {
      "aria-label": texts.builder.count,
      type: "number",
      min: 0,
      max: 10_000,
      class: "short",
      value: part.count,
      input: () => count.value !== "" && ((part.count = Number(count.value)), changed()),
    });
    const span = h("span", { class: "rest" });
    const show = () => span.replaceChildren(...length(part));
    const within = select(texts.builder.when, [["", texts.builder.anyTime], ["within", texts.builder.within]], part.within ? "within" : "", (chosen) => {
      part.within = chosen ? { op: "gt", ms: 30 * UNITS[0][2] } : null;
      show();
      changed();
    });
    show();
    const limit = select(texts.builder.limit, listed(OFTEN, texts.often), part.op, (op) => ((part.op = op), changed()));
    return [limit, count, h("span", {}, texts.builder.times), within, span];
  }

  /** @param {Activity} part */
  function length({ within }) {
    if (!within) return [];
    let [unit] = unitOf(within.ms);
    const set = () => {
      const [, , ms] = UNITS.find(([name]) => name === unit) ?? UNITS[0];
      if (Number(many.value) >= 1) within.ms = Math.round(Number(many.value)) * ms;
      changed();
    };
    const many = h("input", { "aria-label": texts.builder.length, type: "number", min: 1, class: "short", value: within.ms / unitOf(within.ms)[2], input: set });
    const units = select(texts.builder.unit, listed(UNITS.map(([name]) => name), texts.units), unit, (name) => ((unit = /** @type {typeof unit} */ (name)), set()));
    return [many, units];
  }

  draw();
}
