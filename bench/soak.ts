/*
 * `bun run bench:soak`: predictions at a steady rate while the champion is moved to and fro between
 * two versions. Every answer must be exactly what the version that it names says of that row, and
 * that version must have been champion; memory must not grow. Exit code 1 when anything was wrong.
 *
 * --minutes N      so long (10)
 * --rate N         requests a second (half of what wrk reaches with as many connections)
 * --connections N  64
 * --every N        seconds between two promotions (5)
 * --adult DIR      adult.data and adult.test, or both as .gz (../shared/data/adult)
 * --database URL   a Postgres server, on which a database is made and dropped; embedded without
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { freePort } from "../scripts/services/process.ts";
import { loadRuntime } from "../src/serve/runtime.ts";
import { ADMIN_TOKEN, asJson } from "../tests/served.ts";
import { probabilitiesOf, TOLERANCE } from "./serve/answers.ts";
import { type Trained, trainIncome } from "./serve/model.ts";
import { type Answers, type Paced, type Pacer, startPacer } from "./serve/pace.ts";
import { PEERS, type Question } from "./serve/peers.ts";
import { bodyOf, completeRows, type Row } from "./serve/rows.ts";
import { type Server, startServer } from "./serve/server.ts";
import { floorsOf, slopeOf } from "./serve/slope.ts";
import { markdown } from "./serve/table.ts";
import { undoing } from "./serve/undo.ts";
import { loadBy } from "./serve/wrk.ts";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    rate: { type: "string" },
    connections: { type: "string", default: "64" },
    every: { type: "string", default: "5" },
    adult: { type: "string", default: join(import.meta.dir, "../../shared/data/adult") },
    database: { type: "string" },
  },
});
const seconds = Number(options.minutes) * 60;
const connections = Number(options.connections);

/** Learned differently, so that their answers differ. */
const VARIANTS = [{}, { seed: 11, rounds: 120 }];
const ROWS = 500;
/** Answers of two versions are told apart where they differ by so much. */
const APART = 20 * TOLERANCE;
const WARM_SECONDS = 3;
const PEAK_SECONDS = 5;
/** Memory of the first part of a run is not looked at: nothing is compiled or loaded yet. */
const settleSeconds = Math.min(60, seconds / 4);
const TELL_MS = 50;
/** The most by which memory may grow, MB a minute, by the least of each half minute. */
const MOST_SLOPE = 1;
/** A shorter run tells nothing of a slope: it is shown and not judged. */
const JUDGED_SECONDS = 300;

const folder = mkdtempSync(join(tmpdir(), "sluice-soak-"));
const removeFolder = undoing(() => rmSync(folder, { recursive: true, force: true }));
let isRight = false;
try {
  const trained = await trainIncome(
    folder,
    resolve(options.adult),
    options.database ?? null,
    VARIANTS,
  );
  try {
    isRight = await soak(trained);
  } finally {
    await trained.drop();
  }
} finally {
  await removeFolder();
}
process.exit(isRight ? 0 : 1);

async function soak(trained: Trained): Promise<boolean> {
  const { rows, versions } = await asked(trained);
  const peer = PEERS["sluice"]!;
  const port = freePort();
  const home = join(folder, "server");
  mkdirSync(home);
  const base = `http://127.0.0.1:${port}`;
  const url = base + peer.path;
  const body = bodyOf("instances", rows.slice(0, 1));
  const ask = async (): Promise<boolean> => {
    const answer = await fetch(url, {
      ...asJson({ instances: rows.slice(0, 1) }),
      keepalive: false,
    });
    const text = await answer.text();
    const question = ({ probabilities }: Answers): Question => ({
      ...{ rows, expected: probabilities.slice(0, 1) },
    });
    const own = versions.some((each) => peer.isRight(JSON.parse(text), question(each)));
    return answer.ok && own;
  };
  const place = { port, folder: home, model: "", sluice: trained.env, pythonRoot: "" };
  const server = await startServer(await peer.start(place), ask);
  try {
    const bodyFile = join(home, "body.json");
    writeFileSync(bodyFile, body);
    await loadBy(url, bodyFile, connections, WARM_SECONDS);
    const peak = await loadBy(url, bodyFile, connections, PEAK_SECONDS);
    const rate = options.rate === undefined ? peak.perSecond / 2 : Number(options.rate);
    console.error(`peak ${peak.perSecond.toFixed(0)}/s; ${rate.toFixed(0)}/s from now on`);
    const bodies = rows.map((row) => bodyOf("instances", [row]));
    const pacer = startPacer({ url, rate, connections, seconds, bodies, versions });
    const watched = watch(server, pacer);
    const moved = moves(base, versions, pacer);
    const paced = await pacer.done;
    return told(paced, peak.perSecond, await moved.stop(), watched.stop());
  } finally {
    await server.stop();
  }
}

/** Rows of which the versions say different things, and what each says. */
async function asked({ versions }: Trained): Promise<{ rows: Row[]; versions: Answers[] }> {
  const runtime = await loadRuntime(join(folder, "runtime"));
  const rows = completeRows(resolve(options.adult), ROWS);
  const own = await Promise.all(versions.map(({ path }) => probabilitiesOf(runtime, path, rows)));
  const isTold = rows.map((_, i) => Math.abs((own[0]?.[i] ?? 0) - (own[1]?.[i] ?? 0)) > APART);
  const kept = <T>(all: readonly T[]) => all.filter((_, i) => isTold[i]);
  if (kept(rows).length < ROWS / 2) throw new Error("The two versions say nearly the same.");
  return {
    rows: kept(rows),
    versions: versions.map(({ version, digest }, v) => ({
      ...{ version, digest, probabilities: kept(own[v] ?? []) },
    })),
  };
}

