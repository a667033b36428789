// Search over the sections of all pages. The index and the library that reads it are loaded when the
// search is opened for the first time. A theme that has a search of its own keeps it.
(() => {
  const header = document.querySelector(".md-header__inner");
  if (!header || document.querySelector("[data-md-component=search]")) return;
  const MOST = 30;
  const AROUND = 70;
  const GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho " +
    "sigma sigma tau upsilon phi chi psi omega";
  const letters = new Map(GREEK.split(" ").map((name, i) => [String.fromCharCode(0x3b1 + i), name]));
  const script = document.currentScript.src;
  const root = new URL("../../", script).href;
  let engine = null;
  let results = [];
  let chosen = -1;

  // A name is found whole and by its parts: `step_param`, `lr_scale`, `GradScaler`.
  const tokenize = (text) => {
    const words = text.replace(/[α-ω]/g, (letter) => ` ${letters.get(letter)} `).match(/[\p{L}\p{N}_]+/gu) ?? [];
    return words.flatMap((word) => {
      const parts = word.match(/\p{Lu}?[\p{Ll}\p{N}]+|\p{Lu}+(?!\p{Ll})/gu) ?? [];
      return parts.length > 1 ? [word, ...parts] : [word];
    });
  };

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  const icon = () => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M10 4a6 6 0 1 0 3.7 10.7l5 5 1.4-1.4-5-5A6 6 0 0 0 10 4m0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8");
    svg.append(path);
    return svg;
  };

  const input = element("input", {
    type: "search", id: "lit-search-input", placeholder: "Search prose, symbols and names", role: "combobox",
    "aria-label": "Search", "aria-expanded": "false", "aria-controls": "lit-search-list",
    "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
  });
  const close = element("button", { type: "button", class: "lit-search-close", "aria-label": "Close the search" }, "×");
  const status = element("p", { class: "lit-search-status", role: "status" });
  const list = element("div", { id: "lit-search-list", role: "listbox", "aria-label": "Results" });
  const dialog = element("dialog", { class: "lit-search md-typeset", "aria-label": "Search" },
    element("div", { class: "lit-search-head" }, input, close), status, list);
  const button = element("button", {
    type: "button", class: "md-header__button md-icon lit-search-open", "aria-label": "Search", title: "Search (/)",
  }, icon());

  const load = (name) => new Promise((resolve, reject) => {
    const made = element("script", { src: new URL(name, script).href });
    made.onload = resolve;
    made.onerror = () => reject(new Error(name));
    document.head.append(made);
  });

  const prepare = () => (engine ??= (async () => {
    await Promise.all([load("on_demand/minisearch.js"), load("search_index.js")]);
    const { chapters, sections } = globalThis.litSearch;
    const documents = sections.map(([chapter, anchor, title, text, names], id) =>
      ({ id, chapter, anchor, title, text, names, page: anchor ? "" : title }));
    const made = new MiniSearch({
      fields: ["page", "title", "text", "names"], storeFields: ["chapter", "anchor", "title", "text", "names"], tokenize,
      // A word as it was typed comes first, and a long section is no worse than a short one.
      searchOptions: {
        boost: { page: 8, title: 5, names: 0.4 },
        prefix: (term) => term.length > 1,
        fuzzy: (term) => term.length > 4 && 0.2,
        weights: { fuzzy: 0.1, prefix: 0.3 },
        bm25: { k: 1.2, b: 0.3, d: 0.5 },
        combineWith: "AND",
      },
    });
    await made.addAllAsync(documents, { chunkSize: 200 });
    return { made, chapters };
  })());

  const marked = (text, terms) => {
    const pattern = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    if (!pattern) return [text];
    return text.split(new RegExp(`(${pattern})`, "giu")).map((part, i) => (i % 2 ? element("mark", {}, part) : part));
  };

  const excerpt = (found) => {
    const source = found.text || found.names;
    const lower = source.toLowerCase();
    const places = found.terms.map((term) => lower.indexOf(term)).filter((place) => place >= 0);
    const first = places.length ? Math.max(0, Math.min(...places) - AROUND) : 0;
    const start = first && source.indexOf(" ", first) + 1;
    const piece = source.slice(start, start + 3 * AROUND);
    return (start ? "… " : "") + piece + (start + piece.length < source.length ? " …" : "");
  };

  const choose = (index) => {
    results[chosen]?.setAttribute("aria-selected", "false");
    chosen = index;
    const option = results[chosen];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  };

  const show = (found, chapters) => {
    list.replaceChildren(...found.map((each, i) => {
      const [label, part, path] = chapters[each.chapter];
      const place = [part, label].filter(Boolean).join(" › ");
      return element("a", {
        role: "option", id: `lit-result-${i}`, "aria-selected": "false", tabindex: "-1",
        href: new URL(path + (each.anchor ? `#${each.anchor}` : ""), root).href,
      }, element("strong", {}, ...marked(each.title || label, each.terms)),
      element("span", { class: "lit-search-place" }, place),
      element("span", { class: "lit-search-text" }, ...marked(excerpt(each), each.terms)));
    }));
    results = [...list.children];
    input.setAttribute("aria-expanded", String(results.length > 0));
    choose(results.length ? 0 : -1);
  };

  const search = async () => {
    const query = input.value.trim();
    if (!query) {
      show([], []);
      status.textContent = "";
      return;
    }
    try {
      const { made, chapters } = await prepare();
      if (query !== input.value.trim()) return;
      const found = made.search(query);
      show(found.slice(0, MOST), chapters);
      status.textContent = found.length > MOST ? `${found.length} results, the first ${MOST} are shown`
        : found.length === 1 ? "1 result" : `${found.length || "No"} results`;
    } catch {
      status.textContent = "The search could not be loaded.";
    }
  };

  const open = () => {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    prepare().catch(() => {});
  };

  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && results.length) choose((chosen + step + results.length) % results.length);
    else if (event.key === "Enter") results[chosen]?.click();
    else if (event.key === "Escape") dialog.close();
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", () => dialog.close());
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  button.addEventListener("click", open);
  document.addEventListener("lit-search", open);
  header.append(button);
  document.body.append(dialog);
})();
