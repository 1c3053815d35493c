/*
 * Candles in the exchange's own form: field names, times without a zone, numbers with eight
 * decimals.
 */
import { type Candle, type Instant, UNIT_MINUTES } from "../types.ts";

/** A candle on its way to the wire, with fields that a fault may have made otherwise. */
export interface WireCandle {
  readonly candle: Candle;
  readonly lastTradeAt: Instant;
  readonly changes?: Readonly<Record<string, unknown>>;
}

const KST_AHEAD_MS = 9 * 3_600_000;

/** The body of a page. */
export const wireText = (rows: readonly WireCandle[]): string => `[${rows.map(rowText).join(",")}]`;

/** A start as the exchange writes it: without a zone. */
export const wireTime = (t: Instant): string => new Date(t).toISOString().slice(0, 19);

function rowText({ candle, lastTradeAt, changes = {} }: WireCandle): string {
  const fields: Record<string, unknown> = {
    market: candle.market,
    candle_date_time_utc: wireTime(candle.start),
    candle_date_time_kst: wireTime(candle.start + KST_AHEAD_MS),
    opening_price: candle.open,
    high_price: candle.high,
    low_price: candle.low,
    trade_price: candle.close,
    timestamp: lastTradeAt,
    candle_acc_trade_price: candle.turnover,
    candle_acc_trade_volume: candle.volume,
    unit: UNIT_MINUTES,
    ...changes,
  };
  return `{${Object.entries(fields).map(fieldText).join(",")}}`;
}

/** Prices and amounts are printed as the exchange does: 47108000.00000000. */
function fieldText([name, value]: [string, unknown]): string {
  const isAmount = /_(price|volume)$/.test(name) && typeof value === "number";
  return `"${name}":${isAmount ? value.toFixed(8) : JSON.stringify(value)}`;
}
