// @ts-check
/** The two stages of the home page: the same frame, so that one can stand in for the other without a jump. */
import { COFFEE, COPPER, CREAM, INK, STEEL, STEEL_DARK, WALNUT, cup, pen, steam } from "./pencil.mjs";
import { picoDrip } from "./basic.mjs";
import { auroraDualBoiler } from "./premium.mjs";

const frame = (/** @type {string} */ inside) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 680" width="720" height="680">${inside}</svg>`;

const morningWindow = `
  <path fill="#f9e4bd" d="M60 452V210q0-138 128-138t128 138v242z"/>
  <circle cx="214" cy="262" r="58" fill="#f4b26b" stroke="none"/>
  <circle cx="214" cy="262" r="84" fill="#f4b26b" fill-opacity=".3" stroke="none"/>
  <path fill="#c4c39a" stroke="none" d="M62 360q60-56 128-20t124-30v140H62z"/>
  <path fill="#9eab83" stroke="none" d="M62 404q70-40 132-14t120-24v84H62z"/>
  <path stroke="#fffaf1" stroke-width="12" d="M60 452V210q0-138 128-138t128 138v242M188 74v378M62 262h252"/>
  <path d="M54 452V210q0-144 134-144t134 144v242"/>
  <path fill="#fffaf1" d="M40 450h296v18H40z"/>`;

const croissant = `
  <path fill="#fffaf1" d="M86 548h142q-4 20-32 20h-78q-28 0-32-20z"/>
  <path fill="#dc9a55" d="M98 544q2-38 40-46 36-8 60 10 20 14 18 36-12-2-20-14-30-16-60 0-10 14-38 14z"/>
  <path stroke="#a9642b" d="M126 504q4 16 14 26m16-32q0 14 4 26m28-22q-6 12-8 22"/>`;

export const heroBasic = frame(`
  <path fill="#efdfca" d="M0 0h720v680H0z"/>
  <path fill="#f8ecd8" d="M322 120l398 210v250L322 452z" fill-opacity=".8"/>
  <path fill="#efdfca" d="M322 262l398 222v26L322 284z" fill-opacity=".9"/>
  ${pen(`${morningWindow}
  <path fill="#b98257" d="M420 164h250v14H420z"/><path d="M452 178v20m186-20v20"/>
  <path fill="#d98f6c" d="M446 120h44l-5 44h-34z"/><path fill="#8a9d82" d="M468 120q-34-12-40-50 32 6 40 42 2-46 34-60 10 40-26 68z"/>
  <path fill="#fdf8ef" d="M528 108h46v56h-46z"/><path fill="#6b4226" stroke="none" d="M530 128h42v34h-42z"/><path fill="${WALNUT}" d="M524 98h54v12h-54z"/>
  <path fill="#fdf8ef" d="M592 122h40v42h-40z"/><path fill="#d9b37a" stroke="none" d="M594 140h36v22h-36z"/><path fill="${WALNUT}" d="M588 112h48v12h-48z"/>
  <path fill="#c58f63" d="M-8 566h736v130H-8z"/>
  <path fill="#e2b487" d="M-8 548h736v26H-8z"/>
  <path stroke="#9a6a44" stroke-width="2" d="M40 606h140m40 26h220m60-30h160m-40 44h100M-4 650h90"/>
  ${croissant}`)}
  <ellipse cx="474" cy="558" rx="186" ry="11" fill="${INK}" fill-opacity=".22"/>
  <g transform="translate(206 126) scale(1.02)">${picoDrip.drawing}</g>`);

const fluting = Array.from({ length: 18 }, (_, i) => `M${i * 42 + 4} 0v560`).join("");

const grinder = `
  <path fill="#e9e2d8" fill-opacity=".75" d="M556 268l14 66h76l14-66z"/>
  <path fill="#6b4226" stroke-width="2" d="M562 292q12-10 24 0 12-10 24 0 12-10 24 0 10-8 20 2l-8 40h-76z"/>
  <rect x="548" y="256" width="120" height="14" rx="7" fill="${WALNUT}"/>
  <path fill="#26231f" d="M562 334h92q10 0 10 12v58q0 12-12 12h-88q-12 0-12-12v-58q0-12 10-12z"/>
  <circle cx="608" cy="374" r="20" fill="${COPPER}"/><path d="M608 374l10-10"/>
  <path fill="#3a3532" d="M576 416h64v112h-64z"/>
  <path fill="${STEEL}" d="M580 440h-26v14h26z"/><path fill="#26231f" d="M548 528h120q8 0 8 10v14H540v-14q0-10 8-10z"/>`;

