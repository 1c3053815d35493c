/*
 * Logged models in MLflow's shapes: a model that a run made, before anybody registers it. And
 * files that clients put through the artifact proxy and that belong to no run.
 */
import {
  boolean,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { instant, ms, whole } from "./columns.ts";
import { experiments, runs } from "./tracking.ts";

export const loggedModels = pgTable(
  "logged_models",
  {
    modelId: text("model_id").primaryKey(),
    experimentId: ms("experiment_id")
      .notNull()
      .references(() => experiments.experimentId),
    name: text().notNull(),
    modelType: text("model_type"),
    sourceRunId: text("source_run_id"),
    artifactUri: text("artifact_uri").notNull(),
    status: text({ enum: ["UNSPECIFIED", "PENDING", "READY", "UPLOAD_FAILED"] }).notNull(),
    statusMessage: text("status_message"),
    lifecycleStage: text("lifecycle_stage", { enum: ["active", "deleted"] })
      .notNull()
      .default("active"),
    creationTime: ms("creation_time").notNull(),
    lastUpdatedTime: ms("last_updated_time").notNull(),
  },
  (t) => [
    index("logged_models_of_experiment").on(
      t.experimentId,
      t.creationTime.desc().nullsFirst(),
      t.modelId,
    ),
    index("logged_models_of_run").on(t.sourceRunId),
  ],
);

const modelId = () =>
  text("model_id")
    .notNull()
    .references(() => loggedModels.modelId, { onDelete: "cascade" });

export const loggedModelParams = pgTable(
  "logged_model_params",
  { modelId: modelId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.modelId, t.key] })],
);

export const loggedModelTags = pgTable(
  "logged_model_tags",
  { modelId: modelId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.modelId, t.key] })],
);

/** The latest point of a metric that a run logged of a model, by dataset ("" for none). */
export const loggedModelMetrics = pgTable(
  "logged_model_metrics",
  {
    modelId: modelId(),
    runId: text("run_id").notNull(),
    key: text().notNull(),
    value: doublePrecision().notNull(),
    isNan: boolean("is_nan").notNull().default(false),
    timestamp: whole("timestamp").notNull(),
    step: whole("step").notNull().default(0),
    datasetName: text("dataset_name").notNull().default(""),
    datasetDigest: text("dataset_digest").notNull().default(""),
  },
  (t) => [
    primaryKey({
      name: "logged_model_metrics_pk",
      columns: [t.modelId, t.runId, t.key, t.datasetName, t.datasetDigest],
    }),
    index("logged_model_metrics_key").on(t.key, t.value),
  ],
);

/** Models that a run read, or made at a step. */
export const runModels = pgTable(
  "run_models",
  {
    runId: text("run_id")
      .notNull()
      .references(() => runs.runId, { onDelete: "cascade" }),
    modelId: text("model_id").notNull(),
    direction: text({ enum: ["input", "output"] }).notNull(),
    step: whole("step").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.runId, t.direction, t.modelId] })],
);

/**
 * Files by their path below the proxy's root that are no run's: those of logged models, and what a
 * client puts elsewhere. The object store has the bytes under the sha256.
 */
export const files = pgTable(
  "files",
  {
    path: text().primaryKey(),
    digest: text().notNull(),
    size: ms("size").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (t) => [
    index("files_digest").on(t.digest),
    // Folders are ranges of paths, whatever order of letters the database has.
    index("files_below").on(t.path.op("text_pattern_ops")),
  ],
);

/** Uploads in parts that a client was given addresses for and has not completed. */
export const uploads = pgTable("uploads", {
  uploadId: text("upload_id").primaryKey(),
  path: text().notNull(),
  /** Where the object store keeps the parts until they are one file. */
  key: text().notNull(),
  parts: integer().notNull(),
  createdAt: instant("created_at").notNull(),
});
