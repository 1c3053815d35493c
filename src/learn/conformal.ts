/*
 * Intervals that cover what they claim. The quantile forecasts of rows not trained on are held
 * against their outcomes, and later forecasts are widened (or narrowed) by one offset
 * (conformalised quantile regression: Romano, Patterson and Candes 2019).
 */

/**
 * The offset by which [low, high] must be widened on both sides to cover `coverage` of the
 * targets, from out-of-fold forecasts; below 0 narrows. With n rows it is the ceil((n + 1) x
 * coverage)-th smallest of max(low - y, y - high), or the largest when there are too few rows for
 * that. Null without rows.
 */
export const conformalOffset = (
  low: Float64Array,
  high: Float64Array,
  target: Float64Array,
  coverage: number,
): number | null => {
  const misses = target.map((y, i) => Math.max(low[i]! - y, y - high[i]!)).sort();
  const rank = Math.ceil((misses.length + 1) * coverage - 1e-9); // 1e-9: rounding
  return misses[Math.min(Math.max(rank, 1), misses.length) - 1] ?? null;
};

/**
 * An interval widened by the offset. Ends that crossed (by the forecasts or by narrowing) meet in
 * the middle, so low is never above high.
 */
export const widened = (low: number, high: number, offset: number): [number, number] => {
  const [left, right] = [low - offset, high + offset];
  const middle = (left + right) / 2;
  return left <= right ? [left, right] : [middle, middle];
};
