// One key for what is done often. `?` shows the keys; a reader who types by voice can turn them off there.
(() => {
  const STORED = "lit-keys-off";
  let off = false;
  try {
    off = localStorage.getItem(STORED) === "1";
  } catch {
    // Without storage the choice lasts for this page.
  }

  const sections = () => [...document.querySelectorAll("article [id]")]
    .filter((each) => each.matches("h1, h2, h3, section.lit-section, section.lit-figure"));

  // From the section that was stepped to, while it is on the screen; else from the top of the screen.
  const step = (direction) => {
    const all = sections();
    const top = (each) => each.getBoundingClientRect().top;
    const current = all.findIndex((each) => each === document.activeElement && top(each) >= 0 && top(each) < innerHeight);
    const below = all.findIndex((each) => top(each) > 0);
    const first = below < 0 ? all.length : below;
    const next = all[current >= 0 ? current + direction : direction > 0 ? first : first - 1];
    if (!next) return;
    next.scrollIntoView();
    next.setAttribute("tabindex", "-1");
    next.focus({ preventScroll: true });
    history.replaceState(null, "", `#${next.id}`);
  };

  const follow = (rel) => {
    const link = document.querySelector(`link[rel="${rel}"]`);
    if (link) location.assign(link.href);
  };

  // The theme keeps a label for each of its palettes, and shows the one that leads on.
  const theme = () => [...document.querySelectorAll("label[for^=__palette_]")].find((each) => !each.hidden)?.click();

  const KEYS = [
    ["/", "search", () => document.dispatchEvent(new CustomEvent("lit-search"))],
    ["j", "next section", () => step(1)],
    ["k", "previous section", () => step(-1)],
    ["n", "next chapter", () => follow("next")],
    ["p", "previous chapter", () => follow("prev")],
    ["t", "light, dark, or as the system", theme],
    ["?", "these keys", () => dialog().showModal()],
  ];

  let made = null;
  const dialog = () => {
    if (made) return made;
    made = document.createElement("dialog");
    made.className = "lit-keys md-typeset";
    made.setAttribute("aria-labelledby", "lit-keys-title");
    const title = document.createElement("h2");
    title.id = "lit-keys-title";
    title.textContent = "Keys";
    const rows = document.createElement("dl");
    for (const [key, meaning] of KEYS) {
      const term = document.createElement("dt");
      term.append(document.createElement("kbd"));
      term.firstChild.textContent = key;
      const what = document.createElement("dd");
      what.textContent = meaning;
      rows.append(term, what);
    }
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = !off;
    box.addEventListener("change", () => {
      off = !box.checked;
      try {
        localStorage.setItem(STORED, off ? "1" : "0");
      } catch {
        // See above.
      }
    });
    label.append(box, " Use these keys (except ?)");
    const close = document.createElement("button");
    close.type = "button";
    close.className = "md-button";
    close.textContent = "Close";
    close.addEventListener("click", () => made.close());
    made.append(title, rows, label, close);
    made.addEventListener("click", (event) => event.target === made && made.close());
    document.body.append(made);
    return made;
  };

  // Before the theme, which knows some of these keys too.
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const found = KEYS.find(([key]) => key === event.key);
    if (!found || (off && event.key !== "?")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    found[2]();
  }, true);
})();
