/*
 * Splits of a category column: a set of levels goes left. In the order of their mean gradients the
 * best set is a beginning or an end (Fisher 1958), so only those are tried. Many levels leave much
 * room to fit noise, so sets are held to harder rules than thresholds are.
 */
import { type Bounds, isFree, makeGain, type SplitRules, type Sums, scores } from "./gain.ts";
import { WIDTH } from "./kernels.ts";

/** Up to so many levels present, each is tried alone against the others. */
const ONE_BY_ONE = 4;
/** Added to a level's hessian before its mean gradient is compared with others'. */
const SMOOTHING = 10;
const EXTRA_L2 = 10;
/** Rows that a set must grow by before it is tried again. */
const GROUP_ROWS = 100;
const LARGEST_SET = 32;

/** Finds sets; bin 0, missing and rare, never enters one. */
export const makeSetFinder = (rules: SplitRules) => {
  const { l2, minRows, minHessian } = rules;
  const order = new Uint8Array(256);
  const means = new Float64Array(256);
  // The best set so far: `taken` levels of the order from `first` on, `step` apart.
  let first = 0;
  let step = 1;
  let taken = 0;

  /** Tries the levels from `from` on, up to `most` together; the largest gain, or `toBeat`. */
  const tryFrom = (
    cells: Float64Array,
    start: number,
    sums: Sums,
    whole: number,
    bounds: Bounds,
    from: number,
    by: number,
    most: number,
    group: number,
    extraL2: number,
    toBeat: number,
  ): number => {
    const gainOf = isFree(rules, bounds) ? null : makeGain(rules, bounds, extraL2, 0);
    const mostRows = sums.rows - Math.max(minRows, group);
    let gain = toBeat;
    let gradient = 0;
    let hessian = 0;
    let rows = 0;
    let joined = 0;
    for (let i = 0, o = from; i < most; i++, o += by) {
      const at = start + order[o]! * WIDTH;
      gradient += cells[at]!;
      hessian += cells[at + 1]!;
      rows += cells[at + 2]!;
      joined += cells[at + 2]!;
      if (rows < minRows || hessian < minHessian || joined < group) continue;
      const rest = sums.hessian - hessian;
      if (rows > mostRows || rest < minHessian) break;
      joined = 0;
      // The whole keeps the plain l2: a set has to earn its freedom.
      const found =
        gainOf === null
          ? scores(gradient, hessian, sums.gradient - gradient, rest, l2 + extraL2) - whole
          : gainOf(gradient, hessian, sums, whole);
      if (!(found > gain)) continue;
      gain = found;
      first = from;
      step = by;
      taken = i + 1;
    }
    return gain;
  };

  /** The largest gain of a set of the column's levels above `toBeat`, or `toBeat`. */
  const look = (
    cells: Float64Array,
    start: number,
    size: number,
    sums: Sums,
    whole: number,
    bounds: Bounds,
    toBeat: number,
  ): number => {
    let count = 0;
    for (let bin = 1; bin < size; bin++) {
      const at = start + bin * WIDTH;
      if (cells[at + 2]! === 0) continue;
      means[bin] = cells[at]! / (cells[at + 1]! + SMOOTHING);
      order[count++] = bin;
    }
    let gain = toBeat;
    if (count <= ONE_BY_ONE) {
      for (let o = 0; o < count; o++) {
        gain = tryFrom(cells, start, sums, whole, bounds, o, 1, 1, 0, 0, gain);
      }
      return gain;
    }
    sortByMean(order, count, means);
    const most = Math.min(count, LARGEST_SET);
    const [group, extra] = [GROUP_ROWS, EXTRA_L2];
    gain = tryFrom(cells, start, sums, whole, bounds, 0, 1, most, group, extra, gain);
    return tryFrom(cells, start, sums, whole, bounds, count - 1, -1, most, group, extra, gain);
  };

  const keep = (goesLeft: Uint8Array): void => {
    goesLeft.fill(0);
    for (let i = 0, o = first; i < taken; i++, o += step) goesLeft[order[o]!] = 1;
  };
  return { look, keep };
};

/** Sorts the first `count` bins by their means, equal ones by bin. Shell's way: no closures. */
const sortByMean = (order: Uint8Array, count: number, means: Float64Array): void => {
  for (const gap of [57, 23, 10, 4, 1]) {
    for (let i = gap; i < count; i++) {
      const bin = order[i]!;
      const mean = means[bin]!;
      let at = i;
      for (; at >= gap; at -= gap) {
        const other = order[at - gap]!;
        if (means[other]! < mean || (means[other]! === mean && other < bin)) break;
        order[at] = other;
      }
      order[at] = bin;
    }
  }
};
