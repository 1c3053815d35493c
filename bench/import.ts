/*
 * `bun run bench:import`: what `sluice import-mlflow` takes to bring a tracking server over: by its
 * address, from its database and folder, and from a folder of the file store, into an embedded
 * database and into Postgres. Prints the table of bench/README.md; exit code 1 when something did not
 * come. Starts the Postgres that SLUICE_TEST_DATABASE_URL does not give.
 *
 * --python PATH   a Python that has mlflow and psycopg2 (build/bench-python/tracking/bin/python)
 * --binary PATH   dist/sluice
 * --runs N        that are brought (10000)
 * --workers N     of the server (as many as it comes with)
 * --from a,b      of url, database, folder
 * --to a,b        of embedded, postgres
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { startServices } from "../scripts/services.ts";
import { reasonOf } from "../src/errors.ts";
import { type Filled, fillDatabase, fillFolder } from "./import/fill.ts";
import { BINARY, createDatabase } from "./serve/model.ts";
import { programOf, runToEnd } from "./serve/python.ts";
import { MODEL_FILE } from "./serve/rows.ts";
import { markdown } from "./serve/table.ts";
import { undoing } from "./serve/undo.ts";
import { type Running, run, stock } from "./tracking/sides.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string" },
    binary: { type: "string", default: BINARY },
    runs: { type: "string", default: "10000" },
    workers: { type: "string" },
    from: { type: "string", default: "url,database,folder" },
    to: { type: "string", default: "embedded,postgres" },
  },
});
const runs = Number(options.runs);
const binary = resolve(options.binary);
if (!existsSync(binary)) throw new Error(`There is no ${binary}: run \`bun run build\` first.`);

/** One import, and the same again when all of it is there. */
interface Figures {
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the server that it was read from; null where none runs. */
  readonly serverSeconds: number | null;
  readonly peakBytes: number;
  readonly againSeconds: number;
}

const load = loadavg()[0]?.toFixed(1);
const begun = performance.now();
const folder = mkdtempSync(join(tmpdir(), "sluice-import-"));
const undo: (() => Promise<void>)[] = [
  undoing(() => rmSync(folder, { recursive: true, force: true })),
];
try {
  await measure();
} finally {
  for (const each of undo.toReversed()) await each();
}

async function measure(): Promise<void> {
  const services = await startServices();
  undo.push(undoing(services.stop));
  const { databaseUrl } = services;
  if (databaseUrl === null) throw new Error("There is no Postgres.");
  const python = resolve(
    options.python ??
      programOf(join(import.meta.dir, "../build/bench-python"), "tracking", "python"),
  );
  const versions = "import mlflow; print('mlflow', mlflow.__version__)";
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ` +
      `load before ${load}, Bun ${Bun.version}, ${(await runToEnd([python, "-c", versions])).trim()}\n`,
  );
  const sources = await openSources(databaseUrl, python);
  const all: Figures[] = [];
  for (const { name, args, server } of sources) {
    for (const to of options.to.split(",")) {
      const figures = await timed(name, args, to, databaseUrl, server).catch((thrown) => {
        console.log(`failed: ${name} into ${to}: ${reasonOf(thrown)}\n`);
        process.exitCode = 1;
        return null;
      });
      if (figures !== null) all.push(figures);
    }
    await server?.stop();
  }
  console.log(`${tableOf(all)}\n\n${((performance.now() - begun) / 1_000).toFixed(0)} s in all`);
}

interface Opened {
  readonly name: string;
  readonly args: readonly string[];
  readonly server: Running | null;
}

/** Everything that is imported from, filled. */
async function openSources(databaseUrl: string, python: string): Promise<Opened[]> {
  const wanted = options.from.split(",");
  const opened: Opened[] = [];
  if (wanted.includes("url") || wanted.includes("database")) {
    const { url, drop } = await createDatabase(databaseUrl);
    undo.push(drop);
    const at = join(folder, "theirs");
    const workers = options.workers === undefined ? null : Number(options.workers);
    const server = await run(stock(python, workers), { folder: at, database: url });
    undo.push(server.stop);
    const client = postgres(url, { max: 1, onnotice: () => {} });
    const artifacts = join(at, "artifacts");
    told(await fillDatabase(client, artifacts, runs).finally(() => client.end()));
    const byDatabase = ["--from", url, "--artifacts", artifacts];
    if (wanted.includes("url")) {
      opened.push({ name: "server", args: ["--from", server.url.origin], server });
    } else await server.stop();
    if (wanted.includes("database")) {
      opened.push({ name: "database", args: byDatabase, server: null });
    }
  }
  if (wanted.includes("folder")) {
    const at = join(folder, "mlruns");
    told(fillFolder(at, runs));
    opened.push({ name: "folder", args: ["--from", at], server: null });
  }
  return opened;
}

function told({ runs, points, files, versions }: Filled): void {
  const text = `${runs} runs, ${points} points, ${files} files, ${versions} versions\n`;
  console.log(text);
}

async function timed(
  from: string,
  args: readonly string[],
  to: string,
  databaseUrl: string,
  server: Running | null,
): Promise<Figures> {
  const at = join(folder, `${from}-${to}`);
  mkdirSync(join(at, "models"), { recursive: true });
  cpSync(MODEL_FILE, join(at, "models", "income.toml"));
  const own = to === "postgres" ? await createDatabase(databaseUrl) : null;
  if (own !== null) undo.push(own.drop);
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: at, SLUICE_DATA: join(at, "data") },
    ...{ SLUICE_MODELS: join(at, "models"), UPBIT_URL: "http://127.0.0.1:9" },
    ...(own === null ? {} : { DATABASE_URL: own.url }),
  };
  const once = async () => {
    const began = performance.now();
    const before = server?.cpuMs() ?? 0;
    const child = Bun.spawn([binary, "import-mlflow", ...args, "--json"], {
      ...{ cwd: at, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    });
    const [out, errors, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0)
      throw new Error(`it ended with ${code}: ${errors.slice(-500)}${out.slice(0, 500)}`);
    const usage = child.resourceUsage();
    const { counts } = JSON.parse(out) as { counts: { runs: { brought: number; there: number } } };
    return {
      counts: counts.runs,
      seconds: (performance.now() - began) / 1_000,
      cpuSeconds: Number(usage?.cpuTime.total ?? 0n) / 1e6,
      serverSeconds: server === null ? null : (server.cpuMs() - before) / 1_000,
      peakBytes: usage?.maxRSS ?? Number.NaN,
    };
  };
  const first = await once();
  const again = await once();
  if (first.counts.brought !== runs || again.counts.there !== runs) {
    throw new Error(`${first.counts.brought} runs came, and ${again.counts.there} were there`);
  }
  console.error(`${from} into ${to}: ${first.seconds.toFixed(0)}, ${again.seconds.toFixed(0)} s`);
  await own?.drop();
  return { from, to, ...first, againSeconds: again.seconds };
}

function tableOf(all: readonly Figures[]): string {
  const head = [
    "from",
    "into",
    "s",
    "its CPU, s",
    "CPU of mlflow server, s",
    "peak memory, MB",
    "again, s",
  ];
  const rows = all.map((one) => [
    ...[one.from, one.to, one.seconds.toFixed(1), one.cpuSeconds.toFixed(1)],
    one.serverSeconds?.toFixed(1) ?? "",
    ...[(one.peakBytes / 1e6).toFixed(0), one.againSeconds.toFixed(1)],
  ]);
  return markdown([head, ...rows]);
}
