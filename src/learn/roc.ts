/*
 * What a score tells apart, at every threshold at once. A row counts as positive from its score
 * being at the threshold or above; rows of equal scores cannot be told apart and move together.
 */

/** Rows at or above a threshold: of class 1 (`ones`, true positives) and of class 0 (`zeros`). */
export interface Cut {
  readonly threshold: number;
  readonly ones: number;
  readonly zeros: number;
}

/** A point of a curve and the threshold it is at; null where everything is negative. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
  readonly threshold: number | null;
}

/** Each distinct score as a threshold, highest first; empty where a score is NaN. */
export const cutsOf = (score: Float64Array, target: Float64Array): Cut[] => {
  if (score.some((s) => Number.isNaN(s))) return [];
  const ones = score.filter((_, i) => target[i] === 1).sort();
  const zeros = score.filter((_, i) => target[i] !== 1).sort();
  const cuts: Cut[] = [];
  let [one, zero] = [ones.length, zeros.length];
  while (one > 0 || zero > 0) {
    const threshold = Math.max(ones[one - 1] ?? -Infinity, zeros[zero - 1] ?? -Infinity);
    while (one > 0 && ones[one - 1]! >= threshold) one -= 1;
    while (zero > 0 && zeros[zero - 1]! >= threshold) zero -= 1;
    cuts.push({ threshold, ones: ones.length - one, zeros: zeros.length - zero });
  }
  return cuts;
};

/**
 * The ROC curve: x = false positive rate, y = true positive rate (recall), from (0, 0) to (1, 1),
 * of at most `most` points. Empty for one class.
 */
export const rocCurve = (score: Float64Array, target: Float64Array, most = 200): CurvePoint[] => {
  const cuts = cutsOf(score, target);
  const { ones = 0, zeros = 0 } = cuts.at(-1) ?? {};
  if (ones === 0 || zeros === 0) return [];
  const points = cuts.map((cut) => ({
    x: cut.zeros / zeros,
    y: cut.ones / ones,
    threshold: cut.threshold,
  }));
  return thinned([{ x: 0, y: 0, threshold: null }, ...points], most);
};

/**
 * The precision-recall curve: x = recall, y = precision, recall ascending, of at most `most`
 * points. Empty without a row of class 1.
 */
export const prCurve = (score: Float64Array, target: Float64Array, most = 200): CurvePoint[] => {
  const cuts = cutsOf(score, target);
  const { ones = 0 } = cuts.at(-1) ?? {};
  if (ones === 0) return [];
  const points = cuts.map((cut) => ({
    x: cut.ones / ones,
    y: cut.ones / (cut.ones + cut.zeros),
    threshold: cut.threshold,
  }));
  return thinned(points, most);
};

/**
 * The mean precision over steps of recall: sum of (recall_k - recall_(k-1)) x precision_k, without
 * interpolation (as scikit-learn's average_precision_score). Null without a row of class 1.
 */
export const averagePrecision = (score: Float64Array, target: Float64Array): number | null => {
  const cuts = cutsOf(score, target);
  const total = cuts.at(-1)?.ones ?? 0;
  if (total === 0) return null;
  let sum = 0;
  let before = 0;
  for (const { ones, zeros } of cuts) {
    sum += ((ones - before) / total) * (ones / (ones + zeros));
    before = ones;
  }
  return sum;
};

/** Evenly many of the points along the curve's own length, both ends among them. */
const thinned = (points: readonly CurvePoint[], most: number): CurvePoint[] => {
  if (points.length <= most) return [...points];
  const lengths = new Float64Array(points.length);
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1]!, points[i]!];
    lengths[i] = lengths[i - 1]! + Math.abs(b.x - a.x) + Math.abs(b.y - a.y);
  }
  const step = lengths.at(-1)! / (most - 1);
  const kept: CurvePoint[] = [];
  for (const [i, point] of points.entries()) {
    // The next point that is at or beyond the place of the next kept one; the last always is.
    if (i === points.length - 1 || lengths[i]! >= kept.length * step) kept.push(point);
    if (kept.length === most - 1 && i < points.length - 1) {
      kept.push(points.at(-1)!);
      break;
    }
  }
  return kept;
};
