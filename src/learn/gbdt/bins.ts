/*
 * Columns cut into at most 255 bins a column, so that a row's value is one byte and a split is
 * searched among bins instead of values. Bin 0 is the missing value's own.
 */
import type { CategoryColumn, Column, Frame, NumberColumn } from "../types.ts";

/** Most bins that a column may have, the missing value's bin not counted. */
export const MOST_BINS = 255;

/** A level seen in fewer rows shares the bin of missing: too few to learn a direction from. */
const RARE_ROWS = 5;
/** Edges are taken from at most this many rows, evenly spaced; more would not move them. */
const EDGE_ROWS = 200_000;
const LARGEST_FLOAT32 = 3.4028234663852886e38;

/** A number column in bins: bin b >= 1 holds the values x with edges[b-2] < x <= edges[b-1]. */
export interface NumberBins {
  readonly kind: "number";
  readonly bins: Uint8Array;
  /** Bins in use, the missing value's included. */
  readonly size: number;
  readonly edges: Float32Array;
}

/** A category column in bins: bin b >= 1 holds the level codes[b]; bin 0 missing and rare ones. */
export interface CategoryBins {
  readonly kind: "category";
  readonly bins: Uint8Array;
  readonly size: number;
  readonly codes: Int32Array;
}

/** A frame in bins. Column c's part of a histogram begins at bin `offsets[c]` of `total`. */
export interface BinnedFrame {
  readonly rows: number;
  readonly columns: readonly (NumberBins | CategoryBins)[];
  readonly offsets: Int32Array;
  readonly total: number;
}

/** Cuts every column of the frame into at most `most` bins (1..255) and the one for missing. */
export const binFrame = (frame: Frame, most: number): BinnedFrame => {
  const columns = frame.columns.map((column: Column) =>
    column.kind === "number" ? binNumbers(column, most) : binCategories(column, most),
  );
  const offsets = new Int32Array(columns.length);
  let total = 0;
  for (const [c, column] of columns.entries()) {
    offsets[c] = total;
    total += column.size;
  }
  return { rows: frame.rows, columns, offsets, total };
};

const binNumbers = (column: NumberColumn, most: number): NumberBins => {
  const edges = edgesOf(column.values, most);
  const bins = new Uint8Array(column.values.length);
  for (let i = 0; i < bins.length; i++) {
    const x = column.values[i]!;
    bins[i] = Number.isNaN(x) ? 0 : 1 + countBelow(edges, x);
  }
  return { kind: "number", bins, size: edges.length + 1, edges };
};

/** How many edges are below x: a binary search, comparing float32 as every predictor does. */
const countBelow = (edges: Float32Array, x: number): number => {
  let low = 0;
  let high = edges.length - 1; // no x is above the last edge
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x <= edges[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
};

/**
 * Upper edges of the bins, ascending; empty when every value is missing. One bin a distinct value
 * while they fit, else about equally many rows a bin, a frequent value alone in its own. The last
 * edge lets every number pass: splitting there parts missing from present.
 */
export const edgesOf = (values: Float32Array, most: number): Float32Array => {
  const { distinct, counts, rows } = tally(values);
  if (distinct.length === 0) return new Float32Array(0);
  const edges: number[] = [];
  const allFit = distinct.length <= most;
  let left = rows;
  let held = 0;
  for (let i = 0; i + 1 < distinct.length && edges.length + 1 < most; i++) {
    held += counts[i]!;
    const share = left / (most - edges.length);
    if (allFit || held >= share || counts[i + 1]! >= share) {
      edges.push(midpoint(distinct[i]!, distinct[i + 1]!));
      left -= held;
      held = 0;
    }
  }
  edges.push(Math.max(distinct.at(-1)!, LARGEST_FLOAT32));
  return Float32Array.from(edges);
};

/**
 * A float32 threshold t with low <= t < high, halfway where float32 has room. Rounding may not
 * carry it up to `high`, or x <= t would send the right value left.
 */
export const midpoint = (low: number, high: number): number => {
  const middle = Math.fround(low + (high - low) / 2);
  return middle >= low && middle < high ? middle : low;
};

const tally = (values: Float32Array): { distinct: number[]; counts: number[]; rows: number } => {
  const step = Math.ceil(values.length / EDGE_ROWS);
  const looked = step > 1 ? values.filter((_, i) => i % step === 0) : values;
  const sorted = looked.filter((x) => !Number.isNaN(x)).sort();
  const distinct: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < sorted.length; i++) {
    // -0 and 0 sort apart but compare equal, as they do in a split.
    if (i > 0 && sorted[i] === distinct[distinct.length - 1]) counts[counts.length - 1]!++;
    else {
      distinct.push(sorted[i]!);
      counts.push(1);
    }
  }
  return { distinct, counts, rows: sorted.length };
};

const binCategories = (column: CategoryColumn, most: number): CategoryBins => {
  const counts = new Int32Array(column.levels.length);
  for (const code of column.codes) if (code >= 0) counts[code]!++;
  // The most frequent levels get bins; ties go by code, so the result never depends on a sort.
  const kept = Array.from(counts, (_, code) => code)
    .filter((code) => counts[code]! >= RARE_ROWS)
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most);
  const binOf = new Uint8Array(column.levels.length);
  for (const [i, code] of kept.entries()) binOf[code] = i + 1;
  return {
    kind: "category",
    bins: Uint8Array.from(column.codes, (code) => (code >= 0 ? binOf[code]! : 0)),
    size: kept.length + 1,
    codes: Int32Array.of(-1, ...kept),
  };
};
