// Learning curves that a reader can change. The description of the chart is the one that the picture on the
// page was drawn from (experiments/curves.py); what is done here is to fill it with the runs that are chosen,
// and to let Vega draw it. It never makes code of text, so that the policy of the site can forbid that.
(() => {
  const explorers = new Set();
  const READINGS = " readings";
  let count = 0;

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const field = (text, control) => element("label", { class: "explore-field" }, element("span", {}, text), control);
  const menu = (text, options, changed) => {
    const select = element("select", {}, ...options.map(([value, name]) => new Option(name, value)));
    select.addEventListener("change", () => changed(select.value));
    return [field(text, select), select];
  };

  // ## Numbers
  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };

  // The exponential average of the values so far, of which the first is not pulled to zero.
  const smoothed = (values, weight) => {
    let [sum, total] = [0, 0];
    return values.map((value) => {
      if (value === null) return null;
      sum = weight * sum + (1 - weight) * value;
      total = weight * total + (1 - weight);
      return sum / total;
    });
  };

  const ticks = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const digit of [1, 2, 5]) found.push(Number(`${digit}e${power}`));
    return found.filter((tick) => low <= tick && tick <= high);
  };

  const short = (value) => String(Number(value.toPrecision(6)));
  const shown = (row, name) => (name === "loss" ? short(Number(row.median.toPrecision(4))) : `${row.median.toFixed(2)} %`);

  // ## One chart
  class Explorer {
    constructor(host, figure, load, base) {
      this.figure = figure;
      this.load = load;
      this.base = base;
      this.index = globalThis.litCharts[figure.folders[0]];
      this.lines = figure.lines.map(([label, shelves, files]) => {
        const runs = shelves.flatMap((shelf) => globalThis.litRuns[shelf]);
        return { label, on: true, runs: runs.filter((run) => files.includes(run.record)) };
      });
      this.options = { scale: "log", unit: "step", smoothing: 0.8, seeds: "band" };
      this.views = [];
      this.place = null;
      this.build(host);
      explorers.add(this);
      this.draw();
    }

    build(host) {
      const id = `explore-${++count}`;
      const change = (name) => (value) => {
        this.options[name] = value;
        if (name === "scale" || name === "unit") this.draw();
        else this.update();
      };
      const [scale] = menu("Loss axis", [["log", "log"], ["linear", "linear"]], change("scale"));
      const [unit] = menu("Horizontal axis", [["step", "steps"], ["second", "seconds"]], (value) => {
        this.place = null;
        change("unit")(value);
      });
      const [seeds] = menu("Seeds", [["band", "median and band"], ["lines", "a line each"]], change("seeds"));
      const range = element("input", { type: "range", min: 0, max: 0.95, step: 0.05, value: this.options.smoothing });
      const amount = element("output", {}, String(this.options.smoothing));
      range.addEventListener("input", () => {
        amount.textContent = range.value;
        change("smoothing")(Number(range.value));
      });
      const smoothing = field("Smoothing of the training loss", range);
      smoothing.append(amount);
      const present = new Set(this.figure.lines.flatMap(([, shelves]) => shelves));
      const [own] = this.figure.folders;
      const shelves = this.figure.folders.flatMap((folder) => globalThis.litCharts[folder].shelves);
      const others = shelves.filter((shelf) => !present.has(shelf));
      const name = (shelf) => (shelf.startsWith(`${own}/`) ? shelf.slice(own.length + 1) : shelf.split("/").slice(1).join("/"));
      const names = others.map((shelf) => [shelf, name(shelf)]);
      const [compare, select] = menu("Compare with", [["", "choose"], ...names], (shelf) => shelf && this.compare(shelf));
      this.select = select;
      this.legend = element("fieldset", { class: "explore-legend" });
      this.charts = element("div", {
        class: "curves explore-charts", tabindex: 0, role: "slider", "aria-describedby": id,
        "aria-label": "Crosshair: move it with the arrow keys",
      });
      this.readout = element("p", { class: "explore-readout", "aria-live": "polite" });
      this.note = element("p", { class: "curve-conditions", id });
      this.table = element("div", { class: "lit-table explore-table" });
      this.details = element("details", {}, element("summary", {}, "Table"), this.table);
      this.details.addEventListener("toggle", () => this.tabulate());
      host.append(
        element("div", { class: "explore-controls" }, scale, unit, smoothing, seeds, compare),
        this.legend, this.charts, this.readout, this.note, this.details,
      );
      this.charts.addEventListener("keydown", (event) => this.key(event));
      this.charts.addEventListener("pointerdown", (event) => this.point(event));
      this.charts.addEventListener("pointermove", (event) => this.point(event));
      this.fillLegend();
    }

    fillLegend() {
      const entries = this.lines.map((line, place) => {
        const box = element("input", { type: "checkbox" });
        box.checked = line.on;
        box.addEventListener("change", () => {
          line.on = box.checked;
          this.update();
        });
        const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        const stroke = document.createElementNS("http://www.w3.org/2000/svg", "path");
        const { palette, dashes } = this.index;
        const drawn = { d: "M0 6H36", stroke: palette[place % palette.length], "stroke-width": 2 };
        drawn["stroke-dasharray"] = dashes[place % dashes.length].join(" ");
        for (const [name, value] of Object.entries(drawn)) stroke.setAttribute(name, value);
        sample.setAttribute("viewBox", "0 0 36 12");
        sample.setAttribute("aria-hidden", "true");
        sample.append(stroke);
        const links = line.runs.flatMap((run) => [
          " ", element("a", { href: new URL(`../${run.record}`, this.base), "aria-label": `record of ${line.label}, seed ${run.seed}` }, String(run.seed)),
        ]);
        return element("div", {}, element("label", {}, box, sample, line.label), element("small", {}, " records of seeds", ...links));
      });
      this.legend.replaceChildren(element("legend", {}, "Lines"), ...entries);
    }

    async compare(shelf) {
      this.select.disabled = true;
      try {
        await this.load([`${shelf}.js`]);
      } catch (error) {
        this.readout.textContent = error.message;
        return;
      } finally {
        this.select.disabled = false;
      }
      for (const option of [...this.select.options]) if (option.value === shelf) option.remove();
      this.select.value = "";
      const runs = globalThis.litRuns[shelf].filter((run) => run.alike === this.figure.alike);
      for (const name of new Set(runs.map((run) => run.label))) {
        const label = this.lines.some((line) => line.label === name) ? shelf : name;
        this.lines.push({ label, on: true, runs: runs.filter((run) => run.label === name) });
      }
      this.fillLegend();
      this.draw();
    }

    // Returns the rows of the data sources, and all that the lines show with nothing left out.
    rows() {
      const { scale, unit, smoothing, seeds } = this.options;
      const rows = {};
      for (const [name, sources] of Object.entries(this.index.sources)) {
        rows[name] = [];
        for (const [table, column, kind] of sources)
          for (const line of this.lines.filter((each) => each.on)) {
            const factor = column === "accuracy" ? 100 : 1;
            const weight = table === "train" ? smoothing : 0;
            const groups = seeds === "band" ? [line.runs] : line.runs.map((run) => [run]);
            for (const group of groups) {
              const values = new Map();
              for (const run of group) {
                const found = run.curves[table];
                smoothed(found[column], weight).forEach((value, i) => {
                  if (value === null) return;
                  if (!values.has(found.step[i])) values.set(found.step[i], []);
                  values.get(found.step[i]).push(factor * value);
                });
              }
              const pace = unit === "second" ? median(group.map((run) => run.seconds / run.steps)) : 1;
              const run = group.length > 1 ? undefined : group[0].seed;
              for (const [step, all] of [...values].sort(([a], [b]) => a - b))
                rows[name].push({
                  step: pace * step, median: median(all), low: Math.min(...all), high: Math.max(...all),
                  optimizer: line.label, kind, run,
                });
            }
          }
      }
      // A log axis has no place for zero.
      if (scale === "log") rows.loss = rows.loss.filter((row) => row.low > 0);
      return rows;
    }

    // The description with the lines of the moment.
    filled(panel) {
      const spec = structuredClone(panel);
      const { palette, dashes } = this.index;
      const domain = this.lines.map((line) => line.label);
      const ranges = { color: palette, strokeDash: dashes };
      for (const { encoding } of spec.layer) {
        for (const [channel, range] of Object.entries(ranges))
          if (encoding[channel]) encoding[channel].scale = { domain, range: domain.map((_, i) => range[i % range.length]) };
        if (this.options.unit === "second") encoding.x.title = "seconds";
        if (encoding.y?.scale?.type === "log") {
          if (this.options.scale === "linear") encoding.y.scale = { zero: false };
          else encoding.y.axis = { values: { expr: "ticks" } };
        }
      }
      return spec;
    }

    draw() {
      const { hconcat, resolve, spacing, ...shared } = this.index.form;
      for (const { view } of this.views) view.finalize();
      const holders = hconcat.map(() => element("div", { class: "explore-chart", "aria-hidden": "true" }));
      this.charts.replaceChildren(...holders);
      this.views = hconcat.map((panel, i) => {
        const sources = [...new Set(panel.layer.map((layer) => layer.data.name))];
        const datasets = Object.fromEntries(sources.map((name) => [name, []]));
        const spec = { ...shared, ...this.filled(panel), datasets, params: [{ name: "ticks", value: [] }], background: null };
        const runtime = vega.parse(vegaLite.compile(spec).spec, null, { ast: true });
        const view = new vega.View(runtime, { expr: vegaInterpreter, renderer: "svg", container: holders[i], hover: false });
        return { view, holder: holders[i], sources };
      });
      this.update();
    }

    // Gives the charts the rows of the moment.
    update() {
      const rows = (this.data = this.rows());
      const values = ticks(rows.loss.flatMap((row) => [row.low, row.high]).filter((value) => value > 0));
      for (const { view, holder, sources } of this.views) {
        for (const name of sources) if (rows[name]) view.data(name, rows[name]);
        view.signal("ticks", values).run();
        // The picture is as wide as its place.
        for (const name of ["width", "height"]) holder.querySelector("svg").removeAttribute(name);
      }
      this.places = [...new Set(Object.values(rows).flat().map((row) => row.step))].sort((a, b) => a - b);
      const last = this.places.at(-1) ?? 0;
      this.charts.setAttribute("aria-valuemin", 0);
      this.charts.setAttribute("aria-valuemax", last);
      this.say();
      this.tabulate();
      this.show(this.place);
    }

    say() {
      const { unit, seeds, smoothing } = this.options;
      const texts = ["Move the pointer over a chart, or use the arrow keys: the crosshair is that of all charts of this page."];
      if (seeds === "band") texts.push("Lines are medians over the seeds, bands reach from the least to the greatest value.");
      if (smoothing) texts.push(`The training loss is an exponential average, to which the newest value adds ${short(1 - smoothing)} of itself.`);
      if (unit === "second")
        texts.push("Seconds are those of the whole run, checks included, spread evenly over its steps. The runs did not have the machine to themselves.");
      this.note.textContent = texts.join(" ");
    }

    // ## The crosshair
    key(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.metaKey || event.altKey || !this.places.length) return;
      event.preventDefault();
      const now = this.place === null ? (move < 0 ? this.places.length : -1) : this.places.findLastIndex((place) => place <= this.place);
      this.moveAll(this.places[Math.max(0, Math.min(this.places.length - 1, now + move))]);
    }

    point(event) {
      const hit = this.views.find(({ holder }) => holder.contains(event.target));
      if (!hit || !this.places.length) return;
      const picture = hit.holder.querySelector("svg");
      const box = picture.getBoundingClientRect();
      const unit = picture.viewBox.baseVal.width / box.width;
      const wanted = hit.view.scale("x").invert((event.clientX - box.left) * unit - hit.view.origin()[0]);
      const nearest = (best, place) => (Math.abs(place - wanted) < Math.abs(best - wanted) ? place : best);
      const place = this.places.reduce(nearest);
      if (place !== this.place) this.moveAll(place);
    }

    // Moves the crosshairs of all charts of the page that have the same horizontal axis.
    moveAll(place) {
      for (const each of explorers) if (each.options.unit === this.options.unit) each.show(place);
    }

    show(place) {
      this.place = place !== null && place <= this.places.at(-1) ? place : null;
      const rows = this.place === null ? [] : [{ step: this.place }];
      for (const { view, sources } of this.views) view.data(sources.find((name) => name.endsWith(READINGS)), rows).run();
      this.read();
    }

    read() {
      if (this.place === null) {
        this.charts.setAttribute("aria-valuenow", 0);
        this.charts.setAttribute("aria-valuetext", "not set");
        this.readout.replaceChildren();
        return;
      }
      const { unit } = this.options;
      const where = unit === "step" ? `step ${this.place}` : `${short(Number(this.place.toPrecision(4)))} seconds`;
      this.charts.setAttribute("aria-valuenow", this.place);
      this.charts.setAttribute("aria-valuetext", where);
      const newest = new Map();
      for (const [name, rows] of Object.entries(this.data))
        for (const row of rows)
          if (row.step <= this.place) {
            const seed = this.options.seeds === "lines" ? `, seed ${row.run}` : "";
            const text = `${row.kind} ${name === "loss" ? "loss" : "accuracy"} ${shown(row, name)}`;
            const key = row.optimizer + seed;
            if (!newest.has(key)) newest.set(key, new Map());
            newest.get(key).set(name + row.kind, text);
          }
      const lines = [...newest].map(([label, texts]) => element("span", {}, `${label}: ${[...texts.values()].join(", ")}`));
      this.readout.replaceChildren(element("b", {}, `At ${where}`), ...lines);
    }

    // ## The numbers
    tabulate() {
      if (!this.details.open) return;
      const head = ["Line", "Quantity", this.options.unit === "step" ? "Step" : "Seconds", "Value", "Least", "Greatest"];
      const body = Object.entries(this.data).flatMap(([name, rows]) => rows.map((row) => [
        this.options.seeds === "lines" ? `${row.optimizer}, seed ${row.run}` : row.optimizer,
        `${row.kind} ${name === "loss" ? "loss" : "accuracy in %"}`,
        ...[row.step, row.median, row.low, row.high].map(short),
      ]));
      const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
      this.table.tabIndex = 0;
      this.table.replaceChildren(element("table", {}, element("thead", {}, line("th", head)), element("tbody", {}, ...body.map((row) => line("td", row)))));
    }
  }

  globalThis.litExplore = (host, figure, load, base) => {
    host.explorer = new Explorer(host, figure, load, base);
  };
})();
