// Symbols of the mathematics and their names in the code. Pointing at one lights all its places;
// a click, Enter or Space keeps them lit until Escape or the next click.
//
// The Tab key stops once at the table of symbols, at each formula that stands alone, and at each
// block of code; arrow keys, Home and End go from name to name in there. Formulas within a line
// are no stops: what they hold stands in the table.
(() => {
  const GROUPS = ".lit-card dd, .lit-formula, .lit-code pre";
  const ITEMS =
    ".lit-card code[data-sym], .lit-formula [data-sym], .lit-code [data-sym], .lit-code a[href]:not(.lit-n)";
  const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  const said = document.createElement("p");
  said.className = "lit-said";
  said.setAttribute("role", "status");
  const now = { pinned: null, focus: null, hover: null };

  const mark = (name) => `[data-sym="${CSS.escape(name)}"]`;
  const nameOf = (node) => node.closest?.("[data-sym]")?.getAttribute("data-sym") ?? null;
  // An index that is marked apart from its letter belongs to the letter.
  const isPiece = (item) =>
    item.matches(".lit-formula *") &&
    item.previousElementSibling?.getAttribute("data-sym") === item.getAttribute("data-sym");
  const lineOf = (place) => {
    let before = place;
    while (before && !before.matches(".lit-n")) before = before.previousElementSibling;
    return before?.id ?? "";
  };
  const itemsOf = (group) => [...group.querySelectorAll(ITEMS)].filter((item) => !isPiece(item));

  const say = (name) => {
    said.replaceChildren();
    said.classList.toggle("lit-stays", Boolean(name) && name === now.pinned);
    if (!name) return;
    for (const formula of document.querySelectorAll(".lit-card [data-sym] math")) {
      if (nameOf(formula) !== name) continue;
      said.append(said.hasChildNodes() ? ", " : "", formula.cloneNode(true));
    }
    const code = document.createElement("code");
    code.textContent = name;
    const places = document.querySelectorAll(`.lit-code ${mark(name)}`);
    const link = document.createElement("a");
    link.href = `#${lineOf(places[0])}`;
    link.textContent = `${places.length} ${places.length === 1 ? "time" : "times"} in the code`;
    said.append(" is ", code, ", ", link);
    if (name === now.pinned) said.append(" (pinned)");
  };

  const show = (change) => {
    const before = JSON.stringify(now);
    Object.assign(now, change);
    if (JSON.stringify(now) === before) return;
    for (const place of document.querySelectorAll(".lit-on")) {
      place.classList.remove("lit-on", "lit-pinned");
      if (place.role === "button") place.ariaPressed = "false";
    }
    for (const name of new Set([now.pinned, now.focus, now.hover])) {
      if (!name) continue;
      for (const place of document.querySelectorAll(mark(name))) {
        place.classList.add("lit-on");
        place.classList.toggle("lit-pinned", name === now.pinned);
        if (place.role === "button") place.ariaPressed = String(name === now.pinned);
      }
    }
    say(now.hover ?? now.focus ?? now.pinned);
  };

  const pin = (name) => show({ pinned: name === now.pinned ? null : name });

  const stop = (items, item) => {
    for (const other of items) other.setAttribute("tabindex", other === item ? "0" : "-1");
  };

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") show({ hover: nameOf(event.target) });
  });
  document.documentElement.addEventListener("pointerleave", () => show({ hover: null }));
  document.addEventListener("focusin", ({ target }) => {
    const item = target.closest(ITEMS);
    if (item) stop(itemsOf(item.closest(GROUPS)), item);
    show({ focus: target.matches(":focus-visible") ? nameOf(target) : null });
  });
  document.addEventListener("focusout", () => show({ focus: null }));

  document.addEventListener("click", ({ target }) => {
    if (target.closest("a[href], button, summary, label, input, select")) return;
    if (!getSelection().isCollapsed) return;
    const name = nameOf(target);
    if (name) pin(name);
    else show({ pinned: null });
  });

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") show({ pinned: null, focus: null, hover: null });
    const item = event.target.closest?.(ITEMS);
    if (!item) return;
    const items = itemsOf(item.closest(GROUPS));
    const index = items.indexOf(item);
    const goal = { Home: 0, End: items.length - 1 }[event.key] ?? index + MOVES[event.key];
    const name = nameOf(item);
    if (items[goal]) items[goal].focus();
    else if (name && (event.key === " " || (event.key === "Enter" && !item.href))) pin(name);
    else if (!(event.key in MOVES)) return;
    event.preventDefault();
  });

  const prepare = () => {
    if (!document.querySelector(ITEMS)) return;
    document.body.append(said);
    for (const group of document.querySelectorAll(GROUPS)) {
      const items = itemsOf(group);
      for (const item of items) {
        if (item.href) continue;
        item.setAttribute("role", "button");
        item.setAttribute("aria-pressed", "false");
      }
      stop(items, items[0]);
    }
  };
  (window.requestIdleCallback ?? setTimeout)(prepare);
})();
