// @ts-check
// Filters as people put them together, and as texts of the expression language. What is read was parsed by the
// server (`POST tree`); a filter that says more than there are parts here is none, and stays a text.

/**
 * @typedef {string | number | boolean} Value
 * @typedef {{ is: "all" | "any" | "none", of: Part[] }} Group
 * @typedef {{ is: "attribute" | "measure", name: string, op: string, value: Value | Value[] | null }} Condition
 * @typedef {{ is: "segment", name: string, op: "in" | "out" }} Membership
 * @typedef {{ is: "activity", op: string, count: number, within: { op: "gt" | "ge", ms: number } | null, where: Group }} Activity
 * @typedef {Group | Condition | Membership | Activity} Part
 * @typedef {any[]} Tree what the server told: each list begins with what it is
 */

export const COMPARISONS = ["eq", "ne", "gt", "ge", "lt", "le"];
/** Functions of two texts, by what they are here; `excludes` is the first one's negation. */
const TESTS = ["contains", "startswith", "endswith"];

const SECOND = 1000;
/** By the largest that fits: sign in a duration, milliseconds, and whether it stands behind the `T`. */
export const UNITS = /** @type {const} */ ([
  ["days", "D", 86_400 * SECOND],
  ["hours", "H", 3600 * SECOND],
  ["minutes", "M", 60 * SECOND],
  ["seconds", "S", SECOND],
]);

/** @param {Part} part @returns {part is Group} */
export const isGroup = (part) => part.is === "all" || part.is === "any" || part.is === "none";

/** The largest unit that a time is a whole number of. @param {number} ms */
export const unitOf = (ms) => UNITS.find(([, , unit]) => ms % unit === 0) ?? UNITS[3];

// ---- as text ------------------------------------------------------------------------------------------------

/** @param {Value | null} value */
function literal(value) {
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
}

/** @param {Condition} part @param {string} prefix what stands in front of a field's name */
function condition({ is, name, op, value }, prefix) {
  const field = is === "measure" ? `Measures/${name}` : prefix + name;
  const one = Array.isArray(value) ? (value[0] ?? "") : value;
  switch (op) {
    case "empty":
      return `${field} eq null`;
    case "filled":
      return `${field} ne null`;
    case "in":
      return `${field} in (${(Array.isArray(value) ? value : [value]).map(literal).join(",")})`;
    case "excludes":
      return `not contains(${field},${literal(one)})`;
    default:
      return TESTS.includes(op) ? `${op}(${field},${literal(one)})` : `${field} ${op} ${literal(one)}`;
  }
}

/** @param {number} ms */
function duration(ms) {
  const [name, sign, unit] = unitOf(ms);
  return `duration'P${name === "days" ? "" : "T"}${ms / unit}${sign}'`;
}

/** @param {Activity} part */
function activity({ op, count, within, where }) {
  const any = op === "ge" && count === 1;
  const prefix = any ? "a/" : "";
  const own = groupText(normal(where), prefix, within ? 2 : 0);
  const since = within && `${prefix}ActivityTime ${within.op} now() sub ${duration(within.ms)}`;
  const filter = [own, since].filter(Boolean).join(" and ");
  if (any) return `UnifiedActivity/any(${filter && `a: ${filter}`})`;
  return `UnifiedActivity/$count${filter && `($filter=${filter})`} ${op} ${count}`;
}

/** @param {Part} part @param {string} prefix @param {number} around how tightly what stands around it binds: 1 or, 2 and, 3 not */
function partText(part, prefix, around) {
  if (isGroup(part)) return groupText(part, prefix, around);
  if (part.is === "activity") return activity(part);
  const text = part.is === "segment" ? `${part.op === "out" ? "not " : ""}IsMemberOfSegment(${literal(part.name)})` : condition(part, prefix);
  return text;
}

/** @param {Group} group @param {string} prefix @param {number} around @returns {string} */
function groupText({ is, of }, prefix, around) {
  if (of.length === 0) return "";
  if (is === "none") return `not (${of.map((part) => partText(part, prefix, of.length > 1 ? 1 : 0)).join(" or ")})`;
  if (of.length === 1) return partText(/** @type {Part} */ (of[0]), prefix, around);
  const [word, tight] = is === "all" ? ["and", 2] : ["or", 1];
  const text = of.map((part) => partText(part, prefix, tight)).join(` ${word} `);
  return around > tight ? `(${text})` : text;
}

/** The text of a filter. @param {Group} group @param {string} [prefix] */
export const text = (group, prefix = "") => groupText(normal(group), prefix, 0);

// ---- one form for what means the same -----------------------------------------------------------------------

/** The group without groups in it that add nothing. @param {Group} group @returns {Group} */
export function normal(group) {
  const part = tidy(group);
  return part && isGroup(part) ? part : { is: "all", of: part ? [part] : [] };
}

/** @param {Part} part @returns {Part | null} */
function tidy(part) {
  if (part.is === "activity") return { ...part, where: normal(part.where) };
  if (!isGroup(part)) return part;
  // In a group of none, what any group holds stands as well by itself.
  const same = part.is === "none" ? "any" : part.is;
  const of = part.of
    .map(tidy)
    .filter((inner) => inner !== null)
    .flatMap((inner) => (inner.is === same ? /** @type {Group} */ (inner).of : [inner]));
  const [only] = of;
  if (!only) return null;
  if (of.length > 1) return { is: part.is, of };
  return part.is === "none" ? negated(only) : only;
}

