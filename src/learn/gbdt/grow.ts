/*
 * One tree, leaf by leaf: the leaf whose best split gains most is split next, until there are as
 * many leaves as allowed or no split is left to make.
 */
import type { Tree } from "../types.ts";
import type { BinnedFrame } from "./bins.ts";
import { type Bounds, bestValue, FREE, type SplitRules, type Sums } from "./gain.ts";
import type { Grid } from "./grid.ts";
import { makeHistogramPool } from "./histogram.ts";
import { type Arena, type Drawn, type Histogram, type Kernels, WIDTH } from "./kernels.ts";
import { makeNodes } from "./nodes.ts";
import { makeSplitFinder, type Split } from "./split.ts";

export interface GrowRules extends SplitRules {
  readonly leaves: number;
  /** Most splits between the root and a leaf; 0 sets no bound. */
  readonly depth: number;
}

/** A leaf of a grown tree: it holds rows[from..to). */
export interface Leaf {
  readonly node: number;
  readonly from: number;
  readonly to: number;
  readonly sums: Sums;
  /** What its value may be. */
  readonly bounds: Bounds;
}

/** A tree whose leaves have no values yet, and which bins its splits send left, a node each. */
export interface GrownTree {
  readonly tree: Tree;
  readonly leaves: readonly Leaf[];
  readonly goesLeft: readonly (Uint8Array | null)[];
}

interface OpenLeaf extends Leaf {
  readonly depth: number;
  readonly split: Split | null;
  readonly histogram: Histogram | null;
}

/**
 * A function that grows a tree on rows (reordered in place, so that each leaf's lie together) and
 * columns from gradient and hessian of each row, side by side in `pairs` and on `grid`.
 */
export const makeGrower = (
  binned: BinnedFrame,
  rules: GrowRules,
  kernels: Kernels,
  arena: Arena,
) => {
  const pool = makeHistogramPool(binned.total, kernels, arena);
  const scratch = arena.integers(binned.rows);
  const bestSplit = makeSplitFinder(binned, rules);

  return (rows: Int32Array, drawn: Drawn, pairs: Float32Array, grid: Grid): GrownTree => {
    const nodes = makeNodes(rules.leaves);

    const histogramOf = (from: number, to: number): Histogram => {
      const histogram = pool.take();
      kernels.addRows(histogram, binned, drawn, rows, from, to, pairs, grid);
      return histogram;
    };

    /** Whether a leaf could be split at all, so that its histogram is worth making. */
    const isSplittable = (sums: Sums, depth: number): boolean =>
      sums.rows >= 2 * rules.minRows &&
      sums.rows >= 2 &&
      sums.hessian >= 2 * rules.minHessian &&
      (rules.depth === 0 || depth < rules.depth);

    /** A leaf with its best split, looked for where it is wanted; else its histogram goes back. */
    const open = (
      leaf: Leaf,
      depth: number,
      histogram: Histogram | null,
      isWanted: boolean,
    ): OpenLeaf => {
      if (histogram === null) return { ...leaf, depth, split: null, histogram };
      const split = isWanted
        ? bestSplit(kernels.unpack(histogram, grid), drawn.columns, leaf.sums, leaf.bounds)
        : null;
      if (split === null) pool.give(histogram);
      return { ...leaf, depth, split, histogram: split === null ? null : histogram };
    };

    /** The two children of a leaf; `isLast` says that neither will be split again. */
    const part = (leaf: OpenLeaf, split: Split, isLast: boolean): [OpenLeaf, OpenLeaf] => {
      const { from, to, sums } = leaf;
      const { bins } = binned.columns[split.column]!;
      const middle = kernels.part(rows, from, to, bins, split.goesLeft, scratch);
      const [leftNode, rightNode] = nodes.split(leaf.node, split, sums.hessian);
      const rest = less(sums, split.left);
      const [below, above] = boundsOf(leaf, split, rest, rules);
      const left: Leaf = { node: leftNode, from, to: middle, sums: split.left, bounds: below };
      const right: Leaf = { node: rightNode, from: middle, to, sums: rest, bounds: above };
      const depth = leaf.depth + 1;
      const wantsLeft = !isLast && isSplittable(left.sums, depth);
      const wantsRight = !isLast && isSplittable(right.sums, depth);
      const parent = leaf.histogram!;
      if (!wantsLeft && !wantsRight) {
        pool.give(parent);
        return [open(left, depth, null, false), open(right, depth, null, false)];
      }
      // Only the smaller child's rows are read; the larger is what remains of the parent.
      const isLeftSmaller = left.sums.rows <= right.sums.rows;
      const smaller = isLeftSmaller ? histogramOf(from, middle) : histogramOf(middle, to);
      kernels.subtract(parent, smaller);
      return [
        open(left, depth, isLeftSmaller ? smaller : parent, wantsLeft),
        open(right, depth, isLeftSmaller ? parent : smaller, wantsRight),
      ];
    };

    const whole = rules.leaves > 1 && rows.length > 1 ? histogramOf(0, rows.length) : null;
    const sums = sumsOf(rows, pairs, whole && kernels.unpack(whole, grid), binned, drawn);
    const root = { node: 0, from: 0, to: rows.length, sums, bounds: FREE };
    const leaves = [open(root, 0, whole, isSplittable(sums, 0))];
    while (leaves.length < rules.leaves) {
      const at = mostPromising(leaves);
      const leaf = leaves[at]!;
      if (leaf.split === null) break;
      const isLast = leaves.length + 1 === rules.leaves;
      leaves.splice(at, 1, ...part(leaf, leaf.split, isLast));
    }
    for (const leaf of leaves) {
      if (leaf.histogram !== null) pool.give(leaf.histogram);
      nodes.cover[leaf.node] = leaf.sums.hessian;
    }
    return { tree: nodes.tree(), leaves, goesLeft: nodes.goesLeft };
  };
};

