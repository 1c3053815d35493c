/*
 * One tree, leaf by leaf: the leaf whose best split gains most is split next, until there are as
 * many leaves as allowed or no split is left to make.
 */
import type { Tree } from "../types.ts";
import type { BinnedFrame } from "./bins.ts";
import { addRows, makeHistogramPool, subtract } from "./histogram.ts";
import { bestSplit, type Split, type SplitRules, type Sums } from "./split.ts";

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
  readonly histogram: Float64Array | null;
}

/**
 * A function that grows a tree on rows (reordered in place, so that each leaf's lie together) and
 * columns (ascending) from one gradient and hessian a row.
 */
export const makeGrower = (binned: BinnedFrame, rules: GrowRules) => {
  const pool = makeHistogramPool(binned.total);
  const scratch = new Int32Array(binned.rows);
  const ordered = new Float64Array(binned.rows * 2);

  return (
    rows: Int32Array,
    columns: Int32Array,
    gradient: Float64Array,
    hessian: Float64Array,
  ): GrownTree => {
    const nodes = makeNodes(rules.leaves);

    const histogramOf = (from: number, to: number): Float64Array => {
      const histogram = pool.take();
      addRows(histogram, binned, columns, rows, from, to, gradient, hessian, ordered);
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
      histogram: Float64Array | null,
      isWanted: boolean,
    ): OpenLeaf => {
      if (histogram === null) return { ...leaf, depth, split: null, histogram };
      const split = isWanted ? bestSplit(histogram, binned, columns, leaf.sums, rules) : null;
      if (split === null) pool.give(histogram);
      return { ...leaf, depth, split, histogram: split === null ? null : histogram };
    };

    /** The two children of a leaf; `isLast` says that neither will be split again. */
    const part = (leaf: OpenLeaf, split: Split, isLast: boolean): [OpenLeaf, OpenLeaf] => {
      const { from, to, sums } = leaf;
      const middle = partition(rows, from, to, binned.columns[split.column]!.bins, split, scratch);
      const [leftNode, rightNode] = nodes.split(leaf.node, split, sums.hessian);
      const left: Leaf = { node: leftNode, from, to: middle, sums: split.left };
      const right: Leaf = { node: rightNode, from: middle, to, sums: less(sums, split.left) };
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
      subtract(parent, smaller);
      return [
        open(left, depth, isLeftSmaller ? smaller : parent, wantsLeft),
        open(right, depth, isLeftSmaller ? parent : smaller, wantsRight),
      ];
    };

    const root = { node: 0, from: 0, to: rows.length, sums: sumsOf(rows, gradient, hessian) };
    const worthIt = rules.leaves > 1 && isSplittable(root.sums, 0);
    const leaves = [open(root, 0, worthIt ? histogramOf(0, rows.length) : null, worthIt)];
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

/** Adds a grown tree to the margins: by leaf for the rows it grew on, by its bins for others. */
export const addGrown = (
  { tree, leaves, goesLeft }: GrownTree,
  binned: BinnedFrame,
  rows: Int32Array,
  margins: Float64Array,
): void => {
  for (const { node, from, to } of leaves) {
    const value = tree.value[node]!;
    for (let i = from; i < to; i++) margins[rows[i]!]! += value;
  }
  if (rows.length === binned.rows) return;
  const isGrownOn = new Uint8Array(binned.rows);
  for (const row of rows) isGrownOn[row] = 1;
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

/** Moves the rows that go left before those that go right, both in their order; where they part. */
const partition = (
  rows: Int32Array,
  from: number,
  to: number,
  bins: Uint8Array,
  split: Split,
  scratch: Int32Array,
): number => {
  const { goesLeft } = split;
  let left = from;
  let right = 0;
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    // Both places are written and one of the counts moves: no branch to guess wrong.
    const isLeft = goesLeft[bins[row]!]!;
    rows[left] = row;
    scratch[right] = row;
    left += isLeft;
    right += 1 - isLeft;
  }
  for (let i = 0; i < right; i++) rows[left + i] = scratch[i]!;
  return left;
};

const sumsOf = (rows: Int32Array, gradient: Float64Array, hessian: Float64Array): Sums => {
  let g = 0;
  let h = 0;
  for (let i = 0; i < rows.length; i++) {
    g += gradient[rows[i]!]!;
    h += hessian[rows[i]!]!;
  }
  return { gradient: g, hessian: h, rows: rows.length };
};

const less = (whole: Sums, part: Sums): Sums => ({
  gradient: whole.gradient - part.gradient,
  hessian: whole.hessian - part.hessian,
  rows: whole.rows - part.rows,
});

/** The flat arrays of a tree with at most `leaves` leaves, filled split by split. */
const makeNodes = (leaves: number) => {
  const most = 2 * leaves - 1;
  const feature = new Int32Array(most).fill(-1);
  const threshold = new Float32Array(most);
  const missingLeft = new Uint8Array(most);
  const left = new Int32Array(most).fill(-1);
  const right = new Int32Array(most).fill(-1);
  const gain = new Float64Array(most);
  const cover = new Float64Array(most);
  const categories: (readonly number[] | null)[] = [null];
  const goesLeft: (Uint8Array | null)[] = [null];
  let count = 1;

  const split = (node: number, made: Split, hessian: number): [number, number] => {
    feature[node] = made.column;
    threshold[node] = made.threshold;
    categories[node] = made.categories;
    goesLeft[node] = made.goesLeft;
    missingLeft[node] = made.goesLeft[0]!;
    gain[node] = made.gain;
    cover[node] = hessian;
    left[node] = count;
    right[node] = count + 1;
    categories.push(null, null);
    goesLeft.push(null, null);
    count += 2;
    return [count - 2, count - 1];
  };

  const tree = (): Tree => ({
    feature: feature.slice(0, count),
    threshold: threshold.slice(0, count),
    categories,
    missingLeft: missingLeft.slice(0, count),
    left: left.slice(0, count),
    right: right.slice(0, count),
    value: new Float64Array(count),
    gain: gain.slice(0, count),
    cover: cover.slice(0, count),
  });

  return { split, tree, cover, goesLeft };
};
