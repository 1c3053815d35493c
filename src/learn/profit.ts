/*
 * What following the forecasts would have earned: one column beside the others, and the least of
 * them. It knows fees and nothing of spreads, of orders that are not filled, or of taxes.
 */
import { exp, log } from "./math.ts";

/** Log returns a row: of following the forecasts, and of having bought at the start. */
export interface Profit {
  readonly followed: Float64Array;
  readonly held: Float64Array;
}

/**
 * In the market during a candle whose probability of up is above one half, out of it otherwise.
 * Buying and selling cost the share `cost` of the amount each; what is held at the end is sold.
 */
export const profitOf = (
  probability: Float64Array,
  returns: Float64Array,
  cost: number,
): Profit => {
  const fee = log(1 - cost);
  const last = returns.length - 1;
  const held = returns.map((r, i) => r + (i === 0 ? fee : 0) + (i === last ? fee : 0));
  let isIn = false;
  const followed = returns.map((r, i) => {
    const isWanted = probability[i]! > 0.5;
    const trades = (isWanted === isIn ? 0 : 1) + (isWanted && i === last ? 1 : 0);
    isIn = isWanted;
    return (isWanted ? r : 0) + trades * fee;
  });
  return { followed, held };
};

/** The gain that log returns come to, as a share: 0.1 is ten per cent. */
export const gainOf = (returns: Float64Array): number =>
  exp(returns.reduce((sum, r) => sum + r, 0)) - 1;
