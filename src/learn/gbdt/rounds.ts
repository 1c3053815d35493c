/*
 * The rounds of boosting: each tree is grown on the derivatives of the loss at the margins that
 * the trees before it reached, and a share of it is added. A task has one margin a row, or one a
 * row and class.
 */
import type { RoundLoss } from "../curve.ts";
import { makeRandom, type Random } from "../random.ts";
import { weightedQuantile } from "../sample.ts";
import type { OnRound, Sample, Tree } from "../types.ts";
import { type BinnedFrame, binFrame } from "./bins.ts";
import { kernelsInUse } from "./chosen.ts";
import { bestValue } from "./gain.ts";
import { type Grid, gridOf } from "./grid.ts";
import { addGrown, type GrowRules, type Leaf, makeGrower } from "./grow.ts";
import type { Drawn, Kernels } from "./kernels.ts";
import type { GbdtOptions } from "./options.ts";
import { addTree } from "./predict.ts";

/** What rounds need to know of an objective; every array of arrays has one entry an output. */
export interface Task {
  readonly bases: readonly number[];
  /** Trees to go on from, an entry an output. */
  readonly from: readonly (readonly Tree[])[];
  derive(
    margins: readonly Float64Array[],
    target: Float64Array,
    weight: Float64Array | null,
    pairs: readonly Float32Array[],
    kernels: Kernels,
  ): void;
  loss(margins: readonly Float64Array[], target: Float64Array, weight: Float64Array | null): number;
  /** The share of a leaf's residuals to lie below its value; null takes the Newton step. */
  readonly refit: number | null;
}

/** What a fit may be given besides sample, options and seed. */
export interface RoundExtras {
  readonly onRound?: OnRound | undefined;
  /** Rows to stop by: later ones than the sample's, for a time series. */
  readonly validation?: Sample | undefined;
  /** Stop after so many rounds without a lower validation loss (50 unless given). */
  readonly patience?: number | undefined;
  /** Only look at the loss there: neither stop by it nor end at its lowest. */
  readonly keepAll?: boolean | undefined;
  /** Follow the loss of the sample itself too, some forty times at most. */
  readonly follow?: boolean | undefined;
  /** The inner loops; those of `useKernels` unless given. They do not change the model. */
  readonly kernels?: Kernels | undefined;
}

/**
 * The trees of each output, the validation losses after 0, 1, 2… rounds, and those of the sample
 * where they were followed.
 */
export interface Rounds {
  readonly trees: readonly (readonly Tree[])[];
  readonly losses: readonly number[];
  readonly followed: readonly RoundLoss[];
}

/** So often the loss of the sample is looked at: each look goes through all of its rows. */
const FOLLOWED = 40;

/** Goes through the rounds of a checked sample and options. */
export const goRounds = (
  sample: Sample,
  options: GbdtOptions,
  signs: Int8Array | null,
  seed: number,
  extras: RoundExtras,
  task: Task,
): Rounds => {
  const { frame } = sample;
  const kernels = extras.kernels ?? kernelsInUse();
  const arena = kernels.arena();
  const copy = (values: Float64Array) => {
    const copied = arena.doubles(values.length);
    copied.set(values);
    return copied;
  };
  const target = copy(sample.target);
  const weight = sample.weight === null ? null : copy(sample.weight);
  const binned = binFrame(frame, options.bins, kernels, arena);
  const rules: GrowRules = { ...options, signs };
  const grow = makeGrower(binned, rules, kernels, arena);
  const draw = makeDraw(
    options,
    binned,
    makeRandom(seed),
    arena.integers(frame.rows),
    arena.bytes(Math.ceil(frame.columns.length / 8)),
  );
  const trees = task.from.map((before) => [...before]);
  const margins = task.bases.map((base) => arena.doubles(frame.rows).fill(base));
  const pairs = task.bases.map(() => arena.floats(2 * frame.rows));
  for (const [output, before] of trees.entries()) {
    for (const tree of before) addTree(tree, frame, margins[output]!);
  }
  const watch = makeWatch(task, trees, extras);
  const followed: RoundLoss[] = [];
  const every = Math.max(1, Math.ceil(options.rounds / FOLLOWED));
  const follow = (round: number): void => {
    if (extras.follow !== true || round % every !== 0) return;
    followed.push({ round, loss: task.loss(margins, target, weight) });
  };
  follow(0);
  let grownRounds = 0;
  const isSampled = options.rowShare < 1 || options.columnShare < 1;

  for (let round = 0; round < options.rounds; round++) {
    extras.onRound?.(round, options.rounds);
    task.derive(margins, target, weight, pairs, kernels);
    const { rows, drawn } = draw();
    let hasGrown = false;
    for (const [output, own] of pairs.entries()) {
      // Growing reorders the rows; the next output wants them as they were drawn.
      if (output > 0) rows.sort();
      const grid = snapped(own, frame.rows, kernels);
      const grown = grow(rows, drawn, own, grid);
      if (grown.leaves.length === 1) continue;
      hasGrown = true;
      for (const leaf of grown.leaves) {
        grown.tree.value[leaf.node] =
          options.rate * leafValue(leaf, rows, rules, task.refit, margins[output]!, target, weight);
      }
      addGrown(grown, binned, rows, margins[output]!, kernels);
      trees[output]!.push(grown.tree);
    }
    // Nothing to split. Another draw may do better; the same rows and columns never will.
    if (!hasGrown && isSampled) continue;
    if (!hasGrown) break;
    grownRounds += 1;
    follow(grownRounds);
    if (watch.isOver()) break;
  }
  return { trees: watch.best(), losses: watch.losses, followed };
};

