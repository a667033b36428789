// Checks of the built site that need a browser or Java; what Python can check, `make test` does.
//
//   node check.mjs [axe] [lighthouse] [vnu] [--quick] [--site FOLDER] [--pages a.html,b.html]
//
// Without a name all three run. --quick is for a continuous integration with little time: axe looks at a
// third of most pages, in one view instead of four, and Lighthouse runs again only where the first run falls short.

import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { axeProblems, views } from "./axe.mjs";
import { startBrowser } from "./browser.mjs";
import { lighthouseProblems } from "./lighthouse.mjs";
import { serving } from "./server.mjs";
import { hasJava, vnuProblems } from "./vnu.mjs";

const CHECKS = ["axe", "lighthouse", "vnu"];
const MEASURED = ["index.html", "optimizers/adam.html", "schedules/warmup.html", "experiments/results.html"];
const KINDS = [...MEASURED, "map.html", "glossary.html", "references.html", "identifiers.html", "schedule_gallery.html"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    site: { type: "string", default: join(import.meta.dirname, "../../site") },
    pages: { type: "string" },
  },
});
const unknown = positionals.filter((name) => !CHECKS.includes(name));
if (unknown.length) {
  console.error(`${unknown[0]}: no such check; there are ${CHECKS.join(", ")}`);
  process.exit(2);
}
const wanted = positionals.length ? positionals : CHECKS;
const folder = resolve(values.site);
const found = (await readdir(folder, { recursive: true }).catch(() => []))
  .filter((name) => name.endsWith(".html")).sort();
if (!found.length) {
  console.error(`${folder}: no page there; build the site first`);
  process.exit(2);
}
const pages = values.pages?.split(",") ?? found;
const missing = pages.find((page) => !found.includes(page));
if (missing) {
  console.error(`--pages ${missing}: no such page in ${folder}`);
  process.exit(2);
}

const problems = [];
const report = async (name, checking) => {
  const begin = Date.now();
  const list = await checking;
  const seconds = ((Date.now() - begin) / 1000).toFixed(0);
  console.log(`${name}: ${list.length || "no"} problems, ${seconds} s`);
  problems.push(...list.map((text) => `${name}: ${text}`));
};

const server = await serving(folder);
const browser = await startBrowser();
try {
  // Lighthouse measures time, so it runs alone.
  if (wanted.includes("lighthouse")) {
    const measured = values.pages ? pages : MEASURED;
    await report("lighthouse", lighthouseProblems(browser, server.address, measured, values.quick));
  }
  const others = [];
  if (wanted.includes("axe")) {
    const jobs = views(pages, KINDS, values.quick);
    const count = jobs.reduce((sum, { schemes }) => sum + schemes.length, 0);
    console.log(`axe: ${count} views of ${new Set(jobs.map(({ page }) => page)).size} pages`);
    others.push(report("axe", axeProblems(browser, server.address, jobs)));
  }
  if (wanted.includes("vnu")) {
    if (hasJava()) others.push(report("vnu", vnuProblems(folder, pages)));
    else console.log("vnu: left out, because there is no Java");
  }
  await Promise.all(others);
} finally {
  await browser.close();
  server.close();
}
for (const text of problems) console.error(text);
process.exitCode = problems.length ? 1 : 0;
