/*
 * Experiments and runs, from start to end. A run's end never changes; what it has logged may
 * still grow, as MLflow's clients do that.
 */
import { and, eq, inArray, sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import { experiments, runs } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { makeBatches, runDeleted, unknownRun } from "./batch.ts";
import { RUN_ID, trackingKey } from "./names.ts";
import { makeRunLife } from "./run-life.ts";

export type RunRow = typeof runs.$inferSelect;
export type RunEnding = "FINISHED" | "FAILED" | "KILLED";

export interface NewRun {
  readonly experimentId: number;
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly userId?: string;
  /** When what is recorded began; now unless given. */
  readonly startedAt?: Instant;
  /** The pipeline run that trains it. */
  readonly pipelineRunId?: string;
}

/** The SQL of experiments and runs. */
export function makeRuns({ database, clock }: { database: Database; clock: { now(): Instant } }) {
  const { orm } = database;
  const batches = makeBatches({ database });
  const life = makeRunLife({ database, clock });

  /** The id of the experiment of that name, made when there is none. */
  async function experiment(name: string): Promise<number> {
    const known = (await experimentNamed(name)) ?? (await makeExperiment(name));
    // Null when another process made it between the two statements.
    return known ?? (await experimentNamed(name))!;
  }

  async function experimentNamed(name: string): Promise<number | null> {
    const rows = await orm
      .select({ id: experiments.experimentId })
      .from(experiments)
      .where(eq(experiments.name, name));
    return rows[0]?.id ?? null;
  }

  async function makeExperiment(name: string): Promise<number | null> {
    const now = clock.now();
    // The id is drawn first, because the location holds it.
    const rows = await database.rows<{ id: number | string }>(sql`
      insert into experiments
        (experiment_id, name, artifact_location, creation_time, last_update_time)
      select id, ${name}, 'mlflow-artifacts:/' || id, ${now}::bigint, ${now}::bigint
      from nextval(pg_get_serial_sequence('experiments', 'experiment_id')) as id
      on conflict (name) do nothing
      returning experiment_id as id`);
    return rows[0] === undefined ? null : Number(rows[0].id);
  }

  /**
   * Starts a run and returns its id (32 hex digits). Throws `unknown_experiment` (404), or
   * `experiment_deleted` (400) where somebody put the experiment away.
   */
  async function startRun(run: NewRun): Promise<string> {
    const { runId } = await life.start({
      experimentId: String(run.experimentId),
      name: run.name,
      userId: run.userId ?? "",
      startTime: run.startedAt ?? clock.now(),
      tags: sortedEntries(run.tags ?? {}),
      pipelineRunId: run.pipelineRunId ?? null,
    });
    return runId;
  }

  /**
   * Writes params, all or none. The same value again changes nothing; another value for a key
   * that is there throws `param_changed` (400): what a run was trained with is history.
   */
  async function logParams(
    runId: string,
    values: Readonly<Record<string, string | number | boolean>>,
  ): Promise<void> {
    await batches.write(runId, { params: sortedEntries(values) });
  }

  /** Sets tags of a run; the tag `mlflow.runName` renames it. */
  async function setTags(runId: string, values: Readonly<Record<string, string>>): Promise<void> {
    await batches.write(runId, { tags: sortedEntries(values) });
  }

  /** Ends a run that is under way; false when it has ended before, and then nothing changes. */
  async function endRun(runId: string, status: RunEnding, message?: string): Promise<boolean> {
    await assertKnown(orm, runId);
    const ended = await orm
      .update(runs)
      .set({ status, endTime: clock.now(), statusMessage: message ?? null })
      .where(and(eq(runs.runId, runId), inArray(runs.status, ["RUNNING", "SCHEDULED"])))
      .returning({ runId: runs.runId });
    return ended.length === 1;
  }

  return { experiment, startRun, logParams, setTags, endRun };
}

/** The run's row, or `unknown_run` (404). */
export async function assertKnown(within: Orm, runId: string): Promise<RunRow> {
  const rows = RUN_ID.test(runId)
    ? await within.select().from(runs).where(eq(runs.runId, runId))
    : [];
  if (rows[0] !== undefined) return rows[0];
  throw unknownRun(runId);
}

/** The run's row, or `unknown_run` (404), or `run_deleted` (400): nothing is logged to those. */
export async function assertActive(within: Orm, runId: string): Promise<RunRow> {
  const run = await assertKnown(within, runId);
  if (run.lifecycleStage === "active") return run;
  throw runDeleted(runId);
}

/** Entries as text in order of keys: writers that lock rows in one order cannot deadlock. */
function sortedEntries(values: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(values)
    .map(([key, value]): [string, string] => [trackingKey(key), textOf(key, value)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function textOf(key: string, value: unknown): string {
  const text = String(value);
  if (!text.includes("\0")) return text;
  throw new SluiceError({
    code: "bad_value",
    status: 422,
    detail: `The value of ${JSON.stringify(key)} holds a NUL character.`,
    fix: "Leave the character out; the database cannot hold it in text.",
  });
}
