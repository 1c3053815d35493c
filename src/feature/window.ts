/*
 * The stretch of closed candles that one row of features is made of. Formulas see only this, so
 * a candle that starts at the slot or later is not there for them to read.
 */
import { log } from "../learn/math.ts";
import type { Instant } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Bars, Series } from "./candles.ts";
import { emptyBars, placeOf } from "./candles.ts";

/** Candles counted back from a slot: index 0 is the newest closed one, `depth` the oldest. */
export interface Window extends Bars {
  readonly depth: number;
  /** Log return of each candle over the one before it: many formulas need the same ones. */
  readonly moves: Float64Array;
}

/** Room for a window; it is filled again for each slot, because making it would cost the most. */
export const makeWindow = (depth: number): Window => ({
  depth,
  moves: new Float64Array(depth),
  ...emptyBars(depth + 1),
});

/**
 * Fills a window with the candles closed at `slot`, that is with start <= slot - UNIT_MS. A hole
 * becomes a flat candle of volume 0 at the last close within `within` candles before it, and NaN
 * where there is none.
 */
export const fillWindow = (window: Window, series: Series, slot: Instant, within: number): void => {
  const newest = placeOf(series, slot - UNIT_MS);
  let last = Number.NaN;
  let age = 0;
  for (let back = window.depth + within; back >= 0; back -= 1) {
    const place = newest - back;
    const close = series.close[place] ?? Number.NaN;
    const traded = !Number.isNaN(close);
    age = traded ? 0 : age + 1;
    if (traded) last = close;
    if (back > window.depth) continue;
    if (traded) copyCandle(window, back, series, place);
    else flatCandle(window, back, age <= within ? last : Number.NaN);
  }
  for (let back = 0; back < window.depth; back += 1) {
    window.moves[back] = log(window.close[back]! / window.close[back + 1]!);
  }
};

function copyCandle(window: Window, back: number, series: Series, place: number): void {
  window.open[back] = series.open[place]!;
  window.high[back] = series.high[place]!;
  window.low[back] = series.low[place]!;
  window.close[back] = series.close[place]!;
  window.volume[back] = series.volume[place]!;
  window.turnover[back] = series.turnover[place]!;
}

function flatCandle(window: Window, back: number, close: number): void {
  const nothing = Number.isNaN(close) ? Number.NaN : 0;
  window.open[back] = close;
  window.high[back] = close;
  window.low[back] = close;
  window.close[back] = close;
  window.volume[back] = nothing;
  window.turnover[back] = nothing;
}
