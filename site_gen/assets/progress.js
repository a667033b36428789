// What has been read: kept in this browser, shown as ticks in lists of chapters and on the map.
(() => {
  const root = new URL("../../", document.currentScript.src);
  const KEY = `read:${root.pathname}`;
  const LINKS = ".lit-contents a[data-chapter], .lit-map a, .md-nav__item:not(.md-nav__item--nested) > .md-nav__link[href]:not([href*='#'])";

  const stored = () => {
    try {
      const names = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      return new Set(Array.isArray(names) ? names : []);
    } catch {
      return new Set();
    }
  };
  const store = (names) => {
    try {
      if (names.size) localStorage.setItem(KEY, JSON.stringify([...names]));
      else localStorage.removeItem(KEY);
      return true;
    } catch {
      return false;
    }
  };
  if (!store(stored())) return;

  // A page by its path from the root, however the server or the link writes it.
  const name = (address) => {
    const url = new URL(address, location.href);
    if (url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return null;
    return url.pathname.slice(root.pathname.length).replace(/(^|\/)index\.html$/, "$1");
  };
  const here = name(location.href);
  const address = (link) => link.href.baseVal ?? link.href;
  const button = (text, action) => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = text;
    element.addEventListener("click", action);
    return element;
  };

  const mark = document.querySelector(".lit-mark");
  const toggle = button("Mark as read", () => {
    const read = stored();
    if (!read.delete(here)) read.add(here);
    store(read);
    refresh();
  });
  mark?.append(toggle);

  const total = document.querySelector(".lit-progress");
  const forget = button("Forget what I have read", () => {
    if (!confirm("Forget which chapters you have read?")) return;
    store(new Set());
    refresh();
    total.querySelector("span").focus();
  });
  const sum = document.createElement("span");
  sum.tabIndex = -1;
  sum.setAttribute("role", "status");
  total?.append(sum, forget);

  const count = (links, read) => {
    const names = [...new Set([...links].map((link) => name(address(link))))];
    return [names.filter((item) => read.has(item)).length, names.length];
  };

  const refresh = () => {
    const read = stored();
    toggle.setAttribute("aria-pressed", String(read.has(here)));
    for (const link of document.querySelectorAll(LINKS)) {
      link.classList.toggle("lit-read", read.has(name(address(link))));
    }
    for (const place of document.querySelectorAll(".lit-count")) {
      const links = place.closest("section").querySelectorAll("[data-chapter]");
      const [done, all] = count(links, read);
      place.textContent = done ? `${done} of ${all} read` : "";
    }
    if (total) {
      const [done, all] = count(document.querySelectorAll("[data-chapter]"), read);
      sum.textContent = done ? `${done} of ${all} chapters read` : "";
      forget.hidden = !done;
    }
  };
  refresh();
  addEventListener("storage", refresh);
  addEventListener("pageshow", (event) => event.persisted && refresh());
})();
