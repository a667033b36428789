// What the theme's script adds to a page, made usable by the keyboard and by screen readers.
addEventListener("load", () => {
  const mend = () => {
    // The place for the button that copies is no navigation, and all of them have the same name: none.
    for (const place of document.querySelectorAll("nav.md-code__nav:not([role])")) {
      place.setAttribute("role", "presentation");
    }
    for (const table of document.querySelectorAll(".md-typeset__scrollwrap, .lit-table")) {
      if (table.scrollWidth > table.clientWidth) table.setAttribute("tabindex", "0");
      else table.removeAttribute("tabindex");
    }
  };
  mend();
  addEventListener("resize", mend);
});
