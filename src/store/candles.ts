/*
 * The SQL of candles, their versions, holes and quarantine. Every write is safe to repeat and
 * safe beside another replica that writes the same page: the unique keys decide who was first.
 */
import {
  and,
  asc,
  count,
  desc,
  eq,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  or,
  type SQL,
  sql,
} from "drizzle-orm";
import { type Candle, type Instant, UNIT_MINUTES } from "../types.ts";
import type { Database, Orm } from "./database.ts";
import { candles, holes, markets, quarantine } from "./schema.ts";

/** A closed candle as an answer told it. */
export interface SeenCandle {
  readonly candle: Candle;
  readonly lastTradeAt: Instant;
}

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

/** A row that verification refused, before it is stored. */
export interface RefusedRow {
  readonly start: Instant | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string;
}

/** A row in quarantine; `seen` counts how often the same bad row came. */
export interface QuarantinedRow extends RefusedRow {
  readonly id: number;
  readonly market: string;
  readonly seen: number;
  readonly firstSeenAt: Instant;
  readonly lastSeenAt: Instant;
}

/** What one answer changes; `replaces` is the `knownFrom` of the version that was compared. */
export interface PageWrite {
  readonly fresh: readonly SeenCandle[];
  readonly revised: readonly { readonly row: SeenCandle; readonly replaces: Instant }[];
  readonly refused: readonly RefusedRow[];
  readonly missing: readonly Instant[];
  /** When the answer came, by the exchange's clock: the `knownFrom` of what it brought. */
  readonly at: Instant;
}

