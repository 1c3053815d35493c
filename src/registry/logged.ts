/*
 * Logged models: what a run made, before anybody registers it.
 */
import type { SluiceError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { loggedModels } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { noLogged } from "./client-versions.ts";
import { experimentDeleted, noExperiment } from "./experiments.ts";
import { badParameter, doesNotExist } from "./refusal.ts";
import type { Pair } from "./registered.ts";
import { type LoggedData, loggedData } from "./search/logged-data.ts";

export type LoggedStatus = (typeof loggedModels.$inferSelect)["status"];

export interface NewLogged {
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string | null;
  readonly sourceRunId: string | null;
  readonly params: readonly Pair[];
  readonly tags: readonly Pair[];
}

type Home = { readonly stage: "active" | "deleted"; readonly id: string | null };
type Clash = { readonly key: string; readonly old: string; readonly new: string };

/** The SQL of logged models. */
export function makeLogged({
  database,
  clock,
}: {
  readonly database: Database;
  readonly clock: { now(): Instant };
}) {
  // A location may have a query, which stays behind what is added to its path.
  const make = database.prepared<Home>(`
    with home as (
      select experiment_id, lifecycle_stage as stage, split_part(artifact_location, '?', 1) as path,
        substr(artifact_location, strpos(artifact_location || '?', '?')) as query
      from experiments where experiment_id = $1::bigint)
    , made as (
      insert into logged_models (model_id, experiment_id, name, model_type, source_run_id,
        artifact_uri, status, creation_time, last_updated_time)
      select $2::text, experiment_id, $3::text, $4::text, $5::text,
        rtrim(path, '/') || '/models/' || $2::text || '/artifacts' || query, 'PENDING',
        $6::bigint, $6::bigint
      from home where stage = 'active' returning model_id)
    , params as (
      insert into logged_model_params (model_id, key, value)
      select model_id, key, value from made, unnest($7::text[], $8::text[]) as t (key, value))
    , tagged as (
      insert into logged_model_tags (model_id, key, value)
      select model_id, key, value from made, unnest($9::text[], $10::text[]) as t (key, value))
    select stage, (select model_id from made) as id from home`);
  const finish = database.prepared<{ id: string }>(`
    update logged_models set status = $2::text, last_updated_time = $3::bigint
    where model_id = $1 and lifecycle_stage = 'active' returning model_id as id`);
  const remove = database.prepared<{ id: string }>(`
    update logged_models set lifecycle_stage = 'deleted', last_updated_time = case
      when lifecycle_stage = 'deleted' then last_updated_time else $2::bigint end
    where model_id = $1 returning model_id as id`);
  const tag = database.prepared<{ id: string }>(`
    with model as (
      update logged_models set last_updated_time = $4::bigint
      where model_id = $1 and lifecycle_stage = 'active' returning model_id)
    , tagged as (
      insert into logged_model_tags (model_id, key, value)
      select model_id, key, value from model, unnest($2::text[], $3::text[]) as t (key, value)
      on conflict (model_id, key) do update set value = excluded.value)
    select model_id as id from model`);
  const untag = database.prepared<{ done: boolean }>(`
    with model as (
      select model_id from logged_models where model_id = $1 and lifecycle_stage = 'active')
    , gone as (delete from logged_model_tags t using model
      where t.model_id = model.model_id and t.key = $2 returning t.key)
    select exists (select from gone) as done from model`);
  // What is there stays: a param never changes.
  const param = database.prepared<{ id: string }>(`
    with model as (
      select model_id from logged_models where model_id = $1 and lifecycle_stage = 'active')
    , made as (
      insert into logged_model_params (model_id, key, value)
      select model_id, key, value from model, unnest($2::text[], $3::text[]) as t (key, value)
      on conflict do nothing)
    select model_id as id from model`);
  const clashes = database.prepared<Clash>(`
    select p.key, p.value as old, t.value as new
    from logged_model_params p join unnest($2::text[], $3::text[]) as t (key, value) using (key)
    where p.model_id = $1 and p.value <> t.value order by p.key`);

  /** A logged model; `does_not_exist` (404), also of a deleted one unless those are wanted. */
  async function logged(id: string, withDeleted = false): Promise<LoggedData> {
    const [found] = await loggedData(database, [id]);
    if (found === undefined || (!withDeleted && found.row.lifecycleStage === "deleted")) {
      throw noLogged(id);
    }
    return found;
  }

  return {
    logged,

    /** Makes a model whose files are still to come; `does_not_exist` (404). */
    makeLogged: async (model: NewLogged): Promise<LoggedData> => {
      const id = `m-${crypto.randomUUID().replaceAll("-", "")}`;
      const { experimentId, name, modelType, sourceRunId, params, tags } = model;
      const [home] = await make([
        ...[experimentId, id, name, modelType, sourceRunId, clock.now()],
        ...columns(params),
        ...columns(tags),
      ]);
      if (home === undefined) throw noExperiment(experimentId);
      if (home.id === null) throw experimentDeleted(experimentId);
      return logged(id);
    },

    finishLogged: async (id: string, status: LoggedStatus): Promise<LoggedData> => {
      if ((await finish([id, status, clock.now()])).length === 0) throw noLogged(id);
      return logged(id);
    },

    /** Puts a model away; one that is away stays so. */
    deleteLogged: async (id: string): Promise<void> => {
      if ((await remove([id, clock.now()])).length === 0) throw noLogged(id);
    },

    tagLogged: async (id: string, tags: readonly Pair[]): Promise<LoggedData> => {
      if ((await tag([id, ...columns(tags), clock.now()])).length === 0) throw noLogged(id);
      return logged(id);
    },

    /** Removes a tag; `does_not_exist` (404) where there is none of that key. */
    untagLogged: async (id: string, key: string): Promise<void> => {
      const [row] = await untag([id, key]);
      if (row === undefined) throw noLogged(id);
      if (!row.done)
        throw doesNotExist(`No tag with key '${key}' found for model with ID '${id}'.`);
    },

    /** Adds params; the same again changes nothing, another value is `invalid_parameter` (400). */
    logParams: async (id: string, params: readonly Pair[]): Promise<void> => {
      const given = [id, ...columns(params)];
      if ((await param(given)).length === 0) throw noLogged(id);
      const [first] = await clashes(given);
      if (first !== undefined) throw paramChanged(id, first);
    },
  };
}

const columns = (pairs: readonly Pair[]) => [
  pairs.map(([key]) => key),
  pairs.map(([, value]) => value),
];

const paramChanged = (id: string, { key, old, new: value }: Clash): SluiceError =>
  badParameter(
    `Changing param values is not allowed. Param with key='${key}' was already logged with ` +
      `value='${old}' for model ID='${id}'. Attempted logging new value '${value}'.`,
  );
