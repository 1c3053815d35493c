/*
 * `bun run bench:tracking`: the MLflow protocol served by the compiled binary and by `mlflow server`,
 * on the same Postgres, in turn and with the same requests. Prints the tables of bench/README.md;
 * exit code 1 when an answer was wrong. Wants curl, and starts the servers that SLUICE_TEST_DATABASE_URL,
 * SLUICE_TEST_S3_* and SLUICE_TEST_REDIS_URL do not give.
 *
 * --python PATH      a Python that has mlflow and psycopg2 (build/bench-python/tracking/bin/python)
 * --install          makes that one from PyPI, with --base PATH (python3)
 * --binary PATH      dist/sluice
 * --quick            all of it small, to see that it works: no figures to quote
 * --runs N,N         searched, each greater than the one before (1000,10000,100000)
 * --seconds N        a load (3)
 * --rounds N         of all loads; the better round of each side counts (2)
 * --connections a,b  1,16
 * --points N         of the history (100000)
 * --megabytes N      of the file (1000)
 * --starts N         of each kind of Sluice (3)
 * --only a,b         of writes, searches, history, files, starts
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { startServices } from "../scripts/services.ts";
import { reasonOf } from "../src/errors.ts";
import { BINARY, createDatabase } from "./serve/model.ts";
import { installEnvironment, isThere, programOf, runToEnd } from "./serve/python.ts";
import { median } from "./serve/table.ts";
import { undoing } from "./serve/undo.ts";
import {
  type Figures,
  fileTable,
  historyTable,
  type SearchFigures,
  searchTable,
  startTable,
  type WriteFigures,
  wantedTable,
  writeTable,
} from "./tracking/figures.ts";
import { makeFile, measureFile } from "./tracking/files.ts";
import { fillHistory, readHistory } from "./tracking/history.ts";
import { fill, SEARCHES, timeOf } from "./tracking/search.ts";
import { type Running, run, type Side, type Stores, sluice, stock } from "./tracking/sides.ts";
import { measureStarts, type Starts } from "./tracking/starts.ts";
import { makeExperiment, makeRun, measureWrite, WRITES } from "./tracking/writes.ts";

const root = join(import.meta.dir, "..");
const PARTS = ["writes", "searches", "history", "files", "starts"];
const { values: options } = parseArgs({
  options: {
    python: { type: "string" },
    install: { type: "boolean", default: false },
    base: { type: "string", default: "python3" },
    binary: { type: "string", default: BINARY },
    quick: { type: "boolean", default: false },
    runs: { type: "string" },
    seconds: { type: "string" },
    rounds: { type: "string" },
    connections: { type: "string", default: "1,16" },
    points: { type: "string" },
    megabytes: { type: "string" },
    starts: { type: "string" },
    only: { type: "string", default: PARTS.join(",") },
  },
});
const { quick } = options;
const sizes = {
  runs: (options.runs ?? (quick ? "200,2000" : "1000,10000,100000")).split(",").map(Number),
  seconds: Number(options.seconds ?? (quick ? 1 : 3)),
  warm: quick ? 0.3 : 1,
  rounds: Number(options.rounds ?? (quick ? 1 : 2)),
  points: Number(options.points ?? (quick ? 30_000 : 100_000)),
  bytes: Number(options.megabytes ?? (quick ? 50 : 1_000)) * 1e6,
  starts: Number(options.starts ?? (quick ? 1 : 3)),
};
const parts = options.only.split(",");
for (const part of parts) if (!PARTS.includes(part)) throw new Error(`--only ${part}: ${PARTS}.`);

const binary = resolve(options.binary);
if (!existsSync(binary)) throw new Error(`There is no ${binary}: run \`bun run build\` first.`);
if (Bun.which("curl") === null) throw new Error("There is no curl, which sends the files.");
const begun = performance.now();
const load = loadavg()[0]?.toFixed(1);
const python = await pythonOf();
const folder = mkdtempSync(join(tmpdir(), "sluice-tracking-"));
const removeFolder = undoing(() => rmSync(folder, { recursive: true, force: true }));
const services = await startServices();
const stopServices = undoing(services.stop);
const databaseUrl = services.databaseUrl ?? missing("postgres");
const undo: (() => Promise<void>)[] = [];
const EMPTY: Figures = { writes: [], searches: [], histories: [], files: [], starts: [] };
const TABLES: Readonly<Record<string, (figures: Figures) => string>> = {
  writes: ({ writes }) => writeTable(writes),
  searches: ({ searches }) => searchTable(searches),
  history: ({ histories }) => historyTable(histories),
  files: ({ files }) => fileTable(files),
  starts: ({ starts }) => startTable(starts),
};
try {
  await measure();
} finally {
  for (const each of undo.toReversed()) await each();
  await stopServices();
  await removeFolder();
}

async function measure(): Promise<void> {
  console.log(await headOf());
  let figures = EMPTY;
  /** One part of it; what was measured of the others is worth as much without it. */
  const part = async (name: string, title: string, work: () => Promise<Partial<Figures>>) => {
    if (!parts.includes(name)) return;
    try {
      const measured = await work();
      figures = { ...figures, ...measured };
      console.log(`**${title}**\n\n${TABLES[name]!({ ...EMPTY, ...measured })}\n`);
    } catch (thrown) {
      failed(name)(thrown);
    }
  };
  await part("starts", "Starts and memory", async () => ({ starts: await measureAllStarts() }));
  if (parts.some((name) => name !== "starts")) {
    // Both at once, each asked in its turn while the other rests.
    const ours = await start(sluice(binary), "ours");
    const theirs =
      python === null
        ? null
        : await start(stock(python.path, null), "theirs").catch(failed("mlflow server"));
    await part("writes", "Writes", async () => ({ writes: await measureWrites(ours, theirs) }));
    await part("history", "A history", async () => ({
      histories: await measureHistories(ours, theirs),
    }));
    await part("files", "Files", async () => ({ files: await measureFiles(ours, theirs) }));
    await part("searches", "Searches", async () => ({
      searches: await measureSearches(ours, theirs),
    }));
  }
  if (python !== null) console.log(`**Against what was wanted**\n\n${wantedTable(figures)}\n`);
  console.log(`${((performance.now() - begun) / 1_000).toFixed(0)} s in all`);
}

