/*
 * The recipe of a market model: probability of up and quantiles of the return, walked forward in
 * time. Everything that is fitted on forecasts (calibration, conformal offset) uses folds before
 * the one it is judged on, so that the evaluation is of what would have been answered live.
 */
import type { Baselines } from "./baseline.ts";
import type { Calibration } from "./calibrate.ts";
import type { RoundCurve } from "./curve.ts";
import {
  answersOf,
  type FoldForecast,
  firstJudged,
  fitRows,
  foldsOf,
  forecastFold,
  learnFrom,
} from "./folds.ts";
import type { Quantiles } from "./range.ts";
import type { MarketRecipe, OutOfFold, Pool } from "./recipe.ts";
import { makeStaged } from "./staged.ts";
import type { SumModel } from "./types.ts";

/** A model's parts as the artifact holds them (src/onnx/model.ts). */
export interface MarketFit {
  readonly probability: SumModel;
  readonly calibration: Calibration;
  readonly quantiles: Quantiles;
  /** By how much the 10-90 interval is widened at each end, log return. */
  readonly offset: number;
  readonly baselines: Baselines;
}

export type OnProgress = (share: number, text: string) => void;

/**
 * Walks forward over the market's own rows and then fits on all of them. Other markets' rows (of
 * the same columns, up to the same instant) are learned from too, and never judged. `outOfFold` is
 * empty when there are too few rows for a fold with folds before it; `rounds` is the loss on its
 * rows as trees are added, or null without any.
 */
export function trainMarket(
  pool: Pool,
  recipe: MarketRecipe,
  onProgress: OnProgress = () => {},
): { fit: MarketFit; outOfFold: OutOfFold; rounds: RoundCurve | null } {
  const folds = foldsOf(pool.own.slots, recipe);
  const staged = makeStaged();
  const first = firstJudged(folds.length);
  const forecasts = folds.map((fold, i) => {
    onProgress(i / (folds.length + 1), `fold ${i + 1} of ${folds.length}`);
    return forecastFold(pool, recipe, fold, ({ direction }, rows) => {
      if (i >= first) staged.add(direction, rows);
    });
  });
  onProgress(folds.length / (folds.length + 1), "fitting on all rows");
  return {
    fit: fitMarket(pool, recipe, forecasts),
    outOfFold: answersOf(pool.own, forecasts, recipe),
    rounds: staged.curve(),
  };
}

/** The version that is made of these rows, with what the forecasts of earlier folds taught. */
function fitMarket(
  pool: Pool,
  recipe: MarketRecipe,
  forecasts: readonly FoldForecast[],
): MarketFit {
  const { calibration, offset } = learnFrom(forecasts, recipe);
  const { direction, quantiles, baselines } = fitRows(pool, recipe);
  return { probability: direction, calibration, quantiles, offset, baselines };
}