/**
 * What the children's values may be. A split by a monotone column draws a line halfway between
 * their values that neither side may cross, however it is split further: all leaves on one side
 * then stay in order with all leaves on the other.
 */
const boundsOf = (
  { bounds }: Leaf,
  { column, left }: Split,
  right: Sums,
  rules: SplitRules,
): [Bounds, Bounds] => {
  const sign = rules.signs?.[column] ?? 0;
  if (sign === 0) return [bounds, bounds];
  const { low, high } = bounds;
  const line =
    (bestValue(left.gradient, left.hessian, rules, bounds) +
      bestValue(right.gradient, right.hessian, rules, bounds)) /
    2;
  const [under, over] = [
    { low, high: line },
    { low: line, high },
  ];
  return sign > 0 ? [under, over] : [over, under];
};

/** Adds a grown tree to the margins: by leaf for the rows it grew on, by its bins for others. */
export const addGrown = (
  { tree, leaves, goesLeft }: GrownTree,
  binned: BinnedFrame,
  rows: Int32Array,
  margins: Float64Array,
  kernels: Kernels,
): void => {
  for (const { node, from, to } of leaves) {
    kernels.addValue(margins, rows, from, to, tree.value[node]!);
  }
  if (rows.length === binned.rows) return;
  const isGrownOn = new Uint8Array(binned.rows);
  for (let i = 0; i < rows.length; i++) isGrownOn[rows[i]!] = 1;
  for (let row = 0; row < binned.rows; row++) {
    if (isGrownOn[row] === 1) continue;
    let node = 0;
    for (let c = tree.feature[0]!; c >= 0; c = tree.feature[node]!) {
      const isLeft = goesLeft[node]![binned.columns[c]!.bins[row]!] === 1;
      node = isLeft ? tree.left[node]! : tree.right[node]!;
    }
    margins[row]! += tree.value[node]!;
  }
};

/** The index of the leaf whose split gains most, the first of equals. */
const mostPromising = (leaves: readonly OpenLeaf[]): number => {
  let best = 0;
  for (let i = 1; i < leaves.length; i++) {
    if ((leaves[i]!.split?.gain ?? -1) > (leaves[best]!.split?.gain ?? -1)) best = i;
  }
  return best;
};

/** The sums of all rows: those of any column's bins, since sums of numbers of a grid are exact. */
const sumsOf = (
  rows: Int32Array,
  pairs: Float32Array,
  cells: Float64Array | null,
  { starts, columns }: BinnedFrame,
  drawn: Drawn,
): Sums => {
  let gradient = 0;
  let hessian = 0;
  const c = drawn.columns[0];
  if (cells !== null && c !== undefined) {
    const end = (starts[c]! + columns[c]!.size) * WIDTH;
    for (let at = starts[c]! * WIDTH; at < end; at += WIDTH) {
      gradient += cells[at]!;
      hessian += cells[at + 1]!;
    }
  } else {
    for (const row of rows) {
      gradient += pairs[2 * row]!;
      hessian += pairs[2 * row + 1]!;
    }
  }
  return { gradient, hessian, rows: rows.length };
};

const less = (whole: Sums, part: Sums): Sums => ({
  gradient: whole.gradient - part.gradient,
  hessian: whole.hessian - part.hessian,
  rows: whole.rows - part.rows,
});
