/*
 * What a leaf is worth. With the sums G and H of its rows' gradients and hessians, a value v
 * changes the loss (to second order, times two) by 2 G v + 2 l1 |v| + (H + l2) v^2. The best v is
 * -S / (H + l2), where S is G drawn towards 0 by l1, and takes S^2 / (H + l2) off the loss; that is
 * the leaf's score (Friedman 2001; Chen and Guestrin 2016).
 */

/** Draws values towards 0. */
export interface Penalty {
  readonly l1: number;
  readonly l2: number;
}

/** What a leaf's value may be: not free where a column must be monotone. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export const FREE: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

const shrunk = (gradient: number, l1: number): number =>
  gradient > l1 ? gradient - l1 : gradient < -l1 ? gradient + l1 : 0;

/** The value of a leaf within its bounds, before shrinkage by the rate; 0 of no hessian at all. */
export const bestValue = (
  gradient: number,
  hessian: number,
  { l1, l2 }: Penalty,
  { low, high }: Bounds,
): number => {
  const best = hessian + l2 > 0 ? -shrunk(gradient, l1) / (hessian + l2) : 0;
  return best < low ? low : best > high ? high : best;
};

/** What a leaf takes off the loss with a value, times two. */
export const worth = (
  gradient: number,
  hessian: number,
  value: number,
  { l1, l2 }: Penalty,
): number => -(2 * gradient * value + 2 * l1 * Math.abs(value) + (hessian + l2) * value * value);

/** What a split must keep to. */
export interface SplitRules extends Penalty {
  readonly minGain: number;
  readonly minRows: number;
  readonly minHessian: number;
  /** A column's sign: 1 where the answer may not fall as it grows, -1 where it may not rise. */
  readonly signs: Int8Array | null;
}

/** Sums over the rows of a leaf. */
export interface Sums {
  readonly gradient: number;
  readonly hessian: number;
  readonly rows: number;
}

/** The gain of a split into (g, h) and the rest of the sums, whose worth is `whole`. */
export type GainOf = (g: number, h: number, sums: Sums, whole: number) => number;

/** Whether the plain formula holds: nothing but l2 draws on the values. */
export const isFree = ({ l1 }: Penalty, { low, high }: Bounds): boolean =>
  l1 === 0 && low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY;

/** The scores of two sides together, by one division instead of two. */
export const scores = (g: number, h: number, restG: number, restH: number, l2: number): number =>
  (g * g * (restH + l2) + restG * restG * (h + l2)) / ((h + l2) * (restH + l2));

/** Gain where values are drawn on by more than l2; below every other where the sign is broken. */
export const makeGain = (
  { l1, l2 }: Penalty,
  bounds: Bounds,
  extraL2: number,
  sign: number,
): GainOf => {
  const penalty = { l1, l2: l2 + extraL2 };
  return (g, h, sums, whole) => {
    const [restG, restH] = [sums.gradient - g, sums.hessian - h];
    const left = bestValue(g, h, penalty, bounds);
    const right = bestValue(restG, restH, penalty, bounds);
    if (sign * (right - left) < 0) return Number.NEGATIVE_INFINITY;
    return worth(g, h, left, penalty) + worth(restG, restH, right, penalty) - whole;
  };
};
