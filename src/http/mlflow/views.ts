/*
 * Rows as the protocol shows them. What is not set is left out, lists that are empty too.
 */
import type { RunInfo } from "../../registry/run-life.ts";
import type { ExperimentData } from "../../registry/search/experiments.ts";
import type { KeyValue } from "../../registry/search/gather.ts";
import type { RunData } from "../../registry/search/run-data.ts";

/** A number as JSON can have it: NaN and the infinities are text. */
export const double64 = (value: number): number | string =>
  Number.isFinite(value) ? value : String(value);

/** A list, or undefined where it is empty. */
export const some = <T>(items: readonly T[]): readonly T[] | undefined =>
  items.length === 0 ? undefined : items;

export const tagViews = (tags: readonly KeyValue[]) => some(tags);

export const experimentView = ({ row, tags }: ExperimentData) => ({
  experiment_id: String(row.experimentId),
  name: row.name,
  artifact_location: row.artifactLocation,
  lifecycle_stage: row.lifecycleStage,
  creation_time: row.creationTime,
  last_update_time: row.lastUpdateTime,
  tags: tagViews(tags),
});

export const infoView = (row: RunInfo) => ({
  run_id: row.runId,
  run_uuid: row.runId,
  run_name: row.name,
  experiment_id: String(row.experimentId),
  user_id: row.userId,
  status: row.status,
  start_time: row.startTime,
  end_time: row.endTime ?? undefined,
  artifact_uri: row.artifactUri,
  lifecycle_stage: row.lifecycleStage,
});

/** A run with the latest point of each metric, its params and tags, and what it read and made. */
export const runView = (run: RunData) => ({
  info: infoView(run.row),
  data: {
    metrics: some(
      run.metrics.map(({ key, value, timestamp, step }) => ({
        ...{ key, value: double64(value), timestamp, step },
      })),
    ),
    params: some(run.params),
    tags: tagViews(run.tags),
  },
  inputs: {
    dataset_inputs: some(
      run.datasets.map(({ name, digest, sourceType, source, schema, profile, tags }) => ({
        tags: tagViews(tags),
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
    model_outputs: some(run.outputModels.map(({ modelId, step }) => ({ model_id: modelId, step }))),
  },
});
