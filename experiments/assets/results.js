// Sorts tables by a column, and filters the results by the part of the course. Without this script
// everything stands there, in the order of the accuracy.
const worth = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

function compare(one, other) {
  const numbers = [Number(one), Number(other)];
  return numbers.some(Number.isNaN) ? (one > other) - (one < other) : numbers[0] - numbers[1];
}

function sort(table, column, direction) {
  const body = table.tBodies[0];
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => [worth(row, column), row]);
  // What has no value stands last, whatever the direction.
  rows.sort(([a], [b]) => (a === "") - (b === "") || sign * compare(a, b));
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll(".sortable table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const directions = ["ascending", "descending"];
      if (head.dataset.first) directions.reverse();
      const direction = directions[Number(head.ariaSort === directions[0])];
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      sort(table, column, direction);
    });
  });
}

const filters = [...document.querySelectorAll(".results")].map((results) => {
  const label = document.createElement("label");
  const select = document.createElement("select");
  const count = document.createElement("output");
  select.add(new Option("all", ""));
  for (const part of results.dataset.parts.split("|")) select.add(new Option(part, parseInt(part)));
  label.append("Part of the course ", select);
  results.prepend(label, " ", count);
  select.addEventListener("change", () => filter(select.value));
  return { results, select, count };
});

function filter(part) {
  for (const element of document.querySelectorAll("[data-part]"))
    element.hidden = part !== "" && element.dataset.part !== part;
  for (const { results, select, count } of filters) {
    const rows = [...results.querySelectorAll("tbody tr")];
    select.value = part;
    count.textContent = part && `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  }
}
