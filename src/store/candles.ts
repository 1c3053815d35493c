/*
 * The SQL of candles, their versions, holes and quarantine. What a market's whole history is asked
 * for is answered within the database, so that the program reads no more than what it works with.
 */
import {
  and,
  asc,
  count,
  desc,
  eq,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  type SQL,
  sql,
} from "drizzle-orm";
import { type Candle, type Instant, iso, UNIT_MINUTES, UNIT_MS } from "../types.ts";
import {
  type PageCounts,
  type PageWrite,
  type RefusedRow,
  settleHoles,
  writePage,
} from "./candles-write.ts";
import type { Database } from "./database.ts";
import { candles, holes, markets, quarantine } from "./schema.ts";

/** One version of a candle; `knownTo` null is the one in force. */
export interface CandleVersion {
  readonly candle: Candle;
  readonly knownFrom: Instant;
  readonly knownTo: Instant | null;
}

export type HoleState = "unknown" | "confirmed_empty" | "filled";

export interface Hole {
  readonly start: Instant;
  readonly state: HoleState;
  readonly asked: number;
}

/** A row in quarantine; `seen` counts how often the same bad row came. */
export interface QuarantinedRow extends RefusedRow {
  readonly id: number;
  readonly market: string;
  readonly seen: number;
  readonly firstSeenAt: Instant;
  readonly lastSeenAt: Instant;
}

export interface MarketState {
  readonly firstStart: Instant | null;
  readonly auditedTo: Instant | null;
  readonly auditedAt: Instant | null;
  readonly trouble: string | null;
  readonly troubleAt: Instant | null;
}

/** Both ends are starts of candles: `from` belongs to the range, `to` does not. */
export interface Range {
  readonly from?: Instant;
  readonly to?: Instant;
}

export interface ReadOptions extends Range {
  /** Only what was known at this instant; absent = what is in force now. */
  readonly asOf?: Instant;
  readonly limit?: number;
  readonly order?: "asc" | "desc";
}

export interface CandleStore {
  /** Candles in order of their start, oldest first unless told otherwise. */
  read(market: string, options?: ReadOptions): Promise<Candle[]>;
  /** The versions in force of a range, with the instant since when. */
  inForce(market: string, range?: Range): Promise<CandleVersion[]>;
  /** The versions that a revision replaced, oldest start first. */
  revisionsOf(market: string, range?: Range): Promise<CandleVersion[]>;
  /** Starts of the stored candles, oldest first. */
  startsOf(market: string, range?: Range): Promise<Instant[]>;
  holesOf(market: string, range?: Range, states?: readonly HoleState[]): Promise<Hole[]>;
  /** How many holes of a range are in each state. */
  holeCounts(market: string, range?: Range): Promise<Readonly<Record<HoleState, number>>>;
  /** Start of the newest slot of a range that has neither a candle nor a hole, or null. */
  newestOpen(market: string, range: Required<Range>): Promise<Instant | null>;
  /** How many slots of a range have neither a candle nor a hole. */
  countOpen(market: string, range: Required<Range>): Promise<number>;
  /** Start of the newest stored candle, or null. */
  newest(market: string): Promise<Instant | null>;
  /** Start of the oldest stored candle, or null. */
  oldest(market: string): Promise<Instant | null>;
  countOf(market: string, range?: Range): Promise<number>;
  /** Stores one answer in one transaction. */
  storePage(market: string, page: PageWrite): Promise<PageCounts>;
  /** Notes that unknown holes were asked for again: `empty` are confirmed, `open` stay unknown. */
  settleHoles(
    market: string,
    asked: { readonly empty: readonly Instant[]; readonly open: readonly Instant[] },
    at: Instant,
  ): Promise<void>;
  /** Rows in quarantine, newest first; `before` is the id that the last page ended with. */
  quarantined(options?: QuarantineOptions): Promise<QuarantinedRow[]>;
  stateOf(market: string): Promise<MarketState>;
  setState(market: string, change: Partial<MarketState>): Promise<void>;
}

