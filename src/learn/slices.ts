/*
 * The same figures for parts of the rows, cut by one column: a model that is good on the whole may
 * fail some. And the gates over them: how low a recall may be, how far two slices may be apart.
 */
import { calibrationSlope } from "./calibrate.ts";
import { confusionAt } from "./confusion.ts";
import { auc, logLoss, mean } from "./metrics.ts";
import type { Frame } from "./types.ts";

/** A column to cut by: categories by level, numbers by the edges of bands, ascending. */
export interface SliceRule {
  readonly column: string;
  readonly bands: readonly number[] | null;
}

/** The rows that have one level, or lie in one band, of a column. */
export interface SliceRows {
  readonly column: string;
  /** The level, `below 25`, `25 to 35` (25 within, 35 without), `65 and above`, or `missing`. */
  readonly slice: string;
  readonly rows: Int32Array;
}

/** What a slice came to; a figure is null where its rows cannot tell it. */
export interface Slice {
  readonly column: string;
  readonly slice: string;
  readonly rows: number;
  /** Share of ones, and of rows that were called positive at the threshold. */
  readonly positiveRate: number | null;
  readonly calledRate: number | null;
  readonly recall: number | null;
  readonly precision: number | null;
  readonly accuracy: number | null;
  readonly auc: number | null;
  readonly logLoss: number | null;
  /** Mean probability minus share of ones, and the slope of calibration (1 is right). */
  readonly calibrationGap: number | null;
  readonly calibrationSlope: number | null;
}

/**
 * The rows of each slice, in the order of the rules, levels and bands; slices without rows are left
 * out, as are rules whose column the frame lacks.
 */
export const sliceRows = (frame: Frame, rules: readonly SliceRule[]): SliceRows[] =>
  rules.flatMap(({ column: name, bands }) => {
    const column = frame.columns.find((one) => one.name === name);
    if (column === undefined) return [];
    const edges = bands ?? [];
    const names =
      column.kind === "category"
        ? column.levels
        : [...edges, null].map((_, i) => bandName(edges, i));
    const placeOf = (row: number): number => {
      if (column.kind === "category") return column.codes[row]!;
      const x = column.values[row]!;
      return Number.isNaN(x) ? -1 : edges.filter((edge) => x >= edge).length;
    };
    const found = new Map<number, number[]>();
    for (let row = 0; row < frame.rows; row++) {
      const place = placeOf(row);
      const rows = found.get(place);
      if (rows === undefined) found.set(place, [row]);
      else rows.push(row);
    }
    return [...names.keys(), -1].flatMap((place) => {
      const rows = found.get(place);
      if (rows === undefined) return [];
      return [{ column: name, slice: names[place] ?? "missing", rows: Int32Array.from(rows) }];
    });
  });

const bandName = (edges: readonly number[], i: number): string => {
  const [low, high] = [edges[i - 1], edges[i]];
  if (low === undefined) return high === undefined ? "all" : `below ${high}`;
  return high === undefined ? `${low} and above` : `${low} to ${high}`;
};

/** The figures of each slice, of probabilities and 0/1 outcomes, one a row of the frame. */
export const slicesOf = (
  frame: Frame,
  rules: readonly SliceRule[],
  probability: Float64Array,
  target: Float64Array,
  threshold: number,
): Slice[] =>
  sliceRows(frame, rules).map(({ column, slice, rows }) => {
    const p = Float64Array.from(rows, (row) => probability[row]!);
    const y = Float64Array.from(rows, (row) => target[row]!);
    const { recall, precision, accuracy, truePositive, falsePositive } = confusionAt(
      p,
      y,
      threshold,
    );
    const [said, came] = [mean(p), mean(y)];
    return {
      column,
      slice,
      rows: rows.length,
      positiveRate: came,
      calledRate: (truePositive + falsePositive) / rows.length,
      recall,
      precision,
      accuracy,
      auc: auc(p, y),
      logLoss: logLoss(p, y),
      calibrationGap: said === null || came === null ? null : said - came,
      calibrationSlope: calibrationSlope(p, y)?.slope ?? null,
    };
  });

