/*
 * `[train.gbdt]`, `[train.quantile]` and `[search]` of a table model: how trees are grown, and what may be tried.
 */
import * as v from "valibot";
import { real, whole } from "./fields.ts";

/** Accepted range of each option of the trees and what it is without being given. */
const RANGES = {
  rounds: { low: 1, high: 100_000, whole: true, usual: 100 },
  rate: { low: 0.0001, high: 1, whole: false, usual: 0.1 },
  leaves: { low: 2, high: 65_536, whole: true, usual: 31 },
  depth: { low: 0, high: 1_000, whole: true, usual: 0 },
  min_rows: { low: 1, high: 1_000_000_000, whole: true, usual: 20 },
  min_hessian: { low: 0, high: 1e12, whole: false, usual: 0.001 },
  l1: { low: 0, high: 1e9, whole: false, usual: 0 },
  l2: { low: 0, high: 1e9, whole: false, usual: 1 },
  min_gain: { low: 0, high: 1e9, whole: false, usual: 0 },
  row_share: { low: 0.01, high: 1, whole: false, usual: 1 },
  column_share: { low: 0.01, high: 1, whole: false, usual: 1 },
  bins: { low: 2, high: 255, whole: true, usual: 255 },
} as const;

/** An option of the trees that a search may try values of. */
export type TreeOption = keyof typeof RANGES;

const option = (name: TreeOption) => {
  const { low, high, usual } = RANGES[name];
  return v.optional(RANGES[name].whole ? whole(low, high) : real(low, high), usual);
};

export const gbdt = v.strictObject({
  rounds: option("rounds"),
  rate: option("rate"),
  leaves: option("leaves"),
  depth: option("depth"),
  min_rows: option("min_rows"),
  min_hessian: option("min_hessian"),
  l1: option("l1"),
  l2: option("l2"),
  min_gain: option("min_gain"),
  row_share: option("row_share"),
  column_share: option("column_share"),
  bins: option("bins"),
  /** Rounds without a better validation loss after which no more trees are grown; 0: never. */
  patience: v.optional(whole(0, 100_000), 0),
  monotone: v.optional(v.record(v.string(), v.picklist([-1, 1])), {}),
});

const options = gbdt.entries;

/** Options of the trees of quantiles; what is not said here is as in `[train.gbdt]`. */
export const quantile = v.strictObject({
  rounds: v.optional(options.rounds.wrapped),
  rate: v.optional(options.rate.wrapped),
  leaves: v.optional(options.leaves.wrapped),
  depth: v.optional(options.depth.wrapped),
  min_rows: v.optional(options.min_rows.wrapped),
  min_hessian: v.optional(options.min_hessian.wrapped),
  l1: v.optional(options.l1.wrapped),
  l2: v.optional(options.l2.wrapped),
  min_gain: v.optional(options.min_gain.wrapped),
  row_share: v.optional(options.row_share.wrapped),
  column_share: v.optional(options.column_share.wrapped),
  bins: v.optional(options.bins.wrapped),
  patience: v.optional(options.patience.wrapped),
});

/** Quantiles to foretell beside a number, rising. */
export const quantiles = v.pipe(
  v.array(real(0.001, 0.999)),
  v.maxLength(99),
  v.check(
    (levels) => levels.every((level, i) => i === 0 || level >= levels[i - 1]! + 0.0001),
    "expected rising shares, each at least 0.0001 above the one before",
  ),
);

/** Values that a search draws an option from. */
export type SearchRange =
  | { readonly low: number; readonly high: number; readonly log: boolean; readonly whole: boolean }
  | { readonly values: readonly number[] };

/** `[low, high]`, `{ log = [low, high] }` or `{ values = [...] }`, all within the option's range. */
const range = (name: TreeOption) => {
  const { low, high, whole: isWhole } = RANGES[name];
  const value = isWhole ? whole(low, high) : real(low, high);
  const ends = v.pipe(
    v.tuple([value, value]),
    v.check(([from, to]) => from < to, "expected [low, high] with low below high"),
  );
  const ranged = (log: boolean) =>
    v.transform(
      ([from, to]: [number, number]): SearchRange => ({ low: from, high: to, log, whole: isWhole }),
    );
  return v.optional(
    v.union(
      [
        v.pipe(ends, ranged(false)),
        v.pipe(
          v.strictObject({
            log: v.pipe(
              ends,
              v.check(([from]) => from > 0, "expected a low end above 0"),
            ),
          }),
          v.transform(({ log }) => log as [number, number]),
          ranged(true),
        ),
        v.strictObject({ values: v.pipe(v.array(value), v.minLength(1)) }),
      ],
      `expected [low, high], { log = [low, high] } or { values = [...] }, from ${low} to ${high}`,
    ),
  );
};

const space = v.strictObject({
  rounds: range("rounds"),
  rate: range("rate"),
  leaves: range("leaves"),
  depth: range("depth"),
  min_rows: range("min_rows"),
  min_hessian: range("min_hessian"),
  l1: range("l1"),
  l2: range("l2"),
  min_gain: range("min_gain"),
  row_share: range("row_share"),
  column_share: range("column_share"),
  bins: range("bins"),
});

export const search = v.strictObject({
  /** 0: nothing is searched. */
  seconds: v.optional(real(0, 86_400), 0),
  trials: v.optional(whole(1, 100_000), 200),
  method: v.optional(v.picklist(["random", "halving"]), "halving"),
  space: v.optional(space, {}),
});
