/*
 * Logged models with all that belongs to them, however many they are.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { loggedModels } from "../../store/schema.ts";
import { wholeOf } from "../../store/whole.ts";
import { REMOVED } from "../version-rows.ts";
import { textArray } from "./conditions.ts";
import {
  inChunks,
  inOrder,
  items,
  itemsIn,
  type KeyValue,
  numberOf,
  pairs,
  pairsIn,
} from "./gather.ts";
import type { VersionId } from "./model-data.ts";
import type { MetricData } from "./run-data.ts";

export interface LoggedMetric extends MetricData {
  readonly runId: string;
  /** Empty where it was logged of no dataset. */
  readonly datasetName: string;
  readonly datasetDigest: string;
}

export interface LoggedData {
  readonly row: typeof loggedModels.$inferSelect;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly metrics: readonly LoggedMetric[];
  /** Versions that were registered from it. */
  readonly registrations: readonly VersionId[];
}

const ofModel = sql`t.model_id = logged_models.model_id`;
const columns = {
  row: loggedModels,
  params: pairs(sql`logged_model_params t where ${ofModel}`),
  tags: pairs(sql`logged_model_tags t where ${ofModel}`),
  metrics: items(
    sql`json_build_array(t.key, t.value, t.is_nan, t.timestamp::text, t.step::text,
      t.run_id, t.dataset_name, t.dataset_digest)`,
    sql`logged_model_metrics t where ${ofModel}`,
    sql`t.key collate "C", t.run_id, t.dataset_name, t.dataset_digest`,
  ),
  registrations: items(
    sql`json_build_object('name', t.name, 'version', t.version)`,
    sql`model_versions t where ${ofModel} and t.current_stage <> ${REMOVED}`,
    sql`t.name, t.version`,
  ),
};

type Point = readonly [string, number | string, boolean, string, string, string, string, string];

/** The logged models of these ids, in their order; deleted ones too. */
export const loggedData = (database: Database, ids: readonly string[]): Promise<LoggedData[]> =>
  inChunks(ids, async (chunk) => {
    const found = await database.orm
      .select(columns)
      .from(loggedModels)
      .where(sql`${loggedModels.modelId} = any(${textArray(chunk)})`);
    const all = found.map(({ row, params, tags, metrics, registrations }): LoggedData => {
      return {
        row,
        params: pairsIn(params),
        tags: pairsIn(tags),
        metrics: itemsIn<Point>(metrics).map(pointOf),
        registrations: itemsIn<VersionId>(registrations),
      };
    });
    return inOrder(chunk, all, ({ row }) => row.modelId);
  });

const pointOf = ([key, value, isNan, timestamp, step, runId, name, digest]: Point) => ({
  key,
  value: numberOf(value, isNan),
  timestamp: wholeOf(timestamp),
  step: wholeOf(step),
  runId,
  datasetName: name,
  datasetDigest: digest,
});
