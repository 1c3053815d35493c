/*
 * The steps of a market pipeline: collect -> verify -> train -> evaluate -> promote -> forecast.
 * Each can be repeated after a crash: what it made before is found again, not made twice.
 */
import { SluiceError } from "../errors.ts";
import { defaultSpec, lookbackOf } from "../feature/spec.ts";
import type { Collector } from "../market/collect.ts";
import type { VerifyReport } from "../market/verify.ts";
import type { MarketFile } from "../models.ts";
import type { Promotion } from "../registry/promotion.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { Versions } from "../registry/versions.ts";
import type { Champions } from "../serve/champions.ts";
import type { Forecaster } from "../serve/forecast.ts";
import type { CandleStore } from "../store/candles.ts";
import type { Orm } from "../store/database.ts";
import type { Forecasts } from "../store/forecasts.ts";
import type { PipelineRuns } from "../store/pipeline-runs.ts";
import { type Candle, type Instant, iso, newestClosed, UNIT_MS } from "../types.ts";
import { judgeRun } from "./evaluate.ts";
import type { PipelineStep, StepContext, StepOutcome, StepResult } from "./pipeline.ts";
import { promote } from "./promote.ts";
import { recordedBefore, recordTraining } from "./record.ts";
import type { Train } from "./trainer.ts";

export interface StepDeps {
  readonly clock: { now(): Instant };
  readonly collector: Collector;
  readonly candles: CandleStore;
  /** Of the markets that it looks at; `now` is the clock's where it is not given. */
  readonly verify: (model: MarketFile, now?: Instant) => Promise<VerifyReport[]>;
  readonly train: Train;
  readonly tracking: Tracking;
  readonly versions: Versions;
  readonly promotion: Promotion;
  readonly champions: Champions;
  readonly forecaster: Forecaster;
  readonly forecasts: Forecasts;
  readonly runs: PipelineRuns;
}

export const STEP_NAMES: readonly string[] = [
  "collect",
  "verify",
  "train",
  "evaluate",
  "promote",
  "forecast",
];

const MINUTE = 60_000;

/** The steps of one model's pipeline. */
export function stepsOf(model: MarketFile, deps: StepDeps): PipelineStep[] {
  return [
    { name: "collect", deadlineMs: 60 * MINUTE, run: (context) => collect(model, deps, context) },
    { name: "verify", deadlineMs: 5 * MINUTE, run: (context) => verify(model, deps, context) },
    { name: "train", deadlineMs: 30 * MINUTE, run: (context) => train(model, deps, context) },
    { name: "evaluate", deadlineMs: 5 * MINUTE, run: (context) => evaluate(model, deps, context) },
    { name: "promote", deadlineMs: MINUTE, run: (context) => promote(model.name, deps, context) },
    { name: "forecast", deadlineMs: MINUTE, run: (context) => forecast(model, deps, context) },
  ];
}

/** Market and peers, the model's own first. */
const marketsOfModel = ({ collect }: MarketFile): string[] => [collect.market, ...collect.others];

async function collect(model: MarketFile, deps: StepDeps, context: StepContext) {
  const result: StepResult = {};
  const { since } = model.collect;
  for (const market of marketsOfModel(model)) {
    const report = await deps.collector.collect(market, {
      since,
      signal: context.signal,
      onProgress: ({ done, total }) => context.progress(done / total, market),
    });
    result[market] = { ...report };
    await context.say(
      `${market}: ${report.stored} candles stored, ${report.revised} revised, ` +
        `${report.quarantined} quarantined, ${report.requests} requests.`,
    );
  }
  deps.forecaster.candlesChanged();
  const stale = await deps.tracking.markStale();
  if (stale > 0) await context.say(`${stale} datasets are stale: candles in them have changed.`);
  const outcomes = await deps.forecasts.joinOutcomes();
  if (outcomes > 0) await context.say(`${outcomes} forecasts got their outcome.`);
  return { ...result, outcomes, stale };
}

/**
 * The last instant for which what was collected is all there is: a candle that has closed since is
 * another run's. Null where the step before does not tell.
 */
function collectedAt(model: MarketFile, { results }: StepContext): Instant | null {
  const reports = marketsOfModel(model).map((market) => results["collect"]?.[market]);
  const ends = reports.map((report) => (report as { to?: Instant } | undefined)?.to);
  if (!ends.every((to) => typeof to === "number")) return null;
  return Math.min(...ends) + 2 * UNIT_MS;
}

