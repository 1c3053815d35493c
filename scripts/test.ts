/*
 * `bun run test [files or options of bun test]`: the services, the binary, every test, the totals.
 * The last line is always `N passed, N failed`. Where nothing is named, each story and each room is
 * a run of its own, and some go on at once: stories wait for processes most of their time.
 */
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import pLimit from "p-limit";
import { reasonOf } from "../src/errors.ts";
import { failures, type Report, readReport, storyLines, totalsLine, verdict } from "./report.ts";
import { type Services, startServices } from "./services.ts";

const root = join(import.meta.dir, "..");
const binary = join(root, "dist", "sluice");
const args = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), "sluice-report-"));

// Bun's default of five seconds is too short for a training or a server's start on a busy
// machine; a test that hangs should still end within some minutes.
const defaults = ["--timeout", "180000"];

/** One more than most machines of CI have cores: stories wait for processes much of their time. */
const AT_ONCE = 3;
/** The stories that take longest come first, so that nobody waits for one of them alone. */
const LONGEST = ["crash", "promotions", "loop", "swap", "start", "backup"];

/** Seconds by the clock, and seconds of a processor. */
interface Took {
  readonly seconds: number;
  readonly cpu: number;
}

const children = new Set<Bun.Subprocess>();
const held: { services?: Promise<Services> } = {};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, async () => {
    for (const child of children) child.kill("SIGTERM");
    // A start under way is over in a second; a build of minutes is not waited for.
    const services = await Promise.race([held.services?.catch(() => null), Bun.sleep(5_000)]);
    await services?.stop();
    process.exit(130);
  });
}

const totals = await main().catch((thrown: unknown) => {
  console.error(reasonOf(thrown));
  return { passed: 0, failed: 1 };
});
await (await held.services?.catch(() => null))?.stop();
await rm(scratch, { recursive: true, force: true });
console.log(totalsLine(totals));
process.exit(totals.failed === 0 ? 0 : 1);

async function main(): Promise<{ passed: number; failed: number }> {
  // On a new machine both take long, and neither needs the other.
  held.services = startServices();
  held.services.catch(() => {});
  if ((await run("scripts/assets.ts")) !== 0) throw new Error("scripts/assets.ts failed.");
  const built = !wantsStories() || (await isFresh()) || (await run("scripts/build.ts")) === 0;
  const services = await held.services;
  for (const line of missingLines(services)) console.log(line);
  const extra: Record<string, string> = { ...services.env };
  if (built && wantsStories()) extra["SLUICE_TEST_BINARY"] = binary;
  const turns = pLimit(AT_ONCE);
  const tasks = args.length > 0 ? [args] : await everything();
  const results = await Promise.all(
    tasks.map((task, at) => turns(() => runTask(task, join(scratch, `${at}`), extra))),
  );
  const reports = results.flatMap(({ report }) => report ?? []);
  for (const line of reports.flatMap(skippedLines)) console.log(line);
  for (const line of missingLines(services)) console.log(line);
  for (const line of storyLines(reports)) console.log(line);
  const tookOf = tasks.length > 1 ? tookLines(results.map(({ took }) => took)) : [];
  for (const line of tookOf) console.log(line);
  // Once more at the end, where it is looked for: a log of thousands of lines is often cut.
  for (const said of results.flatMap(({ log }) => failures(log))) console.log(`failed:\n${said}`);
  if (!built) console.log("failed: scripts/build.ts, so the stories that run the binary did not");
  return results.reduce(
    (sum, { totals }) => ({
      passed: sum.passed + totals.passed,
      failed: sum.failed + totals.failed,
    }),
    { passed: 0, failed: built ? 0 : 1 },
  );
}

/**
 * What `bun test` is started with, once for each: a story, or the files of a room. They take turns,
 * since stories that train at once keep each other waiting.
 */
