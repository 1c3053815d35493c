/*
 * What is learned from a table.
 */
import type { Frame } from "../learn/types.ts";

/** The rows of a table as they were imported, one entry a row in every array. */
export interface TableRows {
  /** The features, in the order of the model file. */
  readonly frame: Frame;
  /** Binary: 1 = the positive class; multiclass: the index of the class; else the number itself. */
  readonly target: Float64Array;
  /** Weights of rows; null means all 1. */
  readonly weight: Float64Array | null;
  /** 0: a row to learn from; 1: a row to be tested on. Those to learn from come first. */
  readonly part: Uint8Array;
  /** The classes by index (binary: [negative, positive]); none for numbers. */
  readonly classes: readonly string[];
  /** Names all of the above: sha256. */
  readonly digest: string;
}

/** Rows with what the checks before learning look at besides. */
export interface LoadedTable extends TableRows {
  /** Equal for rows that are equal in every cell, target, weight and dropped columns included. */
  readonly identity: BigUint64Array;
  /** By column: rows to be tested on whose level no row to learn from has. */
  readonly unseen: Readonly<Record<string, number>>;
  /** Rows that the imports refused. */
  readonly refused: number;
}
