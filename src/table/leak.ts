/*
 * How much one column tells of the target by itself. One that tells all of it is no feature: it is
 * the target under another name, or it was written down afterwards.
 */
import { auc } from "../learn/metrics.ts";
import type { Column } from "../learn/types.ts";
import { type Groups, groupsOf } from "./groups.ts";

export interface ToldTarget {
  /** 0/1 for two classes, an index for more, otherwise the number itself. */
  readonly target: Float64Array;
  /** How many classes; 0 for numbers. */
  readonly classes: number;
}

const BINS = 64;
/** Fewer rows of a class tell nothing certain. */
const LEAST = 10;

/**
 * What a column alone tells of the target, from 0 (nothing) to 1: for classes the highest AUC of
 * one against the rest, as it is and turned round; for numbers the share of the variance. Rows are
 * scored by the target's mean in their group of the column, taken over the other half of the rows,
 * and numbers also by themselves. Null where there are too few rows of a class.
 */
export function toldBy(
  column: Column,
  rows: Int32Array,
  { target, classes }: ToldTarget,
): number | null {
  if (rows.length < 2 * LEAST) return null;
  const groups = groupsOf(column, rows, rows, BINS);
  const ownTarget = Float64Array.from(rows, (row) => target[row]!);
  if (classes === 0) return varianceTold(groups, ownTarget);
  let most: number | null = null;
  // Of two classes, one against the other says all.
  for (let one = classes === 2 ? 1 : 0; one < classes; one++) {
    const of = ownTarget.map((value) => (value === one ? 1 : 0));
    const ones = of.reduce((sum, value) => sum + value, 0);
    if (Math.min(ones, of.length - ones) < LEAST) continue;
    const areas = [auc(meansElsewhere(groups, of), of)];
    if (column.kind === "number") areas.push(...areasOfValues(column.values, rows, of));
    for (const area of areas) {
      if (area !== null) most = Math.max(most ?? 0, area, 1 - area);
    }
  }
  return most;
}

/** By the numbers as they are, those missing below all others, or above. */
function areasOfValues(values: Float32Array, rows: Int32Array, of: Float64Array) {
  return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((missing) => {
    const score = Float64Array.from(rows, (row) => {
      const value = values[row]!;
      return Number.isNaN(value) ? missing : value;
    });
    return auc(score, of);
  });
}

/** Each row's mean of the target over rows of its group in the other half, drawn to the mean. */
function meansElsewhere({ of: group, count }: Groups, target: Float64Array): Float64Array {
  const sums = [new Float64Array(count), new Float64Array(count)] as const;
  const counts = [new Float64Array(count), new Float64Array(count)] as const;
  let total = 0;
  for (let i = 0; i < target.length; i++) {
    const half = halfOf(i);
    sums[half][group[i]!]! += target[i]!;
    counts[half][group[i]!]! += 1;
    total += target[i]!;
  }
  const mean = total / target.length;
  return target.map((_, i) => {
    const other = halfOf(i) === 0 ? 1 : 0;
    return (sums[other][group[i]!]! + mean) / (counts[other][group[i]!]! + 1);
  });
}

/** Halves that follow no order that the rows may have (Knuth's multiplicative hash). */
const halfOf = (i: number): 0 | 1 => (Math.imul(i, 2_654_435_761) >>> 31) as 0 | 1;

function varianceTold(groups: Groups, target: Float64Array): number | null {
  const forecast = meansElsewhere(groups, target);
  const mean = target.reduce((sum, value) => sum + value, 0) / target.length;
  let left = 0;
  let all = 0;
  for (let i = 0; i < target.length; i++) {
    left += (target[i]! - forecast[i]!) ** 2;
    all += (target[i]! - mean) ** 2;
  }
  return all > 0 ? Math.max(0, 1 - left / all) : null;
}
