/* What the evaluations of all kinds of targets have in common. */
import type { BootstrapInterval } from "../bootstrap.ts";
import type { Difference } from "../interval.ts";

/**
 * Figures by name, intervals as `<name>_low` and `<name>_high`, so that runs can be searched by
 * them. A figure that does not exist is left out: a metric is a number or it is not there.
 */
export type Metrics = Record<string, number>;

/** Puts a figure, and its interval, where they are finite. */
export const put = (
  metrics: Metrics,
  name: string,
  value: number | null | undefined,
  interval?: Pick<BootstrapInterval, "low" | "high"> | null,
): void => {
  if (value == null || !Number.isFinite(value)) return;
  metrics[name] = value;
  if (interval == null) return;
  if (!Number.isFinite(interval.low) || !Number.isFinite(interval.high)) return;
  metrics[`${name}_low`] = interval.low;
  metrics[`${name}_high`] = interval.high;
};

/** Puts a paired difference, its interval and its t. */
export const putDifference = (
  metrics: Metrics,
  name: string,
  difference: Difference | null,
): void => {
  put(metrics, name, difference?.mean, difference);
  put(metrics, `${name}_t`, difference?.t);
};

/** What a comparison says of a loss: below 0 is better than the champion. */
export type Verdict = "better" | "worse" | "no difference shown" | "too few rows";

/** The verdict of an interval of the difference in loss, challenger minus champion. */
export const verdictOf = (difference: Difference | null): Verdict => {
  if (difference === null) return "too few rows";
  if (difference.high < 0) return "better";
  return difference.low > 0 ? "worse" : "no difference shown";
};

/** Counts of values in bins of equal width from low to high; the ends hold what lies beyond. */
export const histogramOf = (
  values: Float64Array,
  low: number,
  high: number,
  bins: number,
): number[] => {
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    const place = width > 0 ? Math.floor((value - low) / width) : 0;
    counts[Math.min(bins - 1, Math.max(0, place))]! += 1;
  }
  return counts;
};
