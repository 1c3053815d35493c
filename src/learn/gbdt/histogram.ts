/*
 * A histogram holds, for every bin of every column, three numbers side by side: the sum of
 * gradients, the sum of hessians, and the number of rows of one leaf that fall in the bin.
 * Counts are exact in float64, so subtracting one histogram from another leaves exact counts.
 */
import type { BinnedFrame } from "./bins.ts";

/** Numbers a bin: gradient, hessian, rows. */
export const WIDTH = 3;

/** A stack of histograms that are used again, since a fit needs thousands and few at a time. */
export interface HistogramPool {
  /** A histogram of zeros. */
  take(): Float64Array;
  give(histogram: Float64Array): void;
}

/** A pool of histograms of `total` bins. */
export const makeHistogramPool = (total: number): HistogramPool => {
  const free: Float64Array[] = [];
  return {
    take: () => free.pop()?.fill(0) ?? new Float64Array(total * WIDTH),
    give: (histogram) => {
      free.push(histogram);
    },
  };
};

/**
 * Adds rows[from..to) to the histogram of the given columns. `ordered` is scratch for two numbers
 * a row: gathered once, then read in order by every column.
 */
export const addRows = (
  histogram: Float64Array,
  binned: BinnedFrame,
  columns: Int32Array,
  rows: Int32Array,
  from: number,
  to: number,
  gradient: Float64Array,
  hessian: Float64Array,
  ordered: Float64Array,
): void => {
  for (let i = from, o = 0; i < to; i++, o += 2) {
    const row = rows[i]!;
    ordered[o] = gradient[row]!;
    ordered[o + 1] = hessian[row]!;
  }
  const binsOf = (i: number) => binned.columns[columns[i]!]!.bins;
  const startOf = (i: number) => binned.offsets[columns[i]!]! * WIDTH;
  let i = 0;
  for (; i + 3 < columns.length; i += 4) {
    addFour(
      histogram,
      binsOf(i),
      binsOf(i + 1),
      binsOf(i + 2),
      binsOf(i + 3),
      startOf(i),
      startOf(i + 1),
      startOf(i + 2),
      startOf(i + 3),
      rows,
      from,
      to,
      ordered,
    );
  }
  for (; i < columns.length; i++) {
    addOne(histogram, binsOf(i), startOf(i), rows, from, to, ordered);
  }
};

/** Makes the larger child's histogram of its parent's, in place: parent minus the smaller child. */
export const subtract = (parent: Float64Array, smaller: Float64Array): void => {
  for (let i = 0; i < parent.length; i++) parent[i]! -= smaller[i]!;
};

const addOne = (
  histogram: Float64Array,
  bins: Uint8Array,
  start: number,
  rows: Int32Array,
  from: number,
  to: number,
  ordered: Float64Array,
): void => {
  for (let i = from, o = 0; i < to; i++, o += 2) {
    const at = start + bins[rows[i]!]! * WIDTH;
    histogram[at]! += ordered[o]!;
    histogram[at + 1]! += ordered[o + 1]!;
    histogram[at + 2]! += 1;
  }
};

// Four columns a pass: adding to the same bin twice running must wait for the first addition to
// reach memory, and work on other columns fills that wait.
const addFour = (
  histogram: Float64Array,
  binsA: Uint8Array,
  binsB: Uint8Array,
  binsC: Uint8Array,
  binsD: Uint8Array,
  startA: number,
  startB: number,
  startC: number,
  startD: number,
  rows: Int32Array,
  from: number,
  to: number,
  ordered: Float64Array,
): void => {
  for (let i = from, o = 0; i < to; i++, o += 2) {
    const row = rows[i]!;
    const g = ordered[o]!;
    const h = ordered[o + 1]!;
    const a = startA + binsA[row]! * WIDTH;
    const b = startB + binsB[row]! * WIDTH;
    const c = startC + binsC[row]! * WIDTH;
    const d = startD + binsD[row]! * WIDTH;
    histogram[a]! += g;
    histogram[a + 1]! += h;
    histogram[a + 2]! += 1;
    histogram[b]! += g;
    histogram[b + 1]! += h;
    histogram[b + 2]! += 1;
    histogram[c]! += g;
    histogram[c + 1]! += h;
    histogram[c + 2]! += 1;
    histogram[d]! += g;
    histogram[d + 1]! += h;
    histogram[d + 2]! += 1;
  }
};
