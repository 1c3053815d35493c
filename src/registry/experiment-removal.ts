/*
 * Experiments for good: until then a deleted one keeps its name.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { DEFAULT_EXPERIMENT, experimentId, noExperiment } from "./experiments.ts";
import { wrongState } from "./refusal.ts";
import { REMOVED } from "./version-rows.ts";

/**
 * Removes a deleted experiment with its runs, its logged models and their files, and returns how
 * many runs that were. What the object store has of them goes with the next sweep. Throws
 * `does_not_exist` (404), and `wrong_state` (400) where it is active or a version is made of it.
 */
export async function removeExperiment(database: Database, given: string): Promise<number> {
  const id = experimentId(given);
  return database.orm.transaction(async (tx) => {
    const [experiment] = await database.rows<{ stage: string }>(
      sql`select lifecycle_stage as stage from experiments where experiment_id = ${id}::bigint
        for update`,
      tx,
    );
    if (experiment === undefined) throw noExperiment(id);
    if (id === DEFAULT_EXPERIMENT) throw wrongState("Experiment 0 is where runs go by default.");
    if (experiment.stage !== "deleted") {
      throw wrongState(`The experiment ${id} is active. Delete it first.`);
    }
    const runs = sql`select run_id from runs where experiment_id = ${id}::bigint`;
    const models = sql`select model_id from logged_models where experiment_id = ${id}::bigint`;
    const [version] = await database.rows<{ name: string; version: number }>(
      sql`select name, version from model_versions
        where current_stage <> ${REMOVED} and (run_id in (${runs}) or model_id in (${models}))
        limit 1`,
      tx,
    );
    if (version !== undefined) {
      throw wrongState(
        `Version ${version.version} of ${version.name} was made in experiment ${id}. Delete the ` +
          "version first, or keep the experiment.",
      );
    }
    await tx.execute(sql`delete from metrics where run_id in (${runs})`);
    await tx.execute(sql`delete from latest_metrics where run_id in (${runs})`);
    await tx.execute(sql`delete from logged_models where experiment_id = ${id}::bigint`);
    await tx.execute(sql`delete from files where starts_with(path, ${`${id}/`})`);
    const gone = await database.rows(
      sql`delete from runs where experiment_id = ${id}::bigint returning run_id`,
      tx,
    );
    await tx.execute(sql`delete from datasets where experiment_id = ${id}::bigint`);
    await tx.execute(sql`delete from experiments where experiment_id = ${id}::bigint`);
    return gone.length;
  });
}