/** How much of a write was new; a repeated write counts nothing. */
export interface PageCounts {
  readonly stored: number;
  readonly revised: number;
  readonly quarantined: number;
  readonly filled: number;
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
export function makeCandleStore(database: Pick<Database, "orm">): CandleStore {
  const db = database.orm;

  const read: CandleStore["read"] = async (market, options = {}) => {
    const { asOf, limit, order = "asc" } = options;
    const known = asOf === undefined ? isNull(candles.knownTo) : knownAt(asOf);
    const query = db
      .select()
      .from(candles)
      .where(and(ofMarket(candles, market), within(candles.start, options), known))
      .orderBy(order === "asc" ? asc(candles.start) : desc(candles.start));
    return (await (limit === undefined ? query : query.limit(limit))).map(candleOf);
  };

  const versions = async (market: string, range: Range, which: SQL): Promise<CandleVersion[]> => {
    const rows = await db
      .select()
      .from(candles)
      .where(and(ofMarket(candles, market), within(candles.start, range), which))
      .orderBy(asc(candles.start), asc(candles.knownFrom));
    return rows.map((r) => ({ candle: candleOf(r), knownFrom: r.knownFrom, knownTo: r.knownTo }));
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
    storePage: (market, page) => db.transaction((tx) => writePage(tx, market, page)),
    settleHoles: (market, { empty, open }, at) =>
      db.transaction(async (tx) => {
        const asked = { asked: sql`${holes.asked} + 1`, askedAt: at };
        const confirmed = { ...asked, state: "confirmed_empty" as const, settledAt: at };
        const those = (starts: readonly Instant[]) =>
          and(ofMarket(holes, market), inArray(holes.start, [...starts]), unknownHole);
        for (const part of chunks(empty)) await tx.update(holes).set(confirmed).where(those(part));
        for (const part of chunks(open)) await tx.update(holes).set(asked).where(those(part));
      }),
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

async function writePage(tx: Orm, market: string, page: PageWrite): Promise<PageCounts> {
  const { at } = page;
  const insert = async (rows: readonly (SeenCandle & { knownFrom: Instant })[]) => {
    if (rows.length === 0) return [];
    const values = rows.map(({ candle, lastTradeAt, knownFrom }) => ({
      ...{ ...candle, unit: UNIT_MINUTES, lastTradeAt, knownFrom },
    }));
    const made = tx.insert(candles).values(values).onConflictDoNothing();
    return (await made.returning({ start: candles.start })).map((r) => r.start);
  };

  const stored = await insert(page.fresh.map((row) => ({ ...row, knownFrom: at })));
  const revisions: (SeenCandle & { knownFrom: Instant })[] = [];
  for (const { row, replaces } of page.revised) {
    // Strictly increasing even on a clock that stands still: (start, known_from) is the key.
    const since = Math.max(at, replaces + 1);
    const closed = await tx
      .update(candles)
      .set({ knownTo: since })
      .where(
        and(
          ofMarket(candles, market),
          eq(candles.start, row.candle.start),
          eq(candles.knownFrom, replaces),
          isNull(candles.knownTo),
        ),
      )
      .returning({ start: candles.start });
    // Nothing closed: another replica has revised it already.
    if (closed.length > 0) revisions.push({ ...row, knownFrom: since });
  }
  const revised = await insert(revisions);
  const filled = await fillHoles(tx, market, stored, at);
  await noteMissing(tx, market, page.missing, at);
  const quarantined = await keepRefused(tx, market, page.refused, at);
  return { stored: stored.length, revised: revised.length, quarantined, filled };
}

async function fillHoles(tx: Orm, market: string, starts: Instant[], at: Instant) {
  if (starts.length === 0) return 0;
  const rows = await tx
    .update(holes)
    .set({ state: "filled", settledAt: at })
    .where(and(ofMarket(holes, market), inArray(holes.start, starts), ne(holes.state, "filled")))
    .returning({ start: holes.start });
  return rows.length;
}

async function noteMissing(tx: Orm, market: string, starts: readonly Instant[], at: Instant) {
  const seen = { market, unit: UNIT_MINUTES, state: "unknown" as const, asked: 1 };
  for (const part of chunks(starts)) {
    const values = part.map((start) => ({ ...seen, start, firstSeenAt: at, askedAt: at }));
    await tx.insert(holes).values(values).onConflictDoNothing();
  }
}

/** Returns how many were not in quarantine before; those that were are counted up. */
async function keepRefused(tx: Orm, market: string, refused: readonly RefusedRow[], at: Instant) {
  const values = new Map(
    refused.map((row) => {
      const digest = digestOf(row);
      const { start, reason, detail, raw } = row;
      const kept = { market, unit: UNIT_MINUTES, start, reason, detail, raw, digest };
      return [digest, { ...kept, firstSeenAt: at, lastSeenAt: at }];
    }),
  );
  if (values.size === 0) return 0;
  const rows = await tx
    .insert(quarantine)
    .values([...values.values()])
    .onConflictDoUpdate({
      target: [quarantine.market, quarantine.digest],
      set: { seen: sql`${quarantine.seen} + 1`, lastSeenAt: at },
    })
    .returning({ seen: quarantine.seen });
  return rows.filter((r) => r.seen === 1).length;
}

/** A statement takes at most 65,535 parameters; a market that slept for years has more holes. */
function chunks<Item>(list: readonly Item[], size = 1_000): Item[][] {
  const parts: Item[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}

const digestOf = ({ reason, raw }: RefusedRow): string =>
  new Bun.CryptoHasher("sha256").update(`${reason}\n${raw}`).digest("hex");

type WithMarket = typeof candles | typeof holes | typeof quarantine;

const ofMarket = (table: WithMarket, market: string) =>
  and(eq(table.market, market), eq(table.unit, UNIT_MINUTES));

const within = (start: WithMarket["start"], { from, to }: Range) =>
  and(
    from === undefined ? undefined : gte(start, from),
    to === undefined ? undefined : lt(start, to),
  );

const knownAt = (t: Instant) =>
  and(lte(candles.knownFrom, t), or(isNull(candles.knownTo), gt(candles.knownTo, t)));

const unknownHole = eq(holes.state, "unknown");

const candleOf = (row: typeof candles.$inferSelect): Candle => ({
  market: row.market,
  start: row.start,
  open: row.open,
  high: row.high,
  low: row.low,
  close: row.close,
  volume: row.volume,
  turnover: row.turnover,
});
