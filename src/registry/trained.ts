/*
 * What a training made as a logged model: what MLflow's clients since 3.0 look models up by. It has
 * no files of its own, but is the folder of its run.
 */
import { sql } from "drizzle-orm";
import type { Database, Orm } from "../store/database.ts";
import { bound, textsOf } from "../store/text.ts";
import type { Instant } from "../types.ts";
import { REMOVED } from "./version-rows.ts";

/** A figure of the model among the metrics of its run, and the dataset that it was found on. */
export interface ModelFigure {
  readonly key: string;
  readonly dataset: { readonly name: string; readonly digest: string } | null;
}

/** What is told of a trained model beside what its run tells. */
export interface TrainedModel {
  /** The run's folder that clients load it from. */
  readonly folder: string;
  /** What it foretells. */
  readonly type: string;
  readonly figures: readonly ModelFigure[];
}

/** Drawn from the run's id, so that a run makes one, however often that is tried. */
export const trainedId = (runId: string): string => `m-${runId}`;

/**
 * Makes the logged model of a run, with the run's params, the tags that lead to its origin, and its
 * figures, and names it as what the run made. One that is there already stays as it is.
 */
export async function logTrained(
  { database, tx, now }: { database: Database; tx: Orm; now: Instant },
  version: { readonly name: string; readonly version: number; readonly runId: string },
  { folder, type, figures }: TrainedModel,
): Promise<void> {
  const { name, runId } = version;
  const registered = `[{"name": ${JSON.stringify(name)}, "version": ${version.version}}]`;
  const given = [
    ...[runId, trainedId(runId), name, type, folder, now, registered],
    textsOf(figures.map(({ key }) => key)),
    textsOf(figures.map(({ dataset }) => dataset?.name ?? "")),
    textsOf(figures.map(({ dataset }) => dataset?.digest ?? "")),
  ];
  await database.rows(bound(MADE, given), tx);
}

/**
 * The runs whose files a version stands on: the one that made it, and the one that is named in the
 * address of its files, wherever it was registered.
 */
export const runsStoodOn = sql`
  select run_id from model_versions where current_stage <> ${REMOVED} and run_id is not null
  union
  select substring(coalesce(storage_location, source) from '[0-9a-f]{32}') from model_versions
  where current_stage <> ${REMOVED} and coalesce(storage_location, source) ~ '[0-9a-f]{32}'`;

/** Removes what trainings of these runs made; logged models of clients stay. */
export async function removeTrained(tx: Orm, runIds: readonly string[]): Promise<void> {
  const ids = sql.join(
    runIds.map((runId) => sql`${trainedId(runId)}`),
    sql`, `,
  );
  await tx.execute(sql`delete from logged_models where model_id in (${ids})`);
  // A run that read it, of another's making, still says so.
  await tx.execute(sql`delete from run_models where model_id in (${ids}) and direction = 'output'`);
}

// A location may have a query, which stays behind what is added to its path.
const MADE = `
  with run as (
    select run_id, experiment_id, split_part(artifact_uri, '?', 1) as path,
      substr(artifact_uri, strpos(artifact_uri || '?', '?')) as query
    from runs where run_id = $1)
  , made as (
    insert into logged_models (model_id, experiment_id, name, model_type, source_run_id,
      artifact_uri, status, creation_time, last_updated_time)
    select $2::text, experiment_id, $3::text, $4::text, run_id, path || '/' || $5::text || query,
      'READY', $6::bigint, $6::bigint
    from run
    on conflict do nothing
    returning model_id, source_run_id as run_id)
  , given as (
    insert into logged_model_params (model_id, key, value)
    select model_id, key, value from made join params using (run_id))
  , tagged as (
    insert into logged_model_tags (model_id, key, value)
    select model_id, key, value from made join tags using (run_id)
    where key like 'sluice.%'
      or key in ('mlflow.user', 'mlflow.source.name', 'mlflow.source.type')
    union all
    select model_id, 'mlflow.modelVersions', $7::text from made)
  , measured as (
    insert into logged_model_metrics (model_id, run_id, key, value, is_nan, timestamp, step,
      dataset_name, dataset_digest)
    select model_id, run_id, key, value, is_nan, timestamp, step, dataset_name, dataset_digest
    from made join latest_metrics using (run_id)
      join unnest($8::text[], $9::text[], $10::text[]) as t (key, dataset_name, dataset_digest)
        using (key)
    on conflict do nothing)
  insert into run_models (run_id, model_id, direction, step)
  select run_id, model_id, 'output', 0 from made
  on conflict do nothing`;
