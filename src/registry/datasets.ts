/*
 * Which rows a run saw, and whether they still are what they were.
 */
import { and, arrayContains, eq, gte, isNull, lte } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { datasets, inputs } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { assertActive } from "./runs.ts";

/** A dataset as it is logged; what is null does not apply to data from outside. */
export interface DatasetEntry {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
  /** Every market that a row or a feature was made from. */
  readonly markets: readonly string[] | null;
  /** First and last slot of what was read, the features' look back included. */
  readonly firstSlot: Instant | null;
  readonly lastSlot: Instant | null;
  readonly asOf: Instant | null;
}

/** The SQL of datasets. */
export function makeDatasets({
  database,
  clock,
}: {
  database: Database;
  clock: { now(): Instant };
}) {
  const { orm } = database;

  /** Notes that the run saw the dataset; again changes nothing, the first tags stay. */
  async function logDataset(
    runId: string,
    dataset: DatasetEntry,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await orm.transaction(async (tx) => {
      const { experimentId } = await assertActive(tx, runId);
      const markets = dataset.markets === null ? null : [...dataset.markets];
      await tx
        .insert(datasets)
        .values({ ...dataset, markets, experimentId })
        .onConflictDoNothing();
      const rows = await tx
        .select({ id: datasets.datasetId })
        .from(datasets)
        .where(
          and(
            eq(datasets.experimentId, experimentId),
            eq(datasets.name, dataset.name),
            eq(datasets.digest, dataset.digest),
          ),
        );
      const input = { runId, datasetId: rows[0]!.id, tags: { ...tags } };
      await tx.insert(inputs).values(input).onConflictDoNothing();
    });
  }

  /**
   * Marks the datasets whose span holds the candle that was revised or turned up, and returns how
   * many; one that was stale before keeps its first reason and is not counted.
   */
  async function markStale(market: string, start: Instant, reason: string): Promise<number> {
    const marked = await orm
      .update(datasets)
      .set({ staleAt: clock.now(), staleReason: reason })
      .where(
        and(
          isNull(datasets.staleAt),
          arrayContains(datasets.markets, [market]),
          lte(datasets.firstSlot, start),
          gte(datasets.lastSlot, start),
        ),
      )
      .returning({ id: datasets.datasetId });
    return marked.length;
  }

  return { logDataset, markStale };
}