export const heroPremium = frame(`
  <path fill="#35443b" d="M0 0h720v680H0z"/>
  <path stroke="#2b3831" stroke-width="4" fill="none" d="${fluting}"/>
  <path fill="#f6d9a6" fill-opacity=".16" d="M270 154h90L600 556H30z"/>
  <path fill="#f6d9a6" fill-opacity=".14" d="M286 154h58L480 556H150z"/>
  ${pen(`
  <path stroke-width="4" d="M315-4v56"/>
  <circle cx="315" cy="144" r="20" fill="#fff3d6"/>
  <path fill="#d9a650" d="M296 52h38l6 20q60 20 66 74H224q6-54 66-74z"/>
  <path stroke="#f7dfa9" stroke-width="4" d="M252 126q10-32 44-44"/>
  <path fill="#7b5233" d="M506 150h230v14H506z"/><path d="M540 164v20m130-20v20"/>
  <path fill="${CREAM}" d="M528 120h44l-5 30h-34zM586 120h44l-5 30h-34zM644 120h44l-5 30h-34z"/>
  ${grinder}
  <path fill="#e8e1d7" d="M-8 574h736v116H-8z"/><path fill="#f8f3eb" d="M-8 550h736v30H-8z"/>
  <path stroke="#c6bcae" stroke-width="2.5" d="M20 596q60 14 96 50t90 40M260 590q40 30 120 34t150 60M560 590q30 40 90 44t80 30"/>
  <path fill="#c9663d" d="M24 532h96v18H24z"/><path fill="#e6d3b4" d="M34 514h82v18H34z"/><path fill="#5f7c8f" d="M28 496h78v18H28z"/>
  <path stroke="#fff" stroke-opacity=".7" d="M40 541h40m-26-18h30"/>
  ${cup(42, 452, 56, CREAM)}${steam(70, 440, "#d8cfc2")}`)}
  <ellipse cx="320" cy="556" rx="206" ry="11" fill="${INK}" fill-opacity=".3"/>
  <g transform="translate(82 136) scale(.99)">${auroraDualBoiler.drawing}</g>`);

/** The roastery of the about page: a drum roaster, sacks, a tall window. */
export const roastery = frame(`
  <path fill="#e9d6bf" d="M0 0h720v680H0z"/>
  ${pen(`
  <path fill="#cfdcd9" d="M70 60h250v300H70z"/><path stroke="#fffaf1" stroke-width="10" d="M70 60h250v300H70zM195 60v300M70 160h250M70 260h250"/><path d="M62 52h266v316H62z"/>
  <path fill="${STEEL}" d="M520-6h44v150h-44z"/><path stroke-width="2" d="M520 40h44m-44 50h44"/>
  <path fill="#b98257" d="M-8 580h736v110H-8z"/><path stroke="#9a6a44" stroke-width="2" d="M30 612h180m60 30h260m40-36h120"/>
  <path fill="#39342f" d="M420 520h240v60H420z"/><path fill="#47413d" d="M450 470h180v50H450z"/>
  <path fill="${COPPER}" d="M390 150h290v52H390z"/><path fill="#d98a52" d="M476 144h132l-30-60h-72z"/>
  <circle cx="536" cy="330" r="150" fill="#47413d"/><circle cx="536" cy="330" r="116" fill="${COPPER}"/><circle cx="536" cy="330" r="92" fill="#9c5628"/>
  <circle cx="536" cy="316" r="42" fill="${CREAM}"/><path fill="${COFFEE}" stroke="none" d="M497 322q20-14 40-4t39-4q-1 44-40 44-36 0-39-36z"/>
  <path d="M536 400v44" stroke-width="12"/><path stroke="${WALNUT}" stroke-width="7" d="M536 404v36"/>
  <path stroke="#e9a878" stroke-width="5" d="M444 296q14-60 70-76"/>
  <path fill="${STEEL_DARK}" d="M352 486h136l-18 40H370z"/><path fill="#6b4226" d="M366 486q14-20 32-12 20-18 40 0 22-6 30 12z"/><path fill="#39342f" d="M404 526h32v54h-32z"/>
  <path fill="#d8b98c" d="M60 580q-22-70 4-132 60-20 120 0 26 60 2 132z"/><path fill="#e6cda4" d="M196 580q-16-50 4-96 46-16 94 0 20 46 2 96z"/>
  <path stroke="#a98355" d="M92 500h64m-56 20h48M224 522h44m-38 16h32"/>
  <path fill="#6b4226" d="M74 448q10-22 30-12 18-22 38-2 22-8 30 14-50-14-98 0z"/>`)}`);
