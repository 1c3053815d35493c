/*
 * What a column is worth to a model: how much the loss rises when the column's values are shuffled
 * among the rows, so that it says nothing any more (Breiman 2001). It needs no knowledge of the
 * model, and on rows that were not trained on it tells what holds there.
 */
import { meanInterval } from "./interval.ts";
import { makeRandom, type Random } from "./random.ts";
import type { Column, Frame } from "./types.ts";

/** The rise of the mean loss without the column; low..high is 95 %. */
export interface PermutationImportance {
  readonly name: string;
  readonly rise: number;
  readonly low: number;
  readonly high: number;
}

export interface PermutationOptions {
  readonly seed: number;
  /** Shuffles a column (5 unless given), whose rises are averaged row by row. */
  readonly repeats?: number;
}

/**
 * Columns by how much the mean loss rises without them, largest first. `losses` gives one loss a
 * row of a frame with the same rows, such as the log-losses of a model's probabilities. Columns
 * that say the same as another are worth little one at a time. Empty below two rows.
 */
export const permutationImportance = (
  frame: Frame,
  losses: (frame: Frame) => Float64Array,
  { seed, repeats = 5 }: PermutationOptions,
): PermutationImportance[] => {
  const before = losses(frame);
  const random = makeRandom(seed);
  const found = frame.columns.flatMap((column, c) => {
    const rises = new Float64Array(frame.rows);
    for (let repeat = 0; repeat < repeats; repeat++) {
      const columns = frame.columns.with(c, shuffled(column, random));
      const after = losses({ rows: frame.rows, columns });
      for (let row = 0; row < rises.length; row++) {
        rises[row]! += (after[row]! - before[row]!) / repeats;
      }
    }
    const interval = meanInterval(rises, 0);
    if (interval === null) return [];
    return [{ name: column.name, rise: interval.mean, low: interval.low, high: interval.high }];
  });
  return found.sort((a, b) => b.rise - a.rise);
};

/** The column with its values in a random order (Fisher and Yates, by Durstenfeld 1964). */
const shuffled = (column: Column, random: Random): Column => {
  const shuffle = <A extends Float32Array | Int32Array>(values: A): A => {
    for (let i = values.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      const kept = values[i]!;
      values[i] = values[j]!;
      values[j] = kept;
    }
    return values;
  };
  return column.kind === "number"
    ? { ...column, values: shuffle(column.values.slice()) }
    : { ...column, codes: shuffle(column.codes.slice()) };
};
