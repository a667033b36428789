// Lighthouse on a phone: the median of three runs must reach the scores of the project.

import lighthouse from "lighthouse";

const LEAST = { performance: 98, accessibility: 100, "best-practices": 100, seo: 100 };
const CATEGORIES = Object.keys(LEAST);
const MOST_SHIFT = 0.02;
const RUNS = 3;
// Below this Lighthouse itself says that the machine is slower than its model of a phone expects.
const LEAST_BENCHMARK = 1000;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const judges = (name, benchmark) => name !== "performance" || benchmark >= LEAST_BENCHMARK;
const reaches = ({ scores, benchmark }) =>
  CATEGORIES.every((name) => scores[name] >= LEAST[name] || !judges(name, benchmark));

// A quick check is content with one run that reaches everything that the machine can judge.
export async function lighthouseProblems(browser, address, pages, quick) {
  const port = Number(new URL(browser.wsEndpoint()).port);
  const problems = [];
  console.log(`Lighthouse, phone, median: ${CATEGORIES.join(" / ")}, layout shift`);
  for (const page of pages) {
    const runs = [];
    while (runs.length < RUNS && !(quick && runs.some(reaches))) {
      runs.push(await once(address + page, port));
    }
    const scores = Object.fromEntries(
      CATEGORIES.map((name) => [name, median(runs.map((run) => run.scores[name]))]),
    );
    const shift = median(runs.map((run) => run.shift));
    const each = runs.map((run) => run.scores.performance).join(", ");
    console.log(`  ${page}: ${Object.values(scores).join(" / ")}, ${shift.toFixed(3)} (performance ${each})`);
    const benchmark = median(runs.map((run) => run.benchmark));
    for (const name of CATEGORIES) {
      if (scores[name] >= LEAST[name]) continue;
      if (!judges(name, benchmark)) {
        console.log(`    too slow or too busy a machine to judge performance: ${benchmark}, not ${LEAST_BENCHMARK}`);
        continue;
      }
      const why = [...new Set(runs.flatMap((run) => run.failed[name]))].join(", ");
      problems.push(`${page}: ${name} ${scores[name]}, at least ${LEAST[name]}: ${why}`);
    }
    if (shift > MOST_SHIFT) problems.push(`${page}: the layout shifts by ${shift.toFixed(3)}`);
  }
  return problems;
}

async function once(url, port) {
  const { lhr } = await lighthouse(url, { port, logLevel: "error", onlyCategories: CATEGORIES });
  if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`);
  const entries = CATEGORIES.map((name) => [name, lhr.categories[name]]);
  return {
    scores: Object.fromEntries(entries.map(([name, { score }]) => [name, Math.round(score * 100)])),
    shift: lhr.audits["cumulative-layout-shift"].numericValue,
    benchmark: lhr.environment.benchmarkIndex,
    failed: Object.fromEntries(entries.map(([name, { auditRefs }]) => [name, auditRefs
      .filter(({ id, weight }) => weight && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
      .map(({ id }) => `${id} ${lhr.audits[id].displayValue ?? ""}`.trim())])),
  };
}
