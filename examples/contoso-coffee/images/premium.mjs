// @ts-check
/** The three premium machines: steel, copper and graphite, with walnut to hold. */
import { COFFEE, COPPER, CREAM, INK, STEEL, STEEL_DARK, WALNUT, cup, gauge, pen, portafilter, steam, wand } from "./pencil.mjs";

/** Wide dual boiler: two gauges, cup rail, a wand on each side. */
export const auroraDualBoiler = { tint: "#d9b48c", left: 62, right: 418, drawing: pen(`
  <path fill="#8f8a83" d="M84 226h312v160H84z"/>
  <path stroke="#a8a29a" stroke-width="2" d="M104 250v118m14-118v118m244-118v118m14-118v118"/>
  <path fill="${CREAM}" d="M102 104l6-32h36l6 32zM164 104l5-27h32l5 27zM274 104l5-27h32l5 27zM330 104l6-32h36l6 32z"/>
  <path d="M146 80h7q8 1 5 11M312 84h7q8 1 5 11"/>
  <path d="M76 112V90h328v22" stroke-width="4"/><path d="M130 90v20m110-20v20m110-20v20"/>
  <path fill="${STEEL}" d="M60 126q0-16 16-16h328q16 0 16 16v88q0 18-18 18H78q-18 0-18-18z"/>
  <path fill="${STEEL_DARK}" stroke="none" d="M62 196v16q0 18 16 18h324q16 0 16-18v-16q0 14-16 14H78q-16 0-16-14z"/>
  <path stroke="#fff" stroke-width="4" d="M76 126h118m16 0h20"/>
  <path fill="${WALNUT}" d="M60 110h26v122h-8q-18 0-18-18zM420 110h-26v122h8q18 0 18-18z"/>
  <path stroke="#b98056" stroke-width="2" d="M70 124q5 40 0 92m8-92q-4 44 0 92m324-92q5 40 0 92m8-92q-4 44 0 92"/>
  ${gauge(140, 170, 27, -38)}${gauge(340, 170, 27, 32)}
  <rect x="188" y="146" width="104" height="34" rx="17" fill="#3b2b22"/>
  <path stroke="#f0b27c" stroke-width="4" d="M214 163h-8v-7h8v14h-8m18-14h8v7h-8v7h8m12-1v0m10-13v14m0-14h8v14h-8" />
  <circle cx="240" cy="204" r="7" fill="${COPPER}"/><circle cx="212" cy="204" r="7" fill="${CREAM}"/><circle cx="268" cy="204" r="7" fill="${CREAM}"/>
  <path fill="${STEEL}" d="M188 232h104v10q0 20-20 20h-64q-20 0-20-20z"/>
  <path fill="${STEEL_DARK}" d="M292 238h14v14h-16z"/><path stroke-width="9" d="M308 245l24-18"/><circle cx="334" cy="225" r="9" fill="${WALNUT}"/>
  ${portafilter(240, 262, WALNUT)}
  ${wand(112, 232, -22, 116)}${wand(368, 232, 22, 116)}
  <path stroke="${COFFEE}" stroke-width="3.5" d="M231 312v18m18-18v18"/>
  ${cup(212, 328, 56, CREAM)}
  <path fill="${STEEL}" d="M60 382h360v20q0 18-18 18H78q-18 0-18-18z"/>
  <path stroke-width="2.5" d="M92 391h296m-284 10h272"/>
  <path fill="${COPPER}" d="M92 420h34v8H92zM354 420h34v8h-34z"/>
  ${steam(290, 322, "#efe6da")}`) };

