/*
 * The recipe of a market model: probability of up and quantiles of the return, walked forward in
 * time. Everything that is chosen or fitted on forecasts (which trainer, calibration, conformal
 * offset) uses folds before the one it is judged on, so that the evaluation is of what would have
 * been answered live.
 */
import { type Baselines, constant, fitBaselines } from "./baseline.ts";
import { type Calibration, calibrated, fitCalibration, UNCALIBRATED } from "./calibrate.ts";
import { conformalOffset } from "./conformal.ts";
import { gbdt } from "./gbdt/fit.ts";
import type { GbdtOptions } from "./gbdt/options.ts";
import { type LinearOptions, logistic } from "./linear.ts";
import { exp } from "./math.ts";
import { logLosses } from "./metrics.ts";
import { marginsOf } from "./predict.ts";
import { type Fold, walkForward } from "./split.ts";
import type { Frame, Model, Sample } from "./types.ts";

/** Rows in time order; one entry a row in every array. */
export interface MarketRows {
  readonly slots: Float64Array;
  readonly frame: Frame;
  /** 1 when the row's candle closed above the one before. */
  readonly up: Float64Array;
  /** The row's log return. */
  readonly returns: Float64Array;
  /** 1 when the candle before the row's closed above the one before it. */
  readonly lastUp: Uint8Array;
}

export interface MarketRecipe {
  readonly seed: number;
  readonly trainers: readonly ("gbdt" | "logistic")[];
  readonly gbdt: GbdtOptions;
  readonly quantile: GbdtOptions;
  readonly logistic: LinearOptions;
  /** Age in milliseconds at which a row counts half. */
  readonly halfLifeMs: number;
  /** How far a label looks past its row's slot, and the length of a fold, in milliseconds. */
  readonly horizonMs: number;
  readonly foldMs: number;
  readonly minTrainRows: number;
  /** Span of newest rows that is judged, in milliseconds. */
  readonly evaluateMs: number;
}

/** A model's parts as the artifact holds them (src/onnx/model.ts). */
export interface MarketFit {
  readonly trainer: string;
  readonly probability: Model;
  readonly calibration: Calibration;
  readonly quantiles: { readonly p10: Model; readonly p50: Model; readonly p90: Model };
  /** By how much the 10-90 interval is widened at each end, log return. */
  readonly offset: number;
  readonly baselines: Baselines;
}

/** What would have been answered on rows that were not trained on, in time order. */
export interface OutOfFold {
  readonly slots: Float64Array;
  readonly up: Float64Array;
  readonly returns: Float64Array;
  readonly probability: Float64Array;
  readonly low: Float64Array;
  readonly middle: Float64Array;
  readonly high: Float64Array;
  /** Probability of up by each baseline. */
  readonly baselines: Readonly<Record<keyof Baselines, Float64Array>>;
  /** Start of the fold that each row is in. */
  readonly folds: Float64Array;
}

export type OnProgress = (share: number, text: string) => void;

/** Folds before the judged span that only serve to calibrate and to choose. */
const BURN_IN = 2;
const COVERAGE = 0.8;

/** One fold's raw forecasts: margins of each trainer, quantiles, and what happened. */
interface FoldForecast {
  readonly fold: Fold;
  readonly margins: Readonly<Record<string, Float64Array>>;
  readonly low: Float64Array;
  readonly middle: Float64Array;
  readonly high: Float64Array;
  readonly up: Float64Array;
  readonly returns: Float64Array;
  readonly baselines: Baselines;
}

/**
 * Walks forward over the rows and then fits on all of them. `outOfFold` is empty when there are
 * too few rows for a fold with folds before it.
 */
export function trainMarket(
  rows: MarketRows,
  recipe: MarketRecipe,
  onProgress: OnProgress = () => {},
): { fit: MarketFit; outOfFold: OutOfFold } {
  const folds = foldsOf(rows, recipe);
  const forecasts = folds.map((fold, i) => {
    onProgress(i / (folds.length + 1), `fold ${i + 1} of ${folds.length}`);
    return forecastFold(rows, recipe, fold);
  });
  onProgress(folds.length / (folds.length + 1), "fitting on all rows");
  const outOfFold = answersOf(rows, forecasts, recipe);
  return { fit: finalFit(rows, recipe, forecasts), outOfFold };
}

function foldsOf({ slots }: MarketRows, recipe: MarketRecipe): Fold[] {
  const all = walkForward({
    times: slots,
    horizonMs: recipe.horizonMs,
    foldMs: recipe.foldMs,
    minTrainRows: recipe.minTrainRows,
  });
  const judgedFrom = (slots.at(-1) ?? 0) - recipe.evaluateMs;
  const first = all.findIndex((fold) => fold.end > judgedFrom);
  return all.slice(Math.max(0, first - BURN_IN));
}