/** Moves the champion to and fro until it is stopped, and tells the pacing process. */
function moves(base: string, versions: readonly Answers[], pacer: Pacer) {
  const both = versions.map(({ version }) => version);
  const faults: string[] = [];
  let count = 0;
  let isStopped = false;
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
  const move = async (version: number): Promise<void> => {
    pacer.tell({ champions: both });
    // The pacing process should know before the server does.
    await Bun.sleep(TELL_MS);
    const answer = await fetch(`${base}/admin/models/income/promote`, {
      ...{ method: "POST", headers },
      body: JSON.stringify({ version, force: true }),
      signal: AbortSignal.timeout(10_000),
      keepalive: false,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${text}`);
    pacer.tell({ champions: [version] });
    count++;
  };
  const done = (async () => {
    while (!isStopped) {
      const version = both[count % both.length]!;
      await move(version).catch((thrown) => faults.push(`promotion: ${thrown}`));
      const next = performance.now() + Number(options.every) * 1_000;
      while (!isStopped && performance.now() < next) await Bun.sleep(100);
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await done;
      return { count, faults };
    },
  };
}

interface Watched {
  /** Seconds since the start, and megabytes. */
  readonly memory: readonly (readonly [number, number])[];
  readonly cpuMs: number;
}

/** Looks at the server's memory each second, and tells each minute how it goes. */
function watch(server: Server, pacer: Pacer) {
  const memory: [number, number][] = [];
  const begun = performance.now();
  const cpu = server.cpuMs();
  const timer = setInterval(() => {
    memory.push([(performance.now() - begun) / 1_000, server.residentBytes() / 1e6]);
    const so = pacer.latest();
    if (memory.length % 60 !== 0 || so === null) return;
    console.error(
      `${memory.length / 60} min: ${so.answered} answered, ${so.failed} failed, ` +
        `${so.wrong} wrong, p99 ${so.p99.toFixed(2)} ms, ${memory.at(-1)?.[1].toFixed(0)} MB`,
    );
  }, 1_000);
  return {
    stop: (): Watched => {
      clearInterval(timer);
      return { memory, cpuMs: server.cpuMs() - cpu };
    },
  };
}

/** Prints what came of it; whether all was right. */
function told(
  paced: Paced,
  peak: number,
  moved: { readonly count: number; readonly faults: readonly string[] },
  { memory, cpuMs }: Watched,
): boolean {
  const settled = memory.filter(([at]) => at >= settleSeconds);
  const slope = slopeOf(floorsOf(settled)) * 60;
  const isFlat = seconds < JUDGED_SECONDS || slope < MOST_SLOPE;
  const megabytes = settled.map(([, mb]) => mb);
  const rows: [string, string, string, boolean][] = [
    ["failed requests", String(paced.failed), "0", paced.failed === 0],
    ["wrong answers", String(paced.wrong), "0", paced.wrong === 0],
    ["failed promotions", String(moved.faults.length), "0", moved.faults.length === 0],
    [
      "memory slope, floors",
      Number.isNaN(slope) ? "too short to tell" : `${slope.toFixed(2)} MB/min`,
      `< ${MOST_SLOPE}`,
      isFlat,
    ],
  ];
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const of = Object.entries(paced.byVersion).map(([version, n]) => `${n} by version ${version}`);
  const facts = [
    ["answers", `${paced.answered} of ${paced.sent} sent: ${of.join(", ")}`],
    ["promotions", String(moved.count)],
    ["memory slope, every second", `${(slopeOf(settled) * 60).toFixed(2)} MB/min`],
    ["p50, p99, longest", [paced.p50, paced.p99, paced.longest].map(ms).join(", ")],
    [
      "memory after the start",
      `${Math.min(...megabytes).toFixed(0)} to ${Math.max(...megabytes).toFixed(0)} MB`,
    ],
    [
      "processor time of the server",
      `${((cpuMs * 1_000) / paced.answered).toFixed(0)} µs a request`,
    ],
  ];
  const isRight = rows.every(([, , , holds]) => holds);
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, ` +
      `Sluice ${options.database === undefined ? "embedded" : "Postgres"}, ` +
      `load ${loadavg()[0]?.toFixed(1)}, ` +
      `${options.minutes} min at ${paced.rate.toFixed(0)} req/s (peak ${peak.toFixed(0)}), ` +
      `${connections} connections, a promotion every ${options.every} s\n`,
  );
  console.log(
    markdown([
      ["what", "measured", "wanted", ""],
      ...rows.map(([what, measured, wanted, holds]) => [
        what,
        measured,
        wanted,
        holds ? "yes" : "**no**",
      ]),
      ...facts.map(([what = "", measured = ""]) => [what, measured, "", ""]),
    ]),
  );
  for (const fault of [...paced.faults, ...moved.faults.slice(0, 10)]) console.log(`- ${fault}`);
  return isRight;
}
