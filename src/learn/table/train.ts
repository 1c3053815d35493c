/*
 * The recipe of a table model. Rows to learn from are parted once more: most are fitted, the rest
 * choose (between trainers and options, whether to calibrate, the threshold). What was chosen is
 * then fitted on all of them, and answers the rows that judge, which nothing has looked at before.
 */
import { type Calibration, UNCALIBRATED } from "../calibrate.ts";
import { chooseThreshold } from "../confusion.ts";
import type { RoundCurve } from "../curve.ts";
import type { GbdtOptions } from "../gbdt/options.ts";
import { logistic, poisson, ridge } from "../linear.ts";
import { weightedMean } from "../sample.ts";
import type { Trial } from "../search.ts";
import type { Model, Sample } from "../types.ts";
import {
  type Answers,
  answersOf,
  lossesOf,
  meanLoss,
  type Reading,
  readMargins,
  TASK_LOSS,
  type TableModel,
  tableMargins,
} from "./answers.ts";
import { chooseCalibration } from "./calibration.ts";
import {
  baseQuantiles,
  fitQuantiles,
  type JudgedQuantiles,
  type QuantileFit,
  quantilesOf,
} from "./quantiles.ts";
import type { TableRecipe, TrainerName } from "./recipe.ts";
import { rowsOf, type Split, splitRows } from "./split.ts";
import { fitTrees } from "./trees.ts";
import { searchTrees } from "./tune.ts";

/** What the caller is told and asked while it trains. */
export interface TableHooks {
  readonly onProgress?: (share: number, text: string) => void;
  /** Asked between trials: true ends the search. */
  readonly isOver?: () => boolean;
}

export interface TableFit {
  readonly trainer: TrainerName;
  readonly model: TableModel;
  readonly reading: Reading;
  /** What foretells quantiles besides, or null. */
  readonly quantiles: QuantileFit | null;
  /** Binary: the probability from which a row counts as the positive class. */
  readonly threshold: number;
  /** The trees' options as they were fitted: those searched, and the rounds that were enough. */
  readonly gbdt: GbdtOptions;
  /** Validation loss by trainer; none where nothing was held back to choose by. */
  readonly tried: Readonly<Partial<Record<TrainerName, number>>>;
  readonly trials: readonly Trial[];
  /** How the loss of the trees went, where rows chose how many of them there are. */
  readonly curve: RoundCurve | null;
  readonly rows: { readonly train: number; readonly validation: number; readonly test: number };
  /** Indices of the rows of each. */
  readonly split: Split;
}

/** What the model answers on the rows that judge, in the order of the table. */
export interface Judged {
  /** Indices of the rows. */
  readonly rows: Int32Array;
  readonly sample: Sample;
  readonly answers: Answers;
  /** What would be answered without columns: class shares, or the mean, of the rows learned from. */
  readonly baseline: Answers;
  readonly quantiles: JudgedQuantiles | null;
}

/** One trainer fitted on the rows that do not choose. */
interface Candidate {
  readonly name: TrainerName;
  readonly margins: Float64Array;
  readonly calibration: Calibration;
  readonly loss: number;
  readonly rounds: number;
  readonly curve: RoundCurve | null;
}

/**
 * Trains on a sample whose rows are parted by `part` and the recipe. Throws `too_few_rows`, and
 * what the trainers throw.
 */
