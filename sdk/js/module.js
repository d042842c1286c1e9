// Calls the WebAssembly module, whose two functions take and give text. The generated bindings can pass
// everything there is, and are eight times as long; the convention below is theirs, and fixed by the `=`
// in front of wasm-bindgen's version.

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

/** Fetched, compiled, and ready for calls. */
export const start = async (/** @type {Promise<Response>} */ wasm) => {
  const imports = { "./msci_sdk_bg.js": { __wbindgen_init_externref_table() {} } };
  const source = await WebAssembly.instantiate(await (await wasm).arrayBuffer(), imports);
  module = source.instance.exports;
};

/** Makes an instance. @param {string} settings */
export const create = (settings) => module.create(...given(settings));

/** What an instance answers to an input. @param {number} instance @param {string} input */
export const decide = (instance, input) => {
  const [at, length] = module.step(instance, ...given(input));
  const effects = decoder.decode(bytes().subarray(at, at + length));
  module.__wbindgen_free(at, length, 1);
  return effects;
};
