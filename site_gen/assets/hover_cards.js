// Cards for links to terms, symbols and papers: shown while the pointer or the focus is on a link,
// or at the first tap. Their texts are loaded when the first card is asked for.
(() => {
  const LINKS = "a.lit-term, a.lit-cite";
  const OPEN_MS = 150;
  const CLOSE_MS = 250;
  const GAP = 6;
  const script = document.currentScript.src;
  const root = new URL("../../", script).href;
  const card = document.createElement("div");
  card.className = "lit-hover md-typeset";
  card.id = "lit-hover";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  let wanted = null;
  let shown = null;
  let timer = 0;
  let data = null;
  let touched = false;

  const load = () =>
    (data ??= new Promise((resolve) => {
      const element = document.createElement("script");
      element.src = new URL("cards.js", script).href;
      element.onload = () => resolve(globalThis.litCards);
      element.onerror = () => resolve({});
      document.head.append(element);
    }));

  const key = (link) => (link.href.startsWith(root) ? link.href.slice(root.length) : link.href);

  const place = (link) => {
    const lines = link.getClientRects();
    const line = lines[lines.length - 1] ?? link.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(line.left, width - card.offsetWidth - 8));
    const below = line.bottom + GAP + card.offsetHeight <= innerHeight;
    const top = below ? line.bottom + GAP : Math.max(0, lines[0].top - GAP - card.offsetHeight);
    card.style.left = `${left + scrollX}px`;
    card.style.top = `${top + scrollY}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  };

  const show = async (link) => {
    const entry = (await load())[key(link)];
    if (wanted !== link) return;
    if (!entry) {
      if (touched) location.assign(link.href);
      return;
    }
    hide();
    shown = link;
    const title = document.createElement("strong");
    title.innerHTML = entry[0];
    card.innerHTML = entry[1];
    card.prepend(title);
    document.body.append(card);
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place(link);
  };

  const want = (link, wait) => {
    wanted = link;
    clearTimeout(timer);
    if (link === shown) return;
    timer = setTimeout(() => (link ? show(link) : hide()), wait);
  };

  const linkAt = (event) => event.target.closest?.(LINKS);

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkAt(event);
    if (link) want(link, OPEN_MS);
    else if (card.contains(event.target)) want(shown, 0);
    else if (shown !== document.activeElement || !shown) want(null, CLOSE_MS);
  });
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    if (touched && shown && !linkAt(event) && !card.contains(event.target)) want(null, 0);
  });
  document.addEventListener("focusin", (event) => {
    const link = linkAt(event);
    if (link && !touched && link.matches(":focus-visible")) want(link, 0);
    else if (!link && shown) want(null, 0);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target === shown && !card.matches(":hover")) want(null, CLOSE_MS);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") want(null, 0);
  });
  document.addEventListener("click", (event) => {
    const link = linkAt(event);
    if (!touched || !link || link === shown) return;
    event.preventDefault();
    want(link, 0);
  });
})();
