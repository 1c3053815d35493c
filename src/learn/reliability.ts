/** Rows of like probability: what was said of them on average, and what came. */
export interface ReliabilityBin {
  readonly rows: number;
  /** Lowest and highest probability in it. */
  readonly from: number;
  readonly to: number;
  readonly meanProbability: number;
  /** The share of ones, with its 95 % interval. */
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

/** A share of n rows with its 95 % interval. */
export interface Share {
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

const Z = 1.959963984540054;

/** Wilson's interval (1927) of `ones` out of n >= 1 rows: honest for few rows and near 0 and 1. */
export const shareInterval = (ones: number, n: number): Share => {
  const rate = ones / n;
  const spread = (Z * Z) / n;
  const middle = (rate + spread / 2) / (1 + spread);
  const half = (Z / (1 + spread)) * Math.sqrt((rate * (1 - rate)) / n + spread / (4 * n));
  return { rate, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
};

/**
 * The calibration curve: rows by rising probability in at most `bins` bins of about equally many.
 * Equal probabilities share a bin. Empty without rows or where a probability is NaN.
 */
export const calibrationCurve = (
  probability: Float64Array,
  target: Float64Array,
  bins = 10,
): ReliabilityBin[] => {
  if (probability.some((p) => Number.isNaN(p))) return [];
  const order = Array.from(probability, (_, i) => i).sort(
    (a, b) => probability[a]! - probability[b]! || a - b,
  );
  const at = (i: number) => probability[order[i]!]!;
  const curve: ReliabilityBin[] = [];
  for (let from = 0; from < order.length; ) {
    const left = Math.max(1, bins - curve.length);
    let to = from + Math.max(1, Math.round((order.length - from) / left));
    while (to < order.length && at(to) === at(to - 1)) to += 1;
    let [sum, ones] = [0, 0];
    for (let i = from; i < to; i++) {
      sum += at(i);
      ones += target[order[i]!]!;
    }
    curve.push({
      rows: to - from,
      from: at(from),
      to: at(to - 1),
      meanProbability: sum / (to - from),
      ...shareInterval(ones, to - from),
    });
    from = to;
  }
  return curve;
};

/** The mean distance of what was said and what came, bins weighed by their rows; null without. */
export const calibrationError = (curve: readonly ReliabilityBin[]): number | null => {
  const rows = curve.reduce((sum, bin) => sum + bin.rows, 0);
  if (rows === 0) return null;
  return curve.reduce((sum, b) => sum + b.rows * Math.abs(b.rate - b.meanProbability), 0) / rows;
};
