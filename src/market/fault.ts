/*
 * What goes wrong on an exchange, to be rehearsed on the simulated one. Wire faults take the
 * place of an answer; row faults change rows of it. Pure.
 */
import { type WireCandle, wireTime } from "./wire.ts";

const WIRE = [
  "429",
  "418",
  "500",
  "503-html",
  "empty-body",
  "empty-page",
  "truncated-json",
  "not-an-array",
  "redirect",
  "reset",
  "stall",
  "slow",
] as const;

type WireFault = (typeof WIRE)[number];
type RowFault =
  | ("drop" | "duplicate" | "conflict" | "revise" | "high-below-low" | "null-price")
  | ("negative-volume" | "off-grid" | "no-time" | "wrong-market" | "unsorted" | "kst-mismatch");

export interface Fault {
  readonly kind: WireFault | RowFault;
  readonly market?: string;
  /** Start of the row that it is about; absent = the second row of the page. */
  readonly at?: number;
  /** How long `slow` and the block of `418` last. */
  readonly ms?: number;
  /** How many answers it spoils, 1 unless told otherwise; -1 = all until it is taken away. */
  times?: number;
}

/** Whether the fault takes the place of the whole answer. */
export const isWireFault = (fault: Fault): boolean =>
  (WIRE as readonly string[]).includes(fault.kind);

/** The page as the fault leaves it; a row that is not on the page is not touched. */
export function spoil(rows: readonly WireCandle[], fault: Fault): WireCandle[] {
  if (fault.kind === "unsorted") return rows.toReversed();
  if (fault.kind === "wrong-market") return rows.map((row) => change(row, { market: "KRW-XRP" }));
  const i =
    fault.at === undefined
      ? Math.min(1, rows.length - 1)
      : rows.findIndex((row) => row.candle.start === fault.at);
  const row = rows[i];
  if (row === undefined) return [...rows];
  return rows.toSpliced(i, 1, ...spoilRow(row, fault.kind));
}

/** What stands in the place of the row. */
function spoilRow(row: WireCandle, kind: Fault["kind"]): WireCandle[] {
  const { start, open, high, low, close } = row.candle;
  switch (kind) {
    case "drop":
      return [];
    case "duplicate":
      return [row, row];
    case "conflict":
      return [row, change(row, { trade_price: otherClose(row) })];
    case "revise":
      return [change(row, { trade_price: otherClose(row) })];
    case "high-below-low":
      return [change(row, { high_price: low * 0.99, low_price: Math.max(open, close, high) })];
    case "null-price":
      return [change(row, { trade_price: null })];
    case "negative-volume":
      return [change(row, { candle_acc_trade_volume: -1 })];
    case "off-grid":
      return [change(row, { candle_date_time_utc: wireTime(start + 1_000) })];
    case "no-time":
      return [change(row, { candle_date_time_utc: "soon" })];
    case "kst-mismatch":
      return [change(row, { candle_date_time_kst: wireTime(start) })];
    default:
      return [row];
  }
}

const change = (row: WireCandle, changes: Record<string, unknown>): WireCandle => ({
  ...row,
  changes: { ...row.changes, ...changes },
});

/** Another close that the candle could have had. */
const otherClose = ({ candle }: WireCandle): number =>
  candle.close === candle.low ? candle.high : candle.low;
