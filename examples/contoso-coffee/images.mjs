// @ts-check
/** Every image of the shop by path. All are drawn here, by hand, as text: the Worker needs no asset pipeline. */
import { lumoSingle, picoDrip, tempoEspresso } from "./images/basic.mjs";
import { crate, oneBag, twoBags } from "./images/bags.mjs";
import { backdrop } from "./images/pencil.mjs";
import { auroraDualBoiler, meridianAuto, solsticeLever } from "./images/premium.mjs";
import { heroBasic, heroPremium, roastery } from "./images/scenes.mjs";

/** @param {string} shapes */
const sheet = (shapes) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 480" width="480" height="480">${shapes}</svg>`;

/** @param {{ tint: string, left: number, right: number, drawing: string }} machine */
const portrait = (machine) => sheet(backdrop(machine.tint, machine.left, machine.right) + machine.drawing);

const favicon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#2b1a12"/>
<path fill="#e09a63" d="M16 6c7 1 9 13 0 20-9-7-7-19 0-20z"/><path fill="none" stroke="#2b1a12" stroke-width="2" stroke-linecap="round" d="M16 7c-4 6 4 11 0 18"/></svg>`;

/** @type {Readonly<Record<string, string>>} */
export const images = Object.freeze({
  "/favicon.svg": favicon,
  "/images/hero-basic.svg": heroBasic,
  "/images/hero-premium.svg": heroPremium,
  "/images/roastery.svg": roastery,
  "/images/plan-pay-as-you-go.svg": sheet(oneBag),
  "/images/plan-bean-club.svg": sheet(twoBags),
  "/images/plan-office.svg": sheet(crate),
  "/images/pico-drip.svg": portrait(picoDrip),
  "/images/lumo-single.svg": portrait(lumoSingle),
  "/images/tempo-espresso.svg": portrait(tempoEspresso),
  "/images/aurora-dual-boiler.svg": portrait(auroraDualBoiler),
  "/images/solstice-lever.svg": portrait(solsticeLever),
  "/images/meridian-auto.svg": portrait(meridianAuto),
});
