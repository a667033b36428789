// The numbers behind a chart as a table. What has no lines, such as a tree, has nothing else for a reader to open.
(() => {
  const element = (tag, ...children) => {
    const made = document.createElement(tag);
    made.append(...children);
    return made;
  };
  const line = (tag, texts) => element("tr", ...texts.map((text) => element(tag, text)));

  globalThis.litTable = (caption, head, rows) =>
    element(
      "table",
      element("caption", caption),
      element("thead", line("th", head)),
      element("tbody", ...rows.map((row) => line("td", row))),
    );

  globalThis.litTables = (host, { table }) => {
    const tables = globalThis.litCharts[table].map(({ title, head, rows }) => globalThis.litTable(title, head, rows));
    const scrolled = element("div", ...tables);
    scrolled.className = "lit-table explore-table";
    scrolled.tabIndex = 0;
    host.append(scrolled);
  };
})();
