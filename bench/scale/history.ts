/*
 * A history of any size: a part of it by the ways of the program, whose time is taken, and the rest
 * made within the database.
 */
import { sql } from "drizzle-orm";
import { makeCollector } from "../../src/market/collect.ts";
import { makeWalk } from "../../src/market/walk.ts";
import { wireText } from "../../src/market/wire.ts";
import { type CandleStore, makeCandleStore } from "../../src/store/candles.ts";
import type { Database } from "../../src/store/database.ts";
import { makeRemovals } from "../../src/store/retention.ts";
import { type Instant, iso, UNIT_MS } from "../../src/types.ts";

/** Five years of 4-hour candles. */
export const CANDLES = 10_950;
/** The market whose model is trained, and two others that have candles a minute apart beside. */
export const MARKETS = ["KRW-BTC", "KRW-ETH", "KRW-ADA"] as const;
/** Forecasts a market: a year of them. */
const FORECASTS = 2_190;
/** Candles that the store's own way is timed with, in pages as the exchange has them. */
const TIMED = 20_000;
const PAGE = 200;
const MINUTE_MS = 60_000;
/** Rows that one statement makes. */
const AT_ONCE = 50_000;

export interface Size {
  readonly markets: number;
  /** Candles a minute apart, of each of the three markets, before its 4-hour candles. */
  readonly minutes: number;
}

/** A hundredth of 200 markets with five years, and of three with a year of minutes, at 1. */
export const sizeOf = (level: number): Size => ({ markets: 2 * level, minutes: 5_256 * level });

/** Rows a second by each of the ways. */
export interface Ingested {
  readonly collector: number;
  readonly minutes: number;
}

/** The market of that number. */
const marketOf = (n: number): string => MARKETS[n] ?? `KRW-M${n}`;

/** Brings what is stored from one size to a greater one; its newest candle ends at `end`. */
export async function grow(
  database: Database,
  { from, to, end }: { readonly from: Size; readonly to: Size; readonly end: Instant },
): Promise<Ingested> {
  const store = makeCandleStore(database);
  const begin = end - CANDLES * UNIT_MS;
  // The model's own market at first; later one that is the first of the new ones.
  const collector = await timed(CANDLES, collecting(store, marketOf(from.markets), end));
  for (let n = from.markets + 1; n < to.markets; n++) {
    await make(database, marketOf(n), begin, UNIT_MS, CANDLES);
  }
  let minutes = Number.NaN;
  for (const market of MARKETS) {
    const isTimed = market === MARKETS[2];
    const rest = isTimed ? Math.max(from.minutes, to.minutes - TIMED) : to.minutes;
    const start = begin - to.minutes * MINUTE_MS;
    await make(database, market, start, MINUTE_MS, rest - from.minutes);
    if (!isTimed || rest >= to.minutes) continue;
    const middle = start + (rest - from.minutes) * MINUTE_MS;
    minutes = await timed(to.minutes - rest, () =>
      storePages(store, market, middle, to.minutes - rest),
    );
  }
  for (let n = from.markets; n < to.markets; n++) await makeForecasts(database, marketOf(n), end);
  // The second look at history would ask the exchange for all of it in the middle of a measurement.
  const [oldest] = await store.read(MARKETS[0], { limit: 1 });
  const audited = { auditedTo: oldest?.start ?? end, auditedAt: end };
  await store.setState(MARKETS[0], audited);
  // What Postgres does by itself within minutes; the embedded database is told to once a day.
  if (database.kind === "postgres") await database.orm.execute(sql`vacuum analyze`);
  else await makeRemovals(database).vacuum();
  return { collector, minutes };
}

/** Rows a second. */
async function timed(rows: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (rows / (performance.now() - begun)) * 1_000;
}

/** The collector as it is, over an exchange in this process that has no limit of requests. */
function collecting(store: CandleStore, market: string, end: Instant): () => Promise<void> {
  const walk = makeWalk(1, market);
  const begin = end - CANDLES * UNIT_MS;
  // Made before the time is taken: an exchange would have them.
  const newestFirst = Array.from({ length: CANDLES }, (_, i) => end - (i + 1) * UNIT_MS).flatMap(
    (start) => {
      const candle = walk.candle(start);
      return candle === null ? [] : [{ candle, lastTradeAt: start + UNIT_MS - 500 }];
    },
  );
  const pageBefore = (to: Instant) => {
    const first = newestFirst.findIndex(({ candle }) => candle.start < to);
    return first < 0 ? [] : newestFirst.slice(first, first + PAGE);
  };
  const candlesBefore = async (_: string, to: Instant) => ({
    ...{ rows: JSON.parse(wireText(pageBefore(to))) as unknown[], date: end + 10_000, requests: 1 },
  });
  const clock = { now: () => end + 10_000 };
  const collector = makeCollector({ client: { candlesBefore }, store, clock });
  return async () => void (await collector.collect(market, { since: begin }));
}

/** As the collector stores a page, of candles a minute apart. */
async function storePages(store: CandleStore, market: string, from: Instant, rows: number) {
  for (let i = 0; i < rows; i += PAGE) {
    const fresh = Array.from({ length: Math.min(PAGE, rows - i) }, (_, k) => {
      const start = from + (i + k) * MINUTE_MS;
      const prices = { open: 100.25, high: 110.5, low: 90.125, close: 100 + ((i + k) % 7) };
      const candle = { market, start, ...prices, volume: 10.12345678, turnover: 1_012.3456 };
      return { candle, lastTradeAt: start + 59_000 };
    });
    const page = { fresh, revised: [], refused: [], missing: [], at: from + i * MINUTE_MS };
    await store.storePage(market, page);
  }
}

/** Candles made in the database. */
async function make(
  database: Database,
  market: string,
  from: Instant,
  step: number,
  rows: number,
): Promise<void> {
  for (let first = 0; first < rows; first += AT_ONCE) {
    const last = Math.min(rows, first + AT_ONCE) - 1;
    await database.orm.execute(sql`
      insert into candles (market, unit, start, open, high, low, close, volume, turnover,
        last_trade_at, known_from)
      select ${market}::text, 240, at, 100.25, 110.5, 90.125, 100 + n % 7, 10.12345678, 1012.3456,
        at + interval '59 seconds', at + ${step}::integer * interval '1 millisecond'
      from generate_series(${first}::integer, ${last}::integer) as n
      cross join lateral (select ${iso(from)}::timestamptz
        + n * ${step}::bigint * interval '1 millisecond' as at) as of_row`);
  }
}

/** Forecasts of a year with their outcomes, of a model that is named for its market. */
async function makeForecasts(database: Database, market: string, end: Instant): Promise<void> {
  const from = iso(end - FORECASTS * UNIT_MS);
  await database.orm.execute(sql`
    insert into forecasts (id, model, version, model_digest, inputs_digest, market, target_start,
      made_at, answer, up, baselines, outcome, outcome_return, outcome_at)
    select ${market}::text || ' ' || n, ${market}::text, 1, md5('model'), md5(n::text),
      ${market}::text, at, at, jsonb_build_object('up', 0.5, 'text', repeat('x', 400)), 0.5,
      '{"base_rate": 0.5, "last_direction": 0.5, "contrarian": 0.5}', 'up', 0.01,
      at + interval '4 hours'
    from generate_series(0, ${FORECASTS - 1}::integer) as n
    cross join lateral (select ${from}::timestamptz + n * interval '4 hours' as at) as of_row`);
}
