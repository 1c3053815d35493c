/*
 * Whether the rows to be tested on are like those to learn from, column by column.
 */
import type { Column } from "../learn/types.ts";
import { groupsOf } from "./groups.ts";

const BINS = 10;

/**
 * The population stability index between two sets of rows: sum over groups of (q - p) ln(q / p),
 * where p and q are their shares (half a row is added to each count, so that none is 0). Chance
 * alone makes it about (groups - 1)(1/n + 1/m) (Yurdakul 2018), which is taken off: what is left is
 * 0 for rows of one kind, however few they are. Below 0.1 is taken as the same, above 0.25 not.
 */
export function stabilityIndex(column: Column, from: Int32Array, to: Int32Array): number {
  const before = groupsOf(column, from, from, BINS);
  const after = groupsOf(column, to, from, BINS);
  const counts = [new Float64Array(before.count), new Float64Array(before.count)] as const;
  for (const group of before.of) counts[0][group]! += 1;
  for (const group of after.of) counts[1][group]! += 1;
  let index = 0;
  let groups = 0;
  for (let group = 0; group < before.count; group++) {
    const [n = 0, m = 0] = [counts[0][group], counts[1][group]];
    if (n + m === 0) continue;
    groups++;
    const p = (n + 0.5) / (from.length + 0.5 * before.count);
    const q = (m + 0.5) / (to.length + 0.5 * before.count);
    index += (q - p) * Math.log(q / p);
  }
  return Math.max(0, index - (groups - 1) * (1 / from.length + 1 / to.length));
}
