/*
 * Runs as they are read: one whole, or many newest first.
 */
import {
  and,
  asc,
  desc,
  eq,
  exists,
  gt,
  inArray,
  lt,
  notExists,
  notInArray,
  or,
} from "drizzle-orm";
import * as v from "valibot";
import type { Database } from "../store/database.ts";
import {
  artifacts,
  datasets,
  experiments,
  inputs,
  latestMetrics,
  params,
  pipelineRuns,
  runs,
  tags,
} from "../store/schema.ts";
import { type Whole, wholeOf } from "../store/whole.ts";
import type { ArtifactRow } from "./artifacts.ts";
import { RUN_ID } from "./names.ts";
import { keysIn, type Page, type PageRequest, pageLimit, pageOf, wholeKey } from "./page.ts";
import type { RunRow } from "./runs.ts";

/** The latest point of a metric; the value may be NaN or infinite. */
export interface LatestMetric {
  readonly value: number;
  readonly step: Whole;
  readonly timestamp: Whole;
}

/** A run with what it logged, by key. */
export interface Run extends RunRow {
  readonly params: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, LatestMetric>>;
  readonly tags: Readonly<Record<string, string>>;
}

export type DatasetRow = typeof datasets.$inferSelect;

/** A run with its datasets (their tags beside them) and its files. */
export interface WholeRun extends Run {
  readonly datasets: readonly (DatasetRow & { readonly tags: Readonly<Record<string, string>> })[];
  readonly artifacts: readonly ArtifactRow[];
}

export interface RunFilter extends PageRequest {
  readonly experimentId?: number;
  /** Runs of the experiment that carries the model's name. */
  readonly model?: string;
  /** The runs below this one (a search's trials); without it, runs that are below no other. */
  readonly parent?: string;
}

/** The tag by which MLflow nests a run below another. */
export const PARENT_RUN = "mlflow.parentRunId";

const runKeys = v.strictTuple([wholeKey, v.pipe(v.string(), v.regex(RUN_ID))]);

/** The SQL that reads runs. */
export function makeRunList({ database }: { database: Database }) {
  const { orm } = database;

  /** One run with everything it logged, deleted ones too; null when there is none. */
  async function run(runId: string): Promise<WholeRun | null> {
    if (!RUN_ID.test(runId)) return null;
    const rows = await orm.select().from(runs).where(eq(runs.runId, runId));
    if (rows[0] === undefined) return null;
    const [logged] = await withLogged(rows);
    const files = orm
      .select()
      .from(artifacts)
      .where(eq(artifacts.runId, runId))
      .orderBy(asc(artifacts.path));
    return { ...logged!, datasets: await datasetsOf(runId), artifacts: await files };
  }

  async function datasetsOf(runId: string): Promise<WholeRun["datasets"]> {
    const rows = await orm
      .select({ dataset: datasets, tags: inputs.tags })
      .from(inputs)
      .innerJoin(datasets, eq(datasets.datasetId, inputs.datasetId))
      .where(eq(inputs.runId, runId))
      .orderBy(asc(datasets.datasetId));
    return rows.map((row) => ({ ...row.dataset, tags: row.tags }));
  }

  /** Runs that are not deleted, newest first; `bad_token` or `bad_limit` (422). */
  async function list(filter: RunFilter): Promise<Page<Run>> {
    const limit = pageLimit(filter.limit);
    const before = keysIn(filter.before, runKeys);
    const rows = await orm
      .select({ run: runs })
      .from(runs)
      .innerJoin(experiments, eq(experiments.experimentId, runs.experimentId))
      .where(
        and(
          eq(runs.lifecycleStage, "active"),
          filter.experimentId === undefined
            ? undefined
            : eq(runs.experimentId, filter.experimentId),
          filter.model === undefined ? undefined : eq(experiments.name, filter.model),
          parentIs(filter.parent),
          before === null ? undefined : isAfter(before),
        ),
      )
      .orderBy(desc(runs.startTime), asc(runs.runId))
      .limit(limit + 1);
    const page = pageOf(
      rows.map((row) => row.run),
      limit,
      (row) => [String(row.startTime), row.runId],
    );
    return { items: await withLogged(page.items), next: page.next };
  }

  const parentIs = (parent: string | undefined) => {
    const of = orm
      .select({ runId: tags.runId })
      .from(tags)
      .where(
        and(
          eq(tags.runId, runs.runId),
          eq(tags.key, PARENT_RUN),
          parent === undefined ? undefined : eq(tags.value, parent),
        ),
      );
    return parent === undefined ? notExists(of) : exists(of);
  };

  const isAfter = ([time, runId]: [string, string]) => {
    const startTime = wholeOf(time);
    return or(
      lt(runs.startTime, startTime),
      and(eq(runs.startTime, startTime), gt(runs.runId, runId)),
    );
  };

  /** Adds params, latest metrics and tags, in three statements for however many runs. */
  async function withLogged(rows: readonly RunRow[]): Promise<Run[]> {
    if (rows.length === 0) return [];
    const ids = rows.map((row) => row.runId);
    const loggedParams = await orm.select().from(params).where(inArray(params.runId, ids));
    const loggedTags = await orm.select().from(tags).where(inArray(tags.runId, ids));
    const latest = await orm.select().from(latestMetrics).where(inArray(latestMetrics.runId, ids));
    const paramsOf = byRun(loggedParams, (row) => row.value);
    const tagsOf = byRun(loggedTags, (row) => row.value);
    const metricsOf = byRun(latest, ({ isNan, value, step, timestamp }) => ({
      value: isNan ? Number.NaN : value,
      step,
      timestamp,
    }));
    return rows.map((row) => ({
      ...row,
      params: paramsOf(row.runId),
      metrics: metricsOf(row.runId),
      tags: tagsOf(row.runId),
    }));
  }

  /** The runs that one pipeline run started, newest first: more than one after a crash. */
  const runsOfPipelineRun = (pipelineRunId: string): Promise<RunRow[]> =>
    orm
      .select()
      .from(runs)
      .where(eq(runs.pipelineRunId, pipelineRunId))
      .orderBy(desc(runs.startTime), asc(runs.runId));

  /** Pipeline runs that have ended and left a training RUNNING: their worker was lost. */
  const pipelineRunsLeft = (): Promise<{ id: string; pipeline: string }[]> =>
    orm
      .selectDistinct({ id: pipelineRuns.id, pipeline: pipelineRuns.pipeline })
      .from(runs)
      .innerJoin(pipelineRuns, eq(pipelineRuns.id, runs.pipelineRunId))
      .where(
        and(eq(runs.status, "RUNNING"), notInArray(pipelineRuns.status, ["queued", "running"])),
      );

  return { run, runs: list, runsOfPipelineRun, pipelineRunsLeft };
}

/** For each run its rows by key, sorted. fromEntries, so that `__proto__` is a key like others. */
function byRun<Row extends { runId: string; key: string }, Value>(
  rows: readonly Row[],
  read: (row: Row) => Value,
): (runId: string) => Record<string, Value> {
  const groups = Map.groupBy(rows, (row) => row.runId);
  return (runId) =>
    Object.fromEntries(
      (groups.get(runId) ?? [])
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((row): [string, Value] => [row.key, read(row)]),
    );
}