/** @param {Part} part @returns {Part} */
function negated(part) {
  if (part.is === "segment" && part.op === "in") return { ...part, op: "out" };
  if (part.is === "attribute" && part.op === "contains") return { ...part, op: "excludes" };
  if (part.is === "measure" && part.op === "contains") return { ...part, op: "excludes" };
  if (part.is === "activity" && part.op === "ge" && part.count === 1) return { ...part, op: "eq", count: 0 };
  return { is: "none", of: [part] };
}

// ---- from the server's tree ---------------------------------------------------------------------------------

/** Thrown where a tree says more than there are parts for. */
class Beyond extends Error {}

/** @returns {never} */
const beyond = () => {
  throw new Beyond();
};

/**
 * The group that a tree says; null where it says more than there are parts for.
 * @param {Tree} tree
 * @param {(what: "attribute" | "measure" | "segment" | "field", name: string) => string} spelt a name in its own spelling
 * @param {boolean} [ofActivities]
 */
export function read(tree, spelt, ofActivities = false) {
  try {
    return normal({ is: "all", of: [ofActivities ? field(tree, "", spelt) : part(tree, spelt)] });
  } catch (error) {
    if (error instanceof Beyond) return null;
    throw error;
  }
}

/** @typedef {Parameters<typeof read>[1]} Spelt */

/** What joins parts, whatever they are. @param {Tree} tree @param {(tree: Tree) => Part} inner @returns {Part | null} */
function joined(tree, inner) {
  const [word, ...sides] = tree;
  if (word === "not") return { is: "none", of: [inner(sides[0])] };
  if (word !== "and" && word !== "or") return null;
  return { is: word === "and" ? "all" : "any", of: sides.map(inner) };
}

/** @param {Tree} tree @param {Spelt} spelt @returns {Part} */
function part(tree, spelt) {
  const group = joined(tree, (inner) => part(inner, spelt));
  if (group) return group;
  const [word, ...of] = tree;
  if (word === "ismemberofsegment" && of.length === 1 && of[0][0] === "text") {
    return { is: "segment", name: spelt("segment", of[0][1]), op: "in" };
  }
  if (word === "any") return { is: "activity", op: "ge", count: 1, ...activities(of[2], `${of[1]}/`, spelt) };
  if (word === "compare" && of[1][0] === "$count" && of[2][0] === "number") {
    return { is: "activity", op: of[0], count: of[2][1], ...activities(of[1][2], "", spelt) };
  }
  return test(tree, (path) => {
    const [first, second] = path.map((name) => name.replace(/^msdynci_/i, ""));
    if (path.length === 1) return ["attribute", spelt("attribute", first ?? "")];
    return path.length === 2 && first?.toLowerCase() === "measures" ? ["measure", spelt("measure", second ?? "")] : beyond();
  });
}

/** @param {Tree | null} tree @param {string} prefix @param {Spelt} spelt */
function activities(tree, prefix, spelt) {
  /** @type {Activity["within"]} */
  let within = null;
  /** @type {Part[]} */
  const of = [];
  // Of those that are joined by `and`, one may be the time.
  const each = (/** @type {Tree} */ tree) => {
    if (tree[0] === "and") tree.slice(1).forEach(each);
    else {
      const found = since(tree, prefix);
      if (found && within) beyond();
      if (found) within = found;
      else of.push(field(tree, prefix, spelt));
    }
  };
  if (tree) each(tree);
  return { within: /** @type {Activity["within"]} */ (within), where: normal({ is: "all", of }) };
}

/** `ActivityTime gt now() sub duration'…'` @param {Tree} tree @param {string} prefix @returns {Activity["within"]} */
function since([word, op, left, right], prefix) {
  if (word !== "compare" || (op !== "gt" && op !== "ge") || left[0] !== "path" || right[0] !== "sub") return null;
  const [, now, length] = right;
  const isTime = left[1].join("/").toLowerCase() === `${prefix}activitytime`.toLowerCase();
  return isTime && now[0] === "now" && length[0] === "duration" && length[1] > 0 ? { op, ms: length[1] } : null;
}

/** What is asked of one activity. @param {Tree} tree @param {string} prefix @param {Spelt} spelt @returns {Part} */
function field(tree, prefix, spelt) {
  return (
    joined(tree, (inner) => field(inner, prefix, spelt)) ??
    test(tree, (path) => {
      const own = prefix && path[0] === prefix.slice(0, -1) ? path.slice(1) : path;
      return ["attribute", spelt("field", own.join("/"))];
    })
  );
}

/** @param {Tree} tree @param {(path: string[]) => ["attribute" | "measure", string]} named @returns {Condition} */
function test(tree, named) {
  const [word, ...of] = tree;
  const one = (/** @type {Tree} */ path, /** @type {string} */ op, /** @type {Condition["value"]} */ value) => {
    if (path[0] !== "path") beyond();
    const [is, name] = named(path[1]);
    return { is, name, op, value };
  };
  if (TESTS.includes(word) && of.length === 2) return one(of[0], word, constant(of[1]));
  if (word === "in" && of.length > 1) return one(of[0], "in", of.slice(1).map(constant));
  if (word !== "compare") beyond();
  const [op, left, right] = of;
  if (right[0] === "null") return op === "eq" ? one(left, "empty", null) : op === "ne" ? one(left, "filled", null) : beyond();
  return one(left, op, constant(right));
}

/** What fits into one line of a form. @param {Tree} tree @returns {Value} */
const constant = ([word, value]) => (word === "number" || word === "bool" || (word === "text" && !/[\r\n]/.test(value)) ? value : beyond());
