/*
 * The best split of a leaf, from its histogram. A side's score is G^2 / (H + l2), what the loss
 * (to second order, times two) falls when that side gets its own value -G / (H + l2); a split's
 * gain is the sides' scores minus the whole's (Friedman 2001; Chen and Guestrin 2016).
 */
import type { BinnedFrame, CategoryBins, NumberBins } from "./bins.ts";
import { WIDTH } from "./histogram.ts";

/** What a split must keep to. */
export interface SplitRules {
  readonly l2: number;
  readonly minGain: number;
  readonly minRows: number;
  readonly minHessian: number;
}

/** Sums over the rows of a leaf. */
export interface Sums {
  readonly gradient: number;
  readonly hessian: number;
  readonly rows: number;
}

/** A split: `goesLeft[bin]` is 1 for the bins of the column that go left, whatever its kind. */
export interface Split {
  readonly column: number;
  readonly gain: number;
  readonly goesLeft: Uint8Array;
  readonly threshold: number;
  readonly categories: readonly number[] | null;
  readonly left: Sums;
}

// Many categories leave much room to fit noise, so sets of them are held to harder rules.
/** Up to so many categories present, each is tried alone against the others. */
const ONE_BY_ONE = 4;
/** Added to a category's hessian before its mean gradient is compared with others'. */
const SMOOTHING = 10;
const EXTRA_L2 = 10;
/** Rows that a set must grow by before it is tried again. */
const GROUP_ROWS = 100;
const LARGEST_SET = 32;

const ROUNDING = 1e-12;

/** The split of largest gain among the columns, the first of equals; null when none may be made. */
export const bestSplit = (
  histogram: Float64Array,
  binned: BinnedFrame,
  columns: Int32Array,
  sums: Sums,
  rules: SplitRules,
): Split | null => {
  // Rows of equal gradients gain nothing by a split, but rounding may say that they gain a hair.
  const least = rules.minGain + ROUNDING * score(sums.gradient, sums.hessian, rules.l2);
  let best: Split | null = null;
  for (const c of columns) {
    const column = binned.columns[c]!;
    const start = binned.offsets[c]! * WIDTH;
    const toBeat: number = best?.gain ?? least;
    best =
      (column.kind === "number"
        ? bestNumberSplit(histogram, start, c, column, sums, rules, toBeat)
        : bestCategorySplit(histogram, start, c, column, sums, rules, toBeat)) ?? best;
  }
  return best;
};

/** What a leaf of these sums takes off the loss, times two. */
const score = (gradient: number, hessian: number, l2: number): number =>
  (gradient * gradient) / (hessian + l2);

/** The scores of two sides together, by one division instead of two. */
const scores = (g: number, h: number, restG: number, restH: number, l2: number): number =>
  (g * g * (restH + l2) + restG * restG * (h + l2)) / ((h + l2) * (restH + l2));

/** Thresholds from low to high; with missing rows, those are tried on both sides. */
const bestNumberSplit = (
  histogram: Float64Array,
  start: number,
  column: number,
  { size, edges }: NumberBins,
  sums: Sums,
  { l2, minRows, minHessian }: SplitRules,
  toBeat: number,
): Split | null => {
  const { gradient: allGradient, hessian: allHessian, rows: allRows } = sums;
  const whole = score(allGradient, allHessian, l2);
  const missing = histogram[start + 2]!;
  // The last edge, all present values left, says something only against missing ones.
  const last = missing > 0 ? size - 1 : size - 2;
  let gain = toBeat;
  let edge = 0;
  let missingLeft = false;
  let left = sums;
  for (let side = 0; side < (missing > 0 ? 2 : 1); side++) {
    let gradient = side * histogram[start]!;
    let hessian = side * histogram[start + 1]!;
    let rows = side * missing;
    for (let bin = 1; bin <= last; bin++) {
      const at = start + bin * WIDTH;
      gradient += histogram[at]!;
      hessian += histogram[at + 1]!;
      rows += histogram[at + 2]!;
      if (rows < minRows || hessian < minHessian) continue;
      const restHessian = allHessian - hessian;
      if (allRows - rows < minRows || restHessian < minHessian) break;
      const found = scores(gradient, hessian, allGradient - gradient, restHessian, l2) - whole;
      if (!(found > gain)) continue; // the first of equals, and never NaN
      gain = found;
      edge = bin;
      // Without missing rows the heavier side takes those that may come later.
      missingLeft = missing > 0 ? side === 1 : rows * 2 > allRows;
      left = { gradient, hessian, rows };
    }
  }
  if (edge === 0) return null;
  const goesLeft = new Uint8Array(256).fill(1, missingLeft ? 0 : 1, edge + 1);
  return { column, gain, goesLeft, threshold: edges[edge - 1]!, categories: null, left };
};

