/*
 * `bun run check`: everything that can be said about the source without running it. Every part
 * runs, whatever the ones before it found; the last line is `N passed, N failed`.
 */
import { join } from "node:path";
import { reasonOf } from "../src/errors.ts";
import { findBreaches } from "./imports.ts";
import { totalsLine } from "./report.ts";
import { findLong, findUnrepeatable } from "./source.ts";

const root = join(import.meta.dir, "..");

/** What a part found wrong, ready to print; empty when nothing is. */
type Part = () => Promise<string>;

const parts: Record<string, Part> = {
  "types (tsc)": tool("typescript/bin/tsc", ["--noEmit"]),
  "format and lint (biome)": tool("@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]),
  "import rules (dependency-cruiser)": async () => {
    const breaches = await findBreaches(root);
    return breaches
      .map(({ rule, from, to, comment }) => {
        return `${from} imports ${to} (${rule}). ${comment}`;
      })
      .join("\n");
  },
  "unused code (knip)": tool("knip/bin/knip.js", ["--no-progress"]),
  "short files": async () => (await findLong(root)).join("\n"),
  "pure rooms are repeatable": async () => (await findUnrepeatable(root)).join("\n"),
};

const totals = { passed: 0, failed: 0 };
for (const [name, part] of Object.entries(parts)) {
  const start = performance.now();
  const found = await part().catch(reasonOf);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${found === "" ? "ok  " : "FAIL"} ${name}, ${seconds} s`);
  if (found !== "") console.log(found.replace(/^/gm, "     "));
  totals[found === "" ? "passed" : "failed"] += 1;
}
console.log(totalsLine(totals));
process.exit(totals.failed === 0 ? 0 : 1);

/** Runs a tool's own script with this Bun: no tool, and no Node.js, need be on PATH. */
function tool(script: string, args: readonly string[]): Part {
  return async () => {
    const child = Bun.spawn([process.execPath, join(root, "node_modules", script), ...args], {
      cwd: root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [said, complained, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return code === 0 ? "" : `${said}${complained}`.trim() || `ended with ${code}`;
  };
}
