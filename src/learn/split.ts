/*
 * Walk-forward folds: every fold is forecast by what was known before it began. Fold boundaries
 * are fixed in time, not counted from an end of the data, so a row keeps its fold, and the fold
 * its training rows, when new candles arrive.
 */
import { SluiceError } from "../errors.ts";

export interface WalkForwardOptions {
  /** The instant of each row, ascending (equal ones allowed: several markets at one slot). */
  readonly times: Float64Array;
  /** How far after its instant a row's label looks, in milliseconds. */
  readonly horizonMs: number;
  /** Length of a fold in milliseconds. */
  readonly foldMs: number;
  /** Folds with fewer training rows than this are left out. */
  readonly minTrainRows: number;
  /** Rows before this instant are never trained on. */
  readonly trainFrom?: number;
  /** An instant on which a fold begins (0, the Unix epoch, unless given). */
  readonly anchor?: number;
}

/** Row ranges [from, to) of one fold, and its span of time [start, end). */
export interface Fold {
  readonly train: readonly [number, number];
  readonly test: readonly [number, number];
  /** Rows just before the fold that are not trained on: their labels look into it. */
  readonly purged: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Folds in time order; the last may be unfinished. A training row's time + horizon is never after
 * its fold's start: of a fold that begins at T, rows later than T - horizon are purged. Folds
 * without rows are left out. Throws `bad_option` for times out of order or lengths out of range.
 */
export const walkForward = (options: WalkForwardOptions): Fold[] => {
  const { times, horizonMs, foldMs, minTrainRows, trainFrom, anchor = 0 } = options;
  if (!(foldMs > 0 && foldMs < Number.POSITIVE_INFINITY)) refuse(`foldMs ${foldMs}`, "above 0");
  if (!(horizonMs >= 0)) refuse(`horizonMs ${horizonMs}`, "0 or more");
  for (let i = 0; i < times.length; i++) {
    if (!Number.isFinite(times[i]!) || (i > 0 && times[i]! < times[i - 1]!)) {
      refuse(`time ${times[i]} of row ${i}`, "finite and not before the row above");
    }
  }
  const startOf = (t: number) => anchor + Math.floor((t - anchor) / foldMs) * foldMs;
  const first = trainFrom === undefined ? 0 : firstAtOrAfter(times, trainFrom);
  const folds: Fold[] = [];
  for (let from = 0; from < times.length; ) {
    const start = startOf(times[from]!);
    const to = firstAtOrAfter(times, start + foldMs);
    // Rows before this one have labels known when the fold begins.
    const known = Math.min(firstAfter(times, start - horizonMs), from);
    if (known - first >= Math.max(minTrainRows, 1)) {
      const [train, test] = [[first, known] as const, [from, to] as const];
      folds.push({ train, test, purged: from - known, start, end: start + foldMs });
    }
    from = to;
  }
  return folds;
};

const firstAtOrAfter = (times: Float64Array, t: number): number => {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! >= t) high = middle;
    else low = middle + 1;
  }
  return low;
};

const firstAfter = (times: Float64Array, t: number): number => {
  let low = firstAtOrAfter(times, t);
  while (low < times.length && times[low] === t) low += 1;
  return low;
};

const refuse = (what: string, accepted: string): never => {
  throw new SluiceError({
    code: "bad_option",
    status: 422,
    detail: `walk-forward folds: ${what}`,
    fix: `It must be ${accepted}.`,
  });
};
