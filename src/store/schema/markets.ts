/*
 * Candles, their holes, and rows that were refused.
 */
import { sql } from "drizzle-orm";
import {
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { identity, instant } from "./columns.ts";

export const markets = pgTable("markets", {
  market: text().primaryKey(),
  unit: integer().notNull().default(240),
  /** Start of the first candle the exchange has, once paging back has reached it. */
  firstStart: instant("first_start"),
  /** The second look at stored history has come back as far as this. */
  auditedTo: instant("audited_to"),
  auditedAt: instant("audited_at"),
  /** A lasting refusal by the exchange (unknown or delisted market), or null. */
  trouble: text(),
  troubleAt: instant("trouble_at"),
});

export const candles = pgTable(
  "candles",
  {
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant().notNull(),
    open: doublePrecision().notNull(),
    high: doublePrecision().notNull(),
    low: doublePrecision().notNull(),
    close: doublePrecision().notNull(),
    volume: doublePrecision().notNull(),
    turnover: doublePrecision().notNull(),
    lastTradeAt: instant("last_trade_at"),
    knownFrom: instant("known_from").notNull(),
    /** Null for the version in force; the instant a revision replaced it otherwise. */
    knownTo: instant("known_to"),
  },
  (t) => [
    primaryKey({ columns: [t.market, t.unit, t.start, t.knownFrom] }),
    uniqueIndex("candles_in_force").on(t.market, t.unit, t.start).where(sql`known_to is null`),
    index("candles_replaced").on(t.market, t.knownTo).where(sql`known_to is not null`),
  ],
);

export const holes = pgTable(
  "holes",
  {
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant().notNull(),
    state: text({ enum: ["unknown", "confirmed_empty", "filled"] }).notNull(),
    asked: integer().notNull().default(0),
    firstSeenAt: instant("first_seen_at").notNull(),
    askedAt: instant("asked_at").notNull(),
    settledAt: instant("settled_at"),
  },
  (t) => [
    primaryKey({ columns: [t.market, t.unit, t.start] }),
    index("holes_unknown").on(t.market, t.unit, t.start).where(sql`state = 'unknown'`),
    index("holes_filled").on(t.market, t.settledAt).where(sql`state = 'filled'`),
  ],
);

export const quarantine = pgTable(
  "quarantine",
  {
    id: identity("id").primaryKey(),
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant(),
    reason: text().notNull(),
    detail: text().notNull(),
    raw: text().notNull(),
    /** sha256 of reason and raw, so that the same bad row met again is counted, not repeated. */
    digest: text().notNull(),
    seen: integer().notNull().default(1),
    firstSeenAt: instant("first_seen_at").notNull(),
    lastSeenAt: instant("last_seen_at").notNull(),
  },
  (t) => [
    uniqueIndex("quarantine_digest").on(t.market, t.digest),
    index("quarantine_recent").on(t.market, t.lastSeenAt),
  ],
);
