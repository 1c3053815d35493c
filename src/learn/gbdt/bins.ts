/*
 * Columns cut into at most 255 bins a column, so that a row's value is one byte and a split is
 * searched among bins instead of values. Bin 0 is the missing value's own.
 */
import type { CategoryColumn, Column, Frame, NumberColumn } from "../types.ts";
import type { Arena, Kernels, Records } from "./kernels.ts";
import { plain } from "./plain.ts";

/** Most bins that a column may have, the missing value's bin not counted. */
export const MOST_BINS = 255;

/**
 * A level seen in fewer rows shares the bin of missing: too few to learn a direction from. In a
 * large table, where a few rows are a smaller share, more are asked for.
 */
const rareBelow = (rows: number): number => Math.min(Math.max(5, rows / 1000), 20);
/** Edges are taken from at most this many rows, evenly spaced; more would not move them. */
const EDGE_ROWS = 200_000;
/** Rows whose records are filled together, so that they stay in the cache. */
const BLOCK = 2048;
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

/**
 * A frame in bins, kept twice: column by column, to part rows by one column, and row by row, to
 * add a row to all columns' histograms while its record is in the cache.
 */
export interface BinnedFrame extends Records {
  readonly rows: number;
  readonly columns: readonly (NumberBins | CategoryBins)[];
}

/** Cuts every column of the frame into at most `most` bins (1..255) and the one for missing. */
export const binFrame = (
  frame: Frame,
  most: number,
  kernels: Kernels = plain,
  arena: Arena = kernels.arena(),
): BinnedFrame => {
  const { rows } = frame;
  const scratch = arena.floats(frame.columns.some((c) => c.kind === "number") ? rows : 0);
  const columns = frame.columns.map((column: Column) =>
    column.kind === "number"
      ? binNumbers(column, most, kernels, arena, scratch)
      : binCategories(column, most, arena),
  );
  const starts = arena.integers(columns.length);
  let total = 0;
  for (const [c, column] of columns.entries()) {
    starts[c] = total;
    total += column.size;
  }
  // A record begins at a multiple of eight, so that few of them lie across two cache lines.
  const stride = Math.ceil(columns.length / 8) * 8;
  const records = arena.bytes(rows * stride);
  for (let from = 0; from < rows; from += BLOCK) {
    const to = Math.min(from + BLOCK, rows);
    for (const [c, { bins }] of columns.entries()) {
      for (let row = from, at = from * stride + c; row < to; row++, at += stride) {
        records[at] = bins[row]!;
      }
    }
  }
  return { rows, columns, records, stride, starts, total };
};

const binNumbers = (
  { values }: NumberColumn,
  most: number,
  kernels: Kernels,
  arena: Arena,
  scratch: Float32Array,
): NumberBins => {
  const edges = edgesOf(values, most);
  const bins = arena.bytes(values.length);
  if (edges.length > 0) {
    scratch.set(values);
    kernels.binNumbers(scratch, edges, bins);
  }
  return { kind: "number", bins, size: edges.length + 1, edges };
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

/** The distinct values in ascending order, and how many rows have each; NaN is left out. */
const tally = (values: Float32Array) => {
  const step = Math.ceil(values.length / EDGE_ROWS);
  const looked = step > 1 ? new Float32Array(Math.floor((values.length - 1) / step) + 1) : values;
  if (step > 1) for (let i = 0; i < looked.length; i++) looked[i] = values[i * step]!;
  const sorted = (step > 1 ? looked : looked.slice()).sort(); // NaN goes last
  let rows = sorted.length;
  while (rows > 0 && Number.isNaN(sorted[rows - 1]!)) rows--;
  const distinct = new Float32Array(rows);
  const counts = new Int32Array(rows);
  let last = -1;
  for (let i = 0; i < rows; i++) {
    // -0 and 0 sort apart but compare equal, as they do in a split.
    if (last >= 0 && sorted[i] === distinct[last]) counts[last]!++;
    else {
      distinct[++last] = sorted[i]!;
      counts[last] = 1;
    }
  }
  return { distinct: distinct.subarray(0, last + 1), counts, rows };
};

const binCategories = (column: CategoryColumn, most: number, arena: Arena): CategoryBins => {
  const counts = new Int32Array(column.levels.length);
  for (const code of column.codes) if (code >= 0) counts[code]!++;
  const least = rareBelow(column.codes.length);
  // The most frequent levels get bins; ties go by code, so the result never depends on a sort.
  const kept = Array.from(counts, (_, code) => code)
    .filter((code) => counts[code]! >= least)
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most);
  const binOf = new Uint8Array(column.levels.length);
  for (const [i, code] of kept.entries()) binOf[code] = i + 1;
  const bins = arena.bytes(column.codes.length);
  for (let i = 0; i < bins.length; i++) {
    const code = column.codes[i]!;
    if (code >= 0) bins[i] = binOf[code]!;
  }
  return { kind: "category", bins, size: kept.length + 1, codes: Int32Array.of(-1, ...kept) };
};
