// Opens every page, wide and narrow, light and dark: axe-core finds no violation, nothing moves while the
// page loads, no error is logged, and nothing is asked of another host.

import axe from "axe-core";

const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];
const TABS = 3;
const MOST_SHIFT = 0.02;
const TIMEOUT = 300_000;
// What the colours of a page decide; all else is the same in the dark.
const COLOURS = ["color-contrast", "link-in-text-block"];
// What Lighthouse asks beyond the rules that axe-core has by itself.
const MORE_RULES = ["target-size", "td-has-header", "table-fake-caption", "label-content-name-mismatch"];

const SHIFT = `new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 100);
})`;

// ARIA 1.2 lets what stands in a formula be reached (github.com/w3c/aria/pull/941); axe-core 4.14 holds that
// all children of `math` are mere looks, as ARIA 1.1 had it. Nor does it see that a formula is the text of what
// holds it (github.com/dequelabs/axe-core/issues/3285).
const STANDARDS = {
  ariaRoles: { math: { childrenPresentational: false } },
  htmlElms: { math: { contentTypes: ["phrasing", "flow"] } },
};

// All four views of every page. A quick check has them only of one page of each kind, and of a third of the
// others one view each: another third each day.
export function views(pages, kinds, quick) {
  const all = WIDTHS.flatMap((width) => SCHEMES.map((scheme) => ({ width, scheme })));
  const day = Math.floor(Date.now() / 86_400_000);
  return pages.flatMap((page, index) => {
    if (quick && !kinds.includes(page) && (index + day) % 3) return [];
    const chosen = quick && !kinds.includes(page) ? [all[index % all.length]] : all;
    return WIDTHS.map((width) => ({
      page,
      width,
      schemes: chosen.filter((view) => view.width === width).map((view) => view.scheme),
    })).filter((each) => each.schemes.length);
  });
}

export async function axeProblems(browser, address, jobs) {
  const problems = [];
  const waiting = [...jobs];
  let most = { shift: 0 };
  await Promise.all(Array.from({ length: TABS }, async () => {
    const context = await browser.createBrowserContext();
    const tab = await context.newPage();
    tab.setDefaultTimeout(TIMEOUT);
    let visit;
    const note = (text) => {
      problems.push(`${visit.page} ${visit.width}: ${text}`);
      // At once, too: the whole takes minutes.
      console.log(`  ${problems.at(-1)}`);
    };
    tab.on("console", (message) => message.type() === "error" && note(message.text()));
    tab.on("pageerror", (error) => note(String(error)));
    tab.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(address) && !/^(data|blob):/.test(url)) note(`asks another host: ${url}`);
    });
    while ((visit = waiting.shift())) {
      const shift = await check(tab, address, visit, note);
      if (shift > most.shift) most = { ...visit, shift };
    }
    await context.close();
  }));
  const where = most.page ? `, on ${most.page} ${most.width}` : "";
  console.log(`  largest layout shift: ${most.shift.toFixed(4)}${where}`);
  return problems;
}

// Returns how far the layout shifted.
async function check(tab, address, { page, width, schemes }, note) {
  await tab.setViewport({ width, height: 900 });
  await tab.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: schemes[0] },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  await tab.goto(address + page, { waitUntil: "load" });
  await tab.evaluate("document.fonts.ready.then(() => null)");
  const shift = await tab.evaluate(SHIFT);
  if (shift > MOST_SHIFT) note(`the layout shifts by ${shift.toFixed(3)}`);
  await tab.evaluate(axe.source);
  await tab.evaluate((standards) => globalThis.axe.configure({ standards }), STANDARDS);
  for (const [index, scheme] of schemes.entries()) {
    if (index) {
      await tab.emulateMediaFeatures([
        { name: "prefers-color-scheme", value: scheme },
        { name: "prefers-reduced-motion", value: "reduce" },
      ]);
      await tab.evaluate("new Promise((done) => setTimeout(done, 300))");
    }
    const dark = await tab.evaluate(
      `document.body.dataset.mdColorScheme === "slate"`,
    );
    if (dark !== (scheme === "dark")) note(`is not ${scheme}`);
    const options = { resultTypes: ["violations"], elementRef: false };
    if (index) options.runOnly = { type: "rule", values: COLOURS };
    else options.rules = Object.fromEntries(MORE_RULES.map((name) => [name, { enabled: true }]));
    const violations = await tab.evaluate(
      (options) => globalThis.axe.run(document, options).then((found) => found.violations.map(
        ({ id, nodes }) => ({ id, places: nodes.map((node) => node.target.join(" ")), why: nodes[0].failureSummary }),
      )),
      options,
    );
    for (const { id, places, why } of violations) {
      const detail = why.split("\n").slice(1).map((line) => line.trim()).join("; ");
      note(`${scheme}: ${id}, ${places.length} times, first ${places[0]}: ${detail}`);
    }
  }
  return shift;
}