/** Lever machine: domed copper boiler on a plinth, long lever, sight glass. */
export const solsticeLever = { tint: "#e0a072", left: 92, right: 392, drawing: pen(`
  <path fill="#3d2c23" d="M84 396q0-14 14-14h286q14 0 14 14v8q0 16-16 16H100q-16 0-16-16z"/>
  <path stroke="#7b6353" stroke-width="2.5" d="M250 392h128m-128 9h128"/>
  <path fill="${STEEL}" d="M132 382v-14h92v14zM146 352h64v16h-64z"/>
  <path fill="${COPPER}" d="M112 180q0-66 66-66t66 66v172H112z"/>
  <path fill="#9c5628" stroke="none" d="M114 180q0-46 30-58-12 20-12 58v170h-18z"/>
  <path stroke="#f3c39c" stroke-width="5" d="M212 146q16 14 16 40v76"/>
  <path stroke="#f3c39c" stroke-width="5" d="M228 284v14"/>
  <path fill="#e3b04e" d="M104 190h148v14H104zM104 330h148v14H104z"/>
  <path fill="#e3b04e" d="M166 114v-10h24v10zM170 104q-8-16 8-28 16 12 8 28z"/>
  <rect x="134" y="226" width="22" height="84" rx="11" fill="#f3f6f4"/><path fill="#b9d3d6" stroke="none" d="M136 262q9-5 18 0v38q0 8-9 8t-9-8z"/>
  ${gauge(196, 262, 24, 24)}
  <path fill="#e3b04e" d="M244 222h46v30h-46z"/>
  <path fill="${STEEL}" d="M286 176q0-10 10-10h40q10 0 10 10v86h-60z"/>
  <path stroke="#fff" stroke-width="4" d="M298 180v62"/>
  <path fill="${STEEL_DARK}" d="M278 254h76v16q0 6-6 6h-64q-6 0-6-6z"/>
  <path stroke-width="13" d="M316 172l52-106"/><path stroke="${STEEL}" stroke-width="7" d="M316 172l52-106"/>
  <path stroke-width="24" d="M366 68l19-39"/><path stroke="${WALNUT}" stroke-width="18" d="M366 68l19-39"/><path stroke="#c18d61" stroke-width="2.5" d="M364 60l14-28"/>
  <circle cx="316" cy="176" r="14" fill="#e3b04e"/><circle cx="316" cy="176" r="4" fill="${INK}" stroke="none"/>
  <path stroke-width="17" d="M352 290l62 14"/><path stroke="${WALNUT}" stroke-width="11" d="M358 291l56 13"/>
  <path fill="${STEEL}" d="M280 276h72v14q0 16-18 16h-36q-18 0-18-16z"/>
  <path fill="${STEEL_DARK}" d="M302 306h28l4 16h-9l-9-8-9 8h-9z"/>
  <path stroke="${COFFEE}" stroke-width="3.5" d="M308 324v14m16-14v14"/>
  ${cup(290, 338, 52, CREAM)}
  <path stroke-width="9" d="M112 236H96q-12 0-14 16l-8 84"/><path stroke="${STEEL}" stroke-width="4.5" d="M112 236H96q-12 0-14 16l-8 84"/>
  <circle cx="106" cy="236" r="11" fill="${WALNUT}"/>
  ${steam(256, 356, "#c39b7c")}`) };

/** Bean-to-cup: hopper with beans, round display, adjustable spout, milk jug. */
export const meridianAuto = { tint: "#c3b3a4", left: 92, right: 398, drawing: pen(`
  <path fill="#e9e2d8" fill-opacity=".72" d="M150 108l-14-46q-2-8 6-8h176q8 0 6 8l-14 46z"/>
  <path fill="#6b4226" stroke-width="2" d="M145 84q10-12 22-4 8-12 22-4 10-12 24-2 8-10 22 0 12-12 26 0 10-10 22 0 14-6 26 10l-6 22H150z"/>
  <path stroke="#3b2315" stroke-width="2" d="M162 92q6 4 12-2m14 8q7 4 13-3m10-6q6 5 13 0m6 9q7 4 13-3m8-5q6 5 13 0m6 8q6 4 12-2"/>
  <rect x="128" y="44" width="204" height="14" rx="7" fill="#3a3532"/>
  <path fill="#47413d" d="M104 136q0-28 28-28h196q28 0 28 28v250H104z"/>
  <path fill="#39342f" stroke="none" d="M106 138q0-26 24-28-8 8-8 30v244h-16z"/>
  <path stroke="#7c736b" d="M330 124q10 4 10 18v60"/>
  <circle cx="230" cy="168" r="46" fill="#231d1a"/><circle cx="230" cy="168" r="46" stroke="${COPPER}" stroke-width="4"/>
  <path stroke="#f5cfa8" d="M208 160h36v14q0 14-14 14h-8q-14 0-14-14zM244 164h6q7 0 7 7t-9 8M218 152q-4-6 0-11m12 11q-4-6 0-11"/>
  <path stroke="#8a8078" stroke-width="6" d="M142 150v36m176-36v36"/>
  <path fill="#231d1a" d="M126 232h208v154H126z"/>
  <path stroke="#39322e" stroke-width="2" d="M142 250v118m176-118v118"/>
  <path fill="${STEEL}" d="M192 224h76v36q0 14-12 18l-10 26h-10l-4-20h-4l-4 20h-10l-10-26q-12-4-12-18z"/>
  <path stroke="#fff" stroke-width="4" d="M204 234v24"/><path stroke-width="2.5" d="M222 240h18m-18 9h18"/>
  <path stroke="${COFFEE}" stroke-width="4" d="M219 306v28m22-28v28"/>
  ${cup(198, 332, 64, CREAM)}
  <path fill="#47413d" d="M92 382h278v20q0 18-18 18H110q-18 0-18-18z"/>
  <path stroke="#8a8078" stroke-width="2.5" d="M120 391h222m-208 10h194"/>
  <path stroke="${STEEL_DARK}" stroke-width="4" d="M336 262q40-8 48 44"/>
  <path fill="#fdf8ef" fill-opacity=".9" d="M366 316h46l6 90q0 14-14 14h-30q-14 0-14-14z"/>
  <path fill="#fff" stroke="none" d="M365 350q12-6 24 0t26 0l2 56q0 12-13 12h-30q-13 0-12-12z"/>
  <path fill="#3a3532" d="M362 306h54q4 0 4 5t-4 5h-54q-4 0-4-5t4-5z"/>
  ${steam(286, 326, "#cdbfb2")}`) };
