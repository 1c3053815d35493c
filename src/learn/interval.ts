/*
 * How sure a metric is. Rows next to each other in time are alike, so the standard error of a mean
 * counts their covariance in (Newey and West 1987); rows must be in time order.
 */

/** A mean with its standard error and 95 % interval, from n values. */
export interface Interval {
  readonly mean: number;
  readonly se: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** An interval of the mean difference a - b, and t = mean / se (null where se is 0). */
export interface Difference extends Interval {
  readonly t: number | null;
}

/** The 97.5 % point of the normal distribution. */
const Z = 1.959963984540054;

/**
 * The mean of values in time order with a 95 % interval that is robust to autocorrelation up to
 * `lag` rows (floor(4 (n / 100)^(2/9)) unless given, Newey and West 1994). Null below two values or
 * where one is not finite.
 */
export const meanInterval = (values: Float64Array, lag?: number): Interval | null => {
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i]!;
  if (n < 2 || !Number.isFinite(sum)) return null;
  const mean = sum / n;
  const covariance = (by: number): number => {
    let total = 0;
    for (let i = by; i < n; i++) total += (values[i]! - mean) * (values[i - by]! - mean);
    return total / n;
  };
  const most = Math.min(lag ?? usualLag(n), n - 1);
  let variance = covariance(0);
  // Bartlett's falling weights keep the sum from going below 0.
  for (let by = 1; by <= most; by++) variance += 2 * (1 - by / (most + 1)) * covariance(by);
  const se = Math.sqrt(Math.max(variance, 0) / (n - 1));
  return { mean, se, low: mean - Z * se, high: mean + Z * se, n };
};

/** The largest lag L with L <= 4 (n / 100)^(2/9), that is (L / 4)^9 <= (n / 100)^2, by products. */
const usualLag = (n: number): number => {
  const ninth = (x: number) => x * x * x * (x * x * x) * (x * x * x);
  let lag = 0;
  while (ninth((lag + 1) / 4) <= (n / 100) ** 2) lag += 1;
  return lag;
};

/**
 * The mean difference of two losses on the same rows, in time order (Diebold and Mariano 1995):
 * below 0 where a is the smaller. Null below two rows or where a loss is not finite; throws
 * RangeError for arrays of unequal length.
 */
export const paired = (a: Float64Array, b: Float64Array, lag?: number): Difference | null => {
  if (a.length !== b.length) {
    throw new RangeError(`paired losses of ${a.length} and ${b.length} rows: give the same rows.`);
  }
  const interval = meanInterval(
    a.map((loss, i) => loss - b[i]!),
    lag,
  );
  if (interval === null) return null;
  return { ...interval, t: interval.se > 0 ? interval.mean / interval.se : null };
};

/**
 * Means of the values of each instant, in order: several markets at one slot move together, so
 * they are one observation, not several. `times` ascends.
 */
export const meanByTime = (values: Float64Array, times: Float64Array): Float64Array => {
  const means: number[] = [];
  for (let from = 0, to = 0; from < values.length; from = to) {
    let sum = 0;
    for (; to < values.length && times[to] === times[from]; to++) sum += values[to]!;
    means.push(sum / (to - from));
  }
  return Float64Array.from(means);
};

/**
 * The area under the ROC curve with a 95 % interval (DeLong, DeLong and Clarke-Pearson 1988, by
 * ranks as Sun and Xu 2014), cut to [0, 1]. Null unless there are two rows of each class and no
 * score is NaN.
 */
export const aucInterval = (score: Float64Array, target: Float64Array): Interval | null => {
  const ones = score.filter((_, i) => target[i] === 1);
  const zeros = score.filter((_, i) => target[i] !== 1);
  if (ones.length < 2 || zeros.length < 2 || score.some((s) => Number.isNaN(s))) return null;
  // For each row of one class, the share of the other class that it is on the right side of.
  const won = sharesBelow(ones, zeros);
  const lost = sharesBelow(zeros, ones).map((share) => 1 - share);
  const mean = won.reduce((sum, v) => sum + v, 0) / won.length;
  const spread = (shares: Float64Array): number =>
    shares.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (shares.length - 1) / shares.length;
  const se = Math.sqrt(spread(won) + spread(lost));
  const [low, high] = [Math.max(mean - Z * se, 0), Math.min(mean + Z * se, 1)];
  return { mean, se, low, high, n: score.length };
};

/**
 * The difference of two scores' areas under the ROC curve on the same rows, a - b, with a 95 %
 * interval that knows how alike the two are (DeLong, DeLong and Clarke-Pearson 1988). Null as for
 * `aucInterval`; throws RangeError for scores of unequal length.
 */
export const aucDifference = (
  a: Float64Array,
  b: Float64Array,
  target: Float64Array,
): Difference | null => {
  if (a.length !== b.length) {
    throw new RangeError(`scores of ${a.length} and ${b.length} rows: give the same rows.`);
  }
  const isOne = (_: number, i: number) => target[i] === 1;
  const isZero = (_: number, i: number) => target[i] !== 1;
  const ones = [a.filter(isOne), b.filter(isOne)] as const;
  const zeros = [a.filter(isZero), b.filter(isZero)] as const;
  if (ones[0].length < 2 || zeros[0].length < 2) return null;
  if ([a, b].some((score) => score.some((s) => Number.isNaN(s)))) return null;
  // The difference of two areas is the mean of the differences of each row's share.
  const [wonB, lostB] = [sharesBelow(ones[1], zeros[1]), sharesBelow(zeros[1], ones[1])];
  const won = sharesBelow(ones[0], zeros[0]).map((share, i) => share - wonB[i]!);
  const lost = sharesBelow(zeros[0], ones[0]).map((share, i) => lostB[i]! - share);
  const mean = won.reduce((sum, v) => sum + v, 0) / won.length;
  const spread = (shares: Float64Array): number =>
    shares.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (shares.length - 1) / shares.length;
  const se = Math.sqrt(spread(won) + spread(lost));
  const t = se > 0 ? mean / se : null;
  return { mean, se, low: mean - Z * se, high: mean + Z * se, n: a.length, t };
};

/** For each value the share of the others below it, equal ones counting half. */
const sharesBelow = (values: Float64Array, others: Float64Array): Float64Array => {
  const sorted = others.slice().sort();
  const count = (isBelow: (other: number) => boolean): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBelow(sorted[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return values.map((v) => (count((o) => o < v) + count((o) => o <= v)) / 2 / sorted.length);
};