/**
 * Sets of categories: in the order of their mean gradients the best set is a beginning or an end
 * (Fisher 1958), so only those are tried. Bin 0, missing and rare, always stays right.
 */
const bestCategorySplit = (
  histogram: Float64Array,
  start: number,
  column: number,
  { size, codes }: CategoryBins,
  sums: Sums,
  rules: SplitRules,
  toBeat: number,
): Split | null => {
  const mean = (bin: number) =>
    histogram[start + bin * WIDTH]! / (histogram[start + bin * WIDTH + 1]! + SMOOTHING);
  const present: number[] = [];
  for (let bin = 1; bin < size; bin++) {
    if (histogram[start + bin * WIDTH + 2]! > 0) present.push(bin);
  }
  let best = null as Prefix | null;
  if (present.length <= ONE_BY_ONE) {
    for (const bin of present) {
      best = bestPrefix(histogram, start, [bin], sums, rules, 0, 1, best?.gain ?? toBeat) ?? best;
    }
  } else {
    present.sort((a, b) => mean(a) - mean(b) || a - b);
    for (const order of [present, present.toReversed()]) {
      const beaten: number = best?.gain ?? toBeat;
      best = bestPrefix(histogram, start, order, sums, rules, EXTRA_L2, GROUP_ROWS, beaten) ?? best;
    }
  }
  if (best === null) return null;
  const goesLeft = new Uint8Array(256);
  for (const bin of best.bins) goesLeft[bin] = 1;
  const categories = best.bins.map((bin) => codes[bin]!).sort((a, b) => a - b);
  return { column, gain: best.gain, goesLeft, threshold: 0, categories, left: best.left };
};

interface Prefix {
  readonly gain: number;
  readonly bins: readonly number[];
  readonly left: Sums;
}

/** The best beginning of the order, tried whenever `group` more rows have joined. */
const bestPrefix = (
  histogram: Float64Array,
  start: number,
  order: readonly number[],
  sums: Sums,
  { l2, minRows, minHessian }: SplitRules,
  extraL2: number,
  group: number,
  toBeat: number,
): Prefix | null => {
  // The whole keeps the plain l2: a set has to earn its freedom.
  const whole = score(sums.gradient, sums.hessian, l2);
  let best: Prefix | null = null;
  let gradient = 0;
  let hessian = 0;
  let rows = 0;
  let joined = 0;
  for (const [i, bin] of order.slice(0, LARGEST_SET).entries()) {
    const at = start + bin * WIDTH;
    gradient += histogram[at]!;
    hessian += histogram[at + 1]!;
    rows += histogram[at + 2]!;
    joined += histogram[at + 2]!;
    if (rows < minRows || hessian < minHessian || joined < group) continue;
    const rest = sums.hessian - hessian;
    if (sums.rows - rows < Math.max(minRows, group) || rest < minHessian) break;
    joined = 0;
    const gain = scores(gradient, hessian, sums.gradient - gradient, rest, l2 + extraL2) - whole;
    if (gain > (best?.gain ?? toBeat)) {
      best = { gain, bins: order.slice(0, i + 1), left: { gradient, hessian, rows } };
    }
  }
  return best;
};
