/*
 * Runs from start to end, as trainings here and clients of the MLflow protocol make them.
 */
import { SluiceError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { runs } from "../store/schema.ts";
import { type Whole, wholeOf } from "../store/whole.ts";
import type { Instant } from "../types.ts";
import { RUN_NAME, runDeleted, unknownRun } from "./batch.ts";
import { RUN_ID } from "./names.ts";
import { badParameter, doesNotExist } from "./refusal.ts";

type RunRow = typeof runs.$inferSelect;

export interface RunStart {
  readonly experimentId: string;
  readonly name: string;
  readonly userId: string;
  /** Milliseconds since 1970, for who keeps to the protocol. */
  readonly startTime: Whole;
  /** All but its name. */
  readonly tags: readonly (readonly [key: string, value: string])[];
  /** The pipeline run that trains it. */
  readonly pipelineRunId: string | null;
}

export interface RunChange {
  readonly status?: RunRow["status"] | undefined;
  readonly endTime?: Whole | undefined;
  readonly name?: string | undefined;
}

/** What a run is, without what it logged. */
export type RunInfo = Pick<
  RunRow,
  | "runId"
  | "name"
  | "userId"
  | "status"
  | "startTime"
  | "endTime"
  | "artifactUri"
  | "lifecycleStage"
> & { readonly experimentId: string | number };

/** A run as INFO has it; of one that was not changed the stage alone. */
interface ChangedRow extends Omit<RunInfo, "startTime" | "endTime"> {
  readonly stage: "active" | "deleted";
  readonly startTime: string;
  readonly endTime: string | null;
}

interface Home {
  readonly stage: "active" | "deleted";
  readonly uri: string | null;
}

const INFO = `run_id as "runId", name, experiment_id::text as "experimentId",
  user_id as "userId", status, start_time::text as "startTime", end_time::text as "endTime",
  artifact_uri as "artifactUri", lifecycle_stage as "lifecycleStage"`;

/** The SQL of runs' lives. */
export function makeRunLife({
  database,
  clock,
}: {
  database: Database;
  clock: { now(): Instant };
}) {
  // A location may have a query, which stays behind what is added to its path.
  const start = database.prepared<Home>(`
    with home as (
      select experiment_id, lifecycle_stage as stage, split_part(artifact_location, '?', 1) as path,
        substr(artifact_location, strpos(artifact_location || '?', '?')) as query
      from experiments where experiment_id = $1::bigint)
    , made as (
      insert into runs (run_id, name, experiment_id, user_id, status, start_time, artifact_uri,
        pipeline_run_id)
      select $2::text, $3::text, experiment_id, $4::text, 'RUNNING', $5::bigint,
        rtrim(path, '/') || '/' || $2::text || '/artifacts' || query, $6::text
      from home where stage = 'active' returning run_id, artifact_uri)
    , tagged as (
      insert into tags (run_id, key, value)
      select run_id, key, value from made, unnest($7::text[], $8::text[]) as t (key, value))
    select stage, (select artifact_uri from made) as uri from home`);
  const change = database.prepared<ChangedRow>(`
    with run as (select run_id as id, lifecycle_stage as stage from runs where run_id = $1)
    , tagged as (
      insert into tags (run_id, key, value)
      select id, '${RUN_NAME}', $4::text from run where stage = 'active' and $4::text is not null
      on conflict (run_id, key) do update set value = excluded.value)
    , changed as (
      update runs set status = coalesce($2::text, status),
        end_time = coalesce($3::bigint, end_time), name = coalesce($4::text, name)
      from run where run_id = id and stage = 'active' returning runs.*)
    select stage, ${INFO} from run left join changed on run_id = id`);
  const stage = database.prepared<{ id: string }>(`
    update runs set lifecycle_stage = $2::text,
      deleted_time = case when $2::text = 'deleted' then coalesce(deleted_time, $3::bigint) end
    where run_id = $1 returning run_id as id`);
  const untag = database.prepared<{ stage: string; done: boolean }>(`
    with run as (select run_id as id, lifecycle_stage as stage from runs where run_id = $1)
    , gone as (delete from tags using run
      where run_id = id and key = $2 and stage = 'active' returning key)
    select stage, exists (select from gone) as done from run`);
  const append = database.prepared<{ stage: string }>(`
    with run as (select run_id as id, lifecycle_stage as stage from runs where run_id = $1)
    , tagged as (
      insert into tags (run_id, key, value)
      select id, $2::text, jsonb_build_array($3::jsonb)::text from run where stage = 'active'
      on conflict (run_id, key) do update set value = (tags.value::jsonb || $3::jsonb)::text)
    select stage from run`);

  const moveTo = async (runId: string, to: "active" | "deleted"): Promise<void> => {
    const [row] = RUN_ID.test(runId) ? await stage([runId, to, clock.now()]) : [];
    if (row === undefined) throw unknownRun(runId);
  };

  return {
    /**
     * Starts a run, whose id is 32 hex digits and whose name is a tag too. Throws
     * `unknown_experiment` (404), or `experiment_deleted` (400).
     */
    start: async (run: RunStart): Promise<RunInfo> => {
      const runId = crypto.randomUUID().replaceAll("-", "");
      const { experimentId, name, userId, startTime } = run;
      const tags = new Map([...run.tags, [RUN_NAME, name]]);
      const [home] = await start([
        ...[experimentId, runId, name, userId, String(startTime), run.pipelineRunId],
        ...[[...tags.keys()], [...tags.values()]],
      ]);
      if (home === undefined || home.uri === null) throw homeless(experimentId, home !== undefined);
      return {
        ...{ runId, name, experimentId, userId, status: "RUNNING", startTime, endTime: null },
        ...{ artifactUri: home.uri, lifecycleStage: "active" },
      };
    },

    /** Changes what is given of a run, whose name is a tag too; the run as it is then. */
    change: async (runId: string, { status, endTime, name }: RunChange): Promise<RunInfo> => {
      const end = endTime === undefined ? null : String(endTime);
      const given = [runId, status ?? null, end, name ?? null];
      const [row] = RUN_ID.test(runId) ? await change(given) : [];
      if (row === undefined) throw unknownRun(runId);
      const { stage, ...info } = row;
      if (stage !== "active") throw runDeleted(runId);
      return {
        ...info,
        startTime: wholeOf(info.startTime),
        endTime: info.endTime === null ? null : wholeOf(info.endTime),
      };
    },

    /** Puts a run away; one that is away stays so. */
    remove: (runId: string) => moveTo(runId, "deleted"),

    /** Brings a run back. */
    restore: (runId: string) => moveTo(runId, "active"),

    /** Removes a tag; `does_not_exist` (404) where the run has none of that key. */
    untag: async (runId: string, key: string): Promise<void> => {
      const [row] = RUN_ID.test(runId) ? await untag([runId, key]) : [];
      if (row === undefined) throw unknownRun(runId);
      if (row.stage !== "active") throw runDeleted(runId);
      if (!row.done) throw doesNotExist(`No tag with name: ${key} in run with id ${runId}`);
    },

    /** Adds to the JSON list that a tag holds; `invalid_parameter` (400) where it holds another. */
    append: async (runId: string, key: string, item: object): Promise<void> => {
      const given = [runId, key, JSON.stringify(item)];
      const [row] = RUN_ID.test(runId) ? await append(given).catch(noList(key)) : [];
      if (row === undefined) throw unknownRun(runId);
      if (row.stage !== "active") throw runDeleted(runId);
    },
  };
}

/** Text that is no JSON, or JSON that the database cannot hold. */
const noList =
  (key: string) =>
  (thrown: unknown): never => {
    const { code } = (thrown ?? {}) as { code?: unknown };
    if (code !== "22P02" && code !== "22P05") throw thrown;
    throw badParameter(`The tag ${key} holds no JSON list that could be added to.`);
  };

function homeless(id: string, isDeleted: boolean): SluiceError {
  return new SluiceError({
    code: isDeleted ? "experiment_deleted" : "unknown_experiment",
    status: isDeleted ? 400 : 404,
    detail: isDeleted
      ? `The experiment ${id} must be in the 'active' state. Current state is deleted.`
      : `No Experiment with id=${id} exists`,
    fix: isDeleted ? "Restore the experiment, or use another." : "Make the experiment first.",
  });
}
