"use strict";
// Sorting and filtering of the table of runs; the rows themselves are plain HTML and readable without this.

function sortable(table) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column], raw = cell.dataset.value;
    return raw === undefined ? cell.textContent : raw === "" ? Infinity : Number(raw);
  };
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return (typeof x === "number" ? x - y || 0 : x.localeCompare(y)) * (down ? -1 : 1);
      });
      body.append(...rows);
    });
  });
}

function filterable(table, input, count) {
  const rows = [...table.tBodies[0].rows];
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length} runs`;
  };
  input.addEventListener("input", apply);
  apply();
  return () => { input.value = ""; apply(); };
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const drawing of data.drawings)
    new Chart(document.getElementById(`chart-${drawing.name}`), drawing, data.runs, data.palette);
  for (const table of document.querySelectorAll("table.sortable")) sortable(table);
  const table = document.getElementById("runs-table");
  const clear = filterable(table, document.getElementById("filter"), document.getElementById("count"));
  document.addEventListener("run", (event) => {
    clear();
    for (const row of table.tBodies[0].rows) row.classList.toggle("chosen", row.dataset.run === String(event.detail.run));
    const row = table.querySelector(".chosen");
    if (row && event.detail.focus) { row.scrollIntoView({ block: "center" }); row.focus(); }
  });
}

start();