export interface QuarantineOptions extends Range {
  readonly market?: string;
  readonly limit?: number;
  readonly before?: number;
}

const NO_STATE: MarketState = {
  firstStart: null,
  auditedTo: null,
  auditedAt: null,
  trouble: null,
  troubleAt: null,
};

/** The store of candles over a database. */
export function makeCandleStore(database: Pick<Database, "orm" | "rows">): CandleStore {
  const db = database.orm;

  const read: CandleStore["read"] = async (
    market,
    { asOf, limit, order = "asc", ...range } = {},
  ) => {
    const inForce = sql`known_to is null`;
    const rows = sql`
      select start, open, high, low, close, volume, turnover from candles
      where ${slotsOf(market, range)} and ${asOf === undefined ? inForce : knownAt(asOf)}
      order by start ${sql.raw(order)}
      ${limit === undefined ? sql`` : sql`limit ${limit}::integer`}`;
    // Put together there: a row of the driver's own costs several times as much as the row itself.
    const [all] = await database.rows<{ text: string | null }>(sql`
      select json_agg(json_build_array(extract(epoch from start) * 1000,
        open, high, low, close, volume, turnover))::text as text
      from (${rows}) as those`);
    return (JSON.parse(all?.text ?? "[]") as Figures[]).map((row) => candleOf(market, row));
  };

  const versions = async (market: string, range: Range, which: SQL): Promise<CandleVersion[]> => {
    const rows = await db
      .select(VERSION)
      .from(candles)
      .where(and(ofMarket(candles, market), within(candles.start, range), which))
      .orderBy(asc(candles.start), asc(candles.knownFrom));
    return rows.map(({ knownFrom, knownTo, ...row }) => ({
      ...{ candle: { market, ...row }, knownFrom, knownTo },
    }));
  };

  const edge = async (market: string, order: SQL): Promise<Instant | null> => {
    const rows = await db
      .select({ start: candles.start })
      .from(candles)
      .where(and(ofMarket(candles, market), isNull(candles.knownTo)))
      .orderBy(order)
      .limit(1);
    return rows[0]?.start ?? null;
  };

  return {
    read,
    inForce: (market, range = {}) => versions(market, range, isNull(candles.knownTo)),
    revisionsOf: (market, range = {}) => versions(market, range, isNotNull(candles.knownTo)),
    startsOf: async (market, range = {}) => {
      const rows = await db
        .select({ start: candles.start })
        .from(candles)
        .where(
          and(ofMarket(candles, market), within(candles.start, range), isNull(candles.knownTo)),
        )
        .orderBy(asc(candles.start));
      return rows.map((r) => r.start);
    },
    holesOf: async (market, range = {}, states) =>
      db
        .select({ start: holes.start, state: holes.state, asked: holes.asked })
        .from(holes)
        .where(
          and(
            ofMarket(holes, market),
            within(holes.start, range),
            states === undefined ? undefined : inArray(holes.state, [...states]),
          ),
        )
        .orderBy(asc(holes.start)),
    holeCounts: async (market, range = {}) => {
      const rows = await database.rows<{ state: HoleState; n: number }>(sql`
        select state, count(*)::integer as n from holes where ${slotsOf(market, range)}
        group by state`);
      const counts = { unknown: 0, confirmed_empty: 0, filled: 0 };
      for (const { state, n } of rows) counts[state] = n;
      return counts;
    },
    newestOpen: async (market, { from, to }) => {
      if (from >= to) return null;
      // From the newest back, and no further than to the first gap: both lists come in that order,
      // else all of them would be sorted first. The slot below the range counts as known, so that
      // a gap at its lower end is one between two known slots as well.
      const rows = await database.rows<{ later: Date | string }>(sql`
        select later from (
          select start, lag(start, 1, ${iso(to)}::timestamptz) over (order by start desc) as later
          from (${knownSlots(market, { from, to }, sql`order by start desc`)}
            union all select ${iso(from - UNIT_MS)}::timestamptz) as known) as pairs
        where later - start > ${UNIT} order by start desc limit 1`);
      const later = rows[0]?.later;
      return later === undefined ? null : new Date(later).getTime() - UNIT_MS;
    },
    countOpen: async (market, range) => {
      const [row] = await database.rows<{ n: number }>(sql`
        select count(distinct start)::integer as n
        from (${knownSlots(market, range)}) as known`);
      return Math.max(0, (range.to - range.from) / UNIT_MS - (row?.n ?? 0));
    },
    newest: (market) => edge(market, desc(candles.start)),
    oldest: (market) => edge(market, asc(candles.start)),
    countOf: async (market, range = {}) => {
      const rows = await db
        .select({ n: count() })
        .from(candles)
        .where(
          and(ofMarket(candles, market), within(candles.start, range), isNull(candles.knownTo)),
        );
      return rows[0]?.n ?? 0;
    },
    storePage: (market, page) => db.transaction((tx) => writePage(database, tx, market, page)),
    settleHoles: (market, asked, at) =>
      db.transaction((tx) => settleHoles(database, tx, market, asked, at)),
    quarantined: async (options = {}) => {
      const { market, limit = 100, before } = options;
      const rows = await db
        .select()
        .from(quarantine)
        .where(
          and(
            market === undefined ? undefined : ofMarket(quarantine, market),
            within(quarantine.start, options),
            before === undefined ? undefined : lt(quarantine.id, before),
          ),
        )
        .orderBy(desc(quarantine.id))
        .limit(limit);
      return rows.map(({ unit: _, digest: __, ...row }) => row);
    },
    stateOf: async (market) => {
      const rows = await db.select().from(markets).where(eq(markets.market, market));
      const { market: _, unit: __, ...state } = rows[0] ?? { market, unit: 0, ...NO_STATE };
      return state;
    },
    setState: async (market, change) => {
      await db
        .insert(markets)
        .values({ market, unit: UNIT_MINUTES, ...change })
        .onConflictDoUpdate({ target: markets.market, set: { ...change, market } });
    },
  };
}

