/*
 * The best split of a leaf, from its histogram. A split's gain is the worth of its sides (gain.ts)
 * minus the worth of the whole.
 */
import type { BinnedFrame, NumberBins } from "./bins.ts";
import {
  type Bounds,
  bestValue,
  type GainOf,
  isFree,
  makeGain,
  type SplitRules,
  type Sums,
  scores,
  worth,
} from "./gain.ts";
import { WIDTH } from "./kernels.ts";
import { makeSetFinder } from "./sets.ts";

/** A split of a leaf: `goesLeft[bin]` is 1 for the bins that go left, whatever the column's kind. */
export interface Split {
  readonly column: number;
  readonly gain: number;
  readonly goesLeft: Uint8Array;
  readonly threshold: number;
  readonly categories: readonly number[] | null;
  readonly left: Sums;
}

const ROUNDING = 1e-12;

/**
 * A function that finds the split of largest gain among the columns, the first of equals; null
 * when none may be made. `cells` is an unpacked histogram, `sums` and `bounds` are the leaf's.
 */
export const makeSplitFinder = (binned: BinnedFrame, rules: SplitRules) => {
  const { signs } = rules;
  const findThreshold = makeThresholdFinder(rules);
  const findSet = makeSetFinder(rules);
  const goesLeft = new Uint8Array(256);

  return (cells: Float64Array, columns: Int32Array, sums: Sums, bounds: Bounds): Split | null => {
    const whole = worthOf(sums, rules, bounds);
    const isBound = !isFree(rules, bounds);
    // Rows of equal gradients gain nothing by a split, but rounding may say that they gain a hair.
    let gain = rules.minGain + ROUNDING * whole;
    let best = -1;
    for (let i = 0; i < columns.length; i++) {
      const c = columns[i]!;
      const column = binned.columns[c]!;
      const start = binned.starts[c]! * WIDTH;
      const sign = signs === null ? 0 : signs[c]!;
      let found: number;
      if (column.kind === "category") {
        found = findSet.look(cells, start, column.size, sums, whole, bounds, gain);
        if (found > gain) findSet.keep(goesLeft);
      } else {
        const gainOf = isBound || sign !== 0 ? makeGain(rules, bounds, 0, sign) : null;
        found = findThreshold.look(cells, start, column, sums, whole, gainOf, gain);
        if (found > gain) findThreshold.keep(goesLeft);
      }
      if (!(found > gain)) continue;
      gain = found;
      best = c;
    }
    if (best < 0) return null;
    return splitOf(binned, best, gain, goesLeft, cells);
  };
};

/** What a leaf of these sums takes off the loss. */
const worthOf = (sums: Sums, rules: SplitRules, bounds: Bounds): number => {
  if (!(sums.hessian + rules.l2 > 0)) return 0;
  const value = bestValue(sums.gradient, sums.hessian, rules, bounds);
  return worth(sums.gradient, sums.hessian, value, rules);
};

/** Finds thresholds from low to high; with missing rows, those are tried on both sides. */
const makeThresholdFinder = ({ l2, minRows, minHessian }: SplitRules) => {
  let edge = 0;
  let missingLeft = false;

  /** The largest gain above `toBeat`, or `toBeat`. `gainOf` null means the plain formula. */
  const look = (
    cells: Float64Array,
    start: number,
    { size }: NumberBins,
    sums: Sums,
    whole: number,
    gainOf: GainOf | null,
    toBeat: number,
  ): number => {
    const { gradient: allGradient, hessian: allHessian, rows: allRows } = sums;
    const missing = cells[start + 2]!;
    // The last edge, all present values left, says something only against missing ones.
    const end = start + (missing > 0 ? size - 1 : size - 2) * WIDTH;
    let gain = toBeat;
    for (let side = 0; side < (missing > 0 ? 2 : 1); side++) {
      let gradient = side * cells[start]!;
      let hessian = side * cells[start + 1]!;
      let rows = side * missing;
      for (let i = start + WIDTH; i <= end; i += WIDTH) {
        gradient += cells[i]!;
        hessian += cells[i + 1]!;
        rows += cells[i + 2]!;
        if (rows < minRows || hessian < minHessian) continue;
        const rest = allHessian - hessian;
        if (allRows - rows < minRows || rest < minHessian) break;
        const found =
          gainOf === null
            ? scores(gradient, hessian, allGradient - gradient, rest, l2) - whole
            : gainOf(gradient, hessian, sums, whole);
        if (!(found > gain)) continue; // the first of equals, and never NaN
        gain = found;
        edge = (i - start) / WIDTH;
        // Without missing rows the heavier side takes those that may come later.
        missingLeft = missing > 0 ? side === 1 : rows * 2 > allRows;
      }
    }
    return gain;
  };
  const keep = (goesLeft: Uint8Array): void => {
    goesLeft.fill(0).fill(1, missingLeft ? 0 : 1, edge + 1);
  };
  return { look, keep };
};

/** The split that a table of bins makes of a column. */
const splitOf = (
  { columns, starts }: BinnedFrame,
  c: number,
  gain: number,
  table: Uint8Array,
  cells: Float64Array,
): Split => {
  const column = columns[c]!;
  const goesLeft = table.slice();
  const categories: number[] = [];
  let edge = 0;
  const left = { gradient: 0, hessian: 0, rows: 0 };
  for (let bin = 0; bin < column.size; bin++) {
    if (goesLeft[bin] === 0) continue;
    const at = (starts[c]! + bin) * WIDTH;
    left.gradient += cells[at]!;
    left.hessian += cells[at + 1]!;
    left.rows += cells[at + 2]!;
    if (column.kind === "category") categories.push(column.codes[bin]!);
    edge = bin;
  }
  return column.kind === "category"
    ? { column: c, gain, goesLeft, threshold: 0, categories: categories.sort(ascending), left }
    : { column: c, gain, goesLeft, threshold: column.edges[edge - 1]!, categories: null, left };
};

const ascending = (a: number, b: number): number => a - b;
