/*
 * Messages of the protocol as they are read: every member may be absent, numbers may be texts.
 */
import type {
  GivenDataset,
  GivenExperiment,
  GivenLogged,
  GivenModel,
  GivenPoint,
  GivenRun,
  GivenVersion,
  Stage,
} from "../../registry/intake/given.ts";
import type { Pair } from "../../registry/registered.ts";
import { sourceModel } from "../../registry/sources.ts";
import { isWholeText, type Whole, wholeOf } from "../../store/whole.ts";
import type { Json } from "./client.ts";

const RUN_STATES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
const LOGGED_STATES = ["UNSPECIFIED", "PENDING", "READY", "UPLOAD_FAILED"] as const;
const VERSION_STATES = ["PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"] as const;

export const object = (value: unknown): Json =>
  typeof value === "object" && value !== null ? (value as Json) : {};

export const list = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.map(object) : [];

export const text = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);

/** Text, or null where there is none. */
export const textOrNull = (value: unknown): string | null => text(value) || null;

/** A whole number; 0 where there is none. */
export const whole = (value: unknown): number => {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) ? number : Math.trunc(number) || 0;
};

/** The same of 64 bits, with all digits. */
export const whole64 = (value: unknown): Whole =>
  typeof value === "bigint" || (typeof value === "string" && isWholeText(value))
    ? wholeOf(value)
    : whole(value);

/** A value of a metric: NaN and the infinities travel as text. */
export const double = (value: unknown): number => Number(value ?? 0);

export const stage = (value: unknown): Stage => (value === "deleted" ? "deleted" : "active");

const oneOf = <const T extends string>(all: readonly T[], value: unknown, other: T): T =>
  all.find((one) => one === value) ?? other;

export const pairs = (value: unknown): Pair[] => [
  ...new Map(list(value).map(({ key, value }) => [text(key), text(value)])),
];

export const experimentOf = (one: Json): GivenExperiment => ({
  id: text(one["experiment_id"]),
  name: text(one["name"]),
  location: text(one["artifact_location"]),
  stage: stage(one["lifecycle_stage"]),
  created: whole(one["creation_time"]),
  updated: whole(one["last_update_time"] ?? one["creation_time"]),
  tags: pairs(one["tags"]),
});

export const pointOf = (runId: string, one: Json): GivenPoint => ({
  runId,
  key: text(one["key"]),
  value: double(one["value"]),
  timestamp: whole64(one["timestamp"]),
  step: whole64(one["step"]),
});

const datasetOf = ({ dataset, tags }: Json): GivenDataset => {
  const one = object(dataset);
  return {
    ...{ name: text(one["name"]), digest: text(one["digest"]), tags: pairs(tags) },
    sourceType: text(one["source_type"]),
    source: text(one["source"]),
    schema: textOrNull(one["schema"]),
    profile: textOrNull(one["profile"]),
  };
};

export function runOf(one: Json): GivenRun {
  const { info, data, inputs, outputs } = one;
  const { run_id, run_uuid, ...facts } = object(info);
  const id = text(run_id ?? run_uuid);
  const tags = pairs(object(data)["tags"]);
  const name = text(facts["run_name"]) || new Map(tags).get("mlflow.runName") || "";
  return {
    ...{ id, name, tags },
    userId: text(facts["user_id"]),
    status: runStatus(facts["status"]),
    started: whole64(facts["start_time"]),
    ended: whole64(facts["end_time"]) || null,
    stage: stage(facts["lifecycle_stage"]),
    uri: text(facts["artifact_uri"]),
    params: pairs(object(data)["params"]),
    latest: list(object(data)["metrics"]).map((metric) => pointOf(id, metric)),
    datasets: list(object(inputs)["dataset_inputs"]).map(datasetOf),
    inputModels: list(object(inputs)["model_inputs"]).map((model) => text(model["model_id"])),
    outputModels: list(object(outputs)["model_outputs"]).map((model) => ({
      id: text(model["model_id"]),
      step: whole64(model["step"]),
    })),
  };
}

export const runStatus = (value: unknown): GivenRun["status"] =>
  oneOf(RUN_STATES, value, "FINISHED");

export function loggedOf(one: Json): GivenLogged {
  const info = object(one["info"]);
  const data = object(one["data"]);
  return {
    id: text(info["model_id"]),
    name: text(info["name"]),
    modelType: textOrNull(info["model_type"]),
    sourceRunId: textOrNull(info["source_run_id"]),
    uri: text(info["artifact_uri"]),
    status: loggedStatus(text(info["status"]).replace(/^LOGGED_MODEL_(STATUS_)?/, "")),
    statusMessage: textOrNull(info["status_message"]),
    stage: "active",
    created: whole(info["creation_timestamp_ms"]),
    updated: whole(info["last_updated_timestamp_ms"]),
    params: pairs(data["params"]),
    tags: pairs(info["tags"]),
    metrics: list(data["metrics"]).map((metric) => ({
      ...pointOf(text(metric["run_id"]), metric),
      datasetName: text(metric["dataset_name"]),
      datasetDigest: text(metric["dataset_digest"]),
    })),
  };
}

export const loggedStatus = (value: unknown): GivenLogged["status"] =>
  oneOf(LOGGED_STATES, value, "UNSPECIFIED");

export const modelOf = (one: Json): GivenModel => ({
  name: text(one["name"]),
  description: textOrNull(one["description"]),
  created: whole(one["creation_timestamp"]),
  updated: whole(one["last_updated_timestamp"] ?? one["creation_timestamp"]),
  tags: pairs(one["tags"]),
  aliases: list(one["aliases"]).map(({ alias, version }) => ({
    ...{ alias: text(alias), version: whole(version) },
  })),
});

export function versionOf(one: Json): GivenVersion {
  const source = text(one["source"]);
  const of = sourceModel(source);
  return {
    ...{ name: text(one["name"]), version: whole(one["version"]), source },
    description: textOrNull(one["description"]),
    userId: textOrNull(one["user_id"]),
    stage: text(one["current_stage"]) || "None",
    runId: textOrNull(one["run_id"]),
    runLink: textOrNull(one["run_link"]),
    modelId: textOrNull(one["model_id"]) ?? (of !== null && "modelId" in of ? of.modelId : null),
    status: versionStatus(one["status"]),
    statusMessage: textOrNull(one["status_message"]),
    created: whole(one["creation_timestamp"]),
    updated: whole(one["last_updated_timestamp"] ?? one["creation_timestamp"]),
    tags: pairs(one["tags"]),
  };
}

export const versionStatus = (value: unknown): GivenVersion["status"] =>
  oneOf(VERSION_STATES, value, "READY");
