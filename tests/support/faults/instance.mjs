// @ts-check
// Evaluated before the Worker: remembers its newest WebAssembly instance.
const { Instance } = WebAssembly;
/** @type {WebAssembly.Instance | undefined} */
let newest;

WebAssembly.Instance = class extends Instance {
  /** @param {WebAssembly.Module} module @param {WebAssembly.Imports} [imports] */
  constructor(module, imports) {
    super(module, imports);
    newest = this;
  }
};

export function memory() {
  if (!newest) throw new Error("the Worker has no WebAssembly instance");
  return /** @type {WebAssembly.Memory} */ (newest.exports.memory);
}
