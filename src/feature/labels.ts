/*
 * What a candle did. The label of slot t is the log return from the close of the candle before to
 * the close of the candle that starts at t: the horizon is one candle.
 */
import { log } from "../learn/math.ts";
import type { Instant } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import { closeAt } from "./candles.ts";

/** How many candles a label looks ahead; splits must purge as many rows. */
export const HORIZON = 1;

/** Names that belong to labels; no feature may have one. */
export const TARGETS: readonly string[] = [
  "up",
  "return",
  "returns",
  "unchanged",
  "label",
  "target",
];

/**
 * `up` is what the probability is about: return > 0. A price that stayed the same is not up, but
 * it is not down either (ADA stands still in one candle of sixteen), so it is marked on its own.
 */
export interface Label {
  readonly return: number;
  readonly up: boolean;
  readonly unchanged: boolean;
}

/**
 * The label of a slot, or null where the candle or the one before it is missing. Nothing is
 * carried into a label: a hole did not happen, so there is nothing to be right or wrong about.
 */
export const labelAt = (series: Series, slot: Instant): Label | null => {
  const close = closeAt(series, slot);
  const before = closeAt(series, slot - UNIT_MS);
  if (Number.isNaN(close) || Number.isNaN(before)) return null;
  const moved = log(close / before);
  // Compared as prices: a tiny move must not be lost in the logarithm.
  return { return: moved, up: close > before, unchanged: close === before };
};
