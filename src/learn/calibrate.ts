/*
 * Margins to probabilities that mean what they say. A fit's own margins are too sure of the rows
 * it has seen, so calibration is fitted on margins of rows that it has not (out of fold).
 */
import { clamp, logit, sigmoid } from "./math.ts";

/** p = sigmoid(slope x margin + intercept). */
export interface Calibration {
  readonly slope: number;
  readonly intercept: number;
}

/** The calibration that leaves a margin as it is. */
export const UNCALIBRATED: Calibration = { slope: 1, intercept: 0 };

/** The calibrated probability of a margin. */
export const calibrated = ({ slope, intercept }: Calibration, margin: number): number =>
  sigmoid(slope * margin + intercept);

/**
 * Platt's scaling (Platt 1999, by Newton steps as Lin, Lin and Weng 2007) of out-of-fold margins
 * against their 0/1 outcomes. Outcomes are drawn a little towards each other, as for one unseen
 * row of each class, so one class or few rows stay finite. The slope is never below 0: a model
 * that is wrong more often than right earns the base rate, not to be turned round.
 */
export const fitCalibration = (margin: Float64Array, target: Float64Array): Calibration => {
  let ones = 0;
  for (const y of target) ones += y;
  const high = (ones + 1) / (ones + 2);
  const low = 1 / (target.length - ones + 2);
  const softened = target.map((y) => (y === 1 ? high : low));
  const line = fitLine(margin, softened);
  if (line !== null && line.slope > 0) return line;
  // The loss is convex, so with the best slope below 0 the best allowed one is 0.
  const mean = softened.reduce((sum, y) => sum + y, 0) / Math.max(softened.length, 1);
  return { slope: 0, intercept: softened.length === 0 ? 0 : logit(mean) };
};

/**
 * The slope in [0, 1] by which out-of-fold margins are drawn towards even odds, by Newton steps on
 * the log-loss with a normal prior on slope 1 (its precision in units of curvature, that is, of
 * rows x squared margin / 4). It never makes surer: an effect that was found tends to fade, so what
 * earlier folds promise beyond the model's own margins is not to be counted on. `weight` null means
 * all 1.
 */
export const fitShrinkage = (
  margin: Float64Array,
  target: Float64Array,
  weight: Float64Array | null,
  precision: number,
): Calibration => {
  let slope = 1;
  for (let step = 0; step < MOST_STEPS; step++) {
    let gradient = -precision * (slope - 1);
    let curvature = precision;
    for (let i = 0; i < margin.length; i++) {
      const m = margin[i]!;
      const w = weight === null ? 1 : weight[i]!;
      const p = sigmoid(slope * m);
      gradient += w * (target[i]! - p) * m;
      curvature += w * p * (1 - p) * m * m;
    }
    const next = clamp(slope + gradient / curvature, 0, 1);
    const moved = Math.abs(next - slope);
    slope = next;
    if (!(moved > 1e-10)) break;
  }
  return { slope, intercept: 0 };
};

/**
 * Logistic regression of 0/1 outcomes on the log-odds that were forecast (Cox 1958): slope 1 and
 * intercept 0 are perfect, a slope below 1 is overconfidence. Null when it cannot be told: one
 * class, equal forecasts, or forecasts that part the classes without a miss.
 */
export const calibrationSlope = (
  probability: Float64Array,
  target: Float64Array,
): Calibration | null => {
  if (target.every((y) => y === target[0])) return null;
  const margin = probability.map((p) => logit(clamp(p, LEAST_P, 1 - LEAST_P)));
  return fitLine(margin, target);
};

const LEAST_P = 1e-15;
const MOST_STEPS = 100;

/**
 * The line a x + b that makes the log-loss of sigmoid(a x + b) against y in [0, 1] smallest; null
 * when x is constant or the steps do not settle (the best line is infinitely steep).
 */
const fitLine = (x: Float64Array, y: Float64Array): Calibration | null => {
  const n = x.length;
  // In standard units the two unknowns hardly disturb each other.
  const mean = x.reduce((sum, v) => sum + v, 0) / n;
  const spread = Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
  if (!(spread > Math.abs(mean) * 1e-12)) return null;
  const z = x.map((v) => (v - mean) / spread);
  const share = y.reduce((sum, v) => sum + v, 0) / n;
  let a = 0;
  let b = logit(share);
  for (let step = 0; step < MOST_STEPS; step++) {
    let [ga, gb, haa, hab, hbb] = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const p = sigmoid(a * z[i]! + b);
      const residual = y[i]! - p;
      const h = p * (1 - p);
      ga += residual * z[i]!;
      gb += residual;
      haa += h * z[i]! * z[i]!;
      hab += h * z[i]!;
      hbb += h;
    }
    const determinant = haa * hbb - hab * hab;
    if (!(determinant > 1e-12 * haa * hbb)) return null;
    const da = (hbb * ga - hab * gb) / determinant;
    const db = (haa * gb - hab * ga) / determinant;
    // Far from the answer a full step may jump past it: none moves the line by more than 2.
    const size = Math.max(Math.abs(da), Math.abs(db));
    const held = size > 2 ? 2 / size : 1;
    a += held * da;
    b += held * db;
    if (size < 1e-10) return { slope: a / spread, intercept: b - (a * mean) / spread };
  }
  return null;
};