async function everything(): Promise<string[][]> {
  const found = (pattern: string) => [...new Bun.Glob(pattern).scanSync(root)].sort();
  const place = (story: string) =>
    LONGEST.indexOf(basename(story, ".test.ts")) + 1 || LONGEST.length + 1;
  const stories = found("tests/**/*.test.ts").sort((a, b) => place(a) - place(b));
  const rooms = Map.groupBy(found("{src,scripts,bench}/**/*.test.ts"), dirname);
  const parts = [stories.map((story) => [story]), [...rooms.values()]];
  return parts
    .flatMap((part) => part.map((files, at) => ({ files, at: at / part.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ files }) => files.map((file) => `./${file}`));
}

/** Runs the tests of a task. What they print is shown when they have ended, one after the other. */
async function runTask(task: readonly string[], path: string, extra: Record<string, string>) {
  const log = `${path}.log`;
  const reporter = ["--reporter=junit", `--reporter-outfile=${path}.xml`];
  const { code, took } = await spawn(["test", ...defaults, ...reporter, ...task], extra, log);
  const report = await readFile(`${path}.xml`);
  const text = await Bun.file(log).text();
  process.stdout.write(text);
  return { report, log: text, totals: verdict(report, code), took: { ...took, task } };
}

/** The stories in tests/ run the compiled binary; a run of one room in src/ does without it. */
function wantsStories(): boolean {
  const files = args.filter((arg, at) => !arg.startsWith("-") && !takesValue(args[at - 1]));
  return files.length === 0 || files.some((file) => file.includes("tests"));
}

function takesValue(option: string | undefined): boolean {
  return option === "-t" || option === "--test-name-pattern";
}

/** True when the binary is newer than everything that it is made of. */
async function isFresh(): Promise<boolean> {
  const madeAt = await timeOf(binary);
  const files = ["package.json", "bun.lock", "scripts/assets.ts", "scripts/build.ts"];
  for (const folder of ["src", "drizzle", "models", "build/assets"]) {
    const found = await readdir(join(root, folder), { recursive: true }).catch(() => []);
    files.push(...found.filter(isPart).map((file) => join(folder, file)));
  }
  const times = await Promise.all(files.map((file) => timeOf(join(root, file))));
  return times.every((time) => time < madeAt);
}

function isPart(file: string): boolean {
  return !file.endsWith(".test.ts");
}

async function timeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found?.mtimeMs ?? 0;
}

async function readFile(path: string): Promise<Report | null> {
  const file = Bun.file(path);
  return (await file.exists()) ? readReport(await file.text()) : null;
}

/** A line for every file with skipped tests. */
function skippedLines(report: Report): string[] {
  const files = Map.groupBy(report.skipped, ({ file }) => file);
  return [...files].map(([file, tests]) => {
    const names = tests.map(({ name }) => name);
    const shown = names.slice(0, 3).join("; ") + (names.length > 3 ? "; ..." : "");
    return `skipped: ${names.length} in ${file}: ${shown}`;
  });
}

/** What the run's time went into: the tasks that took longest. */
function tookLines(tasks: readonly (Took & { readonly task: readonly string[] })[]): string[] {
  const dearest = tasks.toSorted((a, b) => b.seconds - a.seconds).slice(0, 12);
  return dearest.map(({ task: [file = "", ...more], seconds, cpu }) => {
    const what = more.length === 0 ? file : `${dirname(file)}, ${more.length + 1} files`;
    return `took: ${seconds.toFixed(0)} s, ${cpu.toFixed(0)} s of a processor: ${what}`;
  });
}

/** A line for each service that some tests may have wanted. */
function missingLines({ missing }: Services): string[] {
  return missing.map(({ service, reason }) => `skipped: no ${service} (${reason})`);
}

async function run(script: string): Promise<number> {
  return (await spawn([script], {})).code;
}

/**
 * Runs this same Bun, which need not be on PATH, with the given arguments in the project. What it
 * prints goes to the file, or where this process prints. What it took is its own processor time and
 * that of the processes which it waited for.
 */
async function spawn(
  command: readonly string[],
  extra: Record<string, string>,
  file: string | null = null,
): Promise<{ code: number; took: Took }> {
  const begun = performance.now();
  const out = file === null ? "inherit" : openSync(file, "w");
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    env: { ...process.env, ...extra },
    stdin: "ignore",
    stdout: out,
    stderr: out,
  });
  children.add(child);
  const code = await child.exited;
  if (out !== "inherit") closeSync(out);
  children.delete(child);
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1_000_000;
  return { code, took: { seconds: (performance.now() - begun) / 1_000, cpu } };
}
