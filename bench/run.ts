/*
 * `bun run bench`: what the loop costs, measured on the compiled binary from an empty folder and
 * printed as a table for bench/README.md. The exchange is the project's own simulated one, or a
 * replay at `--exchange URL` that takes `POST /__control {"advance":"4h"}`. `--database URL` runs
 * it on Postgres.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { simulatedExchange } from "../src/market/simulated.ts";
import { until } from "../src/testing.ts";
import { slotOf, UNIT_MS } from "../src/types.ts";
import { type Served, serve } from "../tests/served.ts";

const { values: options } = parseArgs({
  options: { exchange: { type: "string" }, database: { type: "string" } },
});

interface RunView {
  readonly id: string;
  readonly pipeline: string;
  readonly status: string;
  readonly steps: readonly {
    readonly step: string;
    readonly elapsed_ms: number | null;
    readonly result: Record<string, { requests?: number } | undefined> | null;
  }[];
}

/** As many candles a market as the replay of December 2022 to February 2026 has. */
const HISTORY = 7_036;
const MODELS = ["btc", "eth", "ada"];
const IDLE_AFTER_MS = 15_000;
const FORECASTS = 2_000;

const rows: [string, string, string][] = [];
const note = (what: string, measured: string, wanted: string) =>
  rows.push([what, measured, wanted]);
const ms = (value: number) => `${value.toFixed(0)} ms`;
const seconds = (value: number) => `${(value / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

const opening = slotOf(Date.now());
const simulated =
  options.exchange === undefined
    ? simulatedExchange({ now: opening + 10_000, start: opening - HISTORY * UNIT_MS })
    : null;
const exchange = options.exchange ?? simulated?.url ?? "";

async function advance(): Promise<void> {
  if (simulated !== null) return simulated.advance(UNIT_MS);
  const body = JSON.stringify({ advance: "4h" });
  await fetch(`${exchange}/__control`, { method: "POST", body });
}

const binary = join(import.meta.dir, "..", "dist", "sluice");
process.env["SLUICE_TEST_BINARY"] = binary;
const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const start = (): Promise<Served> =>
  serve({
    cwd: folder,
    env: {
      SLUICE_DATA: join(folder, "data"),
      UPBIT_URL: exchange,
      SLUICE_CLOCK: "exchange",
      ...(options.database === undefined ? {} : { DATABASE_URL: options.database }),
    },
  });

try {
  note("size of the binary", megabytes(statSync(binary).size), "<= 130 MB");
  await measureFirstStart();
  await measureLaterStart();
} finally {
  await simulated?.stop();
  rmSync(folder, { recursive: true, force: true });
}
print();

async function measureFirstStart(): Promise<void> {
  const served = await start();
  note("start to /healthz, empty folder", ms(served.healthMs), "< 1500 ms");
  await served.ready(300_000);
  const first = await runsOf(served, 1);
  // Pipelines that collect a market at the same time share one collection and its report.
  const requests = sum(
    [...new Set(first.flatMap((run) => Object.keys(reportsOf(run))))].map((market) =>
      Math.max(...first.map((run) => reportsOf(run)[market]?.requests ?? 0)),
    ),
  );
  const took = Math.max(...first.map((run) => stepOf(run, "collect").elapsed_ms ?? 0));
  const limit = (requests / 8) * 1_000;
  note(
    `backfill of ${MODELS.length} markets, ${requests} requests at 8 a second`,
    `${seconds(took)}, ${(took / limit).toFixed(2)} x the limit`,
    "<= 1.3 x",
  );
  await advance();
  for (const run of await runsOf(served, 2)) {
    const took = sum(run.steps.map((step) => step.elapsed_ms ?? 0));
    const train = seconds(stepOf(run, "train").elapsed_ms ?? 0);
    note(
      `${run.pipeline}: collect to forecast for a new slot`,
      `${seconds(took)} (training ${train})`,
      "< 30 s",
    );
  }
  await served.stop();
}

async function measureLaterStart(): Promise<void> {
  const served = await start();
  note("start to /healthz, existing folder", ms(served.healthMs), "< 500 ms");
  note("start to ready, existing folder", ms(await served.ready()), "< 2000 ms");
  await Bun.sleep(IDLE_AFTER_MS);
  const bound = options.database === undefined ? "< 450 MB" : "< 200 MB";
  note("memory when idle", megabytes(served.residentBytes()), bound);
  const times: number[] = [];
  for (let i = 0; i < FORECASTS; i++) {
    const begun = performance.now();
    await served.get("/v1/models/btc/forecast");
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => `${times[Math.floor(share * FORECASTS)]?.toFixed(2)} ms`;
  note(`forecast, ${FORECASTS} in turn: p50, p99`, `${at(0.5)}, ${at(0.99)}`, "p50 < 2 ms");
  await served.stop();
}

/** The newest run of each pipeline, once `count` of them have ended. */
async function runsOf(served: Served, count: number): Promise<RunView[]> {
  const newest: RunView[] = [];
  for (const model of MODELS) {
    const list = () =>
      served.get<{ items: RunView[] }>(`/v1/pipelines/${model}/runs`).then((page) => page.items);
    await until(
      async () => (await list()).filter((run) => run.status === "succeeded").length >= count,
      300_000,
      `${count} runs of ${model}`,
    );
    const [run] = await list();
    newest.push(await served.get<RunView>(`/admin/pipelines/${model}/runs/${run?.id}`));
  }
  return newest;
}

/** What a run's collection of each market came to. */
function reportsOf(run: RunView) {
  return stepOf(run, "collect").result ?? {};
}

function stepOf(run: RunView, name: string): RunView["steps"][number] {
  const step = run.steps.find((one) => one.step === name);
  if (step === undefined) throw new Error(`Run ${run.id} has no step ${name}.`);
  return step;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function print(): void {
  const store = options.database === undefined ? "embedded" : "Postgres";
  console.log(
    `\n${new Date().toISOString().slice(0, 10)}, ${store}, ${cpus().length} x ${
      cpus()[0]?.model ?? "unknown"
    }, Bun ${Bun.version}\n`,
  );
  console.log("| what | measured | wanted |\n|---|---|---|");
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}
