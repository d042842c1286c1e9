// @ts-check
/** The three basic machines, drawn in matte colours. */
import { COFFEE, CREAM, INK, STEEL, STEEL_DARK, cup, pen, portafilter, steam, wand } from "./pencil.mjs";

/** Filter brewer: water tower on the left, basket above a glass carafe. */
export const picoDrip = { tint: "#a9bd9f", left: 104, right: 424, drawing: pen(`
  <path fill="#a7b89f" d="M104 134q0-28 28-28h190q28 0 28 28v44q0 16-16 16H196q-10 0-10 10v164q0 10 10 10h152q16 0 16 16v10q0 16-16 16H122q-18 0-18-18z"/>
  <path fill="#8a9d82" stroke="none" d="M106 200v200q0 18 16 18h226q14 0 14-13H142q-20 0-20-20V200z"/>
  <path stroke="#d7e1d0" d="M120 140q1-18 18-18h92"/>
  <rect x="130" y="214" width="30" height="132" rx="15" fill="#eef3f1"/>
  <path fill="#b9d3d6" stroke="none" d="M132 268q7-6 14 0t12 0v63q0 13-13 13t-13-13z"/>
  <path stroke-width="2" d="M164 250h8m-8 28h8m-8 28h8"/>
  <circle cx="318" cy="146" r="15" fill="${CREAM}"/><path d="M318 138v9"/>
  <path stroke-width="2.5" d="M216 140h62M216 154h40"/>
  <path fill="#6f8268" d="M214 194h124l-12 40q-4 13-18 13h-64q-14 0-18-13z"/>
  <path d="M270 247v8m14-8v8" stroke="${COFFEE}"/>
  <path stroke-width="12" d="M335 290h18q16 0 16 16v22q0 16-16 16h-10"/>
  <path stroke="#6f8268" stroke-width="6" d="M335 290h18q16 0 16 16v22q0 16-16 16h-10"/>
  <path fill="#fdf8ef" fill-opacity=".82" d="M238 268h76q3 24 18 42t7 40q-5 20-24 20h-78q-19 0-24-20-8-22 7-40t18-42z"/>
  <path fill="${COFFEE}" stroke="none" d="M216 322q30-7 60 0t60 0q7 14 2 28-5 18-23 18h-78q-18 0-23-18-5-14 2-28z"/>
  <path stroke="#fff" stroke-opacity=".75" d="M246 282q-3 16-14 30"/>
  <rect x="232" y="255" width="88" height="14" rx="7" fill="#6f8268"/>
  <path d="M206 376h140" stroke-width="6"/>
  <circle cx="330" cy="400" r="5" fill="#e0803c"/>
  ${cup(380, 370, 58, CREAM)}${steam(407, 356)}`) };

/** One-cup pour-over: a slim tank, an arm, a ceramic cone above the mug. */
export const lumoSingle = { tint: "#dea383", left: 118, right: 372, drawing: pen(`
  <path fill="#b85f3c" d="M112 420q0-28 28-30h208q30 2 30 30z"/>
  <path stroke="#dd9473" d="M134 404q4-5 14-5h70"/>
  <path fill="#f4ebe0" fill-opacity=".9" d="M134 150q0-8 8-8h82q8 0 8 8v240h-98z"/>
  <path fill="#bcd7da" stroke="none" d="M136 214q12-8 24 0t24 0 24 0 22 0v174h-94z"/>
  <path stroke="#fff" stroke-opacity=".9" stroke-width="5" d="M150 164v196"/>
  <path stroke-width="2" d="M218 250h12m-12 40h12m-12 40h12"/>
  <path fill="#c96f4a" d="M122 150v-18q0-64 66-64h84q64 0 64 58v22q0 12-12 12h-46q-12 0-12-12v-4q0-10-10-10h-12q-10 0-10 10v-2q0 14-14 14h-86q-12 0-12-6z"/>
  <path stroke="#f0b396" d="M138 126q2-42 48-43h74"/>
  <circle cx="300" cy="112" r="13" fill="${CREAM}"/><circle cx="300" cy="112" r="4.5" fill="#b85f3c" stroke="none"/>
  <path fill="${STEEL_DARK}" d="M284 160h32v12q0 6-6 6h-20q-6 0-6-6z"/>
  <path d="M300 180v22" stroke="#7fa9b0"/>
  <path fill="${CREAM}" d="M246 204h108q4 0 3 5l-33 62q-4 7-12 7h-24q-8 0-12-7l-33-62q-1-5 3-5z"/>
  <path fill="${COFFEE}" stroke="none" d="M258 212h84l-8 14h-68z"/>
  <path stroke="#cdb9a3" stroke-width="2.5" d="M272 238l14 28m14-28v28m28-28l-14 28"/>
  <path fill="#c96f4a" d="M256 278h88q7 0 7 6t-7 6h-88q-7 0-7-6t7-6z"/>
  <path d="M232 284h18" stroke-width="9"/>
  <path d="M300 292v30" stroke="${COFFEE}" stroke-width="4"/>
  ${cup(262, 324, 78, CREAM)}
  <path stroke="${COFFEE}" stroke-width="5" d="M266 328h70"/>${steam(362, 300)}`) };

/** Compact pump machine: rounded box, one dial, one wand. */
export const tempoEspresso = { tint: "#9bb3c2", left: 112, right: 374, drawing: pen(`
  <path fill="#5f7c8f" d="M126 222h228v164H126z"/>
  <path fill="#7f9dae" d="M110 142q0-34 34-34h192q34 0 34 34v72q0 18-18 18H128q-18 0-18-18z"/>
  <path stroke="#b5cad5" d="M126 150q0-26 24-26h104"/>
  <path fill="#6b899b" stroke="none" d="M112 200v12q0 18 16 18h224q16 0 16-18v-12q0 12-16 12H128q-16 0-16-12z"/>
  <path fill="${STEEL}" d="M138 108v-10q0-8 8-8h188q8 0 8 8v10z"/>
  <path fill="${CREAM}" d="M162 90l5-25h36l5 25zM222 90l4-21h32l4 21z"/><path d="M204 72h7q8 1 5 11"/>
  <circle cx="306" cy="168" r="27" fill="${CREAM}"/><circle cx="306" cy="168" r="17" fill="${STEEL}"/><path d="M306 168l9-11"/>
  <path stroke-width="2" d="M306 135v-4m27 13l3-3m-57 3l-3-3"/>
  <circle cx="152" cy="168" r="9" fill="#e0803c"/><circle cx="182" cy="168" r="9" fill="${CREAM}"/><circle cx="212" cy="168" r="9" fill="${CREAM}"/>
  <path fill="${STEEL_DARK}" d="M196 232h88v16q0 8-8 8h-72q-8 0-8-8z"/>
  ${portafilter(240, 256, INK)}
  ${wand(334, 232, 14, 104)}
  <path stroke="${COFFEE}" stroke-width="3.5" d="M231 306v22m18-22v22"/>
  ${cup(212, 326, 56, CREAM)}
  <path fill="${STEEL}" d="M106 382h268v22q0 16-16 16H122q-16 0-16-16z"/>
  <path stroke-width="2.5" d="M126 392h228m-210 10h192"/>
  <path d="M136 420v6m208-6v6" stroke-width="8"/>
  ${steam(284, 318, "#d5dfe4")}`) };