/** Tells of it and goes on without. */
function failed(what: string): (thrown: unknown) => null {
  return (thrown) => {
    console.log(`failed: ${what}: ${reasonOf(thrown)}\n`);
    process.exitCode = 1;
    return null;
  };
}

async function start(side: Side, name: string): Promise<Running> {
  const server = await run(side, await freshStores(join(folder, name)));
  undo.push(undoing(server.stop));
  return server;
}

async function measureWrites(ours: Running, theirs: Running | null): Promise<WriteFigures[]> {
  const experiments = new Map<Running, string>();
  for (const server of [ours, theirs]) {
    if (server !== null) experiments.set(server, await makeExperiment(server, "bench"));
  }
  const all: WriteFigures[] = [];
  for (const write of WRITES) {
    for (const connections of options.connections.split(",").map(Number)) {
      const best = async (server: Running, before: WriteFigures["ours"] | null) => {
        const plan = { connections, seconds: sizes.seconds, warm: sizes.warm };
        const now = await measureWrite(server, experiments.get(server)!, write, plan);
        tell(`${write}, ${connections}: ${server.side.title}: ${now.perSecond.toFixed(0)}/s`);
        const better = before !== null && before.perSecond > now.perSecond ? before : now;
        return { ...better, failed: now.failed + (before?.failed ?? 0) };
      };
      let [mine, its]: (WriteFigures["ours"] | null)[] = [null, null];
      for (let round = 0; round < sizes.rounds; round++) {
        mine = await best(ours, mine ?? null);
        its = theirs === null ? null : await best(theirs, its ?? null);
      }
      all.push({ write, connections, ours: mine!, theirs: its ?? null });
    }
  }
  return all;
}

async function measureSearches(ours: Running, theirs: Running | null): Promise<SearchFigures[]> {
  const all: SearchFigures[] = [];
  let from = 0;
  for (const to of sizes.runs) {
    tell(`making the runs to ${to}`);
    await Promise.all(
      [ours, theirs].flatMap((server) => {
        if (server === null) return [];
        const place = { experiment: "0", from, to };
        return [within(server, (client) => fill(client, server.side.tables, place))];
      }),
    );
    from = to;
    for (const [search, asked] of Object.entries(SEARCHES)) {
      const time = async (server: Running) => {
        const timed = await timeOf(server.url.origin, server.side.headers, "0", asked);
        tell(`${to} runs, ${search}: ${server.side.title}: ${timed.ms.toFixed(1)} ms`);
        return timed;
      };
      const mine = await time(ours);
      const its = theirs === null ? null : await time(theirs);
      if (its !== null && its.found !== mine.found) {
        throw new Error(`${search}: ${mine.found} runs and ${its.found} of ${to} were found.`);
      }
      all.push({ runs: to, search, ours: mine, theirs: its });
    }
  }
  return all;
}

async function measureHistories(ours: Running, theirs: Running | null) {
  const { points } = sizes;
  const time = async (server: Running) => {
    const experiment = await makeExperiment(server, "bench-history");
    const id = await within(server, (client) => fillHistory(client, server, experiment, points));
    const times: number[] = [];
    for (let i = 0; i < 4; i++) times.push(await readHistory(server, id, points));
    // The first of them warms up.
    const ms = median(times.slice(1));
    tell(`history: ${server.side.title}: ${ms.toFixed(0)} ms`);
    return ms;
  };
  return [{ points, ours: await time(ours), theirs: theirs === null ? null : await time(theirs) }];
}

