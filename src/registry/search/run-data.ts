/*
 * Runs with all that they logged, in one statement however many they are.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { runs } from "../../store/schema.ts";
import { exactJson, type Whole, wholeOf } from "../../store/whole.ts";
import type { RunRow } from "../runs.ts";
import { textArray } from "./conditions.ts";
import {
  columnar,
  columnsIn,
  inChunks,
  inOrder,
  items,
  itemsIn,
  type KeyValue,
  numberOf,
  pairs,
  pairsIn,
} from "./gather.ts";

/** The latest point of a metric; the value may be NaN or infinite. */
export interface MetricData {
  readonly key: string;
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole;
}

export interface DatasetData {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
  /** Of this run's use of it. */
  readonly tags: readonly KeyValue[];
}

export interface RunData {
  readonly row: RunRow;
  readonly metrics: readonly MetricData[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly datasets: readonly DatasetData[];
  readonly inputModels: readonly { readonly modelId: string }[];
  readonly outputModels: readonly { readonly modelId: string; readonly step: Whole }[];
}

const columns = {
  row: runs,
  metrics: columnar(
    [sql`t.key`, sql`t.value`, sql`t.is_nan`, sql`t.timestamp`, sql`t.step`],
    sql`(select * from latest_metrics t where t.run_id = runs.run_id order by t.key) t`,
  ),
  params: pairs(sql`params t where t.run_id = runs.run_id`),
  tags: pairs(sql`tags t where t.run_id = runs.run_id`),
  datasets: items(
    sql`json_build_object('name', d.name, 'digest', d.digest, 'sourceType', d.source_type,
      'source', d.source, 'schema', d.schema, 'profile', d.profile, 'tags', t.tags)`,
    sql`inputs t join datasets d on d.dataset_id = t.dataset_id where t.run_id = runs.run_id`,
    sql`t.dataset_id`,
  ),
  models: items(
    sql`json_build_array(t.direction, t.model_id, t.step::text)`,
    sql`run_models t where t.run_id = runs.run_id`,
    sql`t.step, t.model_id collate "C"`,
  ),
};

type Points = readonly [string[], (Whole | string)[], boolean[], Whole[], Whole[]];
type Dataset = Omit<DatasetData, "tags"> & { readonly tags: Readonly<Record<string, string>> };
type Link = readonly [direction: string, modelId: string, step: string];

/** The runs of these ids, in their order; those that there are not are left out. */
export const runData = (database: Database, ids: readonly string[]): Promise<RunData[]> =>
  inChunks(ids, async (chunk) => {
    const found = await database.orm
      .select(columns)
      .from(runs)
      .where(sql`${runs.runId} = any(${textArray(chunk)})`);
    const all = found.map(({ row, metrics, params, tags, datasets, models }): RunData => {
      const linked = itemsIn<Link>(models);
      const of = (wanted: string) =>
        linked
          .filter(([direction]) => direction === wanted)
          .map(([, modelId, step]) => ({ modelId, step: wholeOf(step) }));
      return {
        row,
        metrics: pointsIn(metrics),
        params: pairsIn(params),
        tags: pairsIn(tags),
        datasets: itemsIn<Dataset>(datasets).map((dataset) => ({
          ...dataset,
          tags: Object.entries(dataset.tags).map(([key, value]) => ({ key, value })),
        })),
        inputModels: of("input"),
        outputModels: of("output"),
      };
    });
    return inOrder(chunk, all, ({ row }) => row.runId);
  });

function pointsIn(json: string): MetricData[] {
  const points = columnsIn<Points>(json);
  const [keys, values, nans, timestamps, steps] =
    points[3].every(Number.isSafeInteger) && points[4].every(Number.isSafeInteger)
      ? points
      : columnsIn<Points>(json, exactJson);
  return keys.map((key, i) => ({
    key,
    value: numberOf(values[i]!, nans[i]!),
    timestamp: timestamps[i]!,
    step: steps[i]!,
  }));
}
