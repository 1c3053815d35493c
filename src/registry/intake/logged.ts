/*
 * Logged models of another server, under their own ids.
 */
import type { Database } from "../../store/database.ts";
import { bound, textsOf } from "../../store/text.ts";
import { type GivenLogged, MARK, ORIGIN, rowsText } from "./given.ts";

/** What is here of a logged model. */
export interface KnownLogged {
  readonly id: string;
  readonly origin: string | null;
  readonly mark: string | null;
}

/** The SQL of taking logged models in. */
export function makeLoggedIntake({ database }: { readonly database: Database }) {
  const known = database.prepared<KnownLogged>(`
    select l.model_id as id, o.value as origin, m.value as mark
    from logged_models l
    left join logged_model_tags o on o.model_id = l.model_id and o.key = '${ORIGIN}'
    left join logged_model_tags m on m.model_id = l.model_id and m.key = '${MARK}'
    where l.model_id = any($1::text[])`);

  const tag = (rows: readonly object[]) => bound(TAGS, [rowsText(rows)]);

  return {
    /** What is here of these models; nothing of those that are not. */
    known: (ids: readonly string[]): Promise<KnownLogged[]> => known([textsOf(ids)]),

    /** Makes models of an experiment, or brings those that came before to what they are now. */
    take: (experimentId: string, models: readonly GivenLogged[]): Promise<void> =>
      database.orm.transaction(async (tx) => {
        const rows = models.map(({ params, tags, metrics, uri, ...rest }) => rest);
        await database.rows(bound(MADE, [rowsText(rows), experimentId]), tx);
        const many = (of: (model: GivenLogged) => readonly object[]) =>
          models.flatMap((model) => of(model).map((row) => ({ id: model.id, ...row })));
        await database.rows(
          bound(PARAMS, [
            rowsText(many((model) => model.params.map(([key, value]) => ({ key, value })))),
          ]),
          tx,
        );
        const tags = many(({ tags, uri }) => [
          ...tags.filter(([key]) => key !== MARK && key !== ORIGIN).map(pairRow),
          { key: ORIGIN, value: uri },
        ]);
        await database.rows(tag(tags), tx);
        const metrics = many(({ metrics }) =>
          metrics.map(({ runId, value, ...rest }) => ({ ...rest, run: runId, value: `${value}` })),
        );
        if (metrics.length > 0) await database.rows(bound(METRICS, [rowsText(metrics)]), tx);
      }),

    /** Notes that all of a model is here. */
    mark: async (id: string, mark: string): Promise<void> => {
      await database.rows(tag([{ id, key: MARK, value: mark }]));
    },
  };
}

const pairRow = ([key, value]: readonly [string, string]) => ({ key, value });

const rowsOf = (columns: string) => `json_to_recordset($1::text::json) as t (id text, ${columns})`;

const MADE = `
  insert into logged_models (model_id, experiment_id, name, model_type, source_run_id,
    artifact_uri, status, status_message, lifecycle_stage, creation_time, last_updated_time)
  select t.id, e.experiment_id, t.name, "modelType", "sourceRunId",
    case when artifact_location like 'mlflow-artifacts:/%' and artifact_location not like '%?%'
      then rtrim(artifact_location, '/') else 'mlflow-artifacts:/' || e.experiment_id end
      || '/models/' || t.id || '/artifacts',
    status, "statusMessage", stage, created, updated
  from ${rowsOf(`name text, "modelType" text, "sourceRunId" text, status text,
    "statusMessage" text, stage text, created bigint, updated bigint`)}, experiments e
  where e.experiment_id = $2::bigint
  on conflict (model_id) do update set name = excluded.name, model_type = excluded.model_type,
    status = excluded.status, status_message = excluded.status_message,
    lifecycle_stage = excluded.lifecycle_stage, last_updated_time = excluded.last_updated_time`;

const PARAMS = `
  insert into logged_model_params (model_id, key, value)
  select id, key, value from ${rowsOf("key text, value text")}
  on conflict do nothing`;

const TAGS = `
  insert into logged_model_tags (model_id, key, value)
  select id, key, value from ${rowsOf("key text, value text")}
  on conflict (model_id, key) do update set value = excluded.value`;

const METRICS = `
  insert into logged_model_metrics (model_id, run_id, key, value, is_nan, timestamp, step,
    dataset_name, dataset_digest)
  select distinct on (id, run, key, "datasetName", "datasetDigest") id, run, key,
    case when value = 'NaN' then 0 else value::float8 end, value = 'NaN', timestamp, step,
    "datasetName", "datasetDigest"
  from ${rowsOf(`run text, key text, value text, timestamp bigint, step bigint,
    "datasetName" text, "datasetDigest" text`)}
  order by id, run, key, "datasetName", "datasetDigest", step desc, timestamp desc
  on conflict (model_id, run_id, key, dataset_name, dataset_digest) do update set
    value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp,
    step = excluded.step`;
