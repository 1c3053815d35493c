/* What a model of several classes is worth on rows that nothing was learned or chosen from. */
import { bootstrap, weighedMean } from "../bootstrap.ts";
import {
  type ClassFigures,
  calledClasses,
  classFigures,
  classLosses,
  confusionMatrix,
  macroAuc,
} from "../classes.ts";
import { type Difference, paired } from "../interval.ts";
import { log } from "../math.ts";
import { mean } from "../metrics.ts";
import { type Metrics, put, putDifference, type Verdict, verdictOf } from "./figures.ts";

export interface ClassAnswers {
  /** Rows x classes, row by row; and the index of each row's class. */
  readonly probability: Float64Array;
  readonly target: ArrayLike<number>;
  /** The share of each class in the rows learned from. */
  readonly baseRates: readonly number[];
  readonly champion: Float64Array | null;
  readonly seed: number;
  readonly draws?: number;
}

export interface ClassEvaluation {
  readonly metrics: Metrics;
  readonly classes: readonly ClassFigures[];
  /** Rows by their class and the called one: matrix[was][called]. */
  readonly matrix: readonly (readonly number[])[];
  readonly champion: {
    readonly logLoss: Difference | null;
    readonly championLogLoss: number | null;
    readonly verdict: Verdict;
  } | null;
}

/** Evaluates probabilities of several classes; the rows are taken to be independent. */
export const evaluateClasses = (answers: ClassAnswers): ClassEvaluation => {
  const { probability, target, baseRates, champion, seed, draws = 200 } = answers;
  const count = baseRates.length;
  const losses = classLosses(probability, target);
  const called = calledClasses(probability, count);
  const right = Float64Array.from(called, (c, row) => (c === target[row] ? 1 : 0));
  const classes = classFigures(probability, target);
  const intervals = bootstrap(
    target.length,
    { log_loss: weighedMean(losses), accuracy: weighedMean(right) },
    { seed, draws },
  );
  const metrics: Metrics = { rows: target.length };
  put(metrics, "log_loss", mean(losses), intervals.log_loss);
  put(metrics, "accuracy", mean(right), intervals.accuracy);
  put(metrics, "macro_auc", macroAuc(classes));
  const recalls = Float64Array.from(
    classes.flatMap(({ recall }) => (recall === null ? [] : [recall])),
  );
  put(metrics, "balanced_accuracy", mean(recalls));
  const base = Float64Array.from(target, (was) => -log(Math.max(baseRates[was] ?? 0, 1e-15)));
  put(metrics, "base_rate_log_loss", mean(base));
  const most = baseRates.indexOf(Math.max(...baseRates));
  put(
    metrics,
    "base_rate_accuracy",
    mean(Float64Array.from(target, (was) => (was === most ? 1 : 0))),
  );
  const championLosses = champion === null ? null : classLosses(champion, target);
  const difference = championLosses === null ? null : paired(losses, championLosses, 0);
  if (championLosses !== null) {
    put(metrics, "champion_log_loss", mean(championLosses));
    putDifference(metrics, "against_champion", difference);
  }
  const flat = confusionMatrix(called, target, count);
  return {
    metrics,
    classes,
    matrix: baseRates.map((_, was) => [...flat.subarray(was * count, (was + 1) * count)]),
    champion:
      championLosses === null
        ? null
        : {
            logLoss: difference,
            championLogLoss: mean(championLosses),
            verdict: verdictOf(difference),
          },
  };
};
