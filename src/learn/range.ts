/*
 * How far a candle goes: quantiles of its return. How wide returns are is well foretold, where in
 * that width one falls is not, so a quantile is a fixed multiple of the expected spread.
 */
import { constant } from "./baseline.ts";
import { pickColumns, widened } from "./columns.ts";
import { recencyOf } from "./direction.ts";
import { ridge } from "./linear.ts";
import { marginsOf } from "./predict.ts";
import type { MarketRecipe, MarketRows } from "./recipe.ts";
import { shapesOf, weightedQuantile } from "./sample.ts";
import type { Model } from "./types.ts";

/** Models of the 10 %, 50 % and 90 % quantile. */
export interface Quantiles {
  readonly p10: Model;
  readonly p50: Model;
  readonly p90: Model;
}

/** A spread below this share of the usual one is taken for the usual share: none is 0 or below. */
const LEAST_SPREAD = 0.2;

/**
 * Quantiles of the return, from the market's own rows: the spread is a ridge regression of the
 * return's size on the columns that tell how far prices move (volatility at three lengths, range,
 * volume, hour), and its multiples are the quantiles of the returns in units of it.
 */
export function fitQuantiles(rows: MarketRows, recipe: MarketRecipe): Quantiles {
  const columns = shapesOf(rows.frame);
  const frame = pickColumns(rows.frame, recipe.range);
  const weight = recencyOf(rows.slots, rows.slots.at(-1) ?? 0, recipe.halfLifeMs);
  const sizes = { frame, target: rows.returns.map((r) => Math.abs(r)), weight };
  const spread = ridge.fit(sizes, recipe.spread, recipe.seed);
  if (spread.kind !== "linear") throw new TypeError("ridge regression gives a linear model");
  const least = Math.max(LEAST_SPREAD * spread.bias, Number.MIN_VALUE);
  const scaled = marginsOf(spread, frame).map((s, i) => rows.returns[i]! / Math.max(s, least));
  const at = (quantile: number): Model => {
    const multiple = weightedQuantile(scaled, weight, quantile);
    const weights = spread.weights.map((w) => w * multiple);
    return widened({ ...spread, bias: spread.bias * multiple, weights }, columns);
  };
  // The middle of a candle's return is next to unpredictable: it is a constant.
  const middle = constant.fit(
    { frame, target: rows.returns, weight },
    { objective: "quantile", quantile: 0.5 },
    recipe.seed,
  );
  return { p10: at(0.1), p50: widened(middle, columns), p90: at(0.9) };
}
