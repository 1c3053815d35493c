/*
 * Lets old trainings go: runs that pipelines made, with what they logged and their files.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { type Instant, iso } from "../types.ts";
import { PARENT_RUN } from "./run-list.ts";
import { REMOVED } from "./version-rows.ts";

/** Trainings that one transaction removes. */
const AT_ONCE = 20;

/** The retention of trainings. */
export function makeTrainings({ orm, rows }: Pick<Database, "orm" | "rows">) {
  /**
   * Removes up to 20 trainings that ended before then, with their trials, and tells how many runs
   * that were; the bytes of their files are left to the sweep. A training whose version can be
   * served stays, since its files are what the next one is compared with; so does one of an open
   * pipeline run, and what was logged from outside. Call it until it removes none.
   */
  async function removeTrainings(before: Instant): Promise<number> {
    return orm.transaction(async (tx) => {
      const parents = await rows<{ id: string }>(
        sql`
          select r.run_id as id from runs r
          where r.pipeline_run_id is not null and r.end_time < ${before}::bigint
            and r.status in ('FINISHED', 'FAILED', 'KILLED')
            and not exists (select from model_versions v where v.run_id = r.run_id
              and v.digest is not null and v.current_stage <> ${REMOVED})
            and not exists (select from pipeline_runs p where p.id = r.pipeline_run_id
              and p.status in ('queued', 'running'))
          order by r.end_time, r.run_id limit ${AT_ONCE}::integer
          for update of r skip locked`,
        tx,
      );
      if (parents.length === 0) return 0;
      const of = listOf(parents);
      const trials = await rows<{ id: string }>(
        sql`select run_id as id from tags where key = ${PARENT_RUN} and value in (${of})`,
        tx,
      );
      const ids = [...parents, ...trials];
      const all = listOf(ids);
      const used = await rows<{ id: string | number }>(
        sql`select distinct dataset_id as id from inputs where run_id in (${all})`,
        tx,
      );
      // A version that was removed keeps its row, and its number.
      await tx.execute(sql`update model_versions set run_id = null where run_id in (${all})
        and (digest is null or current_stage = ${REMOVED})`);
      await tx.execute(sql`delete from metrics where run_id in (${all})`);
      await tx.execute(sql`delete from latest_metrics where run_id in (${all})`);
      await tx.execute(sql`delete from runs where run_id in (${all})`);
      if (used.length > 0) {
        // Only of slots as old as that: a training under way may refer to a newer one in a moment.
        await tx.execute(sql`delete from datasets d where d.dataset_id in (${listOf(used)})
          and d.last_slot < ${iso(before)}::timestamptz
          and not exists (select from inputs i where i.dataset_id = d.dataset_id)`);
      }
      return ids.length;
    });
  }

  /** What artifacts take together, each counted once however many rows name it. */
  async function artifactSizes(): Promise<{ files: number; bytes: number }> {
    const [row] = await rows<{ files: string | number; bytes: string | number }>(sql`
      select count(*)::text as files, coalesce(sum(size), 0)::text as bytes from (
        select digest, max(size) as size from (
          select digest, size from artifacts
          union all
          select digest, size from files
          union all
          select digest, size from model_versions
          where digest is not null and current_stage <> ${REMOVED}) named
        group by digest) one_each`);
    return { files: Number(row?.files ?? 0), bytes: Number(row?.bytes ?? 0) };
  }

  return { removeTrainings, artifactSizes };
}

const listOf = (rows: readonly { readonly id: string | number }[]) =>
  sql.join(
    rows.map(({ id }) => sql`${id}`),
    sql`, `,
  );