function forecastFold(rows: MarketRows, recipe: MarketRecipe, fold: Fold): FoldForecast {
  const train = sliceRows(rows, fold.train);
  const test = sliceRows(rows, fold.test);
  const { p10, p50, p90 } = fitQuantiles(train, recipe);
  return {
    fold,
    margins: Object.fromEntries(
      recipe.trainers.map((name) => [name, marginsOf(fitOne(name, train, recipe), test.frame)]),
    ),
    low: marginsOf(p10, test.frame),
    middle: marginsOf(p50, test.frame),
    high: marginsOf(p90, test.frame),
    up: test.up,
    returns: test.returns,
    baselines: fitBaselines(train.lastUp, train.up),
  };
}

/** The answers of each judged fold, calibrated and chosen on the folds before it. */
function answersOf(
  rows: MarketRows,
  forecasts: readonly FoldForecast[],
  recipe: MarketRecipe,
): OutOfFold {
  const judged = forecasts.slice(Math.min(BURN_IN, Math.max(0, forecasts.length - 1)));
  const first = forecasts.length - judged.length;
  const parts = judged.map((forecast, i) => {
    const before = forecasts.slice(0, first + i);
    const { trainer, calibration, offset } = learnFrom(before, recipe);
    const [from, to] = forecast.fold.test;
    const lastUp = rows.lastUp.subarray(from, to);
    const by = (name: keyof Baselines) =>
      Float64Array.from(lastUp, (last) => forecast.baselines[name](last));
    return {
      slots: rows.slots.subarray(from, to),
      up: forecast.up,
      returns: forecast.returns,
      probability: forecast.margins[trainer]!.map((m) => calibrated(calibration, m)),
      low: forecast.low.map((low, row) => Math.min(low - offset, forecast.middle[row]!)),
      middle: forecast.middle,
      high: forecast.high.map((high, row) => Math.max(high + offset, forecast.middle[row]!)),
      baselines: {
        base_rate: by("base_rate"),
        last_direction: by("last_direction"),
        contrarian: by("contrarian"),
      },
      folds: new Float64Array(to - from).fill(forecast.fold.start),
    };
  });
  const column = (of: (part: (typeof parts)[number]) => Float64Array) => joined(parts.map(of));
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

/** The trainer with the least calibrated log-loss so far, its calibration, and the offset. */
function learnFrom(
  forecasts: readonly FoldForecast[],
  recipe: MarketRecipe,
): { trainer: string; calibration: Calibration; offset: number } {
  const first = recipe.trainers[0]!;
  if (forecasts.length === 0) return { trainer: first, calibration: UNCALIBRATED, offset: 0 };
  const up = joined(forecasts.map((f) => f.up));
  let best = {
    trainer: first as string,
    calibration: UNCALIBRATED,
    loss: Number.POSITIVE_INFINITY,
  };
  for (const trainer of recipe.trainers) {
    const margins = joined(forecasts.map((f) => f.margins[trainer]!));
    const calibration = fitCalibration(margins, up);
    const losses = logLosses(
      margins.map((m) => calibrated(calibration, m)),
      up,
    );
    const loss = losses.reduce((sum, one) => sum + one, 0);
    if (loss < best.loss) best = { trainer, calibration, loss };
  }
  const offset = conformalOffset(
    joined(forecasts.map((f) => f.low)),
    joined(forecasts.map((f) => f.high)),
    joined(forecasts.map((f) => f.returns)),
    COVERAGE,
  );
  return { trainer: best.trainer, calibration: best.calibration, offset: offset ?? 0 };
}

function finalFit(
  rows: MarketRows,
  recipe: MarketRecipe,
  forecasts: readonly FoldForecast[],
): MarketFit {
  const { trainer, calibration, offset } = learnFrom(forecasts, recipe);
  return {
    trainer,
    probability: fitOne(trainer, rows, recipe),
    calibration,
    quantiles: fitQuantiles(rows, recipe),
    offset,
    baselines: fitBaselines(rows.lastUp, rows.up),
  };
}

function fitOne(trainer: string, rows: MarketRows, recipe: MarketRecipe): Model {
  const sample: Sample = { frame: rows.frame, target: rows.up, weight: weightsOf(rows, recipe) };
  return trainer === "logistic"
    ? logistic.fit(sample, recipe.logistic, recipe.seed)
    : gbdt.fit(sample, { ...recipe.gbdt, objective: "log_loss" }, recipe.seed);
}

function fitQuantiles(rows: MarketRows, recipe: MarketRecipe): MarketFit["quantiles"] {
  const sample: Sample = {
    frame: rows.frame,
    target: rows.returns,
    weight: weightsOf(rows, recipe),
  };
  const at = (quantile: number) =>
    gbdt.fit(sample, { ...recipe.quantile, objective: "quantile", quantile }, recipe.seed);
  // The middle of a candle's return is next to unpredictable: a constant beats trees there.
  const middle = constant.fit(sample, { objective: "quantile", quantile: 0.5 }, recipe.seed);
  return { p10: at(0.1), p50: middle, p90: at(0.9) };
}

/** Newer rows count more: the weight halves with every half-life of age. */
function weightsOf({ slots }: MarketRows, { halfLifeMs }: MarketRecipe): Float64Array {
  const newest = slots.at(-1) ?? 0;
  return slots.map((slot) => exp((-Math.LN2 * (newest - slot)) / halfLifeMs));
}

function sliceRows(rows: MarketRows, [from, to]: readonly [number, number]): MarketRows {
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
