/*
 * For the tests of this room: candles in the wire's own form from T(0) on, an exchange in
 * process that serves them, and a store in memory.
 */
import { type CandleStore, makeCandleStore } from "../store/candles.ts";
import { migrate } from "../store/migrate.ts";
import { openScratch } from "../store/testing.ts";
import { type Candle, type Instant, UNIT_MS } from "../types.ts";
import type { Client } from "./client.ts";

const T0 = Date.parse("2025-07-01T00:00:00Z");

/** Start of the n-th candle of the tests. */
export const T = (n: number): Instant => T0 + n * UNIT_MS;

export interface WireRow extends Record<string, unknown> {
  candle_date_time_utc: string;
}

const bare = (t: Instant) => new Date(t).toISOString().slice(0, 19);

/** A valid row at T(n), with some fields made otherwise. */
export function row(n: number, changes: Record<string, unknown> = {}): WireRow {
  return {
    market: "KRW-BTC",
    candle_date_time_utc: bare(T(n)),
    candle_date_time_kst: bare(T(n) + 9 * 3_600_000),
    opening_price: 100,
    high_price: 110,
    low_price: 90,
    trade_price: 105,
    timestamp: T(n) + UNIT_MS - 1_000,
    candle_acc_trade_price: 1_050,
    candle_acc_trade_volume: 10,
    unit: 240,
    ...changes,
  };
}

/** The candle that `row(n)` tells. */
export function candleAt(n: number, changes: Partial<Candle> = {}): Candle {
  return {
    market: "KRW-BTC",
    start: T(n),
    open: 100,
    high: 110,
    low: 90,
    close: 105,
    volume: 10,
    turnover: 1_050,
    ...changes,
  };
}

/** The numbers from `from` up to, not including, `to`. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** A store over an empty database in memory; `close` it when done. */
export async function memoryStore(): Promise<{ store: CandleStore; close(): Promise<void> }> {
  const database = await openScratch();
  await migrate(database);
  return { store: makeCandleStore(database), close: () => database.close() };
}

export interface FakeExchange extends Pick<Client, "candlesBefore"> {
  /** What it has, in any order; tests change it. */
  rows: WireRow[];
  /** The Date of its answers; null sends none. */
  date: Instant | null;
  /** Instants asked for, newest request last. */
  readonly asked: Instant[];
  /** Changes the page of one request (counted from 1); what it throws is thrown. */
  meddle: (page: WireRow[], request: number) => unknown[];
}

/** An exchange in process that pages as the real one: newest first, `to` exclusive. */
export function fakeExchange(rows: WireRow[] = []): FakeExchange {
  const startOf = (r: WireRow) => Date.parse(`${r.candle_date_time_utc}Z`);
  const exchange: FakeExchange = {
    rows,
    date: null,
    asked: [],
    meddle: (page) => page,
    async candlesBefore(market, to, count = 200) {
      exchange.asked.push(to);
      const page = exchange.rows
        .filter((r) => r["market"] === market && startOf(r) < to)
        .sort((a, b) => startOf(b) - startOf(a))
        .slice(0, count);
      const served = exchange.meddle(page, exchange.asked.length);
      return { rows: served, date: exchange.date, requests: 1 };
    },
  };
  return exchange;
}
