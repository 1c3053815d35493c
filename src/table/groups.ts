/*
 * Rows by what a column holds: each level, or each stretch of its numbers, is a group, and so is
 * what is missing.
 */
import type { Column } from "../learn/types.ts";

/** The group of each row asked for; group 0 is what is missing. */
export interface Groups {
  readonly of: Int32Array;
  readonly count: number;
}

/**
 * Groups `rows` of a column. Numbers are parted at the quantiles of `reference`'s, into at most
 * `bins` stretches of about as many rows; a value that fills several stretches has one of its own.
 */
export function groupsOf(
  column: Column,
  rows: Int32Array,
  reference: Int32Array,
  bins: number,
): Groups {
  if (column.kind === "category") {
    const { codes, levels } = column;
    return { of: rows.map((row) => codes[row]! + 1), count: levels.length + 1 };
  }
  const { values } = column;
  const edges = edgesOf(
    Float32Array.from(reference, (row) => values[row]!),
    bins,
  );
  const of = rows.map((row) => {
    const value = values[row]!;
    return Number.isNaN(value) ? 0 : 1 + placeIn(edges, value);
  });
  return { of, count: edges.length + 2 };
}

/** Upper ends of stretches, rising: the last stretch has none. */
function edgesOf(values: Float32Array, bins: number): Float32Array {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const edges: number[] = [];
  for (let bin = 1; bin < bins && sorted.length > 0; bin++) {
    const edge = sorted[Math.floor((bin * sorted.length) / bins)]!;
    if (edges.at(-1) !== edge && edge !== sorted.at(-1)) edges.push(edge);
  }
  return Float32Array.from(edges);
}

/** How many edges lie below the value. */
function placeIn(edges: Float32Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** At most `most` of the rows, spread evenly over them. */
export function thinned(rows: Int32Array, most: number): Int32Array {
  if (rows.length <= most) return rows;
  return Int32Array.from({ length: most }, (_, i) => rows[Math.floor((i * rows.length) / most)]!);
}
