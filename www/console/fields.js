// @ts-check
// What a filter over activities can name. Others it can, too; of these the builder knows the type.

/** Fields of activities: name and type. @type {[keyof typeof texts.fields, "text" | "number" | "bool"][]} */
export const FIELDS = [
  ["ActivityType", "text"],
  ["ViewUri", "text"],
  ["ViewTitle", "text"],
  ["ViewType", "text"],
  ["SignalName", "text"],
  ["ReferrerUri", "text"],
  ["ActionType", "text"],
  ["ActionTarget", "text"],
  ["ActionElementId", "text"],
  ["ActionIsOutbound", "bool"],
  ["ActionElapsedTimeMs", "number"],
];

/** @param {string} name */
export const typeOfField = (name) => FIELDS.find(([known]) => known === name)?.[1];
