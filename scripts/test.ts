/*
 * `bun run test [files or options of bun test]`: the services, the binary, every test, the totals.
 * The last line is always `N passed, N failed`.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf } from "../src/errors.ts";
import { type Report, readReport, totalsLine, verdict } from "./report.ts";
import { type Services, startServices } from "./services.ts";

const root = join(import.meta.dir, "..");
const binary = join(root, "dist", "sluice");
const reportFile = join(tmpdir(), `sluice-report-${process.pid}.xml`);
const args = process.argv.slice(2);

// Bun's default of five seconds is too short for a training or a server's start on a busy
// machine; a test that hangs should still end within the minute.
const defaults = ["--timeout", "30000"];

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
await rm(reportFile, { force: true });
console.log(totalsLine(totals));
process.exit(totals.failed === 0 ? 0 : 1);

async function main(): Promise<{ passed: number; failed: number }> {
  if ((await run("scripts/assets.ts")) !== 0) throw new Error("scripts/assets.ts failed.");
  const built = !wantsStories() || (await isFresh()) || (await run("scripts/build.ts")) === 0;
  held.services = startServices();
  const services = await held.services;
  for (const { service, reason } of services.missing) {
    console.log(`skipped: no ${service} (${reason})`);
  }
  const extra: Record<string, string> = { ...services.env };
  if (built && wantsStories()) extra["SLUICE_TEST_BINARY"] = binary;
  const reporter = ["--reporter=junit", `--reporter-outfile=${reportFile}`];
  const code = await spawn(["test", ...defaults, ...reporter, ...args], extra);

  const report = await readFile(reportFile);
  for (const line of skippedLines(report, services)) console.log(line);
  const { passed, failed } = verdict(report, code);
  if (!built) console.log("failed: scripts/build.ts, so the stories that run the binary did not");
  return { passed, failed: failed + (built ? 0 : 1) };
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

/** A line for every file with skipped tests, and for each service that some may have wanted. */
function skippedLines(report: Report | null, { missing }: Services): string[] {
  const files = Map.groupBy(report?.skipped ?? [], ({ file }) => file);
  const lines = [...files].map(([file, tests]) => {
    const names = tests.map(({ name }) => name);
    const shown = names.slice(0, 3).join("; ") + (names.length > 3 ? "; ..." : "");
    return `skipped: ${names.length} in ${file}: ${shown}`;
  });
  const reasons = missing.map(({ service, reason }) => `skipped: no ${service} (${reason})`);
  return [...lines, ...reasons];
}

function run(script: string): Promise<number> {
  return spawn([script], {});
}

/** Runs this same Bun, which need not be on PATH, with the given arguments in the project. */
async function spawn(command: readonly string[], extra: Record<string, string>): Promise<number> {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    env: { ...process.env, ...extra },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  children.add(child);
  const code = await child.exited;
  children.delete(child);
  return code;
}
