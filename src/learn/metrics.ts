/*
 * How good forecasts were. Each metric is a number or null, never NaN: null says that it cannot be
 * told from these rows (none, or one class where two are needed). Arrays hold one entry a row.
 */
import { log } from "./math.ts";

/** Probabilities are held this far from 0 and 1, so that one wrong certainty is not infinite. */
const LEAST_P = 1e-15;

/** The log-loss of each row, in nats: -log of the probability that was given to what happened. */
export const logLosses = (probability: Float64Array, target: Float64Array): Float64Array =>
  probability.map((p, i) => -log(Math.max(target[i] === 1 ? p : 1 - p, LEAST_P)));

/** The squared distance of each probability from its 0/1 outcome. */
export const brierLosses = (probability: Float64Array, target: Float64Array): Float64Array =>
  probability.map((p, i) => (p - target[i]!) ** 2);

/** The pinball loss of each forecast of quantile q, in the target's unit. */
export const pinballLosses = (
  forecast: Float64Array,
  target: Float64Array,
  q: number,
): Float64Array =>
  forecast.map((f, i) => (target[i]! > f ? q * (target[i]! - f) : (1 - q) * (f - target[i]!)));

/** 1 for each row whose direction (up from probability 0.5) was right, else 0. */
export const hits = (probability: Float64Array, target: Float64Array): Float64Array =>
  probability.map((p, i) => (p >= 0.5 === (target[i] === 1) ? 1 : 0));

/** The mean; null of none, or where a value is not finite. */
export const mean = (values: Float64Array): number | null => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length > 0 && Number.isFinite(sum) ? sum / values.length : null;
};

/** The mean log-loss. */
export const logLoss = (probability: Float64Array, target: Float64Array): number | null =>
  mean(logLosses(probability, target));

/** The mean squared distance of probability and outcome (Brier 1950). */
export const brier = (probability: Float64Array, target: Float64Array): number | null =>
  mean(brierLosses(probability, target));

/** The share of rows whose direction was right. */
export const accuracy = (probability: Float64Array, target: Float64Array): number | null =>
  mean(hits(probability, target));

/** The mean pinball loss of forecasts of quantile q. */
export const pinball = (forecast: Float64Array, target: Float64Array, q: number): number | null =>
  mean(pinballLosses(forecast, target, q));

/** The mean of both classes' shares of right directions; null for one class. */
export const balancedAccuracy = (
  probability: Float64Array,
  target: Float64Array,
): number | null => {
  const right = hits(probability, target);
  const ofOnes = mean(right.filter((_, i) => target[i] === 1));
  const ofZeros = mean(right.filter((_, i) => target[i] !== 1));
  return ofOnes === null || ofZeros === null ? null : (ofOnes + ofZeros) / 2;
};

/** The share of targets within [low, high], ends included. */
export const coverage = (
  low: Float64Array,
  high: Float64Array,
  target: Float64Array,
): number | null => mean(target.map((y, i) => (y >= low[i]! && y <= high[i]! ? 1 : 0)));

/**
 * The chance that a row of class 1 scores above one of class 0, ties counting half (the area under
 * the ROC curve); null for one class or a score that is NaN.
 */
export const auc = (score: Float64Array, target: Float64Array): number | null => {
  const ones = score.filter((_, i) => target[i] === 1).sort();
  const zeros = score.filter((_, i) => target[i] !== 1).sort();
  if (ones.length === 0 || zeros.length === 0 || score.some((s) => Number.isNaN(s))) return null;
  let below = 0;
  let notAbove = 0;
  let halves = 0; // twice the pairs won, so that it stays an integer
  for (const s of ones) {
    while (below < zeros.length && zeros[below]! < s) below += 1;
    while (notAbove < zeros.length && zeros[notAbove]! <= s) notAbove += 1;
    halves += below + notAbove;
  }
  return halves / 2 / ones.length / zeros.length;
};
