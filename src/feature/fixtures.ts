/*
 * Candles for tests. T(n) is the slot n candles after 2025-07-01T00:00:00Z.
 */
import type { Candle, Instant } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import { seriesOf } from "./candles.ts";
import type { FeatureGroups, FeatureSpec } from "./spec.ts";
import { defaultSpec } from "./spec.ts";

export const T0: Instant = Date.parse("2025-07-01T00:00:00Z");
export const T = (n: number): Instant => T0 + n * UNIT_MS;

/** A valid candle at T(n) with the given close; the other figures lie around it. */
export const candleAt = (n: number, close = 105, market = "KRW-BTC"): Candle => ({
  market,
  start: T(n),
  open: close * 0.99,
  high: close * 1.02,
  low: close * 0.98,
  close,
  volume: 10 + (n % 7),
  turnover: close * (10 + (n % 7)),
});

/** Numbers in [0, 1) from a seed (xorshift), so that tests say the same each time. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
};

/** A random walk of `count` candles from T(0). */
export const walk = (count: number, seed: number, market = "KRW-BTC"): readonly Candle[] => {
  const random = randomOf(seed);
  let close = 50_000_000;
  return Array.from({ length: count }, (_, n) => {
    const open = close;
    close *= Math.exp((random() + random() + random() - 1.5) * 0.02);
    const volume = 1 + random() * 20;
    return {
      market,
      start: T(n),
      open,
      high: Math.max(open, close) * (1 + random() * 0.01),
      low: Math.min(open, close) * (1 - random() * 0.01),
      close,
      volume,
      turnover: volume * (open + close) * 0.5,
    };
  });
};

/** Candles of several markets as the map that features are computed from. */
export const mapOf = (...lists: readonly (readonly Candle[])[]): ReadonlyMap<string, Series> =>
  new Map(lists.map((list) => [list[0]!.market, seriesOf(list[0]!.market, list)]));

/** A spec with every group on. */
export const fullSpec = (peers: readonly string[]): FeatureSpec => ({
  ...defaultSpec(peers),
  groups: {
    ...defaultSpec(peers).groups,
    returns: [1, 2, 3, 6, 12, 18, 42, 84],
    lags: [1, 2, 3, 4, 5],
    volume: [6, 42],
    turnover: [6, 42],
    rsi: [14],
    distance: [6, 18, 42],
    peers: [1, 6],
  },
});

/** Every group off. */
export const OFF: FeatureGroups = {
  returns: [],
  lags: [],
  shape: false,
  volatility: [],
  scaled: [],
  scaledLags: [],
  bounded: [],
  volatilityRatio: [],
  scaledRange: [],
  scaledDistance: [],
  step: [],
  volume: [],
  turnover: [],
  rsi: [],
  stochastic: [],
  distance: [],
  calendar: false,
  peers: [],
  others: [],
  placeByHour: false,
};
