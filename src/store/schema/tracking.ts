/*
 * Runs and what they log, in MLflow's shapes, so that its protocol maps onto them as they are.
 * What only Sluice knows stands in columns of its own beside them.
 */
import { type SQL, sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  boolean,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { identity, instant, ms, whole } from "./columns.ts";

export const experiments = pgTable("experiments", {
  experimentId: identity("experiment_id").primaryKey(),
  name: text().notNull().unique(),
  artifactLocation: text("artifact_location").notNull(),
  lifecycleStage: text("lifecycle_stage", { enum: ["active", "deleted"] })
    .notNull()
    .default("active"),
  creationTime: ms("creation_time").notNull(),
  lastUpdateTime: ms("last_update_time").notNull(),
});

export const experimentTags = pgTable(
  "experiment_tags",
  {
    experimentId: ms("experiment_id")
      .notNull()
      .references(() => experiments.experimentId, { onDelete: "cascade" }),
    key: text().notNull(),
    value: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.experimentId, t.key] })],
);

export const runs = pgTable(
  "runs",
  {
    runId: text("run_id").primaryKey(),
    name: text().notNull(),
    experimentId: ms("experiment_id")
      .notNull()
      .references(() => experiments.experimentId),
    userId: text("user_id").notNull().default(""),
    status: text({ enum: ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] }).notNull(),
    statusMessage: text("status_message"),
    startTime: whole("start_time").notNull(),
    endTime: whole("end_time"),
    artifactUri: text("artifact_uri").notNull(),
    lifecycleStage: text("lifecycle_stage", { enum: ["active", "deleted"] })
      .notNull()
      .default("active"),
    deletedTime: ms("deleted_time"),
    /** The pipeline run that trained it, or null for a run logged from outside. */
    pipelineRunId: text("pipeline_run_id"),
  },
  (t) => [
    // Only with its nulls first an index has the order of a plain `desc`.
    index("runs_of_experiment").on(t.experimentId, t.startTime.desc().nullsFirst(), t.runId),
    index("runs_by_start").on(t.startTime.desc().nullsFirst(), t.runId),
    index("runs_of_pipeline_run").on(t.pipelineRunId),
  ],
);

const runId = () =>
  text("run_id")
    .notNull()
    .references(() => runs.runId, { onDelete: "cascade" });

/**
 * What searches look texts up by: an index cannot hold all of a long one, and only in this order of
 * characters it finds those that begin so.
 */
const head = (value: AnyPgColumn | SQL) => sql`left(${value}, 128) text_pattern_ops`;

export const params = pgTable(
  "params",
  { runId: runId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.key] }), index("params_head").on(t.key, head(t.value))],
);

export const tags = pgTable(
  "tags",
  { runId: runId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.key] }), index("tags_head").on(t.key, head(t.value))],
);

/**
 * Without a foreign key, which costs two thirds of the time of logging a thousand points: who logs
 * holds the run's row meanwhile, and who removes a run removes its points before.
 */
const loggedBy = () => text("run_id").notNull();

export const metrics = pgTable(
  "metrics",
  {
    runId: loggedBy(),
    key: text().notNull(),
    value: doublePrecision().notNull(),
    isNan: boolean("is_nan").notNull().default(false),
    timestamp: whole("timestamp").notNull(),
    step: whole("step").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.runId, t.key, t.timestamp, t.step, t.value, t.isNan] })],
);

/** The metric point with the greatest (step, timestamp, value) a key: what searches read. */
export const latestMetrics = pgTable(
  "latest_metrics",
  {
    runId: loggedBy(),
    key: text().notNull(),
    value: doublePrecision().notNull(),
    isNan: boolean("is_nan").notNull().default(false),
    timestamp: whole("timestamp").notNull(),
    step: whole("step").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.runId, t.key] }),
    index("latest_metrics_value").on(t.key, t.value).where(sql`not is_nan`),
    index("latest_metrics_nan").on(t.key).where(sql`is_nan`),
  ],
);

export const datasets = pgTable(
  "datasets",
  {
    datasetId: identity("dataset_id").primaryKey(),
    experimentId: ms("experiment_id")
      .notNull()
      .references(() => experiments.experimentId),
    name: text().notNull(),
    digest: text().notNull(),
    sourceType: text("source_type").notNull(),
    source: text().notNull(),
    schema: text(),
    profile: text(),
    /** Set when a row that it holds was revised or a hole in it was filled. */
    staleAt: instant("stale_at"),
    staleReason: text("stale_reason"),
    /** Markets and span it was made from, to know whom a revision touches; null from outside. */
    markets: text().array(),
    firstSlot: instant("first_slot"),
    lastSlot: instant("last_slot"),
    asOf: instant("as_of"),
  },
  (t) => [uniqueIndex("datasets_name_digest").on(t.experimentId, t.name, t.digest)],
);

export const inputs = pgTable(
  "inputs",
  {
    runId: runId(),
    datasetId: ms("dataset_id")
      .notNull()
      .references(() => datasets.datasetId),
    tags: jsonb().$type<Record<string, string>>().notNull().default({}),
  },
  (t) => [
    primaryKey({ columns: [t.runId, t.datasetId] }),
    index("inputs_of_dataset").on(t.datasetId),
    index("inputs_context").on(head(sql`${t.tags} ->> 'mlflow.data.context'`)),
  ],
);

/** Files of runs: a path in the run, and the sha256 under which the object store has the bytes. */
export const artifacts = pgTable(
  "artifacts",
  {
    runId: runId(),
    path: text().notNull(),
    digest: text().notNull(),
    size: ms("size").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.path] }), index("artifacts_digest").on(t.digest)],
);
