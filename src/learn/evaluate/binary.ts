/*
 * What a model of two classes is worth on rows that nothing was learned or chosen from: figures
 * with intervals, curves, decisions at a threshold, and the champion on the same rows.
 */
import { bootstrap, type Weighed, weighedAuc, weighedMean } from "../bootstrap.ts";
import { calibrationSlope } from "../calibrate.ts";
import { type Confusion, confusionAt } from "../confusion.ts";
import { aucDifference, type Difference, paired } from "../interval.ts";
import { auc, brierLosses, logLosses, mean } from "../metrics.ts";
import { calibrationCurve, calibrationError, type ReliabilityBin } from "../reliability.ts";
import { averagePrecision, type CurvePoint, prCurve, rocCurve } from "../roc.ts";
import {
  histogramOf,
  type Metrics,
  put,
  putDifference,
  type Verdict,
  verdictOf,
} from "./figures.ts";

export interface BinaryAnswers {
  /** The probability of the positive class and 0/1 outcomes, one a row. */
  readonly probability: Float64Array;
  readonly target: Float64Array;
  /** Chosen on other rows (`chooseThreshold`). */
  readonly threshold: number;
  /** The share of ones in the rows learned from: what a model without columns would answer. */
  readonly baseRate: number;
  /** The champion's probabilities of the same rows, if there is a champion. */
  readonly champion: Float64Array | null;
  readonly seed: number;
  /** Bootstrap draws, 200 unless given. */
  readonly draws?: number;
}

export interface BinaryEvaluation {
  readonly metrics: Metrics;
  readonly confusion: Confusion;
  readonly roc: readonly CurvePoint[];
  readonly precisionRecall: readonly CurvePoint[];
  readonly calibration: readonly ReliabilityBin[];
  /** Rows by probability in 20 equal bins, of each class. */
  readonly histogram: { readonly zeros: readonly number[]; readonly ones: readonly number[] };
  readonly champion: BinaryComparison | null;
}

/** Challenger minus champion on the same rows: log-loss a row, and area under the ROC curve. */
export interface BinaryComparison {
  readonly logLoss: Difference | null;
  readonly auc: Difference | null;
  readonly championLogLoss: number | null;
  readonly championAuc: number | null;
  readonly verdict: Verdict;
}

const BINS = 20;
/** Below this many rows of a class, drawn ones could lack it: each class is then drawn by itself. */
const FEW = 30;

/** Evaluates probabilities of two classes; the rows are taken to be independent of each other. */
export const evaluateBinary = (answers: BinaryAnswers): BinaryEvaluation => {
  const { probability, target, threshold, baseRate, champion } = answers;
  const losses = logLosses(probability, target);
  const briers = brierLosses(probability, target);
  const confusion = confusionAt(probability, target, threshold);
  const calibration = calibrationCurve(probability, target);
  const slope = calibrationSlope(probability, target);
  const intervals = intervalsOf(answers, losses, briers);
  const metrics: Metrics = { rows: target.length };
  put(metrics, "log_loss", mean(losses), intervals.log_loss);
  put(metrics, "brier", mean(briers), intervals.brier);
  put(metrics, "auc", auc(probability, target), intervals.auc);
  const area = averagePrecision(probability, target);
  put(metrics, "average_precision", area);
  put(metrics, "threshold", threshold);
  put(metrics, "accuracy", confusion.accuracy, intervals.accuracy);
  put(metrics, "precision", confusion.precision, intervals.precision);
  put(metrics, "recall", confusion.recall, intervals.recall);
  put(metrics, "specificity", confusion.specificity);
  put(metrics, "f1", confusion.f1, intervals.f1);
  if (confusion.recall !== null && confusion.specificity !== null) {
    put(metrics, "balanced_accuracy", (confusion.recall + confusion.specificity) / 2);
  }
  put(metrics, "positive_rate", mean(target));
  put(metrics, "called_rate", callsOf(confusion) / target.length);
  put(metrics, "calibration_slope", slope?.slope);
  put(metrics, "calibration_intercept", slope?.intercept);
  put(metrics, "calibration_error", calibrationError(calibration));
  const base = new Float64Array(target.length).fill(baseRate);
  put(metrics, "base_rate_log_loss", mean(logLosses(base, target)));
  put(
    metrics,
    "base_rate_accuracy",
    mean(target.map((y) => (y === (baseRate >= 0.5 ? 1 : 0) ? 1 : 0))),
  );
  const compared = champion === null ? null : compare(answers, champion, losses);
  if (compared !== null) {
    put(metrics, "champion_log_loss", compared.championLogLoss);
    put(metrics, "champion_auc", compared.championAuc);
    putDifference(metrics, "against_champion", compared.logLoss);
    putDifference(metrics, "auc_against_champion", compared.auc);
  }
  const ofClass = (wanted: number) =>
    histogramOf(
      probability.filter((_, i) => target[i] === wanted),
      0,
      1,
      BINS,
    );
  return {
    metrics,
    confusion,
    roc: rocCurve(probability, target),
    precisionRecall: prCurve(probability, target),
    calibration,
    histogram: { zeros: ofClass(0), ones: ofClass(1) },
    champion: compared,
  };
};

const callsOf = ({ truePositive, falsePositive }: Confusion): number =>
  truePositive + falsePositive;

const intervalsOf = (answers: BinaryAnswers, losses: Float64Array, briers: Float64Array) => {
  const { probability, target, threshold, seed, draws = 200 } = answers;
  const called = probability.map((p) => (p >= threshold ? 1 : 0));
  const right = called.map((c, i) => (c === target[i] ? 1 : 0));
  const hit = called.map((c, i) => (c === 1 && target[i] === 1 ? 1 : 0));
  const ones = target.reduce((sum, y) => sum + y, 0);
  const isRare = Math.min(ones, target.length - ones) < FEW;
  return bootstrap(
    target.length,
    {
      log_loss: weighedMean(losses),
      brier: weighedMean(briers),
      auc: weighedAuc(probability, target),
      accuracy: weighedMean(right),
      precision: ratioOf(hit, called),
      recall: ratioOf(hit, target),
      // 2 hits / (called + ones)
      f1: ratioOf(
        hit.map((h) => 2 * h),
        called.map((c, i) => c + target[i]!),
      ),
    },
    { seed, draws, ...(isRare ? { strata: target } : {}) },
  );
};

const ratioOf =
  (part: Float64Array, whole: Float64Array): Weighed =>
  (counts) => {
    let [above, below] = [0, 0];
    for (let i = 0; i < counts.length; i++) {
      above += part[i]! * counts[i]!;
      below += whole[i]! * counts[i]!;
    }
    return below > 0 ? above / below : null;
  };

const compare = (
  { probability, target }: BinaryAnswers,
  champion: Float64Array,
  losses: Float64Array,
): BinaryComparison => {
  const championLosses = logLosses(champion, target);
  const logLoss = paired(losses, championLosses, 0);
  return {
    logLoss,
    auc: aucDifference(probability, champion, target),
    championLogLoss: mean(championLosses),
    championAuc: auc(champion, target),
    verdict: verdictOf(logLoss),
  };
};