async function measureFiles(ours: Running, theirs: Running | null): Promise<Figures["files"]> {
  const file = makeFile(folder, sizes.bytes);
  const onS3 = services.s3 === null ? null : await startOnServices();
  const all: Figures["files"][number][] = [];
  for (const server of [ours, onS3, theirs]) {
    if (server === null) continue;
    const experiment = await makeExperiment(server, "bench-files");
    const place = { experiment, run: await makeRun(server, experiment) };
    const times = await measureFile(server, file, place);
    const { title } = server.side;
    tell(`file: ${title}: ${(times.up / 1e6).toFixed(0)}, ${(times.down / 1e6).toFixed(0)} MB/s`);
    all.push({ title: server === onS3 ? title : `${title}, in a folder`, times });
  }
  await onS3?.stop();
  rmSync(file);
  return all;
}

async function startOnServices(): Promise<Running> {
  const stores = await freshServices(join(folder, "ours-s3"));
  return run(sluice(binary, "Sluice, on S3"), stores);
}

async function measureAllStarts(): Promise<Starts[]> {
  const all: Starts[] = [];
  const add = async (side: Side, times: number, make: (folder: string) => Promise<Stores>) => {
    const at = join(folder, side.title);
    const starts = await measureStarts(side, times, make, at).catch(failed(side.title));
    if (starts === null) return;
    tell(`start: ${side.title}: ${starts.firstMs.toFixed(0)}, ${starts.againMs.toFixed(0)} ms`);
    all.push(starts);
  };
  await add(sluice(binary, "Sluice, embedded"), sizes.starts, async (folder) => ({
    ...{ folder, database: null },
  }));
  await add(sluice(binary, "Sluice, Postgres and folder"), sizes.starts, freshStores);
  if (services.s3 !== null && services.redisUrl !== null) {
    await add(sluice(binary, "Sluice, Postgres, S3 and Redis"), sizes.starts, freshServices);
  }
  if (python === null) return all;
  await add(stock(python.path, 1), 1, freshStores);
  await add(stock(python.path, null), 1, freshStores);
  return all;
}

/** A folder and a database of its own. */
async function freshStores(at: string): Promise<Stores> {
  const { url, drop } = await createDatabase(databaseUrl);
  undo.push(drop);
  return { folder: at, database: url };
}

/** The same with a bucket of its own, and Redis. */
async function freshServices(at: string): Promise<Stores> {
  const { s3, redisUrl } = services;
  if (s3 === null) return missing("s3");
  const bucket = `sluice-bench-${crypto.randomUUID().slice(0, 13)}`;
  const { emptyBucket } = await import("./tracking/bucket.ts");
  undo.push(undoing(() => emptyBucket(s3, bucket)));
  return {
    ...(await freshStores(at)),
    env: {
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: s3.key,
      S3_SECRET_ACCESS_KEY: s3.secret,
      ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    },
  };
}

async function within<T>(
  { database }: Running,
  work: (client: postgres.Sql) => Promise<T>,
): Promise<T> {
  const client = postgres(database!, { max: 1, onnotice: () => {} });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The Python of the other side with what it has, or null, said plainly. */
async function pythonOf(): Promise<{ path: string; versions: string } | null> {
  const place = join(root, "build/bench-python");
  if (options.install) await installEnvironment(place, "tracking", options.base);
  const own = isThere(place, "tracking") ? programOf(place, "tracking", "python") : null;
  const path = options.python === undefined ? own : resolve(options.python);
  const code =
    "import sys, mlflow, psycopg2\n" +
    "print('python', sys.version.split()[0] + ',', 'mlflow', mlflow.__version__ + ',', " +
    "'psycopg2', psycopg2.__version__.split()[0])";
  try {
    if (path === null) throw new Error("no Python of it (--python PATH, or --install)");
    return { path, versions: (await runToEnd([path, "-c", code])).trim() };
  } catch (thrown) {
    const reason = reasonOf(thrown).trim().split("\n").at(-1);
    console.log(`skipped: mlflow server: ${reason}`);
    return null;
  }
}

async function headOf(): Promise<string> {
  const [row] = await withServer(
    (client) =>
      client<{ version: string; fsync: string; commit: string }[]>`
      select current_setting('server_version') as version, current_setting('fsync') as fsync,
        current_setting('synchronous_commit') as commit`,
  );
  return (
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ` +
    `load before ${load}, Bun ${Bun.version}, ${python?.versions ?? "no mlflow server"}, Postgres ` +
    `${row?.version} (fsync ${row?.fsync}, synchronous_commit ${row?.commit}), ${sizes.seconds} s a ` +
    `load, the better of ${sizes.rounds}${quick ? "; QUICK, not to quote" : ""}\n`
  );
}

async function withServer<T>(work: (client: postgres.Sql) => Promise<T>): Promise<T> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  return work(client).finally(() => client.end());
}

function tell(text: string): void {
  console.error(`${((performance.now() - begun) / 1_000).toFixed(0)} s: ${text}`);
}

function missing(service: string): never {
  const reason = services.missing.find((each) => each.service === service)?.reason;
  throw new Error(`There is no ${service}: ${reason ?? "left out"}.`);
}
