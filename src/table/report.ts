/*
 * The data report of an import: what was read, what was refused and why, and what the columns hold.
 */
import type { TableSection } from "../models/table-columns.ts";
import type { Refusal } from "./cells.ts";
import type { RefusedRow, Row } from "./schema.ts";

export interface RefusalReport {
  readonly reason: Refusal["reason"];
  readonly count: number;
  /** The first lines of the file that were refused for it. */
  readonly lines: readonly number[];
  readonly samples: readonly {
    readonly line: number;
    readonly column: string | null;
    readonly value: string | null;
    readonly message: string;
  }[];
}

export interface ColumnReport {
  readonly name: string;
  readonly type: "number" | "category" | "drop";
  readonly missing: number;
  /** Distinct levels of a category; counted up to 10,000. */
  readonly levels: number | null;
  /** Its most frequent levels, the most frequent first. */
  readonly most: readonly { readonly level: string; readonly count: number }[];
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
}

export interface DataReport {
  readonly bytes: number;
  /** Records that were read, the header not among them. */
  readonly rows: number;
  readonly stored: number;
  readonly refused: number;
  readonly blank_lines: number;
  readonly comment_lines: number;
  readonly refusals: readonly RefusalReport[];
  readonly columns: readonly ColumnReport[];
}

/** Collects a report while rows go by. */
export interface Reporter {
  accept(row: Row): void;
  refuse(line: number, row: RefusedRow): void;
  readonly refused: number;
  report(totals: {
    readonly bytes: number;
    readonly blankLines: number;
    readonly commentLines: number;
  }): DataReport;
}

const LINES = 20;
const SAMPLES = 5;
const MOST = 20;
/** Beyond these many, levels are not told apart any more: a million ids cost no memory. */
const LEVELS = 10_000;

/** An empty report of a table. */
export function makeReporter({ columns }: TableSection): Reporter {
  const tallies = columns.map(() => ({
    missing: 0,
    counts: new Map<string, number>(),
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    sum: 0,
    numbers: 0,
  }));
  const refusals = new Map<Refusal["reason"], { count: number; first: [number, RefusedRow][] }>();
  let stored = 0;
  let refused = 0;

  return {
    accept: (row) => {
      stored++;
      for (let i = 0; i < row.length; i++) {
        const tally = tallies[i]!;
        const cell = row[i] ?? null;
        if (cell === null) tally.missing++;
        else if (typeof cell === "number") {
          tally.numbers++;
          tally.sum += cell;
          if (cell < tally.min) tally.min = cell;
          if (cell > tally.max) tally.max = cell;
        } else if (columns[i]!.type === "category") {
          const { counts } = tally;
          const seen = counts.get(cell);
          if (seen !== undefined || counts.size < LEVELS) counts.set(cell, (seen ?? 0) + 1);
        }
      }
    },
    refuse: (line, row) => {
      refused++;
      const kept = refusals.get(row.reason) ?? { count: 0, first: [] };
      refusals.set(row.reason, kept);
      kept.count++;
      if (kept.first.length < LINES) kept.first.push([line, row]);
    },
    get refused() {
      return refused;
    },
    report: ({ bytes, blankLines, commentLines }) => ({
      bytes,
      rows: stored + refused,
      stored,
      refused,
      blank_lines: blankLines,
      comment_lines: commentLines,
      refusals: [...refusals]
        .map(([reason, { count, first }]) => ({
          reason,
          count,
          lines: first.map(([line]) => line),
          samples: first
            .slice(0, SAMPLES)
            .map(([line, { column, value, message }]) => ({ line, column, value, message })),
        }))
        .sort((a, b) => b.count - a.count),
      columns: columns.map(({ name, type }, i) => {
        const { missing, counts, min, max, sum, numbers } = tallies[i]!;
        const levels = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
        return {
          name,
          type,
          missing,
          levels: type === "category" ? counts.size : null,
          most: levels.slice(0, MOST).map(([level, count]) => ({ level, count })),
          min: numbers === 0 ? null : min,
          max: numbers === 0 ? null : max,
          mean: numbers === 0 ? null : sum / numbers,
        };
      }),
    }),
  };
}
