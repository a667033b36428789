// Charts that a reader can change. The description of a chart is the one that the picture on the page was drawn
// from; what is done here is to fill it with the rows of the lines that are chosen, and to let Vega draw it. It
// never makes code of text, so that the policy of the site can forbid that.
//
// Where the rows come from is the matter of a source, which has
// * form: the description without rows
// * lines(panel): the lines of a panel, {label, on}; look(panel, label, kind): colour and dash of one
// * records(line): the files that a line comes from, or all lines where the label is empty, {name, address}
// * rows(): the rows of each data source, for the lines that are on
// and, where they differ from what the description says,
// * axis: what the horizontal axis shows; holds: whether a value holds until the next one of its line
// * controls(helpers, explorer): more controls; notes(): sentences on them; coloured(spec): sets the lines' colours
(() => {
  const explorers = new Set();
  let count = 0;

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const field = (text, ...controls) => element("label", { class: "explore-field" }, element("span", {}, text), ...controls);
  const menu = (text, options, changed) => {
    const select = element("select", {}, ...options.map(([value, name]) => new Option(name, value)));
    select.addEventListener("change", () => changed(select.value));
    return [field(text, select), select];
  };
  const short = (value, digits = 6) => String(Number(value.toPrecision(digits)));

  const stroke = (colour, dash) => {
    const make = (tag, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      return made;
    };
    const sample = make("svg", { viewBox: "0 0 36 12", "aria-hidden": "true" });
    sample.append(make("path", { d: "M0 6H36", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash.join(" ") }));
    return sample;
  };

  // 1, 2 and 5 times the powers of ten between two numbers, or the powers alone if they are many.
  const ticks = (low, high) => {
    const digits = high / low < 1e4 ? [1, 2, 5] : [1];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const digit of digits) found.push(Number(`${digit}e${power}`));
    return found.filter((tick) => low <= tick && tick <= high);
  };

  // ## One panel of a chart, with its crosshair
  class Panel {
    constructor(explorer, form, number) {
      const crosshair = form.layer.find((layer) => layer.mark.type === "rule");
      const drawn = form.layer.filter((layer) => ["line", "point"].includes(layer.mark.type));
      Object.assign(this, { explorer, form, place: null, places: [] });
      this.crosshair = crosshair.data.name;
      this.title = form.title.text;
      this.x = crosshair.encoding.x.field;
      this.xTitle = crosshair.encoding.x.title;
      this.y = drawn[0].encoding.y.field;
      this.colour = drawn[0].encoding.color;
      this.dash = drawn[0].encoding.strokeDash;
      this.sources = [...new Set(form.layer.map((layer) => layer.data.name))];
      this.read = [...new Set(drawn.map((layer) => layer.data.name))];
      const id = `explore-${explorer.id}-${number}`;
      this.holder = element("div", {
        class: "explore-chart", tabindex: 0, role: "slider", "aria-describedby": explorer.note.id,
        "aria-label": `Crosshair of ${this.title}: move it with the arrow keys`, "aria-details": id,
      });
      this.readout = element("p", { class: "explore-readout", id, "aria-live": "off" });
      this.holder.addEventListener("focus", () => this.readout.setAttribute("aria-live", "polite"));
      this.holder.addEventListener("blur", () => this.readout.setAttribute("aria-live", "off"));
      this.holder.addEventListener("keydown", (event) => this.key(event));
      this.holder.addEventListener("pointerdown", (event) => this.point(event));
      this.holder.addEventListener("pointermove", (event) => this.point(event));
    }

    get axis() {
      return this.explorer.source.axis ?? this.xTitle;
    }

    // Whether there is something to see on a log axis.
    canBeLog(rows, name) {
      return this.read.some((source) => rows[source].some((row) => row[name] > 0));
    }

    // The description with the axes of the moment.
    scaled(rows) {
      const spec = structuredClone(this.form);
      this.log = {};
      for (const [channel, name] of [["x", this.x], ["y", this.y]]) {
        const choice = this.explorer.options[channel];
        const channels = spec.layer.map((layer) => layer.encoding[channel]).filter(Boolean);
        const drawn = channels.some((each) => each.scale?.type === "log") ? "log" : "linear";
        const type = choice === "log" && !this.canBeLog(rows, name) ? drawn : choice || drawn;
        this.log[channel] = type === "log";
        for (const each of channels) {
          if (type !== drawn) {
            const { domain, ...scale } = each.scale ?? {};
            each.scale = { ...scale, type, nice: false };
            if (domain && (type === "linear" || domain[0] > 0)) each.scale.domain = domain;
            if (type === "linear" && !domain) each.scale.zero = false;
            if (each.axis !== null) {
              const { values, ...axis } = each.axis ?? {};
              each.axis = { format: "~g", ...axis, tickCount: 6 };
            }
          }
          if (type === "log" && each.scale?.type === "log" && !each.axis?.values)
            each.axis = { ...each.axis, values: { expr: `${channel}Ticks` } };
          if (channel === "x" && each.title) each.title = this.axis;
        }
      }
      return this.explorer.source.coloured?.(spec) ?? spec;
    }

    draw(shared, rows) {
      this.view?.finalize();
      const datasets = Object.fromEntries(this.sources.map((name) => [name, []]));
      const params = ["xTicks", "yTicks"].map((name) => ({ name, value: [] }));
      const spec = { ...shared, ...this.scaled(rows), datasets, params, background: null };
      const runtime = vega.parse(vegaLite.compile(spec).spec, null, { ast: true });
      const picture = element("div", { "aria-hidden": "true" });
      this.holder.replaceChildren(picture);
      this.view = new vega.View(runtime, { expr: vegaInterpreter, renderer: "svg", container: picture, hover: false });
    }

    // Gives the panel the rows of the moment. A log axis has no place for zero.
    update(rows) {
      const { x, y } = this.log;
      const has = (row) => (!x || row[this.x] > 0) && (!y || [row[this.y], row.low ?? 1].every((value) => value > 0));
      const all = this.read.flatMap((name) => rows[name]);
      this.rows = all.filter(has);
      this.isCut = this.rows.length < all.length;
      for (const name of this.sources) if (rows[name]) this.view.data(name, rows[name].filter(has));
      this.places = [...new Set(this.rows.map((row) => row[this.x]))].sort((a, b) => a - b);
      const across = this.rows.flatMap((row) => [row[this.y], row.low ?? row[this.y], row.high ?? row[this.y]]);
      const ends = (values) => (values.length && Math.min(...values) > 0 ? ticks(Math.min(...values), Math.max(...values)) : []);
      this.view.signal("xTicks", ends(this.places)).signal("yTicks", ends(across)).run();
      // The picture is as wide as its place.
      for (const name of ["width", "height"]) this.holder.querySelector("svg").removeAttribute(name);
      this.holder.setAttribute("aria-valuemin", this.places[0] ?? 0);
      this.holder.setAttribute("aria-valuemax", this.places.at(-1) ?? 0);
      this.show(this.place);
    }

    // ## The crosshair
    key(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
      const move = event.key === "Escape" ? 0 : moves[event.key];
      if (move === undefined || event.ctrlKey || event.metaKey || event.altKey || !this.places.length) return;
      event.preventDefault();
      const now = this.place === null ? (move < 0 ? this.places.length : -1) : this.places.indexOf(this.place);
      this.moveAll(move ? this.places[Math.max(0, Math.min(this.places.length - 1, now + move))] : null);
    }

    point(event) {
      if (!this.places.length) return;
      const picture = this.holder.querySelector("svg");
      const box = picture.getBoundingClientRect();
      const unit = picture.viewBox.baseVal.width / box.width;
      const scale = this.view.scale("x");
      const at = (event.clientX - box.left) * unit - this.view.origin()[0];
      // What is nearest to the eye, on a log axis too.
      const nearest = (best, place) => (Math.abs(scale(place) - at) < Math.abs(scale(best) - at) ? place : best);
      const place = this.places.reduce(nearest);
      if (place !== this.place) this.moveAll(place);
    }

    // Moves the crosshairs of all panels of the page that have the same horizontal axis.
    moveAll(place) {
      for (const { panels } of explorers) for (const panel of panels) if (panel.axis === this.axis) panel.show(place);
    }

    // Shows the crosshair at the last place that is not after the wanted one.
    show(wanted) {
      const isWithin = wanted !== null && wanted <= this.places.at(-1);
      this.place = isWithin ? (this.places.findLast((place) => place <= wanted) ?? null) : null;
      this.view.data(this.crosshair, this.place === null ? [] : [{ [this.x]: this.place }]).run();
      const where = this.place === null ? "not set" : `${this.axis} ${short(this.place)}`;
      this.holder.setAttribute("aria-valuenow", this.place ?? this.places[0] ?? 0);
      this.holder.setAttribute("aria-valuetext", where);
      if (this.place === null) this.readout.replaceChildren();
      else this.readout.replaceChildren(element("b", {}, `${this.title} at ${where}`), ...this.values());
    }

    values() {
      const { holds } = this.explorer.source;
      const newest = new Map();
      for (const row of this.rows)
        if (row[this.x] === this.place || (holds && row[this.x] < this.place)) newest.set(this.name(row), row);
      return [...newest].map(([name, row]) => element("span", {}, this.explorer.sample(this, row), `${name}: ${this.value(row)}`));
    }

    name(row) {
      const seed = row.run === undefined ? "" : `seed ${row.run}`;
      return [row[this.colour.field], row.kind, seed].filter(Boolean).join(", ");
    }

    value(row) {
      return row.reading ?? short(row[this.y], 4);
    }

    // ## The numbers
    table() {
      const ranges = this.rows.some((row) => row.low !== undefined);
      const head = ["Line", this.axis, this.title, ...(ranges ? ["least", "greatest"] : [])];
      const cells = (row) => [
        this.name(row), short(row[this.x]), row.reading ?? short(row[this.y]),
        ...(ranges ? [row.low, row.high].map((value) => (value === undefined ? "" : short(value))) : []),
      ];
      // A row that is drawn as a line and as a point is one row here.
      const body = new Map(this.rows.map((row) => [JSON.stringify([this.name(row), row[this.x]]), row]));
      return globalThis.litTable(this.title, head, [...body.values()].map(cells));
    }
  }

  // ## One chart, with its legend and its table
  class Explorer {
    constructor(host, source) {
      this.source = source;
      this.id = ++count;
      this.options = { x: "", y: "" };
      this.note = element("p", { class: "curve-conditions", id: `explore-note-${this.id}` });
      this.build(host);
      explorers.add(this);
      this.draw();
    }

    build(host) {
      const { form } = this.source;
      this.panels = form.hconcat.map((panel, number) => new Panel(this, panel, number));
      const scale = (text, channel) =>
        menu(text, [["", "as in the picture"], ["log", "log"], ["linear", "linear"]], (value) => {
          this.options[channel] = value;
          this.draw();
        })[0];
      const more = this.source.controls?.({ menu, field, element }, this) ?? [];
      this.legends = this.groups().map((group) => ({ ...group, place: element("fieldset", { class: "explore-legend" }) }));
      const cells = this.panels.map(({ holder, readout }) => element("div", { class: "explore-panel" }, holder, readout));
      this.table = element("div", { class: "lit-table explore-table" });
      this.details = element("details", {}, element("summary", {}, "Table"), this.table);
      this.details.addEventListener("toggle", () => this.tabulate());
      host.append(
        element("div", { class: "explore-controls" }, scale("Vertical axis", "y"), scale("Horizontal axis", "x"), ...more),
        ...this.legends.map(({ place }) => place), this.records({ label: "" }), element("div", { class: "curves explore-charts" }, ...cells), this.note, this.details,
      );
      this.fillLegends();
    }

    // The panels that have the same lines, and these lines.
    groups() {
      const groups = new Map();
      for (const panel of this.panels) {
        const lines = this.source.lines(panel);
        const key = JSON.stringify(lines.map((line) => line.label));
        if (!groups.has(key)) groups.set(key, { lines, panels: [] });
        groups.get(key).panels.push(panel);
      }
      return [...groups.values()];
    }

    sample(panel, row) {
      return stroke(...this.source.look(panel, row[panel.colour.field], row.kind));
    }

    fillLegends() {
      for (const { place, lines, panels } of this.legends) this.fillLegend(place, lines, panels);
    }

    fillLegend(place, lines, panels) {
      const boxes = [];
      const entries = lines.map((line) => {
        const box = element("input", { type: "checkbox" });
        const records = this.records(line);
        const show = () => {
          box.checked = line.on;
          records.hidden = !line.on;
        };
        box.addEventListener("change", () => {
          line.on = box.checked;
          show();
          this.update();
        });
        show();
        boxes.push(show);
        const look = stroke(...this.source.look(panels[0], line.label));
        return element("div", {}, element("label", {}, box, look, line.label), records);
      });
      const name = this.legends.length > 1 ? `Lines of ${panels.map(({ title }) => title).join(", ")}` : "Lines";
      place.replaceChildren(element("legend", {}, name), ...entries);
      if (lines.length < 4) return;
      const all = ["all", "none"].map((name) => {
        const button = element("button", { type: "button", class: "explore-open" }, `Show ${name}`);
        button.addEventListener("click", () => {
          for (const line of lines) line.on = name === "all";
          for (const show of boxes) show();
          this.update();
        });
        return button;
      });
      place.append(element("div", { class: "explore-all" }, ...all));
    }

    records(line) {
      const whose = line.label ? `record of ${line.label},` : "record";
      const links = this.source.records(line).flatMap(({ name, address }) => [
        " ", element("a", { href: address, "aria-label": `${whose} ${name}` }, name),
      ]);
      return element("small", { class: "explore-records" }, ...(links.length ? ["records:", ...links] : []));
    }

    draw() {
      const { hconcat, resolve, spacing, ...shared } = this.source.form;
      const rows = this.source.rows();
      for (const panel of this.panels) panel.draw(shared, rows);
      this.update();
    }

    // Gives the panels the rows of the moment.
    update() {
      this.data = this.source.rows();
      for (const panel of this.panels) panel.update(this.data);
      this.say();
      this.tabulate();
    }

    say() {
      const texts = ["Move the pointer or a finger over a chart, or use the arrow keys: charts of this page with the same horizontal axis share the crosshair."];
      texts.push(...(this.source.notes?.() ?? []));
      if (this.panels.some(({ isCut }) => isCut)) texts.push("A log axis has no place for zero and what is below it.");
      this.note.textContent = texts.join(" ");
    }

    tabulate() {
      if (!this.details.open) return;
      this.table.tabIndex = 0;
      this.table.replaceChildren(...this.panels.map((panel) => panel.table()));
    }
  }

  // ## Lines that come with their chart
  class Fixed {
    constructor({ form, rows, records, shown }, base) {
      Object.assign(this, { form, all: rows, files: records, shown, base, known: new Map() });
    }

    lines({ colour: { scale } }) {
      const key = JSON.stringify(scale.domain);
      if (!this.known.has(key))
        this.known.set(key, scale.domain.map((label) => ({ label, on: !this.shown.length || this.shown.includes(label) })));
      return this.known.get(key);
    }

    look({ colour, dash }, label, kind) {
      const drawn = (channel, value) => channel?.scale.range[channel.scale.domain.indexOf(value)];
      return [drawn(colour, label), drawn(dash, dash?.field === colour.field ? label : kind) ?? []];
    }

    records({ label }) {
      const files = this.files[label] ?? [];
      return files.map(([name, path]) => ({ name, address: new URL(`../${path}`, this.base) }));
    }

    rows() {
      const found = {};
      for (const { layer } of this.form.hconcat)
        for (const { data, encoding } of layer) {
          if (!this.all[data.name]) continue;
          const on = encoding.color?.scale && new Set(this.lines({ colour: encoding.color }).filter((line) => line.on).map((line) => line.label));
          found[data.name] = on ? this.all[data.name].filter((row) => on.has(row[encoding.color.field])) : this.all[data.name];
        }
      return found;
    }
  }

  globalThis.litExplore = (host, figure, load, base) => {
    const source = figure.chart ? new Fixed(globalThis.litCharts[figure.chart], base) : globalThis.litRunsSource(figure, load, base);
    host.explorer = new Explorer(host, source);
  };
})();
