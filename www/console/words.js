// @ts-check
// What the editors say, in one place.

/** Operators. @type {Record<string, string>} */
export const OPERATORS = {
  eq: "is",
  ne: "is not",
  gt: "is more than",
  ge: "is at least",
  lt: "is less than",
  le: "is at most",
  in: "is one of",
  contains: "contains",
  excludes: "does not contain",
  startswith: "begins with",
  endswith: "ends with",
  empty: "is empty",
  filled: "is not empty",
};

/** How often. @type {Record<string, string>} */
export const TIMES = { ge: "at least", le: "at most", eq: "exactly", gt: "more than", lt: "fewer than", ne: "any number but" };

/** What a group asks of its parts. @type {[string, string][]} */
export const GROUPS = [
  ["all", "All of these hold"],
  ["any", "At least one of these holds"],
  ["none", "None of these holds"],
];

/** Fields of activities: name, words, type. @type {[string, string, string][]} */
export const FIELDS = [
  ["ActivityType", "Kind (View, Action or an event's name)", "text"],
  ["ViewUri", "Address of the page", "text"],
  ["ViewTitle", "Title of the page", "text"],
  ["ViewType", "Kind of page", "text"],
  ["SignalName", "Name", "text"],
  ["ReferrerUri", "Address it came from", "text"],
  ["ActionType", "Kind of action", "text"],
  ["ActionTarget", "Target of the action", "text"],
  ["ActionElementId", "Id of the element", "text"],
  ["ActionIsOutbound", "Leads off the site", "bool"],
  ["ActionElapsedTimeMs", "Milliseconds on the page", "number"],
];

export const WORDS = {
  add: "Add condition",
  addGroup: "Add group",
  remove: "Remove",
  everybody: "No condition: it holds for everybody.",
  everything: "No condition: all activities count.",
  beyond: "This condition says more than the builder can show. It stays as it is; edit it as text.",
  faulty: "The builder comes back when the text has no fault.",
  activities: "Has done something on the site",
  member: "Is in a segment",
  these: "Of these activities:",
  picking: "Point at an element and click it. With the keyboard: arrow keys lead through the page, Enter picks, Escape leaves.",
  trying: "The changes as they are typed, whether or not they are for this person.",
  tried: (/** @type {string} */ count) => `${count} elements are changed as it is typed now. What is saved is shown by Preview below.`,
  noDefinition: "This text is no definition yet. The editor comes back when it is.",
  property: "A property of the event",
  one: "1 customer is in it now.",
  many: (/** @type {string} */ count) => `${count} customers are in it now.`,
};

/** What changes do. @type {[string, string][]} */
export const ACTIONS = [
  ["setText", "Set the text"],
  ["setHtml", "Set the HTML"],
  ["setAttribute", "Set an attribute"],
  ["append", "Add HTML at its end"],
  ["prepend", "Add HTML at its beginning"],
  ["before", "Add HTML before it"],
  ["after", "Add HTML after it"],
  ["remove", "Remove it"],
  ["redirect", "Lead to another page"],
];

/** Why an experience or one of its changes is on a page, or is not. @type {Record<string, string>} */
export const WHY = {
  taken: "it is on the page.",
  held_out: "they are held out, to compare with.",
  inactive: "it is not active.",
  not_yet: "its time has not come.",
  over: "its time is over.",
  other_page: "it is for other pages.",
  other_audience: "it is for others. What does not hold:",
  lost: "is not made: another experience changes the same",
  missing_field: "is not made: a field is missing",
  no_address: "is not made: it leads nowhere",
};
