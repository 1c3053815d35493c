/*
 * What runs log: params, metric points and tags, all or none, in one statement. Whoever logs, a
 * training here or a client of the MLflow protocol, passes here.
 *
 * Rows are locked in one order: params, points, latest points, tags, each by key. Writers that do
 * so wait for each other and never in a circle.
 */
import { SluiceError } from "../errors.ts";
import { retried } from "../store/conflict.ts";
import type { Database, Orm } from "../store/database.ts";
import { bound, numbersOf, textsOf } from "../store/text.ts";
import type { Whole } from "../store/whole.ts";
import { RUN_ID } from "./names.ts";

/** A metric's value at a step and a time, by habit in ms. NaN and the infinities are kept. */
export interface Point {
  readonly key: string;
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole;
  /** The logged model that it is of, and the dataset that it was measured on. */
  readonly modelId?: string | undefined;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

export interface Batch {
  readonly params?: readonly (readonly [key: string, value: string])[];
  readonly metrics?: readonly Point[];
  readonly tags?: readonly (readonly [key: string, value: string])[];
}

/** The tag that carries a run's name: setting it renames the run. */
export const RUN_NAME = "mlflow.runName";

interface Clash {
  readonly key: string;
  readonly old: string;
  readonly new: string;
}

interface Answer {
  readonly stage: "active" | "deleted";
  readonly clashes: readonly Clash[] | null;
}

/** The SQL of what runs log. */
export function makeBatches({ database }: { database: Database }) {
  const statements = new Map<string, ReturnType<typeof statementOf>>();

  function statementOf(parts: Parts) {
    const text = textOf(parts);
    return { text, ask: database.prepared<Answer>(text) };
  }

  /**
   * Logs all of it or none. What is there already changes nothing, so that it may be sent again;
   * tags are set anew. Throws `unknown_run` (404), `run_deleted` (400), `param_changed` (400)
   * where a param was logged with another value, `does_not_exist` (404) for an unknown model.
   */
  async function write(runId: string, batch: Batch): Promise<void> {
    if (!RUN_ID.test(runId)) throw unknownRun(runId);
    const { params = [], metrics = [] } = batch;
    const tags = [...new Map(batch.tags ?? [])];
    const parts = { params: params.length > 0, metrics: metrics.length > 0, tags: tags.length > 0 };
    const name = `${parts.params} ${parts.metrics} ${parts.tags}`;
    const statement = statements.get(name) ?? statementOf(parts);
    statements.set(name, statement);
    const given = [
      runId,
      ...(parts.params ? columnsOf(params) : []),
      ...(parts.metrics ? pointColumns(metrics) : []),
      ...(parts.tags ? columnsOf(tags) : []),
    ];
    const ofModels = metrics.filter((point) => point.modelId !== undefined);
    // One param is all or none by itself; what else a statement wrote before it found that another
    // writer was faster has to be taken back.
    const lone = params.length === 1 && !parts.metrics && !parts.tags;
    const isWhole = ofModels.length === 0 && (!parts.params || lone);
    await retried(async () => {
      if (isWhole) {
        assertWritten(runId, params.length, await statement.ask(given));
        return;
      }
      await database.orm.transaction(async (tx) => {
        const rows = await database.rows<Answer>(bound(statement.text, given), tx);
        assertWritten(runId, params.length, rows);
        if (ofModels.length > 0) await writeOfModels(tx, runId, ofModels);
      });
    });
  }

  /** Raises the latest points of logged models. */
  async function writeOfModels(tx: Orm, runId: string, points: readonly Point[]): Promise<void> {
    const given = [
      runId,
      ...pointColumns(points),
      textsOf(points.map((point) => point.modelId!)),
      textsOf(points.map((point) => point.datasetName ?? "")),
      textsOf(points.map((point) => point.datasetDigest ?? "")),
    ];
    const [unknown] = await database.rows<{ id: string }>(bound(OF_MODELS, given), tx);
    if (unknown === undefined) return;
    throw new SluiceError({
      code: "does_not_exist",
      status: 404,
      detail: `Logged model with ID '${unknown.id}' not found.`,
    });
  }

  return { write };
}

function assertWritten(runId: string, params: number, [answer]: readonly Answer[]): void {
  if (answer === undefined) throw unknownRun(runId);
  if (answer.stage !== "active") throw runDeleted(runId);
  if (answer.clashes !== null) throw paramChanged(runId, answer.clashes, params > 1);
}

const columnsOf = (pairs: readonly (readonly [string, string])[]): string[] => [
  textsOf(pairs.map(([key]) => key)),
  textsOf(pairs.map(([, value]) => value)),
];

const pointColumns = (points: readonly Point[]): string[] => [
  textsOf(points.map((point) => point.key)),
  numbersOf(points.map((point) => point.value)),
  numbersOf(points.map((point) => point.timestamp)),
  numbersOf(points.map((point) => point.step)),
];

interface Parts {
  readonly params: boolean;
  readonly metrics: boolean;
  readonly tags: boolean;
}

/** The statement for batches of these parts; $1 is the run, then two or four arrays a part. */
function textOf({ params, metrics, tags }: Parts): string {
  const atMetrics = params ? 4 : 2;
  const atTags = atMetrics + (metrics ? 4 : 0);
  // Points have no foreign key: nobody may remove the run meanwhile.
  const held = metrics ? "for key share" : "";
  return `
    with run as (select run_id, lifecycle_stage as stage from runs where run_id = $1 ${held})
    ${params ? PARAMS : ", free as (select run_id from run where stage = 'active')"}
    ${metrics ? metricsText(atMetrics) : ""}
    ${tags ? tagsText(atTags) : ""}
    select stage, ${params ? CLASHES : "null::json"} as clashes from run`;
}

const PARAMS = `
  , wanted as (select key, value from unnest($2::text[], $3::text[]) as t (key, value))
  , clash as (
    select wanted.key, params.value as old, wanted.value as new
    from wanted join params on params.run_id = $1 and params.key = wanted.key
    where params.value <> wanted.value)
  , free as (select run_id from run where stage = 'active' and not exists (select from clash))
  , stored as (
    insert into params (run_id, key, value)
    select run_id, key, value from free, wanted
    where not exists (
      select from params where params.run_id = $1 and params.key = wanted.key)
    order by key collate "C"
    -- Gives the value of whoever was faster.
    on conflict (run_id, key) do update set value = params.value
    returning key, value)`;

const CLASHES = `(
  select json_agg(json_build_object('key', key, 'old', old, 'new', new) order by key collate "C")
  from (
    select key, old, new from clash
    union all
    select key, stored.value, wanted.value from stored join wanted using (key)
    where stored.value <> wanted.value) as clashes)`;

/** NaN has no order, so that it stands as 0 with a mark, as in MLflow's own tables. */
const pointsText = (at: number): string => `
  points as (
    select key, case when value = 'NaN' then 0 else value end as value, value = 'NaN' as is_nan,
      timestamp, step
    from unnest($${at}::text[], $${at + 1}::float8[], $${at + 2}::bigint[], $${at + 3}::bigint[])
      as t (key, value, timestamp, step))`;

const metricsText = (at: number): string => `
  , ${pointsText(at)}
  , each as (
    insert into metrics (run_id, key, value, is_nan, timestamp, step)
    select run_id, key, value, is_nan, timestamp, step from free, points
    order by key collate "C", timestamp, step, value, is_nan
    on conflict do nothing)
  , latest as (
    insert into latest_metrics (run_id, key, value, is_nan, timestamp, step)
    select distinct on (key collate "C") run_id, key, value, is_nan, timestamp, step
    from free, points
    order by key collate "C", step desc, timestamp desc, value desc, is_nan desc
    on conflict (run_id, key) do update set
      value = excluded.value, is_nan = excluded.is_nan,
      timestamp = excluded.timestamp, step = excluded.step
    where (excluded.step, excluded.timestamp, excluded.value, excluded.is_nan)
      > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value,
         latest_metrics.is_nan))`;

const tagsText = (at: number): string => `
  , labels as (select key, value from unnest($${at}::text[], $${at + 1}::text[]) as t (key, value))
  , tagged as (
    insert into tags (run_id, key, value)
    select run_id, key, value from free, labels order by key collate "C"
    on conflict (run_id, key) do update set value = excluded.value
    where tags.value <> excluded.value)
  , renamed as (
    update runs set name = labels.value from free, labels
    where runs.run_id = free.run_id and labels.key = '${RUN_NAME}' and labels.value <> ''
      and runs.name <> labels.value)`;

/** As the latest of a run, a row a model, run, key and dataset. Gives a model that is unknown. */
const OF_MODELS = `with ${pointsText(2)}
  , of_models as (
    select points.*, model_id, dataset_name, dataset_digest
    from (select row_number() over () as at, * from points) as points
    join (select row_number() over () as at, * from unnest($6::text[], $7::text[], $8::text[])
      as t (model_id, dataset_name, dataset_digest)) as models using (at))
  , known as (
    select of_models.* from of_models join logged_models using (model_id)
    where lifecycle_stage = 'active')
  , latest as (
    insert into logged_model_metrics as l (model_id, run_id, key, value, is_nan, timestamp, step,
      dataset_name, dataset_digest)
    select distinct on (model_id, key, dataset_name, dataset_digest)
      model_id, $1, key, value, is_nan, timestamp, step, dataset_name, dataset_digest
    from known
    order by model_id, key, dataset_name, dataset_digest,
      step desc, timestamp desc, value desc, is_nan desc
    on conflict (model_id, run_id, key, dataset_name, dataset_digest) do update set
      value = excluded.value, is_nan = excluded.is_nan,
      timestamp = excluded.timestamp, step = excluded.step
    where (excluded.step, excluded.timestamp, excluded.value, excluded.is_nan)
      > (l.step, l.timestamp, l.value, l.is_nan))
  select model_id as id from of_models
  where model_id not in (select model_id from known) limit 1`;

/** There is no such run (404). */
export const unknownRun = (runId: string): SluiceError =>
  new SluiceError({
    code: "unknown_run",
    status: 404,
    detail: `Run with id=${runId.slice(0, 300)} not found.`,
    fix: "Start the run first, or look its id up in the list of runs.",
  });

/** The run was put away (400). */
export const runDeleted = (runId: string): SluiceError =>
  new SluiceError({
    code: "run_deleted",
    status: 400,
    detail: `The run ${runId} must be in the 'active' state. Current state is deleted.`,
    fix: "Restore the run, or start another.",
  });

function paramChanged(runId: string, clashes: readonly Clash[], isBatch: boolean): SluiceError {
  const [first] = clashes;
  const which = isBatch
    ? `Params were already logged='[${clashes.map(clashText).join(", ")}]' for run ID='${runId}'.`
    : `Param with key='${first!.key}' was already logged with value='${first!.old}' for run ` +
      `ID='${runId}'. Attempted logging new value '${first!.new}'.`;
  return new SluiceError({
    code: "param_changed",
    status: 400,
    detail: `Changing param values is not allowed. ${which}`,
    fix: "Start another run for other params, or log what changes as a metric or a tag.",
    faults: clashes.map(({ key }) => ({ path: key, message: "was logged with another value" })),
  });
}

const clashText = ({ key, old, new: wanted }: Clash): string =>
  `{'key': '${key}', 'old_value': '${old}', 'new_value': '${wanted}'}`;
