/*
 * What the tests of searches share: rows in a fresh database, and searches that answer with names.
 */

import {
  datasets,
  experiments,
  inputs,
  latestMetrics,
  params,
  runs,
  tags,
} from "../../store/schema.ts";
import type { TestDatabase } from "../../store/testing.ts";
import { type RunSearch, searchRuns } from "./runs.ts";

export interface TestRun {
  readonly experiment?: number;
  readonly start?: number;
  readonly end?: number | null;
  readonly user?: string;
  readonly status?: "RUNNING" | "FINISHED";
  readonly deleted?: boolean;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly datasets?: readonly { name: string; digest: string; context?: string }[];
}

/** A database with two experiments, 1 and 2, and ways to fill and search it. */
export async function openSearch(on: TestDatabase) {
  const database = await on.open();
  const { orm } = database;
  await orm.insert(experiments).values([experimentRow(1, "one"), experimentRow(2, "two")]);

  /** A run whose id is its name. */
  async function run(name: string, it: TestRun = {}): Promise<void> {
    const experimentId = it.experiment ?? 1;
    await orm.insert(runs).values({
      runId: name,
      name,
      experimentId,
      userId: it.user ?? "ann",
      status: it.status ?? "FINISHED",
      startTime: it.start ?? 1_000,
      endTime: it.end === undefined ? 2_000 : it.end,
      artifactUri: `mlflow-artifacts:/${experimentId}/${name}/artifacts`,
      lifecycleStage: it.deleted === true ? "deleted" : "active",
    });
    const pairs = (values: Readonly<Record<string, string>> = {}) =>
      Object.entries(values).map(([key, value]) => ({ runId: name, key, value }));
    const points = Object.entries(it.metrics ?? {}).map(([key, value]) => ({
      ...{ runId: name, key, timestamp: 1, step: 0 },
      ...(Number.isNaN(value) ? { value: 0, isNan: true } : { value, isNan: false }),
    }));
    if (points.length > 0) await orm.insert(latestMetrics).values(points);
    if (pairs(it.params).length > 0) await orm.insert(params).values(pairs(it.params));
    if (pairs(it.tags).length > 0) await orm.insert(tags).values(pairs(it.tags));
    for (const { context, ...named } of it.datasets ?? []) {
      const dataset = { ...named, experimentId, sourceType: "local", source: "{}" };
      const [row] = await orm.insert(datasets).values(dataset).returning();
      const marks: Record<string, string> = context ? { "mlflow.data.context": context } : {};
      await orm.insert(inputs).values({ runId: name, datasetId: row!.datasetId, tags: marks });
    }
  }

  /** The names of the runs that are found, in order, of both experiments. */
  async function found(filter: string, more: Partial<RunSearch> = {}): Promise<string[]> {
    const search = { experimentIds: ["1", "2"], filter, limit: 1_000, ...more };
    return (await searchRuns(database, search)).runs.map(({ row }) => row.name);
  }

  return { database, run, found, close: () => database.close() };
}

export type SearchFixture = Awaited<ReturnType<typeof openSearch>>;

export const experimentRow = (experimentId: number, name: string) => ({
  ...{ experimentId, name, artifactLocation: `mlflow-artifacts:/${experimentId}` },
  ...{ creationTime: experimentId * 10, lastUpdateTime: experimentId * 10 },
});
