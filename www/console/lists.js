// @ts-check
// Lists of customers as people like them: as tiles, and sorted by a column where the server does not sort all of them.
// Sorted is then what the page shows; which rows those are, the list's own order says.
import { button, h } from "./dom.js";

/** Whether lists are tiles; remembered in this browser. */
const TILES = "msci-tiles";

/** @param {HTMLElement} place with a table in it */
export function list(place) {
  const table = place.querySelector("table");
  const body = table?.tBodies[0];
  if (!table || !body) return;
  const heads = [...table.querySelectorAll("th")];
  // Each cell says its column's name where there is no column.
  for (const row of body.rows) [...row.cells].forEach((cell, at) => cell.setAttribute("data-of", heads[at]?.textContent ?? ""));
  const whole = heads.some((head) => head.querySelector("a"));
  if (!whole) heads.forEach((head, at) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (/** @type {HTMLTableRowElement} */ row) => row.cells[at]?.querySelector("time")?.dateTime ?? row.cells[at]?.textContent ?? "";
      const rows = [...body.rows].sort((one, other) => text(one).localeCompare(text(other), "en", { numeric: true }));
      body.append(...(down ? rows.reverse() : rows));
    };
    head.replaceChildren(button(head.textContent ?? "", sort, { class: "head" }));
  });
  const show = () => {
    const tiles = localStorage.getItem(TILES) === "yes";
    place.classList.toggle("tiles", tiles);
    toggle.setAttribute("aria-pressed", String(tiles));
  };
  const toggle = button(texts.lists.tiles, () => {
    localStorage.setItem(TILES, localStorage.getItem(TILES) === "yes" ? "no" : "yes");
    show();
  });
  place.before(h("p", {}, toggle));
  show();
}
