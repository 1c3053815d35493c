/*
 * Runs of another server, many a statement, under their own ids. What is there already changes
 * nothing, so that any of it may be done again; a run is marked when all of it is here.
 */
import type { Database } from "../../store/database.ts";
import { isUniqueViolation } from "../../store/pipeline-runs.ts";
import { bound, numbersOf, textsOf } from "../../store/text.ts";
import {
  type GivenPoint,
  type GivenRun,
  held,
  MARK,
  ORIGIN,
  rowsText,
  type Stage,
} from "./given.ts";

/** What is here of a run. */
export interface KnownRun {
  readonly id: string;
  readonly experimentId: string;
  readonly stage: Stage;
  /** Where it was brought from; null for a run that was made here. */
  readonly origin: string | null;
  /** Set when all of it had come. */
  readonly mark: string | null;
}

/** A param that a run has with another value here. */
export interface ParamClash {
  readonly id: string;
  readonly key: string;
}

/** The SQL of taking runs in. */
export function makeRunIntake({ database }: { readonly database: Database }) {
  const known = database.prepared<KnownRun>(`
    select r.run_id as id, r.experiment_id::text as "experimentId", lifecycle_stage as stage,
      o.value as origin, m.value as mark
    from runs r
    left join tags o on o.run_id = r.run_id and o.key = '${ORIGIN}'
    left join tags m on m.run_id = r.run_id and m.key = '${MARK}'
    where r.run_id = any($1::text[])`);
  const points = `(run_id, key, value, is_nan, timestamp, step)
    select run_id, key, case when value = 'NaN' then 0 else value end, value = 'NaN',
      timestamp, step
    from unnest($1::text[], $2::text[], $3::float8[], $4::bigint[], $5::bigint[])
      as t (run_id, key, value, timestamp, step)`;
  // To look for each point before it is written takes twice the time.
  const newPoints = database.prepared(`insert into metrics ${points}`);
  const morePoints = database.prepared<{ made: number }>(`
    with made as (insert into metrics ${points} on conflict do nothing returning 1)
    select count(*)::int as made from made`);
  const latest = database.prepared(`
    insert into latest_metrics ${points}
    on conflict (run_id, key) do update set
      value = excluded.value, is_nan = excluded.is_nan,
      timestamp = excluded.timestamp, step = excluded.step
    where (excluded.step, excluded.timestamp, excluded.value, excluded.is_nan)
      > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value,
         latest_metrics.is_nan)`);
  const mark = database.prepared(`
    insert into tags (run_id, key, value)
    select run_id, '${MARK}', value from unnest($1::text[], $2::text[]) as t (run_id, value)
    on conflict (run_id, key) do update set value = excluded.value`);

  return {
    /** What is here of these runs; nothing of those that are not. */
    known: (ids: readonly string[]): Promise<KnownRun[]> => known([textsOf(ids)]),

    /** Makes runs of an experiment, or brings those that came before to what they are now. */
    take: (experimentId: string, runs: readonly GivenRun[]): Promise<ParamClash[]> =>
      database.orm.transaction(async (tx) => {
        const ask = (text: string, rows: readonly object[]) =>
          database.rows<ParamClash>(bound(text, [rowsText(rows), experimentId]), tx);
        await ask(
          MADE,
          runs.map(({ id, name, userId, status, started, ended, stage }) => ({
            ...{ id, name, user: userId, status, started, ended, stage },
          })),
        );
        const many = (of: (run: GivenRun) => readonly object[]) =>
          runs.flatMap((run) => of(run).map((row) => ({ id: run.id, ...row })));
        const params = many((run) => run.params.map(([key, value]) => ({ key, value })));
        if (params.length > 0) await ask(PARAMS, params);
        await ask(
          TAGS,
          many(({ tags, uri }) => [
            ...tags.filter(([key]) => !OURS.has(key)).map(([key, value]) => ({ key, value })),
            { key: ORIGIN, value: uri },
          ]),
        );
        const datasets = many((run) =>
          run.datasets.map(({ tags, ...rest }) => ({
            ...rest,
            tags: JSON.stringify(Object.fromEntries(tags.map(([k, v]) => [held(k), held(v)]))),
          })),
        );
        if (datasets.length > 0) {
          await ask(DATASETS, datasets);
          await ask(INPUTS, datasets);
        }
        const models = many(({ inputModels, outputModels }) => [
          ...inputModels.map((model) => ({ model, direction: "input", step: 0 })),
          ...outputModels.map(({ id: model, step }) => ({ model, direction: "output", step })),
        ]);
        if (models.length > 0) await ask(MODELS, models);
        return params.length === 0 ? [] : ask(CLASHES, params);
      }),

    /**
     * Stores points of runs that were taken; how many were not there. `areNew`: there was none of
     * these runs before.
     */
    takePoints: async (given: readonly GivenPoint[], areNew: boolean): Promise<number> => {
      if (given.length === 0) return 0;
      const columns = columnsOf(given);
      if (areNew) {
        const done = await newPoints(columns).then(
          () => true,
          (thrown) => {
            // The source told a point twice.
            if (!isUniqueViolation(thrown)) throw thrown;
            return false;
          },
        );
        if (done) return given.length;
      }
      return (await morePoints(columns))[0]?.made ?? 0;
    },

    /** Raises the latest points of runs. */
    takeLatest: async (given: readonly GivenPoint[]): Promise<void> => {
      if (given.length > 0) await latest(columnsOf(given));
    },

    /** Notes that all of these runs is here. */
    mark: async (marks: ReadonlyMap<string, string>): Promise<void> => {
      if (marks.size > 0) await mark([textsOf([...marks.keys()]), textsOf([...marks.values()])]);
    },
  };
}

