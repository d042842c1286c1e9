// Calls the WebAssembly module, whose functions take text, and answer a number or a place in memory. The
// generated bindings can pass everything there is, and are eight times as long; the convention below is
// theirs, and fixed by the `=` in front of wasm-bindgen's version.

/** @typedef {any} Any */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @type {Any} */
let module;

const bytes = () => new Uint8Array(module.memory.buffer);

const given = (/** @type {string} */ text) => {
  const encoded = encoder.encode(text);
  const at = module.__wbindgen_malloc(encoded.length, 1);
  bytes().set(encoded, at);
  return [at, encoded.length];
};

const bytesOf = (/** @type {Response} */ response) => {
  if (!response.ok) throw new Error("HTTP status " + response.status);
  return response.arrayBuffer();
};

/** Fetched, compiled, and ready for calls. */
export const start = async (/** @type {Promise<Response>} */ wasm) => {
  const source = await WebAssembly.instantiate(await bytesOf(await wasm));
  module = source.instance.exports;
};

/** Makes an instance. @returns {number} */
export const create = () => module.create();

/** What an instance answers to an input. @param {number} instance @param {string} input */
export const decide = (instance, input) => {
  const at = module.step(instance, ...given(input));
  const memory = bytes();
  return decoder.decode(memory.subarray(at, memory.indexOf(0, at)));
};
