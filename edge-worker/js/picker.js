// @ts-check
// What a page to point at is made with, for Rust (`page_preview/picker.rs`).
export { ask } from "./ask.js";
export { changed } from "./rewriter.js";