type WithMarket = typeof candles | typeof holes | typeof quarantine;

const ofMarket = (table: WithMarket, market: string) =>
  and(eq(table.market, market), eq(table.unit, UNIT_MINUTES));

const within = (start: WithMarket["start"], { from, to }: Range) =>
  and(
    from === undefined ? undefined : gte(start, from),
    to === undefined ? undefined : lt(start, to),
  );

/** The same in SQL by hand. */
const slotsOf = (market: string, { from, to }: Range): SQL => sql`
  market = ${market}::text and unit = ${UNIT_MINUTES}::integer
  ${from === undefined ? sql`` : sql`and start >= ${iso(from)}::timestamptz`}
  ${to === undefined ? sql`` : sql`and start < ${iso(to)}::timestamptz`}`;

const knownAt = (t: Instant): SQL => sql`
  known_from <= ${iso(t)}::timestamptz
  and (known_to is null or known_to > ${iso(t)}::timestamptz)`;

/** Slots with a candle or a hole; a hole that was filled comes twice. */
const knownSlots = (market: string, range: Range, order = sql``): SQL => sql`
  (select start from candles where ${slotsOf(market, range)} and known_to is null ${order})
  union all (select start from holes where ${slotsOf(market, range)} ${order})`;

const UNIT = sql.raw(`interval '${UNIT_MINUTES} minutes'`);

/** Start, open, high, low, close, volume, turnover. */
type Figures = [number, number, number, number, number, number, number];

const candleOf = (market: string, figures: Figures): Candle => {
  const [start, open, high, low, close, volume, turnover] = figures;
  return { market, start, open, high, low, close, volume, turnover };
};

const VERSION = {
  ...{ start: candles.start, open: candles.open, high: candles.high, low: candles.low },
  ...{ close: candles.close, volume: candles.volume, turnover: candles.turnover },
  ...{ knownFrom: candles.knownFrom, knownTo: candles.knownTo },
};
