/*
 * How good forecasts of several classes were. `probability` is rows x classes, row by row; `target`
 * is the index of what each row was.
 */
import { log } from "./math.ts";
import { auc } from "./metrics.ts";

const LEAST_P = 1e-15;

/** The log-loss of each row, in nats: -log of the probability given to its class. */
export const classLosses = (probability: Float64Array, target: ArrayLike<number>): Float64Array => {
  const classes = countOf(probability, target);
  return Float64Array.from({ length: target.length }, (_, row) => {
    const given = probability[row * classes + target[row]!] ?? Number.NaN;
    return -log(Math.max(given, LEAST_P));
  });
};

/** The class of highest probability of each row, the first of equals. */
export const calledClasses = (probability: Float64Array, classes: number): Int32Array => {
  const called = new Int32Array(classes > 0 ? Math.floor(probability.length / classes) : 0);
  for (let row = 0; row < called.length; row++) {
    for (let c = 1; c < classes; c++) {
      const best = probability[row * classes + called[row]!]!;
      if (probability[row * classes + c]! > best) called[row] = c;
    }
  }
  return called;
};

/** Rows by their class and the class that was called: counts[was x classes + called]. */
export const confusionMatrix = (
  called: ArrayLike<number>,
  target: ArrayLike<number>,
  classes: number,
): Int32Array => {
  const counts = new Int32Array(classes * classes);
  for (let row = 0; row < target.length; row++) counts[target[row]! * classes + called[row]!]! += 1;
  return counts;
};

/** One class against all others; null where it cannot be told. */
export interface ClassFigures {
  readonly rows: number;
  readonly called: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly auc: number | null;
}

/** The figures of each class. */
export const classFigures = (
  probability: Float64Array,
  target: ArrayLike<number>,
): ClassFigures[] => {
  const classes = countOf(probability, target);
  const matrix = confusionMatrix(calledClasses(probability, classes), target, classes);
  return Array.from({ length: classes }, (_, c) => {
    const right = matrix[c * classes + c]!;
    let [rows, called] = [0, 0];
    for (let other = 0; other < classes; other++) {
      rows += matrix[c * classes + other]!;
      called += matrix[other * classes + c]!;
    }
    const score = Float64Array.from(target, (_, row) => probability[row * classes + c]!);
    const isOne = Float64Array.from(target, (was) => (was === c ? 1 : 0));
    return {
      rows,
      called,
      precision: called > 0 ? right / called : null,
      recall: rows > 0 ? right / rows : null,
      auc: auc(score, isOne),
    };
  });
};

/** The mean AUC of one class against the others, over the classes that have one; null of none. */
export const macroAuc = (figures: readonly ClassFigures[]): number | null => {
  const known = figures.flatMap(({ auc }) => (auc === null ? [] : [auc]));
  return known.length > 0 ? known.reduce((sum, v) => sum + v, 0) / known.length : null;
};

const countOf = (probability: Float64Array, target: ArrayLike<number>): number =>
  target.length > 0 ? probability.length / target.length : 0;
