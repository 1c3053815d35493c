/*
 * What runs read and made: datasets and logged models.
 */
import type { Database } from "../store/database.ts";
import { numbersOf } from "../store/text.ts";
import type { Whole } from "../store/whole.ts";
import { runDeleted, unknownRun } from "./batch.ts";
import type { DatasetFacts } from "./datasets.ts";
import { RUN_ID } from "./names.ts";

/** A dataset as clients describe it. */
export interface InputDataset extends DatasetFacts {
  /** Of this run's use of it. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface DatasetSummary {
  readonly experimentId: string;
  readonly name: string;
  readonly digest: string;
  /** What it was used for (`mlflow.data.context`), where that was said. */
  readonly context: string | null;
}

interface Staged {
  readonly stage: "active" | "deleted";
}

/** How many summaries there are at most. */
const SUMMARIES = 1_000;

/** The SQL of inputs and outputs. */
export function makeInputs({ database }: { database: Database }) {
  const logDatasets = database.prepared<Staged>(`
    with run as (
      select run_id, experiment_id, lifecycle_stage as stage from runs where run_id = $1)
    , given as (
      select * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[]) with ordinality
        as t (name, digest, source_type, source, schema, profile, tags, place))
    , known as (
      select d.dataset_id, d.name, d.digest
      from run join datasets d using (experiment_id) join given using (name, digest)
      -- Nor may one be let go of meanwhile because no other run refers to it.
      for key share of d)
    -- Numbers are drawn in the order that was given, in which runs tell them; rows are locked in another.
    , unknown as (
      select *, nextval(pg_get_serial_sequence('datasets', 'dataset_id')) as id from (
        select given.*, experiment_id from run, given
        where stage = 'active' and (name, digest) not in (select name, digest from known)
        order by place) as given)
    , made as (
      insert into datasets
        (dataset_id, experiment_id, name, digest, source_type, source, schema, profile)
      select id, experiment_id, name, digest, source_type, source, schema, profile from unknown
      order by name collate "C", digest collate "C"
      -- Gives the row of whoever was faster.
      on conflict (experiment_id, name, digest) do update set name = datasets.name
      returning dataset_id, name, digest)
    , used as (
      insert into inputs (run_id, dataset_id, tags)
      select run_id, dataset_id, given.tags::jsonb
      from run, (select * from known union all select * from made) as of
        join given using (name, digest)
      where stage = 'active' order by dataset_id
      on conflict do nothing)
    select stage from run`);
  const logModels = database.prepared<Staged>(`
    with run as (select run_id, lifecycle_stage as stage from runs where run_id = $1)
    , linked as (
      insert into run_models (run_id, model_id, direction, step)
      select run_id, model_id, $2::text, step
      from run, unnest($3::text[], $4::bigint[]) as t (model_id, step)
      where stage = 'active' order by model_id
      on conflict do nothing)
    select stage from run`);
  const summaries = database.prepared<DatasetSummary>(`
    select distinct d.experiment_id::text as "experimentId", d.name, d.digest,
      i.tags ->> 'mlflow.data.context' as context
    from datasets d join inputs i using (dataset_id) join runs r using (run_id)
    where d.experiment_id = any($1::bigint[]) and r.lifecycle_stage = 'active'
    order by 1, 2, 3, 4 limit ${SUMMARIES}`);

  const assertLogged = (runId: string, [row]: readonly Staged[]): void => {
    if (row === undefined) throw unknownRun(runId);
    if (row.stage !== "active") throw runDeleted(runId);
  };

  const link = async (runId: string, direction: string, models: ReadonlyMap<string, Whole>) =>
    assertLogged(
      runId,
      RUN_ID.test(runId)
        ? await logModels([runId, direction, [...models.keys()], numbersOf([...models.values()])])
        : [],
    );

  return {
    /** Notes that a run read these; again changes nothing, and the first tags stay. */
    logInputs: async (
      runId: string,
      datasets: readonly InputDataset[],
      modelIds: readonly string[],
    ): Promise<void> => {
      const each = [...Map.groupBy(datasets, key).values()].map(([first]) => first!);
      const columns = [
        each.map((one) => one.name),
        each.map((one) => one.digest),
        each.map((one) => one.sourceType),
        each.map((one) => one.source),
        each.map((one) => one.schema),
        each.map((one) => one.profile),
        each.map((one) => JSON.stringify(one.tags)),
      ];
      const known = RUN_ID.test(runId) ? await logDatasets([runId, ...columns]) : [];
      assertLogged(runId, known);
      if (modelIds.length > 0) await link(runId, "input", new Map(modelIds.map((id) => [id, 0])));
    },

    /** Notes that a run made these models, each at a step. */
    logOutputs: (runId: string, models: readonly (readonly [id: string, step: Whole])[]) =>
      link(runId, "output", new Map(models)),

    /** Which datasets the runs of these experiments read, and for what. */
    datasetSummaries: (experimentIds: readonly string[]) => summaries([experimentIds]),
  };
}

const key = ({ name, digest }: InputDataset): string => JSON.stringify([name, digest]);