export const trainTable = (
  sample: Sample,
  part: Uint8Array,
  recipe: TableRecipe,
  { onProgress = () => {}, isOver }: TableHooks = {},
): { fit: TableFit; judged: Judged } => {
  const split = splitRows(sample, part, recipe);
  const fitted = rowsOf(sample, split.train);
  const choosing = rowsOf(sample, split.validation);
  const chooses = choosing.frame.rows > 0;

  const { options, trials } =
    recipe.search !== null && chooses && recipe.trainers.includes("gbdt")
      ? searchTrees(
          fitted,
          choosing,
          recipe,
          recipe.search,
          (share, text) => onProgress(0.6 * share, text),
          isOver,
        )
      : { options: recipe.gbdt, trials: [] };
  const searched: TableRecipe = { ...recipe, gbdt: options };
  const candidates = chooses
    ? recipe.trainers.map((name, i) => {
        onProgress(0.6 + (0.2 * i) / recipe.trainers.length, `trying ${name}`);
        return tryOut(name, fitted, choosing, searched);
      })
    : [];
  const best = candidates.reduce<Candidate | null>(
    (least, next) => (least === null || next.loss < least.loss ? next : least),
    null,
  );
  const trainer = best?.name ?? recipe.trainers[0] ?? "gbdt";
  const gbdt = { ...options, rounds: best?.name === "gbdt" ? best.rounds : options.rounds };
  const reading = readingOf(recipe, best?.calibration ?? UNCALIBRATED);
  const threshold = thresholdOf(recipe, reading, best, choosing);

  onProgress(0.8, "fitting all rows");
  const whole = chooses ? rowsOf(sample, joined(split.train, split.validation)) : fitted;
  const model = trainer === "gbdt" ? fitTrees(whole, recipe, gbdt).model : fitLinear(whole, recipe);
  const quantiles =
    recipe.quantiles === null
      ? null
      : fitQuantiles({ fitted, choosing, whole }, options, recipe.quantiles, recipe.seed);
  onProgress(0.95, "answering the rows that judge");
  const test = rowsOf(sample, split.test);
  return {
    fit: {
      trainer,
      model,
      reading,
      quantiles,
      threshold,
      gbdt,
      tried: Object.fromEntries(candidates.map(({ name, loss }) => [name, loss])),
      trials,
      curve: candidates.find(({ name }) => name === "gbdt")?.curve ?? null,
      rows: {
        train: split.train.length,
        validation: split.validation.length,
        test: split.test.length,
      },
      split,
    },
    judged: {
      rows: split.test,
      sample: test,
      answers: answersOf(model, reading, test.frame),
      baseline: baselineOf(whole, recipe, test.frame.rows),
      quantiles:
        quantiles === null
          ? null
          : {
              levels: quantiles.levels,
              values: quantilesOf(quantiles, test.frame),
              base: baseQuantiles(whole, quantiles.levels),
            },
    },
  };
};

const readingOf = ({ task, width }: TableRecipe, calibration: Calibration): Reading => ({
  task,
  width,
  calibration,
});

/** Fits on the one, and measures on the other what the calibrated answers would lose. */
const tryOut = (
  name: TrainerName,
  fitted: Sample,
  choosing: Sample,
  recipe: TableRecipe,
): Candidate => {
  const { task, gbdt, patience } = recipe;
  const stops = patience > 0 ? { patience } : { keepAll: true };
  const extras = { validation: choosing, follow: true, ...stops };
  const trees = name === "gbdt" ? fitTrees(fitted, recipe, gbdt, extras) : null;
  const margins = tableMargins(trees?.model ?? fitLinear(fitted, recipe), choosing.frame);
  const calibration =
    task === "binary" ? chooseCalibration(margins, choosing.target) : UNCALIBRATED;
  const answers = readMargins(margins, readingOf(recipe, calibration));
  const losses = lossesOf(TASK_LOSS[task], answers, choosing.target, 0.5);
  return {
    name,
    margins,
    calibration,
    loss: meanLoss(losses, choosing.weight),
    rounds: trees === null || patience === 0 ? gbdt.rounds : Math.max(1, trees.rounds),
    curve: trees?.curve ?? null,
  };
};

const fitLinear = (sample: Sample, { task, linear, seed }: TableRecipe): Model => {
  const trainer = task === "binary" ? logistic : task === "count" ? poisson : ridge;
  return trainer.fit(sample, linear, seed);
};

const thresholdOf = (
  { task, threshold }: TableRecipe,
  reading: Reading,
  best: Candidate | null,
  choosing: Sample,
): number => {
  if (typeof threshold === "number") return threshold;
  if (task !== "binary" || best === null) return 0.5;
  const { values } = readMargins(best.margins, reading);
  return chooseThreshold(values, choosing.target, threshold);
};

/** Both lists of indices in order. */
const joined = (a: Int32Array, b: Int32Array): Int32Array => {
  const all = new Int32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all.sort();
};

/** Answers that know the target of the rows learned from and nothing of their columns. */
const baselineOf = (
  { target, weight }: Sample,
  { task, width }: TableRecipe,
  rows: number,
): Answers => {
  const shares =
    task === "multiclass"
      ? Array.from({ length: width }, (_, k) =>
          weightedMean(
            target.map((y) => (y === k ? 1 : 0)),
            weight,
          ),
        )
      : [weightedMean(target, weight)];
  const values = Float64Array.from(
    { length: rows * shares.length },
    (_, i) => shares[i % shares.length]!,
  );
  return { width: shares.length, values };
};
