/*
 * Walking forward: what each fold was answered by models that were fitted before it, and what such
 * answers teach about the ones that come after.
 */
import { type Baselines, fitBaselines } from "./baseline.ts";
import { type Calibration, calibrated, fitShrinkage, UNCALIBRATED } from "./calibrate.ts";
import { conformalOffset } from "./conformal.ts";
import { fitDirection, recencyOf } from "./direction.ts";
import { marginsOf } from "./predict.ts";
import { fitQuantiles, type Quantiles } from "./range.ts";
import type { MarketRecipe, MarketRows, OutOfFold, Pool } from "./recipe.ts";
import { type Fold, walkForward } from "./split.ts";
import type { SumModel } from "./types.ts";

/** Folds before the judged span that only serve to calibrate. */
export const BURN_IN = 2;
const COVERAGE = 0.8;
/**
 * How firmly a calibration holds to slope 1, as curvature of the log-loss: right slopes differed by
 * about 0.35 between markets and years (1 / 0.35^2). Some 3,200 rows whose margins spread by 0.1
 * say as much.
 */
const CALIBRATION_PRIOR = 8;

/** One fold's raw forecasts, and what happened. */
export interface FoldForecast {
  readonly fold: Fold;
  readonly slots: Float64Array;
  readonly margin: Float64Array;
  readonly low: Float64Array;
  readonly middle: Float64Array;
  readonly high: Float64Array;
  readonly up: Float64Array;
  readonly returns: Float64Array;
  readonly lastUp: Uint8Array;
  readonly baselines: Baselines;
}

/** The folds that a training walks: those of the judged span and a few before it. */
export function foldsOf(slots: Float64Array, recipe: MarketRecipe): Fold[] {
  const all = walkForward({
    times: slots,
    horizonMs: recipe.horizonMs,
    foldMs: recipe.foldMs,
    minTrainRows: recipe.minTrainRows,
  });
  return recentFolds(all, (fold) => fold, slots.at(-1) ?? 0, recipe);
}

/** Of things by fold, those that a training whose newest row is at `newest` looks back on. */
export function recentFolds<T>(
  all: readonly T[],
  foldOf: (one: T) => Fold,
  newest: number,
  recipe: MarketRecipe,
): T[] {
  const first = all.findIndex((one) => foldOf(one).end > newest - recipe.evaluateMs);
  return first < 0 ? [] : all.slice(Math.max(0, first - BURN_IN));
}

/** What is fitted at an instant, on the rows known then. */
export interface Fitted {
  readonly direction: SumModel;
  readonly quantiles: Quantiles;
  readonly baselines: Baselines;
}

/** Fits everything but what earlier forecasts teach. */
export const fitRows = (pool: Pool, recipe: MarketRecipe): Fitted => ({
  direction: fitDirection(pool, recipe),
  quantiles: fitQuantiles(pool.own, recipe),
  baselines: fitBaselines(pool.own.lastUp, pool.own.up),
});

/**
 * Forecasts of a fold's rows, by models fitted on what was known when it began; `look` is given
 * those models and rows.
 */
export const forecastFold = (
  pool: Pool,
  recipe: MarketRecipe,
  fold: Fold,
  look: (fitted: Fitted, rows: MarketRows) => void = () => {},
): FoldForecast => {
  const fitted = fitRows(poolBefore(pool, fold.start, recipe.horizonMs), recipe);
  const rows = sliceRows(pool.own, ...fold.test);
  look(fitted, rows);
  return forecastRows(fitted, rows, fold);
};

/** Forecasts of some rows. */
export function forecastRows(fitted: Fitted, rows: MarketRows, fold: Fold): FoldForecast {
  const { p10, p50, p90 } = fitted.quantiles;
  return {
    fold,
    slots: rows.slots,
    margin: marginsOf(fitted.direction, rows.frame),
    low: marginsOf(p10, rows.frame),
    middle: marginsOf(p50, rows.frame),
    high: marginsOf(p90, rows.frame),
    up: rows.up,
    returns: rows.returns,
    lastUp: rows.lastUp,
    baselines: fitted.baselines,
  };
}

