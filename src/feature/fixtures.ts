/*
 * Candles for tests. T(n) is the slot n candles after 2025-07-01T00:00:00Z.
 */
import type { Candle, Instant } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import { seriesOf } from "./candles.ts";

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
