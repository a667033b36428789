// The playground: runs the traced program of an optimizer on a surface, and draws its path. A program is a
// list of operations on registers; experiments/playground/program.py says what it looks like. It comes as a
// script of its own, so that pages also work from a folder, without a server.
(() => {
  const BASE = new URL("../../playground/", document.currentScript.src);
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT] = [800, 600];
  const MOST_STEPS = 500;
  const FAR = 1e5;
  const LOST = 1e9;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  // ## Programs
  const OPERATIONS = {
    abs: Math.abs,
    add: (a, b) => a + b,
    cos: Math.cos,
    div: (a, b) => a / b,
    eq: (a, b) => +(a === b),
    exp: Math.exp,
    ge: (a, b) => +(a >= b),
    gt: (a, b) => +(a > b),
    le: (a, b) => +(a <= b),
    lerp: (a, b, weight) => (weight < 0.5 ? a + weight * (b - a) : b - (b - a) * (1 - weight)),
    log: Math.log,
    lt: (a, b) => +(a < b),
    max: (a, b) => Math.max(a, b),
    min: (a, b) => Math.min(a, b),
    mod: (a, b) => ((a % b) + b) % b,
    mul: (a, b) => a * b,
    ne: (a, b) => +(a !== b),
    neg: (a) => -a,
    pow: (a, b) => a ** b,
    sign: Math.sign,
    sin: Math.sin,
    sqrt: Math.sqrt,
    sub: (a, b) => a - b,
    where: (condition, yes, no) => (condition ? yes : no),
  };

  // Returns the next block and what comes out of this one.
  function run(program, index, given) {
    const registers = [...given, ...program.c];
    let block = program.blocks[index];
    for (let place = 0; ; place++) {
      const [op, a, b, c] = block[place];
      if (op === "out") return [a, block[place].slice(2).map((each) => registers[each])];
      if (op === "if") {
        block = registers[a] ? b : c;
        place = -1;
      } else if (op === "noise") {
        registers.push(program.noise[registers[a]][registers[b]]);
      } else {
        registers.push(OPERATIONS[op](registers[a], registers[b], registers[c]));
      }
    }
  }

  // Park and Miller's generator: every number in it is whole and below 2^53.
  const noise = [];
  for (let state = 1; noise.length < MOST_STEPS; ) {
    const draw = () => {
      state = (state * 16807) % 2147483647;
      return (state / 2147483647 - 0.5) * Math.sqrt(12);
    };
    noise.push([draw(), draw()]);
  }

  const evaluate = (surface, knobs, [x, y], random) =>
    run(surface.program, 0, [x, y, ...random, ...knobs])[1];

  // Returns the start and the points after every step, as long as they are anywhere near.
  function walk(entry, values, surface, knobs, start, steps) {
    const points = [start];
    const blank = Array(entry.n - 5 - values.length).fill(0);
    let [block, [x, y, ...state]] = run(entry, 0, [...start, 0, 0, 0, ...values, ...blank]);
    for (let step = 1; step <= steps; step++) {
      const [, ...gradient] = evaluate(surface, knobs, [x, y], noise[step - 1]);
      [block, [x, y, ...state]] = run(entry, block, [x, y, ...gradient, step, ...values, ...state]);
      if (!(Math.hypot(x, y) < LOST)) break;
      points.push([x, y]);
    }
    return points;
  }

  const loading = {};

  function load(name) {
    loading[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(`${name}.js`, BASE);
      script.onload = () => resolve(self.playground[name]);
      script.onerror = () => reject(new Error(`${script.src} cannot be loaded`));
      document.head.append(script);
    });
    return loading[name];
  }

  // ## Sliders
  function short(number, digits = 3) {
    const rounded = Number(number.toPrecision(digits));
    const size = Math.abs(rounded);
    return size && (size < 1e-3 || size >= 1e5) ? rounded.toExponential() : String(rounded);
  }

  const SCALES = {
    log: [Math.log10, (place) => Number((10 ** place).toPrecision(2)), () => 0.05],
    memory: [(value) => -Math.log10(1 - value), (place) => 1 - Number((10 ** -place).toPrecision(2)), () => 0.05],
    linear: [(value) => value, (place) => place, (low, high) => (high - low) / 100],
    count: [(value) => value, (place) => place, () => 1],
  };

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function drawn(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  let count = 0;

  // Returns a label for a control, which gets an id for that.
  function labelled(control, tag, text) {
    control.id = `playground-control-${++count}`;
    return element("label", { for: control.id }, element(tag, {}, text));
  }

  // A slider of a number; `set` makes it stand where the number is.
  function slider(label, scale, low, high, changed, isCode = true) {
    const [toPlace, toValue, stepOf] = SCALES[scale];
    const [first, last] = [toPlace(low), toPlace(high)];
    const input = element("input", { type: "range", min: first, max: last, step: stepOf(first, last) });
    const shown = element("span", { class: "playground-value" });
    const show = (value) => {
      shown.textContent = short(value, scale === "memory" ? 6 : 3);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.addEventListener("input", () => {
      const value = Math.min(high, Math.max(low, toValue(Number(input.value))));
      show(value);
      changed(value);
    });
    const name = labelled(input, isCode ? "code" : "span", label);
    return {
      row: element("div", { class: "playground-slider" }, name, shown, input),
      set(value) {
        input.value = toPlace(value);
        show(value);
      },
    };
  }

  function menu(label, options, changed) {
    const select = element("select", {}, ...options.map(([value, text]) => new Option(text, value)));
    select.addEventListener("change", () => changed(select.value));
    return [element("div", { class: "playground-menu" }, labelled(select, "span", label), select), select];
  }

  // ## One playground
  class Playground {
    constructor(root, shared, entry) {
      this.root = root;
      this.shared = shared;
      this.picture = root.querySelector("svg");
      this.runs = [{ entry, values: [] }];
      this.build();
      this.choose(0);
    }

    get surface() {
      return this.shared.surfaces[this.place];
    }

    build() {
      const { surfaces, optimizers } = this.shared;
      const controls = element("div", { class: "playground-controls" });
      const [surfaceRow, surfaceMenu] = menu(
        "Surface",
        surfaces.map((each, place) => [place, each.title]),
        (value) => this.choose(Number(value)),
      );
      this.surfaceMenu = surfaceMenu;
      this.knobRows = element("div", { class: "playground-sliders" });
      const changeSteps = (value) => {
        this.steps = value;
        this.draw();
      };
      this.stepSlider = slider("steps", "count", 1, MOST_STEPS, changeSteps, false);
      const [secondRow] = menu("Second optimizer", [["", "none"], ...optimizers], (name) => this.second(name));
      this.fields = [0, 1].map(() => element("fieldset", { class: "playground-rule" }));
      const reset = element("button", { type: "button", class: "playground-reset" }, "Reset");
      reset.addEventListener("click", () => this.choose(this.place));
      controls.append(surfaceRow, this.knobRows, this.stepSlider.row, this.fields[0]);
      controls.append(secondRow, this.fields[1], reset);
      this.readout = element("output", { class: "playground-readout" });
      this.root.querySelector(".playground-still").replaceWith(this.readout);
      this.root.append(controls);
      this.root.classList.add("playground-live");
      this.contours = this.picture.querySelector(".playground-contours");
      this.optima = this.picture.querySelector(".playground-optima");
      this.paths = [1, 2].map((number) => this.picture.querySelector(`.playground-path-${number}`));
      this.buildHandle();
    }

    buildHandle() {
      const handle = (this.handle = this.picture.querySelector(".playground-start"));
      this.picture.setAttribute("role", "group");
      this.picture.setAttribute("aria-label", "Contour lines of the surface and the paths on it");
      const names = { tabindex: 0, role: "slider", "aria-label": "Start point: drag it, or move it with the arrow keys" };
      for (const [name, value] of Object.entries(names)) handle.setAttribute(name, value);
      handle.prepend(drawn("circle", { class: "playground-grip", r: 60 }));
      handle.addEventListener("pointerdown", (event) => {
        handle.setPointerCapture(event.pointerId);
        handle.focus({ preventScroll: true });
        event.preventDefault();
      });
      // Not every browser heeds touch-action within a picture: a finger on the handle scrolls nothing.
      handle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
      for (const kind of ["pointermove", "pointerup"]) {
        handle.addEventListener(kind, (event) => {
          if (handle.hasPointerCapture(event.pointerId)) this.startAt(this.pointOf(event));
        });
      }
      this.picture.addEventListener("click", (event) => {
        if (!handle.contains(event.target)) this.startAt(this.pointOf(event));
      });
      handle.addEventListener("keydown", (event) => {
        const move = ARROWS[event.key];
        if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const [left, right] = this.surface.window;
        const size = (right - left) / (event.shiftKey ? 16 : 80);
        this.startAt(this.start.map((value, axis) => value + size * move[axis]));
      });
    }

    // Takes a surface, and puts everything where it begins there.
    choose(place) {
      this.place = place;
      this.surfaceMenu.value = place;
      const { surface } = this;
      this.knobs = surface.knobs.map(([, , , , value]) => value);
      this.start = surface.start;
      this.steps = this.shared.steps;
      this.stepSlider.set(this.steps);
      this.knobRows.replaceChildren(
        ...surface.knobs.map(([label, scale, low, high, value], index) => {
          const changed = (now) => {
            this.knobs[index] = now;
            this.draw();
          };
          const made = slider(label, scale, low, high, changed, false);
          made.set(value);
          return made.row;
        }),
      );
      this.runs.forEach((each, index) => this.fill(index));
      this.contours.replaceChildren(
        ...(surface.contours
          ? surface.contours.map((d) => drawn("path", { d }))
          : surface.rings.map((r) => drawn("circle", { r }))),
      );
      this.optima.replaceChildren(
        ...surface.optima.map((point) => {
          const [x, y] = this.toPicture(point);
          return drawn("path", { d: `M${x - 9} ${y}h18M${x} ${y - 9}v18` });
        }),
      );
      this.draw();
    }

    // Makes the sliders of an optimizer, standing where they begin on this surface.
    fill(index) {
      const { entry } = this.runs[index];
      const values = entry.sliders.map(([label, , , , value]) => (label === "lr" ? entry.rates[this.place] : value));
      this.runs[index].values = values;
      const rows = entry.sliders.flatMap(([label, scale, low, high], place) => {
        if (scale === "fixed") return [];
        const made = slider(label, scale, low, high, (value) => {
          values[place] = value;
          this.draw();
        });
        made.set(values[place]);
        return [made.row];
      });
      const sample = drawn("svg", { viewBox: "0 0 60 12", class: "playground-sample", "aria-hidden": "true" });
      sample.append(drawn("path", { class: `playground-path playground-path-${index + 1}`, d: "M2 6H30H58" }));
      const legend = element("legend", {}, sample, entry.title);
      const box = element("div", { class: "playground-sliders" }, ...rows);
      this.fields[index].replaceChildren(legend, box);
    }

    async second(name) {
      this.wanted = name;
      const entry = name && (await load(name));
      if (this.wanted !== name) return;
      this.runs.length = 1;
      this.fields[1].replaceChildren();
      if (entry) {
        this.runs.push({ entry, values: [] });
        this.fill(1);
      }
      this.draw();
    }

    startAt(point) {
      const [left, right, bottom] = this.surface.window;
      const [x, y] = point;
      const top = bottom + ((right - left) * HEIGHT) / WIDTH;
      this.start = [Math.min(right, Math.max(left, x)), Math.min(top, Math.max(bottom, y))];
      this.draw();
    }

    pointOf(event) {
      const box = this.picture.getBoundingClientRect();
      const [left, right, bottom] = this.surface.window;
      const unit = (right - left) / box.width;
      return [left + (event.clientX - box.left) * unit, bottom + (box.bottom - event.clientY) * unit];
    }

    toPicture([x, y]) {
      const [left, right, bottom] = this.surface.window;
      const unit = WIDTH / (right - left);
      const place = (value) => Math.round(10 * Math.min(FAR, Math.max(-FAR, value))) / 10;
      return [place((x - left) * unit), place(HEIGHT - (y - bottom) * unit)];
    }

    draw() {
      const { surface, knobs, start, steps } = this;
      if (surface.rings) {
        const [x, y] = this.toPicture(surface.optima[0]);
        const squeeze = 1 / Math.sqrt(knobs[0]);
        this.contours.setAttribute("transform", `translate(${x} ${y}) rotate(${-knobs[1]}) scale(1 ${squeeze})`);
      } else {
        this.contours.removeAttribute("transform");
      }
      const found = this.runs.map(({ entry, values }) => walk(entry, values, surface, knobs, start, steps));
      this.paths.forEach((path, index) => {
        const points = found[index] ?? [];
        path.setAttribute("d", points.map((point, place) => `${place ? "L" : "M"}${this.toPicture(point).join(" ")}`).join(""));
      });
      const [x, y] = this.toPicture(start);
      this.handle.setAttribute("transform", `translate(${x} ${y})`);
      const [left, right] = surface.window;
      const values = { "aria-valuemin": left, "aria-valuemax": right, "aria-valuenow": short(start[0]) };
      values["aria-valuetext"] = `x ${short(start[0])}, y ${short(start[1])}`;
      for (const [name, value] of Object.entries(values)) this.handle.setAttribute(name, value);
      this.points = found;
      this.readout.replaceChildren(
        ...found.map((points, index) => element("span", {}, this.summary(this.runs[index].entry.title, points))),
      );
    }

    summary(title, points) {
      const { surface, knobs, steps } = this;
      if (points.length <= steps) return `${title} leaves all bounds at step ${points.length}.`;
      const end = points[steps];
      const [loss] = evaluate(surface, knobs, end, [0, 0]);
      const distance = Math.min(...surface.optima.map(([x, y]) => Math.hypot(x - end[0], y - end[1])));
      return `${title}: loss ${short(loss)} after ${steps} ${steps === 1 ? "step" : "steps"}, ${short(distance)} from the optimum.`;
    }
  }

  for (const root of document.querySelectorAll(".playground")) {
    Promise.all([load("shared"), load(root.dataset.optimizer)]).then(([shared, entry]) => {
      root.playground = new Playground(root, shared, entry);
    });
  }
})();
