/*
 * Forecasts without learning, to hold models against: the base rate, "as the last candle went"
 * and its contrary. Rules of thumb are given the probability with which they were right before,
 * so that they can be judged by log-loss as models are.
 */
import { clamp, logit } from "./math.ts";
import { baseRate, checkSample, shapesOf, weightedQuantile } from "./sample.ts";
import type { Trainer } from "./types.ts";

export interface ConstantOptions {
  readonly objective: "log_loss" | "quantile";
  /** The quantile to forecast, in (0, 1); read for the objective "quantile" only. */
  readonly quantile?: number;
}

/** The same answer for every row: the share of ones, or a quantile of the targets (0.5 unless given). */
export const constant: Trainer<ConstantOptions> = {
  name: "constant",
  defaults: { objective: "log_loss" },
  fit: ({ frame, target, weight }, { objective, quantile = 0.5 }) => {
    checkSample({ frame, target, weight }, objective);
    const bias =
      objective === "log_loss"
        ? logit(baseRate(target, weight))
        : weightedQuantile(target, weight, quantile);
    return { kind: "constant", objective, bias, columns: shapesOf(frame) };
  },
};

/** Probabilities of up, given whether the last candle went up (1 or 0; else unknown). */
export interface Baselines {
  base_rate(lastUp: number): number;
  last_direction(lastUp: number): number;
  contrarian(lastUp: number): number;
}

export const BASELINE_NAMES = ["base_rate", "last_direction", "contrarian"] as const;

/**
 * How sure a rule may be. At the lower end it is as good as a coin, yet keeps its direction, so
 * that its hit rate can still be counted; at the upper end one wrong answer stays affordable.
 */
const LEAST_SURE = 0.5001;
const MOST_SURE = 0.95;

/**
 * Baselines from a training part: `lastUp` says of each row whether the candle before it went up
 * (1 or 0; rows of any other value are left out for the rules), `target` whether its own did.
 * `last_direction` gives up the probability q after an up candle and 1 - q after another, where
 * q is how often that was right, (right + 1) / (rows + 2) within [0.5001, 0.95]; `contrarian`
 * does the opposite with its own q. Where the last candle is unknown both give the base rate.
 */
export const fitBaselines = (lastUp: ArrayLike<number>, target: ArrayLike<number>): Baselines => {
  let rows = 0;
  let repeated = 0;
  for (let i = 0; i < target.length; i++) {
    if (!isKnown(lastUp[i]!)) continue;
    rows += 1;
    if (lastUp[i] === target[i]) repeated += 1;
  }
  const rate = baseRate(Float64Array.from(target), null);
  const base = target.length === 0 ? 0.5 : rate;
  const sure = (right: number) => clamp((right + 1) / (rows + 2), LEAST_SURE, MOST_SURE);
  const same = sure(repeated);
  const other = sure(rows - repeated);
  return {
    base_rate: () => base,
    last_direction: (up) => (isKnown(up) ? (up === 1 ? same : 1 - same) : base),
    contrarian: (up) => (isKnown(up) ? (up === 1 ? 1 - other : other) : base),
  };
};

const isKnown = (up: number): boolean => up === 0 || up === 1;
