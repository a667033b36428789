// Puts a button below charts. What opens is a chart that a reader can change, or a table; the chart is drawn by
// a library that is loaded when the button is pressed for the first time.
(() => {
  const base = new URL("../../explore/", document.currentScript.src);
  const LIBRARIES = ["vega.min.js", "vega-lite.min.js", "vega-interpreter.js"];
  const OURS = ["explore_tables.js", "explore_runs.js", "explore_charts.js"];
  const loads = new Map();

  // Scripts that are asked for together run in this order.
  const load = (name) => {
    if (!loads.has(name)) {
      const script = document.createElement("script");
      const done = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = () => {
          loads.delete(name);
          reject(new Error(`${name} could not be loaded.`));
        };
      });
      script.async = false;
      script.src = new URL(name, base);
      document.head.append(script);
      loads.set(name, done);
    }
    return loads.get(name);
  };
  // A chart has a script of its own; learning curves have one for each folder and for each optimizer.
  const scripts = ({ table, chart, folders, lines }) => {
    if (table) return [OURS[0], `${table}.js`];
    if (chart) return [...LIBRARIES, ...OURS, `${chart}.js`];
    const shelves = lines.flatMap(([, names]) => names.map((name) => `${name}.js`));
    return [...LIBRARIES, ...OURS, ...folders.map((name) => `${name}/index.js`), ...shelves];
  };
  const loadAll = (names) => Promise.all(names.map(load));

  for (const place of document.querySelectorAll("[data-explore]")) {
    const figure = JSON.parse(place.dataset.explore);
    const button = document.createElement("button");
    const panel = document.createElement("div");
    button.type = "button";
    button.className = "explore-open";
    button.textContent = figure.table ? "Table" : "Explore";
    button.setAttribute("aria-expanded", "false");
    panel.hidden = true;
    place.append(button, panel);
    let opened = null;
    button.addEventListener("click", async () => {
      panel.hidden = !panel.hidden;
      button.setAttribute("aria-expanded", String(!panel.hidden));
      if (opened) return;
      panel.textContent = "Loading …";
      try {
        opened = loadAll(scripts(figure));
        await opened;
        panel.textContent = "";
        if (figure.table) globalThis.litTables(panel, figure);
        else globalThis.litExplore(panel, figure, loadAll, base);
      } catch (error) {
        opened = null;
        panel.textContent = error.message;
      }
    });
  }
})();
