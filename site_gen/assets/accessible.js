// What the theme's script adds to a page, made usable by the keyboard and by screen readers.
addEventListener("load", () => {
  const SCROLLS = ".md-typeset__scrollwrap, .lit-table, .lit-formula, .md-typeset pre > code";
  // What is reached by the Tab key within brings the keyboard there.
  const STOPS = "a[href]:not([tabindex='-1']), button, summary, [tabindex='0']";
  // The place for the button that copies is no navigation, and all of them have the same name: none.
  for (const place of document.querySelectorAll("nav.md-code__nav:not([role])")) {
    place.setAttribute("role", "presentation");
  }
  const needsStop = (box) => box.scrollWidth > box.clientWidth && !box.querySelector(STOPS);
  // Everything is measured before anything changes: a change in between costs a layout of the page.
  const sizes = new ResizeObserver((entries) => {
    const measured = entries.map(({ target }) => [target, needsStop(target)]);
    for (const [box, needed] of measured) {
      if (needed) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(SCROLLS)) sizes.observe(box);
});
