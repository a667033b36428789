// The source of the lines of learning curves (see explore_charts.js): runs, whose training loss can be smoothed and
// whose seeds are a band or a line each. Other runs of the same conditions are loaded when they are chosen.
(() => {
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

  class Runs {
    holds = true;

    constructor(figure, load, base) {
      Object.assign(this, { figure, load, base });
      this.index = globalThis.litCharts[figure.folders[0]];
      this.form = this.index.form;
      this.all = figure.lines.map(([label, shelves, files]) => {
        const runs = shelves.flatMap((shelf) => globalThis.litRuns[shelf]);
        return { label, on: true, runs: runs.filter((run) => files.includes(run.record)) };
      });
      this.options = { unit: "step", smoothing: 0.8, smooth: "train", seeds: "band" };
    }

    get axis() {
      return this.options.unit === "step" ? "step" : "seconds";
    }

    lines() {
      return this.all;
    }

    look(_, label) {
      const { palette, dashes } = this.index;
      const place = this.all.findIndex((line) => line.label === label);
      return [palette[place % palette.length], dashes[place % dashes.length]];
    }

    records({ runs = [] }) {
      return runs.map((run) => ({ name: `seed ${run.seed}`, address: new URL(`../${run.record}`, this.base) }));
    }

    coloured(spec) {
      const { palette, dashes } = this.index;
      const domain = this.all.map((line) => line.label);
      const ranges = { color: palette, strokeDash: dashes };
      for (const { encoding } of spec.layer)
        for (const [channel, range] of Object.entries(ranges))
          if (encoding[channel]) encoding[channel].scale = { domain, range: domain.map((_, i) => range[i % range.length]) };
      return spec;
    }

    controls({ menu, field, element }, explorer) {
      const change = (name) => (value) => {
        this.options[name] = value;
        explorer.update();
      };
      const [unit] = menu("Time in", [["step", "steps"], ["second", "seconds"]], (value) => {
        this.options.unit = value;
        for (const panel of explorer.panels) panel.place = null;
        explorer.draw();
      });
      const [seeds] = menu("Seeds", [["band", "median and band"], ["lines", "a line each"]], change("seeds"));
      const range = element("input", { type: "range", min: 0, max: 0.95, step: 0.05, value: this.options.smoothing });
      const amount = element("output", {}, String(this.options.smoothing));
      range.addEventListener("input", () => {
        amount.textContent = range.value;
        change("smoothing")(Number(range.value));
      });
      const [smooth] = menu("Smoothed lines", [["train", "training loss"], ["all", "all"]], change("smooth"));
      return [unit, field("Smoothing", range, amount), smooth, seeds, this.comparison(menu, explorer)];
    }

    comparison(menu, explorer) {
      const present = new Set(this.figure.lines.flatMap(([, shelves]) => shelves));
      const [own] = this.figure.folders;
      const shelves = this.figure.folders.flatMap((folder) => globalThis.litCharts[folder].shelves);
      const others = shelves.filter((shelf) => !present.has(shelf));
      const name = (shelf) => (shelf.startsWith(`${own}/`) ? shelf.slice(own.length + 1) : shelf.split("/").slice(1).join("/"));
      const [compare, select] = menu("Compare with", [["", "choose"], ...others.map((shelf) => [shelf, name(shelf)])], async (shelf) => {
        if (!shelf) return;
        select.disabled = true;
        try {
          await this.load([`${shelf}.js`]);
        } catch (error) {
          explorer.note.textContent = error.message;
          return;
        } finally {
          select.disabled = false;
        }
        for (const option of [...select.options]) if (option.value === shelf) option.remove();
        select.value = "";
        this.add(shelf);
        explorer.fillLegends();
        explorer.draw();
      });
      return compare;
    }

    add(shelf) {
      const runs = globalThis.litRuns[shelf].filter((run) => run.alike === this.figure.alike);
      for (const name of new Set(runs.map((run) => run.label))) {
        const label = this.all.some((line) => line.label === name) ? shelf : name;
        this.all.push({ label, on: true, runs: runs.filter((run) => run.label === name) });
      }
    }

    rows() {
      const lines = this.all.filter((line) => line.on);
      return Object.fromEntries(
        Object.entries(this.index.sources).map(([name, sources]) => [
          name, sources.flatMap((source) => lines.flatMap((line) => this.groups(line).flatMap((group) => this.line(line.label, group, source)))),
        ]),
      );
    }

    groups({ runs }) {
      return this.options.seeds === "band" ? [runs] : runs.map((run) => [run]);
    }

    // The weight that an average gives to the values before. What is seen of the whole test set is an end, not a way.
    weight(table) {
      const { smooth, smoothing } = this.options;
      return table === "train" || (smooth === "all" && table === "test_subset") ? smoothing : 0;
    }

    // The rows of one line over some runs.
    line(optimizer, group, [table, column, kind]) {
      const factor = column === "accuracy" ? 100 : 1;
      const values = new Map();
      for (const { curves } of group)
        smoothed(curves[table][column], this.weight(table)).forEach((value, i) => {
          if (value === null) return;
          const step = curves[table].step[i];
          values.set(step, [...(values.get(step) ?? []), factor * value]);
        });
      const pace = this.options.unit === "second" ? median(group.map((run) => run.seconds / run.steps)) : 1;
      const run = this.options.seeds === "lines" ? group[0].seed : undefined;
      return [...values].sort(([a], [b]) => a - b).map(([step, all]) => ({
        step: pace * step, median: median(all), low: Math.min(...all), high: Math.max(...all), optimizer, kind, run,
      }));
    }

    notes() {
      const { unit, seeds, smooth, smoothing } = this.options;
      const texts = [];
      if (seeds === "band") texts.push("Lines are medians over the seeds, bands reach from the least to the greatest value.");
      if (smoothing && smooth === "train")
        texts.push(`The training loss is an exponential average, to which the newest value adds ${Number((1 - smoothing).toPrecision(6))} of itself: each value is that of other images. Test values are always those of the same images, and stand as they are.`);
      if (smoothing && smooth === "all")
        texts.push(`All lines are exponential averages, to which the newest value adds ${Number((1 - smoothing).toPrecision(6))} of itself. They lag behind what was measured, the test lines most, because they have fewer values.`);
      if (unit === "second")
        texts.push("Seconds are those of the whole run, checks included, spread evenly over its steps. The runs did not have the machine to themselves.");
      return texts;
    }
  }

  globalThis.litRunsSource = (figure, load, base) => new Runs(figure, load, base);
})();
