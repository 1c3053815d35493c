/*
 * Answers turned into decisions: a row is called positive when its probability is at the threshold
 * or above.
 */
import { type Cut, cutsOf } from "./roc.ts";

/** Rows by what was decided and what was so; shares are null where they would be 0 / 0. */
export interface Confusion {
  readonly threshold: number;
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
  readonly accuracy: number | null;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly specificity: number | null;
  readonly f1: number | null;
}

/** How a threshold is chosen: by the highest accuracy or F1, or given. */
export type ThresholdRule = "accuracy" | "f1" | number;

/** The decisions at a threshold against 0/1 outcomes. */
export const confusionAt = (
  probability: Float64Array,
  target: Float64Array,
  threshold: number,
): Confusion => {
  let [tp, fp, tn, fn] = [0, 0, 0, 0];
  for (let i = 0; i < probability.length; i++) {
    const isCalled = probability[i]! >= threshold;
    if (target[i] === 1) {
      if (isCalled) tp += 1;
      else fn += 1;
    } else if (isCalled) fp += 1;
    else tn += 1;
  }
  return {
    threshold,
    truePositive: tp,
    falsePositive: fp,
    trueNegative: tn,
    falseNegative: fn,
    accuracy: share(tp + tn, tp + tn + fp + fn),
    precision: share(tp, tp + fp),
    recall: share(tp, tp + fn),
    specificity: share(tn, tn + fp),
    f1: share(2 * tp, 2 * tp + fp + fn),
  };
};

/**
 * A threshold in [0, 1], chosen by the rule on these rows, which must not be those it is judged on.
 * It lies halfway between two neighbouring probabilities, or is 0.5 where that parts the rows alike;
 * of equally good ones it is the nearest to 0.5. For accuracy 0.5 is right wherever probabilities
 * mean what they say, so another is taken only if it beats 0.5 by more than three standard errors:
 * the best of hundreds always looks a little better. A number is taken as it is; 0.5 without rows
 * or where a probability is NaN.
 */
export const chooseThreshold = (
  probability: Float64Array,
  target: Float64Array,
  rule: ThresholdRule,
): number => {
  if (typeof rule === "number") return rule;
  const cuts = cutsOf(probability, target);
  const all = cuts.at(-1);
  if (all === undefined) return 0.5;
  const worthOf = ({ ones, zeros }: Called): number =>
    rule === "accuracy" ? ones + all.zeros - zeros : (2 * ones) / (all.ones + ones + zeros);
  const half = cuts.findLast(({ threshold }) => threshold >= 0.5) ?? NONE;
  let best = { threshold: 0.5, worth: worthOf(half) };
  for (let calls = 0; calls <= cuts.length; calls++) {
    const high = calls === 0 ? 1 : cuts[calls - 1]!.threshold;
    const low = cuts[calls]?.threshold ?? 0;
    if (calls === 0 && low >= high) continue; // a probability of 1 is always called
    const called = calls === 0 ? NONE : cuts[calls - 1]!;
    const worth = worthOf(called);
    if (rule === "accuracy" && worth - worthOf(half) <= chanceOf(called, half)) continue;
    const threshold = between(low, high);
    const isNearer = Math.abs(threshold - 0.5) < Math.abs(best.threshold - 0.5);
    if (worth > best.worth || (worth === best.worth && isNearer)) best = { threshold, worth };
  }
  return best.threshold;
};

/** Rows that are called positive, by what they are. */
type Called = Pick<Cut, "ones" | "zeros">;
const NONE: Called = { ones: 0, zeros: 0 };

/**
 * Three standard errors of the difference in right calls: only rows that change sides move it, each
 * by one up or down.
 */
const chanceOf = (a: Called, b: Called): number =>
  3 * Math.sqrt(Math.abs(a.ones + a.zeros - b.ones - b.zeros));

/** A threshold above `low` and not above `high`. */
const between = (low: number, high: number): number => {
  if (low < 0.5 && 0.5 <= high) return 0.5;
  const middle = low + (high - low) / 2;
  return middle > low ? middle : high;
};

const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);
