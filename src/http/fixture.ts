/*
 * Things as the tests of the routes know them: one model, one version, one run, one moment.
 */
import type { Config } from "../config.ts";
import { parseModel } from "../models.ts";
import type { Moved, Pointer } from "../registry/promotion.ts";
import type { WholeRun } from "../registry/run-list.ts";
import type { Version } from "../registry/version-rows.ts";
import type { Champion } from "../serve/champions.ts";
import type { ForecastAnswer } from "../serve/forecast.ts";
import type { LoadedMarket } from "../serve/loaded.ts";
import type { Session } from "../serve/session.ts";
import type { PipelineRun, Step } from "../store/pipeline-runs.ts";
import { type Candle, type Instant, iso, UNIT_MS } from "../types.ts";

export const NOW: Instant = Date.UTC(2025, 0, 1, 4, 0, 10);
export const SLOT: Instant = Date.UTC(2025, 0, 1, 4);
export const ADMIN = "an-administrators-token";
export const DIGEST = "d".repeat(64);
export const RUN_ID = "0123456789abcdef0123456789abcdef";
export const PIPELINE_RUN = "01940000-0000-7000-8000-000000000001";
export const COLUMNS = ["ret_1", "ret_2"];

export const config: Config = {
  data: "/nowhere",
  host: "127.0.0.1",
  port: 0,
  adminToken: null,
  databaseUrl: null,
  redisUrl: null,
  s3: null,
  upbitUrl: "http://127.0.0.1:9",
  clock: "system",
  modelsFolder: null,
  role: "all",
  drainMs: 0,
  log: "json",
  open: ["read", "predict"],
  accessLog: "errors",
  cache: null,
  sample: null,
  loadedBytes: 512_000_000,
  artifactsBytes: 1_024_000_000,
  retain: {
    runsDays: 90,
    trainingsDays: 90,
    forecastsDays: 1_825,
    quarantineDays: 365,
    versions: 50,
  },
  limits: { concurrent: 1_024, token: null, address: null, proxies: 0 },
  tracing: null,
  simulated: false,
};

/** A token of the form that is made here, of one repeated letter. */
export const tokenOf = (letter: string): string => `sluice_${letter.repeat(43)}`;

export const btcModel = parseModel(
  "btc.toml",
  `name = "btc"
kind = "market"
[collect]
market = "KRW-BTC"
others = ["KRW-ETH"]
since = 2024-01-01
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["gbdt"]
[evaluate]
[promote]`,
);

/** A champion whose probability is the logistic of its first column; 0.5 where that is missing. */
export const fakeChampion = (answer?: Partial<Session>): Champion & LoadedMarket => ({
  kind: "market",
  model: "btc",
  version: 3,
  digest: DIGEST,
  since: NOW,
  runId: RUN_ID,
  facts: { features: COLUMNS, market: "KRW-BTC" } as unknown as LoadedMarket["facts"],
  plain: {
    signature: {
      inputs: [{ name: "features", kind: "tensor", type: "float32", shape: ["N", 2] }],
      outputs: [{ name: "probability", kind: "tensor", type: "float32", shape: ["N", 1] }],
    },
    run: async () => ({
      probability: { type: "float32", shape: [1, 1], data: Float32Array.of(0.5) },
    }),
  },
  explain: (features, rows) =>
    Array.from({ length: rows }, (_, row) => {
      const [first = 0] = features.subarray(row * COLUMNS.length);
      return { base: 0, contributions: { ret_1: Number.isNaN(first) ? 0 : first, ret_2: 0 } };
    }),
  session: {
    inference: {} as Session["inference"],
    run: async (features, rows) => {
      const first = Array.from({ length: rows }, (_, i) => features[i * COLUMNS.length]!);
      return {
        probability: Float32Array.from(first, (x) =>
          Number.isNaN(x) ? 0.5 : 1 / (1 + Math.exp(-x)),
        ),
        quantiles: Float32Array.from(first.flatMap(() => [-0.01, 0, 0.01])),
      };
    },
    waiting: () => 0,
    release: async () => {},
    ...answer,
  },
});

export const candleAt = (start: Instant, close = 100): Candle => ({
  ...{ market: "KRW-BTC", start, open: 100, high: 110, low: 90, close, volume: 2, turnover: 200 },
});

export const forecastAnswer: ForecastAnswer = {
  id: "01940000-0000-7000-8000-0000000000ff",
  model: { name: "btc", version: 3, digest: DIGEST },
  market: "KRW-BTC",
  made_at: iso(NOW),
  last_closed: { start: iso(SLOT - UNIT_MS), close: 100 },
  target: { start: iso(SLOT), close: iso(SLOT + UNIT_MS) },
  up: 0.55,
  quantiles: { p10: 98, p50: 100.1, p90: 102 },
  skill: { log_loss: 0.69, baseline_log_loss: 0.7, better: true },
  abstain: null,
};

export const moved: Moved = {
  name: "btc",
  alias: "champion",
  version: 4,
  digest: DIGEST,
  since: NOW,
  previous: 3,
  changed: true,
};

export const version: Version = {
  name: "btc",
  version: 3,
  digest: DIGEST,
  size: 1234,
  signature: { inputs: [], outputs: [] } as unknown as Version["signature"],
  runId: RUN_ID,
  trained: true,
  createdAt: NOW,
  gates: [{ name: "verified", passed: true }],
  aliases: ["champion"],
};

/** An alias of btc that points at a version. */
export const pointerTo = (number: number, alias: string): Pointer => ({
  ...{ name: "btc", alias, version: number, digest: DIGEST, since: NOW, runId: RUN_ID },
});

export const run = {
  runId: RUN_ID,
  name: "btc 2025-01-01",
  experimentId: 1,
  userId: "",
  status: "FINISHED",
  statusMessage: null,
  startTime: NOW,
  endTime: NOW + 1_000,
  artifactUri: "mlflow-artifacts:/1/x",
  lifecycleStage: "active",
  deletedTime: null,
  pipelineRunId: PIPELINE_RUN,
  params: { trainer: "gbdt" },
  metrics: {
    log_loss: { value: 0.69, step: 0, timestamp: NOW },
    auc: { value: Number.NaN, step: 0, timestamp: NOW },
  },
  tags: { "sluice.model": "btc" },
  datasets: [],
  artifacts: [],
} satisfies WholeRun;

export const pipelineRun: PipelineRun = {
  id: PIPELINE_RUN,
  pipeline: "btc",
  slot: SLOT,
  kind: "slot",
  options: {},
  status: "succeeded",
  attempts: 1,
  leaseToken: "not to be told",
  leaseHolder: "not to be told",
  leaseUntil: NOW,
  createdAt: NOW,
  startedAt: NOW,
  endedAt: NOW,
  reason: null,
  detail: null,
};

export const step: Step = {
  runId: PIPELINE_RUN,
  step: "collect",
  position: 0,
  status: "succeeded",
  attempts: 1,
  startedAt: NOW,
  endedAt: NOW,
  elapsedMs: 1_200,
  result: { stored: 6 },
  log: ["2025-01-01T04:00:10.000Z KRW-BTC: 6 candles stored."],
};
