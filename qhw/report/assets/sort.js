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
// Rows of a table are shown if all its filters let them: data-rows shows all but those marked as
// best, data-filter those whose data-words (else the first cell) hold what is typed, data-beating those
// that beat a constant.
const filters = "input[data-rows], input[data-filter], input[data-beating]";
for (const input of document.querySelectorAll(filters)) {
  const id = input.dataset.rows ?? input.dataset.filter ?? input.dataset.beating;
  const find = (kind) => document.querySelector(`input[data-${kind}="${id}"]`);
  const show = () => {
    const every = find("rows")?.checked ?? true;
    const words = (find("filter")?.value ?? "").trim().toLowerCase();
    const beating = find("beating")?.checked ?? false;
    for (const row of document.getElementById(id).tBodies[0].rows)
      row.hidden = (!every && !("best" in row.dataset))
        || !(row.dataset.words ?? row.cells[0].textContent).toLowerCase().includes(words)
        || (beating && row.dataset.beats !== "yes");
  };
  input.addEventListener("input", show);
  show();
}
