/*
 * How a model's answer moves with one column, all others left as they are (partial dependence,
 * Friedman 2001): the mean answer over rows that are all given the same value of that column.
 */
import type { CategoryColumn, Column, Frame, NumberColumn } from "./types.ts";

/** The mean answer where the column has this value; null is missing. */
export interface DependencePoint {
  readonly value: number | string | null;
  readonly mean: number;
  /** Rows of the frame that have the value, or lie nearer to it than to any other point's. */
  readonly rows: number;
}

export interface Dependence {
  readonly name: string;
  readonly kind: "number" | "category";
  readonly points: readonly DependencePoint[];
}

export interface DependenceOptions {
  /** Points of a number column at most, at quantiles of rows and of values (20 unless given). */
  readonly points?: number;
  /** Levels of a category column at most, the most frequent ones (20 unless given). */
  readonly levels?: number;
  /** Rows that are answered for each point, evenly spaced over the frame (500 unless given). */
  readonly rows?: number;
}

/**
 * The dependence of `answer` (one number a row of a frame: a probability, say) on the column of
 * that index. Points in rising order, levels by frequency, missing last if some row misses it.
 * Where columns hang together, points may be of rows that do not exist.
 */
export const partialDependence = (
  frame: Frame,
  c: number,
  answer: (frame: Frame) => Float64Array,
  { points = 20, levels = 20, rows = 500 }: DependenceOptions = {},
): Dependence => {
  const column = frame.columns[c];
  if (column === undefined) throw new RangeError(`column ${c} of ${frame.columns.length}`);
  const sampled = everyNth(frame, rows);
  const places =
    column.kind === "number" ? numberPlaces(column, points) : categoryPlaces(column, levels);
  return {
    name: column.name,
    kind: column.kind,
    points: places.map(({ value, filled, count }) => {
      const columns = sampled.columns.with(c, filled(sampled.rows));
      const answers = answer({ rows: sampled.rows, columns });
      const sum = answers.reduce((total, v) => total + v, 0);
      return { value, mean: sum / Math.max(1, sampled.rows), rows: count };
    }),
  };
};

interface Place {
  readonly value: number | string | null;
  readonly count: number;
  /** The column with this value in so many rows. */
  readonly filled: (rows: number) => Column;
}

const numberPlaces = (column: NumberColumn, most: number): Place[] => {
  const known = column.values.filter((x) => !Number.isNaN(x)).sort();
  const distinct = known.filter((x, i) => i === 0 || x !== known[i - 1]);
  // Half of the points by rows, half by values: of a column that is mostly 0, quantiles alone would
  // show little else.
  const half = Math.floor(most / 2);
  const picked = [...evenly(known, most - half), ...evenly(distinct, half)];
  const values = [...new Set(picked)].sort((a, b) => a - b);
  const counts = new Int32Array(values.length);
  let at = 0;
  for (const x of known) {
    while (at + 1 < values.length && values[at + 1]! - x < x - values[at]!) at += 1;
    counts[at]! += 1;
  }
  const place = (value: number | null, count: number): Place => ({
    value,
    count,
    filled: (rows) => ({ ...column, values: new Float32Array(rows).fill(value ?? Number.NaN) }),
  });
  const missing = column.values.length - known.length;
  const places = values.map((value, i) => place(value, counts[i]!));
  return missing > 0 ? [...places, place(null, missing)] : places;
};

/** Values at so many evenly spaced ranks, both ends among them. */
const evenly = (sorted: Float32Array, count: number): number[] =>
  Array.from({ length: sorted.length === 0 ? 0 : count }, (_, i) => {
    return sorted[Math.round((i / Math.max(1, count - 1)) * (sorted.length - 1))] ?? 0;
  });

const categoryPlaces = (column: CategoryColumn, most: number): Place[] => {
  const counts = new Int32Array(column.levels.length + 1); // the last: missing
  for (const code of column.codes) counts[code < 0 ? column.levels.length : code]! += 1;
  const codes = column.levels
    .map((_, code) => code)
    .filter((code) => counts[code]! > 0)
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most);
  const place = (code: number, count: number): Place => ({
    value: column.levels[code] ?? null,
    count,
    filled: (rows) => ({ ...column, codes: new Int32Array(rows).fill(code) }),
  });
  const missing = counts[column.levels.length]!;
  const places = codes.map((code) => place(code, counts[code]!));
  return missing > 0 ? [...places, place(-1, missing)] : places;
};

/** At most `most` rows of a frame, evenly spaced. */
const everyNth = (frame: Frame, most: number): Frame => {
  const step = Math.max(1, Math.ceil(frame.rows / most));
  if (step === 1) return frame;
  const keeps = (_: number, row: number) => row % step === 0;
  const columns = frame.columns.map((column) =>
    column.kind === "number"
      ? { ...column, values: column.values.filter(keeps) }
      : { ...column, codes: column.codes.filter(keeps) },
  );
  return { rows: Math.ceil(frame.rows / step), columns };
};