/** A slice of a target of numbers or of several classes: its mean loss, and means where it has any. */
export interface LossSlice {
  readonly column: string;
  readonly slice: string;
  readonly rows: number;
  readonly loss: number | null;
  readonly meanForecast: number | null;
  readonly meanTarget: number | null;
}

/** The mean loss of each slice; `numbers` are forecast and target where the target is a number. */
export const lossSlicesOf = (
  frame: Frame,
  rules: readonly SliceRule[],
  losses: Float64Array,
  numbers: { readonly forecast: Float64Array; readonly target: Float64Array } | null,
): LossSlice[] =>
  sliceRows(frame, rules).map(({ column, slice, rows }) => {
    const meanIn = (values: Float64Array | undefined) =>
      values === undefined ? null : mean(Float64Array.from(rows, (row) => values[row]!));
    return {
      column,
      slice,
      rows: rows.length,
      loss: meanIn(losses),
      meanForecast: meanIn(numbers?.forecast),
      meanTarget: meanIn(numbers?.target),
    };
  });

/** What the slices of a column must hold; either bound may be left out. */
export interface SliceRequirement {
  readonly column: string;
  /** The recall of each slice at least. */
  readonly minRecall?: number | undefined;
  /** The recalls of any two slices differ by this at most. */
  readonly maxGap?: number | undefined;
  /** Slices of fewer rows of class 1 are not held to it (20 unless given): chance moves them. */
  readonly minRows?: number | undefined;
}

export interface SliceGate {
  readonly column: string;
  readonly rule: "min_recall" | "max_gap";
  readonly passed: boolean;
  /** A sentence with the figures. */
  readonly detail: string;
  /** The lowest recall, or the largest gap; null where there is none. */
  readonly value: number | null;
  readonly accepted: string;
}

const LEAST_ONES = 20;

/**
 * Holds slices to requirements, one gate for each bound. A column of which no slice has rows enough
 * fails `min_recall` (nothing was shown) and, like one with a single such slice, passes `max_gap`.
 */
export const sliceGates = (
  slices: readonly Slice[],
  requirements: readonly SliceRequirement[],
): SliceGate[] =>
  requirements.flatMap(({ column, minRecall, maxGap, minRows = LEAST_ONES }) => {
    const held = slices
      .filter((slice) => slice.column === column && onesOf(slice) >= minRows)
      .flatMap(({ slice, recall }) => (recall === null ? [] : [{ slice, recall }]))
      .sort((a, b) => a.recall - b.recall);
    const [low, high] = [held[0], held.at(-1)];
    const gates: SliceGate[] = [];
    const none = `No slice of ${column} has ${minRows} rows of the positive class.`;
    if (minRecall !== undefined) {
      gates.push({
        column,
        rule: "min_recall",
        passed: low !== undefined && low.recall >= minRecall,
        detail:
          low === undefined
            ? none
            : `The lowest recall of ${column} is ${fixed(low.recall)} (${low.slice}).`,
        value: low?.recall ?? null,
        accepted: `>= ${minRecall} in each slice of at least ${minRows} positive rows`,
      });
    }
    if (maxGap !== undefined) {
      const gap = low === undefined || high === undefined ? null : high.recall - low.recall;
      gates.push({
        column,
        rule: "max_gap",
        passed: gap === null || gap <= maxGap,
        detail:
          low === undefined || high === undefined
            ? none
            : `The recalls of ${column} are ${fixed(low.recall)} (${low.slice}) to ` +
              `${fixed(high.recall)} (${high.slice}).`,
        value: gap,
        accepted: `<= ${maxGap} between slices of at least ${minRows} positive rows`,
      });
    }
    return gates;
  });

const onesOf = ({ rows, positiveRate }: Slice): number => Math.round(rows * (positiveRate ?? 0));
const fixed = (value: number): string => value.toFixed(4);
