/*
 * Experiments: made, renamed, tagged, put away and brought back.
 */
import type { Database } from "../store/database.ts";
import { isUniqueViolation } from "../store/pipeline-runs.ts";
import type { Instant } from "../types.ts";
import { alreadyExists, badParameter, doesNotExist, wrongState } from "./refusal.ts";
import { type ExperimentData, experimentData } from "./search/experiments.ts";

export interface NewExperiment {
  readonly name: string;
  /** Where its files are; below the proxy's root where nothing is said. */
  readonly location: string | null;
  readonly tags: readonly (readonly [key: string, value: string])[];
}

/** The experiment that a run belongs to where nobody says which. */
export const DEFAULT_EXPERIMENT = "0";

type Staged = { readonly stage: "active" | "deleted"; readonly done: boolean };

/** The SQL of experiments. */
export function makeExperiments({
  database,
  clock,
}: {
  database: Database;
  clock: { now(): Instant };
}) {
  const named = database.prepared<{ id: string }>(`
    select experiment_id::text as id from experiments where name = $1`);
  // The id is drawn first, because the location holds it.
  const make = database.prepared<{ id: string }>(`
    with made as (
      insert into experiments
        (experiment_id, name, artifact_location, creation_time, last_update_time)
      select id, $1::text, coalesce($2::text, 'mlflow-artifacts:/' || id), $3::bigint, $3::bigint
      from nextval(pg_get_serial_sequence('experiments', 'experiment_id')) as id
      on conflict (name) do nothing
      returning experiment_id)
    , tagged as (
      insert into experiment_tags (experiment_id, key, value)
      select experiment_id, key, value from made, unnest($4::text[], $5::text[]) as t (key, value))
    select experiment_id::text as id from made`);
  const rename = database.prepared<Staged>(`
    with e as (select experiment_id, lifecycle_stage as stage from experiments
      where experiment_id = $1::bigint)
    , renamed as (
      update experiments x set name = $2::text, last_update_time = $3::bigint
      from e where x.experiment_id = e.experiment_id and stage = 'active')
    select stage from e`);
  // Its runs go and come with it.
  const stage = database.prepared<{ id: string }>(`
    with moved as (
      update experiments set lifecycle_stage = $2::text, last_update_time = $3::bigint
      where experiment_id = $1::bigint and lifecycle_stage <> $2::text returning experiment_id)
    , runs as (
      update runs r set lifecycle_stage = $2::text,
        deleted_time = case when $2::text = 'deleted' then $3::bigint end
      from moved where r.experiment_id = moved.experiment_id and r.lifecycle_stage <> $2::text)
    select experiment_id::text as id from moved`);
  const tag = database.prepared<Staged>(`
    with e as (select experiment_id, lifecycle_stage as stage from experiments
      where experiment_id = $1::bigint)
    , tagged as (
      insert into experiment_tags (experiment_id, key, value)
      select experiment_id, $2::text, $3::text from e where stage = 'active'
      on conflict (experiment_id, key) do update set value = excluded.value)
    select stage, true as done from e`);
  const untag = database.prepared<Staged>(`
    with e as (select experiment_id, lifecycle_stage as stage from experiments
      where experiment_id = $1::bigint)
    , gone as (
      delete from experiment_tags t using e
      where t.experiment_id = e.experiment_id and t.key = $2 and stage = 'active' returning t.key)
    select stage, exists (select from gone) as done from e`);

  return {
    /** An experiment, deleted ones too; `does_not_exist` (404). */
    experiment: async (id: string): Promise<ExperimentData> => {
      const [found] = await experimentData(database, [experimentId(id)]);
      if (found === undefined) throw noExperiment(id);
      return found;
    },

    /** The experiment of that name, deleted ones too; `does_not_exist` (404). */
    experimentNamed: async (name: string): Promise<ExperimentData> => {
      const [row] = await named([name]);
      const [found] = row === undefined ? [] : await experimentData(database, [row.id]);
      if (found === undefined) throw doesNotExist(`Could not find experiment with name '${name}'`);
      return found;
    },

    /** Makes an experiment and returns its id; `already_exists` (400), also of a deleted one. */
    makeExperiment: async ({ name, location, tags }: NewExperiment): Promise<string> => {
      const [keys, values] = [tags.map(([key]) => key), tags.map(([, value]) => value)];
      const [row] = await make([name, location, clock.now(), keys, values]);
      if (row !== undefined) return row.id;
      const [other] = await named([name]);
      const [found] = other === undefined ? [] : await experimentData(database, [other.id]);
      throw nameTaken(name, found?.row.lifecycleStage === "deleted");
    },

    /** Renames it; `does_not_exist` (404), `wrong_state` (400), `already_exists` (400). */
    renameExperiment: async (id: string, name: string): Promise<void> => {
      const [row] = await rename([experimentId(id), name, clock.now()]).catch((thrown) => {
        throw isUniqueViolation(thrown) ? nameTaken(name, false) : thrown;
      });
      if (row === undefined) throw noExperiment(id);
      if (row.stage !== "active") throw wrongState("Cannot rename a non-active experiment.");
    },

    /** Puts it away with its runs; `does_not_exist` (404), also where it is away already. */
    deleteExperiment: async (id: string): Promise<void> => {
      const [row] = await stage([experimentId(id), "deleted", clock.now()]);
      if (row === undefined) throw noExperiment(id);
    },

    /** Brings it back with all its runs; `does_not_exist` (404), also where it is not away. */
    restoreExperiment: async (id: string): Promise<void> => {
      const [row] = await stage([experimentId(id), "active", clock.now()]);
      if (row === undefined) throw noExperiment(id);
    },

    /** Sets a tag of an experiment that is not deleted. */
    tagExperiment: async (id: string, key: string, value: string): Promise<void> =>
      assertDone(id, key, await tag([experimentId(id), key, value])),

    /** Removes a tag; `does_not_exist` (404) where it has none of that key. */
    untagExperiment: async (id: string, key: string): Promise<void> =>
      assertDone(id, key, await untag([experimentId(id), key])),
  };
}

/** What a bigint holds. */
const isId = (id: string): boolean => /^\d{1,18}$/.test(id);

/** The id itself; `invalid_parameter` (400) where it is no number. */
export function experimentId(id: string): string {
  if (isId(id)) return id;
  if (/^-?\d+$/.test(id)) throw noExperiment(id);
  throw badParameter(`Invalid experiment ID: '${id.slice(0, 80)}'. It must be a whole number.`);
}

export const noExperiment = (id: string) =>
  doesNotExist(`No Experiment with id=${id.slice(0, 80)} exists`);

export const experimentDeleted = (id: string) =>
  badParameter(`The experiment ${id} must be in the 'active' state. Current state is deleted.`);

function assertDone(id: string, key: string, [row]: readonly Staged[]): void {
  if (row === undefined) throw noExperiment(id);
  if (row.stage !== "active") throw experimentDeleted(id);
  if (!row.done) throw doesNotExist(`No tag with name: ${key} in experiment with id ${id}`);
}

const nameTaken = (name: string, isDeleted: boolean) =>
  alreadyExists(
    `Experiment(name=${name}) already exists.${
      isDeleted
        ? " It is deleted: restore it, or remove it for good (experiments/delete-permanently)."
        : ""
    }`,
  );
