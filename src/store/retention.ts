/*
 * The SQL that lets old rows go: a few hundred a statement, so that no other write waits long, and
 * each statement finds by itself what may go, so that it can be stopped and repeated at any time.
 */
import { sql } from "drizzle-orm";
import { type Instant, iso } from "../types.ts";
import type { Database } from "./database.ts";

/** Rows that one statement removes. */
export const ROWS_AT_ONCE = 500;

export type Removals = ReturnType<typeof makeRemovals>;

/** Removal of rows that are older than an instant; each call tells how many rows it removed. */
export function makeRemovals(database: Pick<Database, "kind" | "rows">) {
  const count = async (statement: ReturnType<typeof sql>): Promise<number> =>
    (await database.rows(statement)).length;

  /**
   * Ended pipeline runs with their steps and logs. The newest of each pipeline stay, and so do all
   * of its last slot, however long ago that was: the schedule reads from them what is due.
   */
  const pipelineRuns = (before: Instant, newest: number): Promise<number> =>
    count(sql`
      delete from pipeline_runs where id in (
        select id from (
          select id, kind, slot, status, ended_at,
            row_number() over (partition by pipeline order by id desc) as place,
            max(slot) filter (where kind = 'slot') over (partition by pipeline) as last_slot
          from pipeline_runs) ranked
        where status not in ('queued', 'running') and ended_at < ${iso(before)}::timestamptz
          and place > ${newest}::integer and not (kind = 'slot' and slot = last_slot)
        order by id limit ${ROWS_AT_ONCE}::integer)
      returning id`);

  /** Forecasts of candles that started before then and have their outcome. */
  const forecasts = (before: Instant): Promise<number> =>
    count(sql`
      delete from forecasts where id in (
        select id from forecasts
        where outcome is not null and target_start < ${iso(before)}::timestamptz
        order by target_start limit ${ROWS_AT_ONCE}::integer)
        and outcome is not null
      returning id`);

  /** Refused rows that were last met before then. */
  const quarantine = (before: Instant): Promise<number> =>
    count(sql`
      delete from quarantine where id in (
        select id from quarantine where last_seen_at < ${iso(before)}::timestamptz
        order by id limit ${ROWS_AT_ONCE}::integer)
        and last_seen_at < ${iso(before)}::timestamptz
      returning id`);

  /**
   * Frees the room of rows that are gone for those to come, and counts anew what is where:
   * statements are planned by it, and without it some go through all candles there are. Real
   * Postgres does both by itself (autovacuum), the embedded database never does. Takes 0.2 s for a
   * million rows, and far less for those that have not changed since the last time.
   */
  async function vacuum(): Promise<void> {
    if (database.kind !== "embedded") return;
    // The catalog's too: each change of a table's shape leaves rows behind there.
    const tables = await database.rows<{ name: string }>(sql`
      select format('%I.%I', nspname, relname) as name
      from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where relkind = 'r' and nspname <> 'information_schema' order by 1`);
    // One by one: whoever waits for an answer comes between.
    for (const { name } of tables) await database.rows(sql.raw(`vacuum (analyze) ${name}`));
  }

  return { pipelineRuns, forecasts, quarantine, vacuum };
}
