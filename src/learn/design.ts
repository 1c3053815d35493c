/*
 * The columns of a frame as a linear model reads them: numbers in standard units, one unknown a
 * level of a category (its one-hot code), and, if asked for, one for a number that is missing.
 * Levels are kept as places, not as cells: a row has one of each category, however many there are.
 */
import { shapesOf, weightedMean } from "./sample.ts";
import type { CategoryColumn, LinearModel, NumberColumn, Sample } from "./types.ts";

/** Levels of all categories together that have a weight of their own, at most. */
const MOST_LEVELS = 1_000;
/** Levels of one category that have a weight of their own, at most: the most frequent ones. */
const MOST_OF_ONE = 64;

/** Unknowns in order: the bias, then the dense cells, then the places of levels. */
export interface Design {
  readonly width: number;
  /** Cells of a row, row by row, each row led by a 1 for the bias. */
  readonly cells: Float64Array;
  readonly dense: number;
  /** The unknown that each category of a row adds, row by row, ascending within a row. */
  readonly places: Int32Array;
  readonly categories: number;
  margin(beta: Float64Array, row: number): number;
  /** The model that the unknowns stand for. */
  model(beta: Float64Array, objective: LinearModel["objective"]): LinearModel;
}

/** Lays out a sample; `indicators` gives missing numbers a weight, else they count as the mean. */
export const designOf = ({ frame, weight }: Sample, indicators: boolean): Design => {
  const numbers = frame.columns.filter((column) => column.kind === "number");
  const missing = indicators ? numbers.filter(({ values }) => values.some(Number.isNaN)) : [];
  const categories = frame.columns.filter((column) => column.kind === "category");
  const dense = 1 + numbers.length + missing.length;
  const cells = new Float64Array(frame.rows * dense);
  for (let row = 0; row < frame.rows; row++) cells[row * dense] = 1;
  const scaled = new Map(
    numbers.map((column, at) => [column, standardise(column, weight, cells, dense, at + 1)]),
  );
  const flags = new Map<NumberColumn, number>();
  for (const [at, column] of missing.entries()) {
    const place = 1 + numbers.length + at;
    flags.set(column, place);
    for (let row = 0; row < frame.rows; row++) {
      if (Number.isNaN(column.values[row]!)) cells[row * dense + place] = 1;
    }
  }
  const places = new Int32Array(frame.rows * categories.length);
  const coded = new Map<CategoryColumn, Int32Array>();
  const most = Math.min(MOST_OF_ONE, Math.floor(MOST_LEVELS / Math.max(1, categories.length)));
  let width = dense;
  for (const [at, column] of categories.entries()) {
    const own = placesOf(column, width, most);
    coded.set(column, own);
    // The last place is that of the missing.
    for (let row = 0; row < frame.rows; row++) {
      const code = column.codes[row]!;
      places[row * categories.length + at] = own[code < 0 ? own.length - 1 : code]!;
    }
    width = own.at(-1)! + 1;
  }

  const margin = (beta: Float64Array, row: number): number => {
    let sum = 0;
    for (let j = 0; j < dense; j++) sum += beta[j]! * cells[row * dense + j]!;
    for (let c = 0; c < categories.length; c++) sum += beta[places[row * categories.length + c]!]!;
    return sum;
  };
  const model = (beta: Float64Array, objective: LinearModel["objective"]): LinearModel => {
    const of = <Value>(number: (column: NumberColumn) => Value, category: Value) =>
      frame.columns.map((column) => (column.kind === "number" ? number(column) : category));
    const plain = {
      kind: "linear" as const,
      objective,
      bias: beta[0]!,
      weights: Float64Array.from(of((c) => beta[scaled.get(c)!.place]!, 0)),
      means: Float64Array.from(of((c) => scaled.get(c)!.mean, 0)),
      scales: Float64Array.from(of((c) => scaled.get(c)!.scale, 1)),
      columns: shapesOf(frame),
    };
    if (!indicators && categories.length === 0) return plain;
    return {
      ...plain,
      missing: Float64Array.from(frame.columns, (column) => {
        const place = column.kind === "number" ? flags.get(column) : coded.get(column)!.at(-1);
        return place === undefined ? 0 : beta[place]!;
      }),
      levels: frame.columns.map((column) =>
        column.kind === "number"
          ? null
          : Float64Array.from(coded.get(column)!.subarray(0, -1), (place) => beta[place]!),
      ),
    };
  };
  return { width, cells, dense, places, categories: categories.length, margin, model };
};

/** Writes a column in units of its weighted spread; what is not finite counts as the mean. */
const standardise = (
  column: NumberColumn,
  weight: Float64Array | null,
  cells: Float64Array,
  dense: number,
  place: number,
): { mean: number; scale: number; place: number } => {
  // Plain loops: `from` with a function is ten times as slow, and this is done for every column.
  const rows = column.values.length;
  const own = new Float64Array(rows);
  const values = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const x = column.values[row]!;
    if (!Number.isFinite(x)) continue;
    values[row] = x;
    own[row] = weight === null ? 1 : weight[row]!;
  }
  const mean = weightedMean(values, own);
  const variance = weightedMean(
    values.map((x) => (x - mean) ** 2),
    own,
  );
  // A constant column's spread is rounding noise: it stays at scale 1 and all its cells at 0.
  if (!(Math.sqrt(variance) > Math.abs(mean) * 1e-12)) return { mean, scale: 1, place };
  const scale = Math.sqrt(variance);
  for (let row = 0; row < values.length; row++) {
    if (Number.isFinite(column.values[row]!))
      cells[row * dense + place] = (values[row]! - mean) / scale;
  }
  return { mean, scale, place };
};

/**
 * The unknown of each level and, last, that of the missing. Levels beyond the `most` frequent
 * share the missing one's: too rare to tell apart.
 */
const placesOf = ({ codes, levels }: CategoryColumn, from: number, most: number): Int32Array => {
  const counts = new Int32Array(levels.length);
  for (const code of codes) if (code >= 0) counts[code]! += 1;
  const kept = levels
    .map((_, code) => code)
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
  const places = new Int32Array(levels.length + 1).fill(from + kept.length);
  for (const [at, code] of kept.entries()) places[code] = from + at;
  return places;
};
