/*
 * Gradient boosting: each tree is grown on the derivatives of the loss at the margins that the
 * trees before it reached, and a share of it is added.
 */
import { makeRandom, type Random } from "../random.ts";
import { checkColumns, checkSample, isSingleClass, shapesOf, weightedQuantile } from "../sample.ts";
import type { OnRound, Sample, Trainer, Tree, TreeModel } from "../types.ts";
import { type BinnedFrame, binFrame } from "./bins.ts";
import { addGrown, type Leaf, makeGrower } from "./grow.ts";
import { makeObjective, type Objective } from "./objective.ts";
import { checkOptions, GBDT_DEFAULTS, type GbdtOptions } from "./options.ts";
import { addTree } from "./predict.ts";

/** What `boost` may be given besides sample, options and seed. */
export interface BoostExtras {
  readonly onRound?: OnRound | undefined;
  /** Rows to stop by: later ones than the sample's, for a time series. */
  readonly validation?: Sample | undefined;
  /** Stop after so many rounds without a lower validation loss (50 unless given). */
  readonly patience?: number | undefined;
}

/** A model, and the mean validation loss after 0, 1, 2… rounds (empty without validation). */
export interface Boosted {
  readonly model: TreeModel;
  readonly losses: readonly number[];
}

/** Gradient-boosted trees; for early stopping call `boost`. */
export const gbdt: Trainer<GbdtOptions> = {
  name: "gbdt",
  defaults: GBDT_DEFAULTS,
  fit: (sample, options, seed, onRound) => boost(sample, options, seed, { onRound }).model,
};

/**
 * Fits trees to the sample; with a validation sample the model ends at the round of lowest loss
 * there. Rows that cannot be told apart (one class, constant columns, too few) give a model of
 * no trees. Throws `bad_sample` or `bad_option`.
 */
export const boost = (
  sample: Sample,
  options: GbdtOptions,
  seed: number,
  extras: BoostExtras = {},
): Boosted => {
  checkOptions(options);
  checkSample(sample, options.objective);
  if (extras.validation !== undefined) {
    checkSample(extras.validation, options.objective);
    checkColumns(shapesOf(sample.frame), extras.validation.frame);
  }
  const { frame, target, weight } = sample;
  const objective = makeObjective(options.objective, options.quantile ?? 0.5);
  const base = objective.base(target, weight);
  const trees: Tree[] = [];
  const watch = makeWatch(objective, base, extras);
  const modelOf = (kept: readonly Tree[]): TreeModel => ({
    kind: "trees",
    objective: options.objective,
    base,
    trees: kept,
    columns: shapesOf(frame),
  });
  if (isSingleClass(target)) return { model: modelOf([]), losses: watch.losses };

  const binned = binFrame(frame, options.bins);
  const grow = makeGrower(binned, options);
  const draw = makeDraw(options, binned, makeRandom(seed));
  const margins = new Float64Array(frame.rows).fill(base);
  const gradient = new Float64Array(frame.rows);
  const hessian = new Float64Array(frame.rows);
  const isSampled = options.rowShare < 1 || options.columnShare < 1;
  for (let round = 0; round < options.rounds; round++) {
    extras.onRound?.(round, options.rounds);
    objective.derive(margins, target, weight, gradient, hessian);
    const { rows, columns } = draw();
    const grown = grow(rows, columns, gradient, hessian);
    if (grown.leaves.length === 1) {
      // Nothing to split. Another draw may do better; the same rows and columns never will.
      if (isSampled) continue;
      break;
    }
    for (const leaf of grown.leaves) {
      grown.tree.value[leaf.node] =
        options.rate * leafValue(leaf, rows, objective, options.l2, margins, sample);
    }
    addGrown(grown, binned, rows, margins);
    trees.push(grown.tree);
    if (watch.isOver(grown.tree, trees.length)) break;
  }
  return { model: modelOf(trees.slice(0, watch.best() ?? trees.length)), losses: watch.losses };
};

/** The step that makes the loss of a leaf's rows smallest, before shrinkage. */
const leafValue = (
  { from, to, sums }: Leaf,
  rows: Int32Array,
  objective: Objective,
  l2: number,
  margins: Float64Array,
  { target, weight }: Sample,
): number => {
  if (objective.refit === null) {
    return sums.hessian + l2 > 0 ? -sums.gradient / (sums.hessian + l2) : 0;
  }
  const inLeaf = rows.subarray(from, to);
  const residuals = Float64Array.from(inLeaf, (row) => target[row]! - margins[row]!);
  const weights = weight === null ? null : Float64Array.from(inLeaf, (row) => weight[row]!);
  return weightedQuantile(residuals, weights, objective.refit);
};

/** Draws each tree's rows and columns; without sampling, all of them and no random number. */
const makeDraw = (options: GbdtOptions, binned: BinnedFrame, random: Random) => {
  const all = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
  const [allRows, allColumns] = [all(binned.rows), all(binned.columns.length)];
  const rows = new Int32Array(binned.rows);
  const share = (part: number, n: number) => Math.min(n, Math.max(1, Math.round(part * n)));
  const rowCount = share(options.rowShare, allRows.length);
  const columnCount = share(options.columnShare, allColumns.length);
  return () => {
    const columns =
      columnCount < allColumns.length ? random.choose(columnCount, allColumns.length) : allColumns;
    if (rowCount < allRows.length)
      return { rows: random.choose(rowCount, allRows.length), columns };
    rows.set(allRows); // a tree reorders its rows
    return { rows, columns };
  };
};

/** Follows the loss on the validation sample, if there is one. */
const makeWatch = (objective: Objective, base: number, extras: BoostExtras) => {
  const { validation, patience = 50 } = extras;
  const losses: number[] = [];
  if (validation === undefined) return { losses, isOver: () => false, best: () => null };
  const { frame, target, weight } = validation;
  const margins = new Float64Array(frame.rows).fill(base);
  losses.push(objective.loss(margins, target, weight));
  let best = 0;
  const isOver = (tree: Tree, round: number): boolean => {
    addTree(tree, frame, margins);
    losses.push(objective.loss(margins, target, weight));
    if (losses[round]! < losses[best]!) best = round;
    return round - best >= patience;
  };
  return { losses, isOver, best: () => best };
};