/** Tags that tell of this intake, not of the run. */
const OURS: ReadonlySet<string> = new Set([ORIGIN, MARK]);

const columnsOf = (points: readonly GivenPoint[]): string[] => [
  textsOf(points.map((point) => point.runId)),
  textsOf(points.map((point) => held(point.key))),
  numbersOf(points.map((point) => point.value)),
  numbersOf(points.map((point) => point.timestamp)),
  numbersOf(points.map((point) => point.step)),
];

const rowsOf = (columns: string) => `json_to_recordset($1::text::json) as t (id text, ${columns})`;

const MADE = `
  insert into runs (run_id, name, experiment_id, user_id, status, start_time, end_time,
    artifact_uri, lifecycle_stage, deleted_time)
  select t.id, t.name, e.experiment_id, "user", status, started, ended,
    case when artifact_location like 'mlflow-artifacts:/%' and artifact_location not like '%?%'
      then rtrim(artifact_location, '/') else 'mlflow-artifacts:/' || e.experiment_id end
      || '/' || t.id || '/artifacts',
    stage, case when stage = 'deleted' then (extract(epoch from now()) * 1000)::bigint end
  from ${rowsOf('name text, "user" text, status text, started bigint, ended bigint, stage text')},
    experiments e
  where e.experiment_id = $2::bigint
  on conflict (run_id) do update set name = excluded.name, user_id = excluded.user_id,
    status = excluded.status, start_time = excluded.start_time, end_time = excluded.end_time,
    lifecycle_stage = excluded.lifecycle_stage,
    deleted_time = case when excluded.lifecycle_stage = 'deleted'
      then coalesce(runs.deleted_time, excluded.deleted_time) end`;

/** Both parameters are named in each of them, whatever they need. */
const OF = "where $2::text is not null";

const PARAMS = `
  insert into params (run_id, key, value) select id, key, value
  from ${rowsOf("key text, value text")} ${OF}
  on conflict do nothing`;

const CLASHES = `
  select t.id, t.key from ${rowsOf("key text, value text")}
  join params p on p.run_id = t.id and p.key = t.key and p.value <> t.value ${OF}`;

const TAGS = `
  insert into tags (run_id, key, value) select id, key, value
  from ${rowsOf("key text, value text")} ${OF}
  on conflict (run_id, key) do update set value = excluded.value
  where tags.value <> excluded.value`;

const DATASET = `name text, digest text, "sourceType" text, source text, schema text,
  profile text, tags text`;

const DATASETS = `
  insert into datasets (experiment_id, name, digest, source_type, source, schema, profile)
  select distinct on (name, digest) $2::bigint, name, digest, "sourceType", source, schema, profile
  from ${rowsOf(DATASET)} order by name, digest
  -- Written, so that it is held: retention lets go of those that no run refers to.
  on conflict (experiment_id, name, digest) do update set source_type = datasets.source_type`;

const INPUTS = `
  insert into inputs (run_id, dataset_id, tags)
  select t.id, d.dataset_id, t.tags::jsonb from ${rowsOf(DATASET)}
  join datasets d on d.experiment_id = $2::bigint and d.name = t.name and d.digest = t.digest
  on conflict do nothing`;

const MODELS = `
  insert into run_models (run_id, model_id, direction, step) select id, model, direction, step
  from ${rowsOf("model text, direction text, step bigint")} ${OF}
  on conflict do nothing`;
