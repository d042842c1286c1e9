// @ts-check
// What people read on the console stands in one file, `www/console/texts.json`, and nowhere else. That each text of the
// pages is used, and that no page names one that is not there, the compiler says.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { isSentence, ofRust } from "./support/literals.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (/** @type {string} */ path) => readFileSync(root + path, "utf8");
const files = (/** @type {string} */ folder, /** @type {string} */ ending) => readdirSync(root + folder).filter((name) => name.endsWith(ending)).map((name) => `${folder}/${name}`);
const SCRIPTS = files("www/console", ".js");

/** @typedef {string | { one: string, other: string }} Text */
/** @typedef {Record<string, Record<string, Text>>} Groups */
/** @type {{ pages: Groups, site: Groups, scripts: Groups }} */
const { pages, site, scripts } = JSON.parse(read("www/console/texts.json"));
/** @type {Groups} */
const texts = { ...pages, ...scripts };

/** The places of a text. @param {Text} text */
const places = (text) => {
  const forms = typeof text === "string" ? [text] : [text.one, text.other, "{count}"];
  return [...new Set(forms.flatMap((form) => [...form.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name]) => name)))].sort();
};

/** What sources say that nobody reads as English. Exactly these, since anything like it would be a text. */
const NAMES = {
  // Values of definitions, tokens and signals, as the API writes them.
  values: ["Viewer", "Contributor", "Administrator", "View", "Action", "User", "Properties/"],
  // Attributes by which imported tables name people, or begin a condition.
  attributes: ["Name", "Id"],
  // Of the API's own message.
  position: ["at position "],
  // Of languages.
  languages: ["Node.js", "Python"],
  // The platform's.
  platform: ["Etc/UTC", "(prefers-color-scheme: dark)"],
};
const NAMED = new Set(Object.values(NAMES).flat());

test("the file of texts is written one way, names no group twice, and has both forms where a number decides", () => {
  // A key that is there twice would be lost.
  const written = JSON.stringify({ pages, site, scripts }, null, 2).replace(/\{\n\s+"one": (.*),\n\s+"other": (.*)\n\s+\}/g, '{ "one": $1, "other": $2 }');
  assert.equal(read("www/console/texts.json"), `${written}\n`);
  assert.deepEqual(Object.keys(pages).filter((group) => group in scripts), []);
  for (const [group, of] of Object.entries({ ...texts, ...site })) {
    for (const [key, text] of Object.entries(of)) {
      const forms = typeof text === "string" ? [text] : [text.one, text.other];
      for (const form of forms) assert.match(form ?? "", /^\S.*\S$|^\S$/, `${group}.${key}`);
    }
  }
});

test("a text is found wherever a page may hide it", () => {
  const page = `
    // "No comment is one".
    const NAMES: [&str; 2] = ["Of a table", "code_of_it"];
    fn page(id: &str) -> Markup {
      let words = if id == "a" { "never" } else { "Now and then" };
      html! {
        p.quiet #{ "p-" (id) } aria-label={ "as a " (id) } title="a title" hx-trigger="every 3s" { "said" (id) "at its 'end'" }
        @if id == "b" { (table("A head", &html! { b { "inner" } })) code { "npm start" } }
      }
    }`;
  const found = ofRust(page).filter(({ text, place }) => place === "text" || place === "attribute" || (place === "code" && isSentence(text)));
  assert.deepEqual(
    found.map(({ text }) => text),
    ["Of a table", "Now and then", "as a ", "a title", "said", "at its 'end'", "A head", "inner"],
  );
});

test("no page of the console has a text of its own", () => {
  const found = [...files("edge-worker/src/console", ".rs"), "edge-worker/src/console.rs"].flatMap((path) =>
    ofRust(read(path))
      .filter(({ text, place, before }) => {
        if (NAMED.has(text) || !/[a-z]/.test(text)) return false;
        if (place === "text" || place === "attribute") return true;
        // Headers and what they say, and definitions to begin with.
        const header = /(with_header|\.set)\(\s*("[^"]*",\s*&?)?$/.test(before) || /\w=[^ ]*; |'(self|none)'|frame-src|^[{]\n/.test(text);
        return place === "code" && !header && isSentence(text);
      })
      .map(({ text, line }) => `${path}:${line}: ${text}`),
  );
  assert.deepEqual(found, []);
});

/** @param {any} node @param {(node: any, above: any[]) => void} visit @param {any[]} [above] */
function walk(node, visit, above = []) {
  visit(node, above);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (typeof child?.type === "string") walk(child, visit, [node, ...above]);
  }
}

/** @param {string} path */
const tree = (path) => parse(read(path), { ecmaVersion: "latest", sourceType: "module", locations: true });

test("no script of the console has a text of its own", () => {
  /** @type {string[]} */
  const found = [];
  for (const path of SCRIPTS) {
    walk(tree(path), (node, [parent, call]) => {
      const text = node.type === "Literal" ? node.value : node.type === "TemplateElement" ? node.value.cooked : null;
      if (typeof text !== "string" || NAMED.has(text)) return;
      const property = parent.type === "Property" ? (parent.key.name ?? parent.key.value) : "";
      const classes = property === "class" || property === "rel" || property === "viewBox";
      const selector = parent.type === "CallExpression" && /^(querySelector|closest|each|matches|toggle|redraw|getElementById)/.test(parent.callee.property?.name ?? parent.callee.name ?? "");
      // Class names in a template, and the OData that the builder writes.
      const inClass = parent.type === "TemplateLiteral" && (call?.key?.name === "class" || path.endsWith("filter.js"));
      if (!classes && !selector && !inClass && isSentence(text)) found.push(`${path}:${node.loc.start.line}: ${text}`);
    });
  }
  assert.deepEqual(found, []);
});

test("every text of the scripts is used, and its places are filled where it is", () => {
  const used = new Set();
  /** @type {string[]} */
  const faults = [];
  for (const path of SCRIPTS) {
    walk(tree(path), (node, above) => {
      if (node.type !== "MemberExpression" || node.object.type !== "Identifier" || node.object.name !== "texts") return;
      const group = node.property.name;
      const [parent] = above;
      const key = parent.type === "MemberExpression" && parent.object === node && !parent.computed ? parent.property.name : null;
      for (const name of key === null ? Object.keys(texts[group] ?? {}) : [key]) used.add(`${group}.${name}`);
      const text = key === null ? "" : texts[group]?.[key];
      const wanted = places(text ?? "");
      if (!wanted.length) return;
      const call = above.find(({ type }) => type === "CallExpression");
      const given = (call?.arguments.at(-1).properties ?? []).map((/** @type {any} */ { key }) => key?.name);
      const how = call?.callee.name;
      const filled = [...given, ...(how === "many" ? ["count"] : [])].sort();
      if (how !== (typeof text === "string" ? "fill" : "many") || String(filled) !== String(wanted)) faults.push(`${path}:${node.loc.start.line}: ${group}.${key} wants ${wanted}, is given ${filled}`);
    });
  }
  assert.deepEqual(faults, []);
  const all = Object.entries(scripts).flatMap(([group, of]) => Object.keys(of).map((key) => `${group}.${key}`));
  assert.deepEqual(all.filter((name) => !used.has(name)), []);
});
