// @ts-check
// A consent platform as pages have one: the IAB's own library behind `__tcfapi`, and a visitor who decides.
import { buildSync } from "esbuild";
import { root } from "../../tools/lib.mjs";

const PLATFORM = `
  import { CmpApi } from "@iabtcf/cmpapi";
  import { GVL, TCModel, TCString } from "@iabtcf/core";
  const named = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [i + 1, { id: i + 1, name: "n", description: "d", illustrations: [] }]));
  const list = () => new GVL({
    gvlSpecificationVersion: 3, vendorListVersion: 1, tcfPolicyVersion: 5, lastUpdated: new Date(0).toISOString(),
    purposes: named(11), specialPurposes: named(2), features: named(3), specialFeatures: named(2), vendors: {}, stacks: {}, dataCategories: {},
  });
  export const consentString = (purposes) => {
    const model = new TCModel(list());
    Object.assign(model, { cmpId: 100, cmpVersion: 1, isServiceSpecific: true });
    model.purposeConsents.set(purposes);
    return TCString.encode(model);
  };
  if (globalThis.document) {
    const begin = () => {
      const platform = new CmpApi(100, 1, true);
      return {
        ask: () => platform.update("", true),
        decide: (purposes) => platform.update(consentString(purposes), false),
        none: () => platform.update(null),
      };
    };
    globalThis.consentPlatform = { begin };
  }`;

const bundled = (/** @type {"esm" | "iife"} */ format) =>
  buildSync({ stdin: { contents: PLATFORM, resolveDir: root }, bundle: true, format, write: false, logLevel: "error" }).outputFiles[0]?.text ?? "";

/** What a page runs to have it: `consentPlatform.begin()`, which gives `ask`, `decide` and `none`. */
export const platformScript = () => bundled("iife");

/** The consent string of a visitor who agreed to these purposes. @returns {Promise<(purposes: number[]) => string>} */
export const consentStrings = async () => (await import(`data:text/javascript,${encodeURIComponent(bundled("esm"))}`)).consentString;
