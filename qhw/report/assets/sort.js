"use strict";
// Tables of class "sortable": a click on a heading sorts by it, a second click turns round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => {
    const raw = row.cells[i].dataset.v ?? row.cells[i].textContent.trim();
    if (raw === "") return null;
    const parsed = Number(raw);
    return Number.isNaN(parsed) ? raw : parsed;
  };
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a, i), y = value(b, i);
        if (x === null || y === null) return (x === null) - (y === null); // missing ones last
        const order = typeof x === "number" && typeof y === "number"
          ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
}
// A checkbox with data-rows shows every row of that table, else only those marked as best.
for (const box of document.querySelectorAll("input[data-rows]")) {
  const show = () => {
    for (const row of document.getElementById(box.dataset.rows).tBodies[0].rows)
      row.hidden = !box.checked && !("best" in row.dataset);
  };
  box.addEventListener("change", show);
  show();
}
