/*
 * Rows as the protocol shows them. What is not set is left out, lists that are empty too.
 */
import type { HistoryPoint } from "../../registry/histories.ts";
import type { RunInfo } from "../../registry/run-life.ts";
import type { ExperimentData } from "../../registry/search/experiments.ts";
import type { RunData } from "../../registry/search/run-data.ts";
import { jsonWhole } from "../../store/whole.ts";

/** A number as JSON can have it: NaN and the infinities are text. */
export const double64 = (value: number): number | string =>
  Number.isFinite(value) ? value : String(value);

/** A list, or undefined where it is empty. */
export const some = <T>(items: readonly T[]): readonly T[] | undefined =>
  items.length === 0 ? undefined : items;

/** A point of a metric. */
export const pointView = (key: string, { value, timestamp, step }: HistoryPoint) => ({
  key,
  value: double64(value),
  timestamp: jsonWhole(timestamp),
  step: jsonWhole(step),
});

export const experimentView = ({ row, tags }: ExperimentData) => ({
  experiment_id: String(row.experimentId),
  name: row.name,
  artifact_location: row.artifactLocation,
  lifecycle_stage: row.lifecycleStage,
  creation_time: row.creationTime,
  last_update_time: row.lastUpdateTime,
  tags: some(tags),
});

export const infoView = (row: RunInfo) => ({
  run_id: row.runId,
  run_uuid: row.runId,
  run_name: row.name,
  experiment_id: String(row.experimentId),
  user_id: row.userId,
  status: row.status,
  start_time: jsonWhole(row.startTime),
  end_time: row.endTime === null ? undefined : jsonWhole(row.endTime),
  artifact_uri: row.artifactUri,
  lifecycle_stage: row.lifecycleStage,
});

/** A run with the latest point of each metric, its params and tags, and what it read and made. */
export const runView = (run: RunData) => ({
  info: infoView(run.row),
  data: {
    metrics: some(run.metrics.map((metric) => pointView(metric.key, metric))),
    params: some(run.params),
    tags: some(run.tags),
  },
  inputs: {
    dataset_inputs: some(
      run.datasets.map(({ name, digest, sourceType, source, schema, profile, tags }) => ({
        tags: some(tags),
        dataset: {
          ...{ name, digest, source_type: sourceType, source },
          schema: schema ?? undefined,
          profile: profile ?? undefined,
        },
      })),
    ),
    model_inputs: some(run.inputModels.map(({ modelId }) => ({ model_id: modelId }))),
  },
  outputs: {
    model_outputs: some(
      run.outputModels.map(({ modelId, step }) => ({ model_id: modelId, step: jsonWhole(step) })),
    ),
  },
});