/** Rounds the pairs to their grid. */
const snapped = (pairs: Float32Array, rows: number, kernels: Kernels): Grid => {
  const [gradient, hessian] = kernels.largest(pairs);
  const grid = gridOf(rows, gradient, hessian);
  kernels.snap(pairs, grid);
  return grid;
};

/** The step that makes the loss of a leaf's rows smallest, before shrinkage. */
const leafValue = (
  { from, to, sums, bounds }: Leaf,
  rows: Int32Array,
  rules: GrowRules,
  refit: number | null,
  margins: Float64Array,
  target: Float64Array,
  weight: Float64Array | null,
): number => {
  if (refit === null) return bestValue(sums.gradient, sums.hessian, rules, bounds);
  const inLeaf = rows.subarray(from, to);
  const residuals = Float64Array.from(inLeaf, (row) => target[row]! - margins[row]!);
  const weights = weight === null ? null : Float64Array.from(inLeaf, (row) => weight[row]!);
  const value = weightedQuantile(residuals, weights, refit);
  return Math.min(Math.max(value, bounds.low), bounds.high);
};

/** Draws each round's rows and columns; without sampling, all of them and no random number. */
const makeDraw = (
  options: GbdtOptions,
  binned: BinnedFrame,
  random: Random,
  rows: Int32Array,
  groups: Uint8Array,
) => {
  const columnsInAll = binned.columns.length;
  const share = (part: number, n: number) => Math.min(n, Math.max(1, Math.round(part * n)));
  const rowCount = share(options.rowShare, binned.rows);
  const columnCount = share(options.columnShare, columnsInAll);
  const allColumns = Int32Array.from({ length: columnsInAll }, (_, c) => c);
  return (): { rows: Int32Array; drawn: Drawn } => {
    const columns = columnCount < columnsInAll ? random.choose(columnCount, columnsInAll) : null;
    groups.fill(columns === null ? 1 : 0);
    for (const c of columns ?? []) groups[c >> 3] = 1;
    const drawn = { columns: columns ?? allColumns, groups };
    if (rowCount < binned.rows) {
      const chosen = rows.subarray(0, rowCount);
      chosen.set(random.choose(rowCount, binned.rows));
      return { rows: chosen, drawn };
    }
    for (let i = 0; i < rows.length; i++) rows[i] = i; // a tree reorders its rows
    return { rows, drawn };
  };
};

/** Follows the loss on the validation sample, if there is one. */
const makeWatch = (task: Task, trees: readonly Tree[][], extras: RoundExtras) => {
  const { validation, patience = 50, keepAll = false } = extras;
  const losses: number[] = [];
  if (validation === undefined) return { losses, isOver: () => false, best: () => trees };
  const { frame, target, weight } = validation;
  const margins = task.bases.map((base) => new Float64Array(frame.rows).fill(base));
  const seen = trees.map(() => 0);
  const look = (): void => {
    for (const [output, own] of trees.entries()) {
      for (; seen[output]! < own.length; seen[output]!++) {
        addTree(own[seen[output]!]!, frame, margins[output]!);
      }
    }
    losses.push(task.loss(margins, target, weight));
  };
  look();
  let best = 0;
  let lengths = [...seen];
  const isOver = (): boolean => {
    look();
    const round = losses.length - 1;
    if (losses[round]! < losses[best]!) {
      best = round;
      lengths = [...seen];
    }
    return !keepAll && round - best >= patience;
  };
  const bestTrees = () => trees.map((own, i) => own.slice(0, lengths[i]));
  return { losses, isOver, best: keepAll ? () => trees : bestTrees };
};
