/*
 * Registered models, versions and logged models as the protocol shows them.
 */
import type { LoggedData } from "../../registry/search/logged-data.ts";
import type { RegisteredData, VersionData } from "../../registry/search/model-data.ts";
import { pointView, some } from "./views.ts";

/** A version: its number is text, and its description is there: clients take none for another. */
export const versionView = ({ row, tags, aliases }: VersionData) => ({
  name: row.name,
  version: String(row.version),
  creation_timestamp: row.creationTime,
  last_updated_timestamp: row.lastUpdatedTime,
  user_id: row.userId ?? undefined,
  current_stage: row.currentStage,
  description: row.description ?? "",
  source: row.source,
  run_id: row.runId ?? undefined,
  run_link: row.runLink ?? undefined,
  status: row.status,
  status_message: row.statusMessage ?? undefined,
  model_id: row.modelId ?? undefined,
  tags: some(tags),
  aliases: some(aliases),
});

/** A registered model with the newest version of each stage. */
export const registeredView = ({ row, tags, aliases, latest }: RegisteredData) => ({
  name: row.name,
  creation_timestamp: row.creationTime,
  last_updated_timestamp: row.lastUpdatedTime,
  description: row.description ?? undefined,
  latest_versions: some(latest.map(versionView)),
  tags: some(tags),
  aliases: some(aliases.map(({ alias, version }) => ({ alias, version: String(version) }))),
});

/** A logged model with the latest point of each metric, run and dataset. */
export const loggedView = ({ row, params, tags, metrics, registrations }: LoggedData) => ({
  info: {
    model_id: row.modelId,
    experiment_id: String(row.experimentId),
    name: row.name,
    creation_timestamp_ms: row.creationTime,
    last_updated_timestamp_ms: row.lastUpdatedTime,
    artifact_uri: row.artifactUri,
    status: `LOGGED_MODEL_${row.status === "UNSPECIFIED" ? "STATUS_" : ""}${row.status}`,
    model_type: row.modelType ?? undefined,
    source_run_id: row.sourceRunId ?? undefined,
    status_message: row.statusMessage ?? undefined,
    tags: some(tags),
    registrations: some(
      registrations.map(({ name, version }) => ({ name, version: String(version) })),
    ),
  },
  data: {
    params: some(params),
    metrics: some(
      metrics.map((metric) => ({
        ...pointView(metric.key, metric),
        model_id: row.modelId,
        run_id: metric.runId,
        dataset_name: metric.datasetName || undefined,
        dataset_digest: metric.datasetDigest || undefined,
      })),
    ),
  },
});