async function verify(model: MarketFile, deps: StepDeps, context: StepContext) {
  const reports = await deps.verify(model, collectedAt(model, context) ?? deps.clock.now());
  for (const report of reports) await context.say(`${report.market}: ${report.verdict}.`);
  const bad = reports.find((report) => report.verdict === "fail");
  if (bad === undefined) return { reports };
  const checks = bad.checks.filter((check) => check.verdict === "fail");
  throw new SluiceError({
    code: "verification_failed",
    detail: `${bad.market}: ${checks.map((check) => check.detail).join(" ")}`,
    fix: "See `sluice verify`; nothing is learned from these candles until they pass.",
  });
}

async function train(
  model: MarketFile,
  deps: StepDeps,
  context: StepContext,
): Promise<StepOutcome> {
  const { run, say, signal } = context;
  // A crash may have come between the version and the end of this step.
  const made = await recordedBefore(model.name, run.id, deps);
  if (made !== null) return made;
  const asOf = deps.clock.now();
  const { result, artifact } = await deps.train(
    { model, slot: run.slot, asOf, candles: await candlesOf(model, run.slot, asOf, deps) },
    {
      name: run.id,
      signal,
      onProgress: context.progress,
    },
  );
  if (result.skip !== null) return { skip: result.skip };
  const guard = (tx: Orm) => deps.runs.assertHeld(tx, context.lease);
  const { runId, version } = await recordTraining(
    { model, result, artifact, pipelineRunId: run.id, asOf, guard },
    deps,
  );
  await say(`Version ${version.version} stands: ${result.summary}`);
  return { runId, version: version.version, digest: version.digest };
}

/** Candles from `since` to the run's slot, of all markets the model looks at. */
async function candlesOf(model: MarketFile, slot: Instant, asOf: Instant, deps: StepDeps) {
  const lookback = lookbackOf(defaultSpec(marketsOfModel(model))) * UNIT_MS;
  const from = model.collect.since - lookback;
  const lists: Record<string, readonly Candle[]> = {};
  for (const market of marketsOfModel(model)) {
    lists[market] = await deps.candles.read(market, { from, to: slot, asOf });
  }
  return lists;
}

async function evaluate(model: MarketFile, deps: StepDeps, context: StepContext) {
  const trained = context.results["train"] as { version: number; runId: string };
  const reports = (context.results["verify"]?.["reports"] ?? []) as VerifyReport[];
  const { passed, gates, champion } = await judgeRun(model, trained, reports, deps);
  await deps.versions.recordGates(model.name, trained.version, gates);
  for (const gate of gates) {
    await context.say(`${gate.passed ? "passed" : "FAILED"} ${gate.name}: ${gate.detail}`);
  }
  return { passed, gates, champion };
}

async function forecast(model: MarketFile, deps: StepDeps, context: StepContext) {
  if (newestClosed(deps.clock.now()) + UNIT_MS !== context.run.slot) {
    await context.say("The slot has passed; the run of the newest slot forecasts.");
    return { forecast: null };
  }
  await deps.champions.refresh(model.name);
  const answer = await deps.forecaster.forecast(model.name);
  await context.say(
    answer.abstain === null
      ? `Up with probability ${answer.up?.toFixed(4)} by ${answer.target.close}.`
      : `Abstained: ${answer.abstain.detail}`,
  );
  return { forecast: answer.id, up: answer.up, target: answer.target };
}

/** The one step of a backfill. */
export function backfillStep(deps: StepDeps): PipelineStep {
  return {
    name: "backfill",
    deadlineMs: 6 * 60 * MINUTE,
    run: async (context) => {
      const { market, from, to } = context.run.options as {
        market: string;
        from: Instant;
        to: Instant;
      };
      const report = await deps.collector.again(market, {
        from,
        to,
        signal: context.signal,
        onProgress: ({ done, total }) => context.progress(done / total, market),
      });
      deps.forecaster.candlesChanged();
      await context.say(
        `${market} ${iso(from)} to ${iso(to)}: ${report.stored} stored, ${report.revised} revised, ` +
          `${report.quarantined} quarantined.`,
      );
      return { ...report };
    },
  };
}
