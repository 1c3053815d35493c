/* How good forecasts of numbers were, one a row, in the target's unit. Null where it cannot be told. */
import { log } from "./math.ts";
import { mean } from "./metrics.ts";

/** The squared error of each row. */
export const squaredErrors = (forecast: Float64Array, target: Float64Array): Float64Array =>
  forecast.map((f, i) => (f - target[i]!) ** 2);

/** The absolute error of each row. */
export const absoluteErrors = (forecast: Float64Array, target: Float64Array): Float64Array =>
  forecast.map((f, i) => Math.abs(f - target[i]!));

/**
 * The Poisson deviance of each row, 2 (y log(y / f) - (y - f)): 0 where a count is met; forecasts
 * are held above 0.
 */
export const poissonDeviances = (forecast: Float64Array, target: Float64Array): Float64Array =>
  forecast.map((f, i) => {
    const [expected, y] = [Math.max(f, LEAST_COUNT), target[i]!];
    return 2 * ((y > 0 ? y * log(y / expected) : 0) - (y - expected));
  });

const LEAST_COUNT = 1e-15;

/** The root of the mean squared error. */
export const rmse = (forecast: Float64Array, target: Float64Array): number | null => {
  const squared = mean(squaredErrors(forecast, target));
  return squared === null ? null : Math.sqrt(squared);
};

/** The mean absolute error. */
export const mae = (forecast: Float64Array, target: Float64Array): number | null =>
  mean(absoluteErrors(forecast, target));

/** The part of the target's variance that is foretold: 1 - squared error / variance. */
export const r2 = (forecast: Float64Array, target: Float64Array): number | null => {
  const error = mean(squaredErrors(forecast, target));
  const middle = mean(target);
  const variance = middle === null ? null : mean(target.map((y) => (y - middle) ** 2));
  return error === null || variance === null || !(variance > 0) ? null : 1 - error / variance;
};

/** The share of targets at or below the forecast: near q for forecasts of the quantile q. */
export const shareBelow = (forecast: Float64Array, target: Float64Array): number | null =>
  mean(target.map((y, i) => (y <= forecast[i]! ? 1 : 0)));
