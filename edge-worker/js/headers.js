// Headers of a request or an answer, a line each, empty where there is none: one text for Rust instead of many.

/**
 * @param {Request | Response} of
 * @param {string[]} names
 */
export function lines({ headers }, names) {
  let lines = "";
  for (const name of names) lines += `\n${headers.get(name) ?? ""}`;
  return lines;
}

/** The same, as Rust asks for it. @param {Response} of @param {string} names */
export const told = (of, names) => lines(of, names.split(" ")).slice(1);
