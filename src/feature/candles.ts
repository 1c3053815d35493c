/*
 * Candles of one market, looked up by their instant. Nothing in this room asks for "the row
 * before": an interval without trades has no candle, and a row position would then join two
 * candles that are not neighbours.
 */
import { SluiceError } from "../errors.ts";
import type { Candle, Instant } from "../types.ts";
import { iso, UNIT_MS } from "../types.ts";

/** One market's candles; place i of every array is the slot `first + i * UNIT_MS`, NaN a hole. */
export interface Series extends Bars {
  readonly market: string;
  readonly first: Instant;
}

/** The figures of candles side by side, in arrays of one length. */
export interface Bars {
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
  readonly turnover: Float64Array;
}

export const BAR_FIELDS = ["open", "high", "low", "close", "volume", "turnover"] as const;

/** Arrays for `length` candles, all of them holes. */
export const emptyBars = (length: number): Bars => {
  const hole = (): Float64Array => new Float64Array(length).fill(Number.NaN);
  return {
    open: hole(),
    high: hole(),
    low: hole(),
    close: hole(),
    volume: hole(),
    turnover: hole(),
  };
};

/**
 * Indexes candles, given in any order, by their start. Throws `bad_candle` when one is of another
 * market, is off the 4-hour grid, or shares its start with another one.
 */
export const seriesOf = (market: string, candles: readonly Candle[]): Series => {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const candle of candles) {
    checkCandle(market, candle);
    first = Math.min(first, candle.start);
    last = Math.max(last, candle.start);
  }
  if (candles.length === 0) return { market, first: 0, ...emptyBars(0) };
  const bars = emptyBars((last - first) / UNIT_MS + 1);
  const seen = new Uint8Array(bars.close.length);
  for (const candle of candles) {
    const place = (candle.start - first) / UNIT_MS;
    if (seen[place] === 1) {
      throw badCandle(market, candle, "is there twice", "one candle a slot, the newest revision");
    }
    seen[place] = 1;
    for (const field of BAR_FIELDS) bars[field][place] = candle[field];
  }
  return { market, first, ...bars };
};

/** Place of an instant in the arrays of a series; may lie outside of them, where all is a hole. */
export const placeOf = (series: Series, t: Instant): number => (t - series.first) / UNIT_MS;

/** Close of the candle that starts at `t`, NaN when there is none. Nothing is carried here. */
export const closeAt = (series: Series, t: Instant): number =>
  series.close[placeOf(series, t)] ?? Number.NaN;

function checkCandle(market: string, candle: Candle): void {
  if (candle.market !== market) {
    throw badCandle(market, candle, `is of ${candle.market}`, `candles of ${market} only`);
  }
  if (!Number.isSafeInteger(candle.start) || candle.start % UNIT_MS !== 0) {
    throw badCandle(market, candle, "is off the grid", "starts at 00, 04, 08, 12, 16 or 20 h UTC");
  }
}

function badCandle(market: string, candle: Candle, fault: string, accepted: string): SluiceError {
  const start = Number.isSafeInteger(candle.start) ? iso(candle.start) : String(candle.start);
  return new SluiceError({
    code: "bad_candle",
    status: 422,
    detail: `series ${market}: the candle at ${start} ${fault}`,
    fix: `Give ${accepted}.`,
  });
}
