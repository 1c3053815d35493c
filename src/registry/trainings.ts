/*
 * Lets old trainings go: runs that pipelines made, with what they logged and their files.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { ROWS_AT_ONCE } from "../store/retention.ts";
import type { Instant } from "../types.ts";
import { PARENT_RUN } from "./run-list.ts";
import { removeTrained, runsStoodOn } from "./trained.ts";
import { REMOVED } from "./version-rows.ts";

/** Trainings that one transaction removes. */
const AT_ONCE = 20;

/** The retention of trainings. */
export function makeTrainings({ orm, rows }: Pick<Database, "orm" | "rows">) {
  /**
   * Removes up to 20 trainings that ended before then, with their trials and logged models, and
   * tells how many runs that were; the bytes of their files are left to the sweep. A training that
   * a version stands on stays, since its files are what the next one is compared with and what
   * clients load; so does one of an open pipeline run, and what was logged from outside. Call it
   * until it removes none.
   */
  async function removeTrainings(before: Instant): Promise<number> {
    return orm.transaction(async (tx) => {
      const parents = await rows<{ id: string }>(
        sql`
          select r.run_id as id from runs r
          where r.pipeline_run_id is not null and r.end_time < ${before}::bigint
            and r.status in ('FINISHED', 'FAILED', 'KILLED')
            and r.run_id not in (${runsStoodOn})
            and not exists (select from pipeline_runs p where p.id = r.pipeline_run_id
              and p.status in ('queued', 'running'))
          order by r.end_time, r.run_id limit ${AT_ONCE}::integer
          for update of r skip locked`,
        tx,
      );
      if (parents.length === 0) return 0;
      const of = listOf(parents);
      const trials = await rows<{ id: string }>(
        sql`select run_id as id from tags t where key = ${PARENT_RUN} and value in (${of})
          and exists (select from tags m where m.run_id = t.run_id and m.key = 'sluice.model')`,
        tx,
      );
      const ids = [...parents, ...trials];
      const all = listOf(ids);
      // A version that was removed keeps its row, and its number.
      await tx.execute(sql`update model_versions set run_id = null where run_id in (${all})
        and current_stage = ${REMOVED}`);
      await removeTrained(
        tx,
        parents.map(({ id }) => id),
      );
      await tx.execute(sql`delete from metrics where run_id in (${all})`);
      await tx.execute(sql`delete from latest_metrics where run_id in (${all})`);
      await tx.execute(sql`delete from runs where run_id in (${all})`);
      return ids.length;
    });
  }

  /**
   * Removes up to 500 datasets that no run refers to any more, and tells how many that were: what
   * was known of rows, never rows themselves. Call it until it removes fewer.
   */
  async function removeDatasets(): Promise<number> {
    const unused = sql`not exists (select from inputs i where i.dataset_id = d.dataset_id)`;
    return orm.transaction(async (tx) => {
      // Who refers to one holds its row (see `logDataset`): that one is passed over.
      const found = await rows<{ id: string | number }>(
        sql`select d.dataset_id as id from datasets d where ${unused}
          order by d.dataset_id limit ${ROWS_AT_ONCE}::integer for update of d skip locked`,
        tx,
      );
      if (found.length === 0) return 0;
      // Asked once more: a run may have come to it just before it was held.
      const gone = await rows(
        sql`delete from datasets d where d.dataset_id in (${listOf(found)}) and ${unused}
          returning d.dataset_id`,
        tx,
      );
      return gone.length;
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

  return { removeTrainings, removeDatasets, artifactSizes };
}

const listOf = (rows: readonly { readonly id: string | number }[]) =>
  sql.join(
    rows.map(({ id }) => sql`${id}`),
    sql`, `,
  );
