/*
 * Experiments of another server. Their numbers differ from those here, so that the same name means
 * the same experiment.
 */
import type { Database } from "../../store/database.ts";
import { bound } from "../../store/text.ts";
import { type GivenExperiment, ORIGIN, rowsText, type Stage } from "./given.ts";

export interface TakenExperiment {
  readonly id: string;
  /** `made` now, `known` from an import before, `merged` with one that was made here. */
  readonly how: "made" | "known" | "merged";
  readonly stage: Stage;
  /** Tags that have another value here, which stays. */
  readonly clashes: readonly string[];
}

interface There {
  readonly id: string;
  readonly stage: Stage;
  readonly origin: string | null;
}

/** The SQL of taking experiments in. */
export function makeExperimentIntake({ database }: { readonly database: Database }) {
  // The number is drawn first, because the location holds it.
  const make = `
    with given as (
      select * from json_to_recordset($1::text::json) as t (name text, stage text,
        created bigint, updated bigint))
    , made as (
      insert into experiments (experiment_id, name, artifact_location, lifecycle_stage,
        creation_time, last_update_time)
      select id, name, 'mlflow-artifacts:/' || id, stage, created, updated
      from given, nextval(pg_get_serial_sequence('experiments', 'experiment_id')) as id
      where not exists (select from experiments e where e.name = given.name)
      on conflict (name) do nothing
      returning experiment_id)
    , tagged as (
      insert into experiment_tags (experiment_id, key, value)
      select experiment_id, t.key, t.value
      from made, json_to_recordset($2::text::json) as t (key text, value text))
    select experiment_id::text as id from made`;
  const find = `
    select e.experiment_id::text as id, lifecycle_stage as stage, t.value as origin
    from experiments e left join experiment_tags t on t.experiment_id = e.experiment_id
      and t.key = '${ORIGIN}'
    where name = $1`;
  const tag = `
    with given as (select * from json_to_recordset($2::text::json) as t (key text, value text))
    , tagged as (
      insert into experiment_tags (experiment_id, key, value)
      select $1::bigint, key, value from given
      on conflict (experiment_id, key) do update set value = excluded.value
      where $3::text::boolean and experiment_tags.value <> excluded.value)
    select given.key from given join experiment_tags t on t.experiment_id = $1::bigint
      and t.key = given.key and t.value <> given.value and not $3::text::boolean`;

  /** Makes the experiment, or adds what it has to the one of its name. */
  return async (given: GivenExperiment): Promise<TakenExperiment> => {
    const { name, stage, created, updated, location } = given;
    const pairs = given.tags
      .filter(([key]) => key !== ORIGIN)
      .map(([key, value]) => ({ key, value }));
    const row = rowsText([{ name, stage, created, updated }]);
    const [made] = await database.rows<{ id: string }>(
      bound(make, [row, rowsText([...pairs, { key: ORIGIN, value: location }])]),
    );
    if (made !== undefined) return { id: made.id, how: "made", stage, clashes: [] };
    const [there] = await database.rows<There>(bound(find, [name]));
    if (there === undefined) throw new Error(`experiment ${name} is neither there nor made`);
    const isKnown = there.origin === location;
    const clashes = await database.rows<{ key: string }>(
      bound(tag, [there.id, rowsText(pairs), String(isKnown)]),
    );
    return {
      ...{ id: there.id, stage: there.stage, how: isKnown ? "known" : "merged" },
      clashes: clashes.map(({ key }) => key),
    };
  };
}
