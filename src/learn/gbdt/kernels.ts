/*
 * The inner loops of a fit, where nine tenths of its time goes. There are two sets of them,
 * plain.ts and wasm.ts, and they give the same bytes: every gradient and hessian is a whole number
 * of a grid (grid.ts), so sums of them are exact and may be made in any order, and the one function
 * with rounding in it (the log-loss) does the same operations in the same order in both.
 */
import type { Grid } from "./grid.ts";

/** Makes the arrays that kernels work on; all are zero at first. */
export interface Arena {
  bytes(length: number): Uint8Array;
  integers(length: number): Int32Array;
  floats(length: number): Float32Array;
  doubles(length: number): Float64Array;
}

/**
 * The bins of a frame, row by row: `records[row * stride + column]`. In a histogram, column c's
 * bins begin at `starts[c]`; it has `total` bins in all.
 */
export interface Records {
  readonly records: Uint8Array;
  readonly stride: number;
  readonly starts: Int32Array;
  readonly total: number;
}

/** Sums of gradient, hessian and rows for each bin, in a form that only its kernels know. */
export type Histogram = Float64Array;

/** Columns in ascending order, and which of their groups of eight have any of them. */
export interface Drawn {
  readonly columns: Int32Array;
  readonly groups: Uint8Array;
}

/** Numbers that `unpack` gives for a bin: gradient, hessian, rows. */
export const WIDTH = 3;

export interface Kernels {
  readonly name: "plain" | "wasm";
  /** Threads that work side by side. */
  readonly threads: number;
  /** A new arena. Arrays of the one before it are lost: one fit at a time. */
  arena(): Arena;
  /** Doubles that a histogram takes for a bin. */
  readonly cell: number;
  /**
   * Adds rows[from..to) to a histogram. `pairs` holds gradient and hessian side by side, row by
   * row. Columns that are not drawn may be counted or not.
   */
  addRows(
    histogram: Histogram,
    records: Records,
    drawn: Drawn,
    rows: Int32Array,
    from: number,
    to: number,
    pairs: Float32Array,
    grid: Grid,
  ): void;
  /** Makes the larger child's histogram of its parent's, in place: parent minus smaller child. */
  subtract(parent: Histogram, smaller: Histogram): void;
  /** WIDTH numbers a bin; good until the next call. */
  unpack(histogram: Histogram, grid: Grid): Float64Array;
  /**
   * Moves the rows whose bin goes left to the front of rows[from..to), both sides in their order,
   * and returns where they part.
   */
  part(
    rows: Int32Array,
    from: number,
    to: number,
    bins: Uint8Array,
    goesLeft: Uint8Array,
    scratch: Int32Array,
  ): number;
  /** margins[row] += value for rows[from..to). */
  addValue(margins: Float64Array, rows: Int32Array, from: number, to: number, value: number): void;
  /** Gradient and hessian of the log-loss, row by row. */
  logLoss(
    margins: Float64Array,
    target: Float64Array,
    weight: Float64Array | null,
    pairs: Float32Array,
  ): void;
  /** The largest |gradient| and the largest hessian. */
  largest(pairs: Float32Array): readonly [number, number];
  /** Rounds every gradient and hessian to the grid, in place. */
  snap(pairs: Float32Array, grid: Grid): void;
  /** The bin of each value: 0 for NaN, else 1 + how many edges are below it, the last left out. */
  binNumbers(values: Float32Array, edges: Float32Array, bins: Uint8Array): void;
}
