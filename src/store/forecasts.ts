/*
 * Forecasts as they were given, and what came of them.
 */
import { and, desc, eq, isNull, lt, or, sql } from "drizzle-orm";
import { type Instant, iso } from "../types.ts";
import type { Database } from "./database.ts";
import { forecasts } from "./schema.ts";

export type ForecastRow = typeof forecasts.$inferSelect;
export type NewForecast = typeof forecasts.$inferInsert;

/** Hits among forecasts whose candle has closed: the model's and each baseline's. */
export interface LiveRecord {
  readonly n: number;
  readonly hit_rate: number | null;
  readonly log_loss: number | null;
  readonly baselines: Readonly<Record<string, number | null>>;
}

export type Forecasts = ReturnType<typeof makeForecasts>;

/** The SQL of forecasts. */
export function makeForecasts(database: Database, clock: { now(): Instant }) {
  const { orm } = database;

  /** Stores a forecast; the same model on the same inputs gives the row that is there already. */
  async function store(row: NewForecast): Promise<ForecastRow> {
    const inserted = await orm.insert(forecasts).values(row).onConflictDoNothing().returning();
    if (inserted[0] !== undefined) return inserted[0];
    const same = await orm
      .select()
      .from(forecasts)
      .where(
        and(
          eq(forecasts.model, row.model),
          eq(forecasts.targetStart, row.targetStart),
          eq(forecasts.modelDigest, row.modelDigest),
          eq(forecasts.inputsDigest, row.inputsDigest),
        ),
      );
    return same[0]!;
  }

  /**
   * Joins outcomes to forecasts whose target candle is stored by now; returns how many. The price
   * before is that of the last candle before the target: nothing traded, nothing changed. An
   * outcome follows its candles: a revision, or a hole that is filled, joins it anew. Only open
   * forecasts are looked at and those that such a change touches, however many there are beside.
   */
  async function joinOutcomes(): Promise<number> {
    const now = iso(clock.now());
    const joined = await database.rows<{ id: string }>(sql`
      with changes as (
        select market, start, known_to as at from candles
        where unit = 240 and known_to is not null
        union all
        select market, start, settled_at from holes where unit = 240 and state = 'filled'),
      touched as (
        select market, start, at from changes
        union all
        select c.market, next.start, c.at from changes c
        cross join lateral (
          select start from candles n
          where n.market = c.market and n.unit = 240 and n.start > c.start and n.known_to is null
          order by n.start limit 1) next),
      due as materialized (
        select id, market, target_start from forecasts where outcome is null
        union
        select f.id, f.market, f.target_start from touched t
        join forecasts f on f.market = t.market and f.target_start = t.start
        where f.outcome_at < t.at),
      -- Each by itself: joined as tables, all candles would be held against all forecasts wherever
      -- the database has not yet counted how many there are of what.
      priced as materialized (
        select d.id, c.close, p.close as before from due d
        cross join lateral (
          select close from candles
          where market = d.market and unit = 240 and start = d.target_start and known_to is null
          limit 1) c
        cross join lateral (
          select close, start from candles
          where market = d.market and unit = 240 and start < d.target_start and known_to is null
          order by start desc limit 1) p
        -- Between two pages that are not both there yet, the price before is not known.
        where p.start = d.target_start - interval '4 hours' or (
          select true from holes where market = d.market and unit = 240
            and start = d.target_start - interval '4 hours'))
      update forecasts f set
        outcome = case when c.close > c.before then 'up'
                       when c.close < c.before then 'down' else 'unchanged' end,
        outcome_return = ln(c.close / c.before),
        outcome_at = ${now}::timestamptz
      from priced c where f.id = c.id and f.id = any(array(select id from priced))
      returning f.id`);
    const empty = await database.rows<{ id: string }>(sql`
      update forecasts f set outcome = 'no_candle', outcome_at = ${now}::timestamptz
      from holes h
      where f.outcome is null and h.market = f.market and h.unit = 240
        and h.start = f.target_start and h.state = 'confirmed_empty'
      returning f.id`);
    return joined.length + empty.length;
  }

  /** How the model's answers turned out, counting the first forecast of each candle. */
  async function record(model: string): Promise<LiveRecord> {
    const rows = await database.rows<Record<string, number | string | null>>(sql`
      select count(*)::int as n,
        avg(((up >= 0.5) = (outcome = 'up'))::int)::float8 as hit_rate,
        avg(-ln(greatest(case when outcome = 'up' then up else 1 - up end, 1e-15)))::float8
          as log_loss,
        avg((((baselines->>'base_rate')::float8 >= 0.5) = (outcome = 'up'))::int)::float8
          as base_rate,
        avg((((baselines->>'last_direction')::float8 >= 0.5) = (outcome = 'up'))::int)::float8
          as last_direction,
        avg((((baselines->>'contrarian')::float8 >= 0.5) = (outcome = 'up'))::int)::float8
          as contrarian
      from (
        select distinct on (target_start) * from forecasts
        where model = ${model} and up is not null and outcome in ('up', 'down', 'unchanged')
        order by target_start, made_at, id) first_of_each`);
    const row = rows[0] ?? {};
    const number = (name: string) => (row[name] == null ? null : Number(row[name]));
    return {
      n: number("n") ?? 0,
      hit_rate: number("hit_rate"),
      log_loss: number("log_loss"),
      baselines: {
        base_rate: number("base_rate"),
        last_direction: number("last_direction"),
        contrarian: number("contrarian"),
      },
    };
  }

  /** Forecasts of a model, newest target first. */
  const list = (
    model: string,
    limit: number,
    before: { targetStart: Instant; id: string } | null,
  ): Promise<ForecastRow[]> =>
    orm
      .select()
      .from(forecasts)
      .where(
        and(
          eq(forecasts.model, model),
          before === null
            ? undefined
            : or(
                lt(forecasts.targetStart, before.targetStart),
                and(eq(forecasts.targetStart, before.targetStart), lt(forecasts.id, before.id)),
              ),
        ),
      )
      .orderBy(desc(forecasts.targetStart), desc(forecasts.id))
      .limit(limit);

  /** How many forecasts still wait for their candle. */
  const open = async (): Promise<number> =>
    (await orm.select({ id: forecasts.id }).from(forecasts).where(isNull(forecasts.outcome)))
      .length;

  return { store, joinOutcomes, record, list, open };
}
