// @ts-check
/** The stylesheet, as text. */
import { base } from "./style/base.css.mjs";
import { shop } from "./style/shop.css.mjs";

export const css = base + shop;
