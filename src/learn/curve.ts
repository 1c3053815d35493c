/*
 * How a loss went round by round, thinned to what can be looked at.
 */

/** The mean loss after so many rounds of boosting. */
export interface RoundLoss {
  readonly round: number;
  readonly loss: number;
}

/** The losses of one fit: on rows that it did not see, and on those that it was fitted to. */
export interface RoundCurve {
  readonly validation: readonly RoundLoss[];
  /** Empty where it was not followed. */
  readonly train: readonly RoundLoss[];
  /** The lowest validation loss, of equals the first. */
  readonly best: RoundLoss;
}

/** Points of a curve at most: a screen shows no more. */
export const CURVE_POINTS = 1_000;

/**
 * Losses after 0, 1, 2… rounds as points: all of them, or `most` of them (3 at least) evenly spaced,
 * and always the first, the lowest and the last. None of no losses.
 */
export const curveOf = (losses: ArrayLike<number>, most = CURVE_POINTS): RoundLoss[] => {
  const { length } = losses;
  const at = (round: number): RoundLoss => ({ round, loss: losses[round]! });
  if (length <= most) return Array.from({ length }, (_, round) => at(round));
  const even = most - 1;
  const rounds = Array.from({ length: even }, (_, i) =>
    Math.round((i * (length - 1)) / (even - 1)),
  );
  return [...new Set([...rounds, lowest(losses)])].sort((a, b) => a - b).map(at);
};

/** The round of the lowest loss, of equals the first; 0 of none. */
export const lowest = (losses: ArrayLike<number>): number => {
  let best = 0;
  for (let round = 1; round < losses.length; round++) {
    if (losses[round]! < losses[best]!) best = round;
  }
  return best;
};