/** The rows whose labels are known at an instant. */
export function poolBefore({ own, others }: Pool, t: number, horizonMs: number): Pool {
  const before = (rows: MarketRows): MarketRows => {
    const end = rows.slots.findIndex((slot) => slot + horizonMs > t);
    return end < 0 ? rows : sliceRows(rows, 0, end);
  };
  return { own: before(own), others: others.map(before) };
}

/** Calibration and conformal offset from forecasts whose outcomes are known. */
export function learnFrom(
  forecasts: readonly FoldForecast[],
  recipe: MarketRecipe,
): { calibration: Calibration; offset: number } {
  if (forecasts.length === 0) return { calibration: UNCALIBRATED, offset: 0 };
  const column = (of: (forecast: FoldForecast) => Float64Array) => joined(forecasts.map(of));
  const slots = column((f) => f.slots);
  const age = recencyOf(slots, slots.at(-1) ?? 0, recipe.halfLifeMs);
  return {
    calibration: fitShrinkage(
      column((f) => f.margin),
      column((f) => f.up),
      age,
      CALIBRATION_PRIOR,
    ),
    offset:
      conformalOffset(
        column((f) => f.low),
        column((f) => f.high),
        column((f) => f.returns),
        COVERAGE,
      ) ?? 0,
  };
}

/** Of so many folds, the first that is judged. */
export const firstJudged = (folds: number): number => Math.min(BURN_IN, Math.max(0, folds - 1));

/** The answers of each judged fold, calibrated on the folds before it. */
export function answersOf(
  rows: MarketRows,
  forecasts: readonly FoldForecast[],
  recipe: MarketRecipe,
): OutOfFold {
  const first = firstJudged(forecasts.length);
  return joinAnswers(
    forecasts.slice(first).map((forecast, i) => {
      const newest = rows.slots[forecast.fold.train[1] - 1] ?? 0;
      const before = forecasts.slice(0, first + i);
      return answer(
        forecast,
        learnFrom(
          recentFolds(before, (one) => one.fold, newest, recipe),
          recipe,
        ),
      );
    }),
  );
}

/** A forecast as it is given out. */
export function answer(
  forecast: FoldForecast,
  { calibration, offset }: { calibration: Calibration; offset: number },
): OutOfFold {
  const { slots, margin, low, middle, high, up, returns, lastUp, baselines, fold } = forecast;
  const by = (name: keyof Baselines) => Float64Array.from(lastUp, (last) => baselines[name](last));
  return {
    slots,
    up,
    returns,
    probability: margin.map((m) => calibrated(calibration, m)),
    low: low.map((value, row) => Math.min(value - offset, middle[row]!)),
    middle,
    high: high.map((value, row) => Math.max(value + offset, middle[row]!)),
    baselines: {
      base_rate: by("base_rate"),
      last_direction: by("last_direction"),
      contrarian: by("contrarian"),
    },
    folds: new Float64Array(slots.length).fill(fold.start),
  };
}

/** Answers one after the other. */
export function joinAnswers(parts: readonly OutOfFold[]): OutOfFold {
  const column = (of: (part: OutOfFold) => Float64Array) => joined(parts.map(of));
  return {
    slots: column((p) => p.slots),
    up: column((p) => p.up),
    returns: column((p) => p.returns),
    probability: column((p) => p.probability),
    low: column((p) => p.low),
    middle: column((p) => p.middle),
    high: column((p) => p.high),
    baselines: {
      base_rate: column((p) => p.baselines.base_rate),
      last_direction: column((p) => p.baselines.last_direction),
      contrarian: column((p) => p.baselines.contrarian),
    },
    folds: column((p) => p.folds),
  };
}

/** The rows [from, to). */
export function sliceRows(rows: MarketRows, from: number, to: number): MarketRows {
  const columns = rows.frame.columns.map((column) =>
    column.kind === "number"
      ? { ...column, values: column.values.subarray(from, to) }
      : { ...column, codes: column.codes.subarray(from, to) },
  );
  return {
    slots: rows.slots.subarray(from, to),
    frame: { rows: to - from, columns },
    up: rows.up.subarray(from, to),
    returns: rows.returns.subarray(from, to),
    lastUp: rows.lastUp.subarray(from, to),
  };
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
