// The HTML validator of the W3C on every page.

import { execFile, spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import vnu from "vnu-jar";

export const hasJava = () => spawnSync("java", ["-version"]).status === 0;

export async function vnuProblems(folder, pages) {
  const files = pages.map((page) => join(folder, page));
  const report = await new Promise((done, fail) => {
    const options = ["-Xss1m", "-jar", vnu, "--errors-only", "--format", "json", ...files];
    execFile("java", options, { maxBuffer: 1 << 28 }, (error, _, text) =>
      text.startsWith("{") ? done(text) : fail(error ?? new Error(`vnu: ${text}`)));
  });
  return JSON.parse(report).messages.map(({ url, lastLine, message, extract = "" }) => {
    const page = url ? relative(folder, decodeURIComponent(new URL(url).pathname)) : "";
    return `${page}:${lastLine ?? 0}: ${message} ${extract.replaceAll(/\s+/g, " ")}`;
  });
}
