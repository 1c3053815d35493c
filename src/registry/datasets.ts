/*
 * Which rows a run saw, and whether they still are what they were.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { datasets, inputs } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { assertActive } from "./runs.ts";

/** The tag of an input that says what it was read for. */
export const CONTEXT = "mlflow.data.context";

/** A dataset as everybody tells of it. */
export interface DatasetFacts {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
}

/** A dataset as it is logged; what is null does not apply to data from outside. */
export interface DatasetEntry extends DatasetFacts {
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
      // One that is there is written too: who has written it holds it, and it is not let go of.
      const rows = await tx
        .insert(datasets)
        .values({ ...dataset, markets, experimentId })
        .onConflictDoUpdate({
          target: [datasets.experimentId, datasets.name, datasets.digest],
          set: { sourceType: sql`${datasets.sourceType}` },
        })
        .returning({ id: datasets.datasetId });
      const input = { runId, datasetId: rows[0]!.id, tags: { ...tags } };
      await tx.insert(inputs).values(input).onConflictDoNothing();
    });
  }

  /**
   * Marks the datasets that hold a candle which was revised, or a hole that was filled, after they
   * were read, and returns how many; one that is stale already keeps its reason.
   */
  async function markStale(): Promise<number> {
    const now = new Date(clock.now()).toISOString();
    const marked = await database.rows(sql`
      with changes as (
        select market, start, known_to as at, 'was revised' as what
        from candles where known_to is not null
        union all
        select market, start, settled_at, 'turned up late' from holes where state = 'filled')
      update datasets d set
        stale_at = ${now}::timestamptz,
        stale_reason = c.market || ' ' || to_char(c.start at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS"Z"') || ' ' || c.what
      from (
        -- By market: each change held against each dataset would be their product.
        select s.dataset_id, c.* from datasets s
        cross join unnest(s.markets) as mine (name)
        join changes c on c.market = mine.name and c.at > s.as_of
          and c.start between s.first_slot and s.last_slot
        where s.stale_at is null) c
      where d.dataset_id = c.dataset_id and d.stale_at is null
      returning d.dataset_id`);
    return marked.length;
  }

  return { logDataset, markStale };
}
