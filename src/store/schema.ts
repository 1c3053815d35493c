/*
 * Every table. The registry's tables carry MLflow's shapes (experiments, runs, params, metrics,
 * tags, inputs, versions, aliases), so that its protocol maps onto them as they are; what only
 * Sluice knows stands in columns of its own beside them.
 *
 * Instants of the market are timestamptz; MLflow's own times are milliseconds in bigint, as its
 * protocol says. Change this file, then run `bun run migration` for the next numbered SQL.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { Instant } from "../types.ts";

/**
 * timestamptz that is an Instant in TypeScript. Written as ISO text and read by Date, because the
 * two drivers hand over different types.
 */
const instant = customType<{ data: Instant; driverData: string | Date }>({
  dataType: () => "timestamp (3) with time zone",
  toDriver: (t) => new Date(t).toISOString(),
  fromDriver: (v) => new Date(v).getTime(),
});

const ms = (name: string) => bigint(name, { mode: "number" });
const identity = (name: string) => bigint(name, { mode: "number" }).generatedByDefaultAsIdentity();

// --- markets -----------------------------------------------------------------------------------

export const markets = pgTable("markets", {
  market: text().primaryKey(),
  unit: integer().notNull().default(240),
  /** Start of the first candle the exchange has, once paging back has reached it. */
  firstStart: instant("first_start"),
  /** The second look at stored history has come back as far as this. */
  auditedTo: instant("audited_to"),
  auditedAt: instant("audited_at"),
  /** A lasting refusal by the exchange (unknown or delisted market), or null. */
  trouble: text(),
  troubleAt: instant("trouble_at"),
});

export const candles = pgTable(
  "candles",
  {
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant().notNull(),
    open: doublePrecision().notNull(),
    high: doublePrecision().notNull(),
    low: doublePrecision().notNull(),
    close: doublePrecision().notNull(),
    volume: doublePrecision().notNull(),
    turnover: doublePrecision().notNull(),
    lastTradeAt: instant("last_trade_at"),
    knownFrom: instant("known_from").notNull(),
    /** Null for the version in force; the instant a revision replaced it otherwise. */
    knownTo: instant("known_to"),
  },
  (t) => [
    primaryKey({ columns: [t.market, t.unit, t.start, t.knownFrom] }),
    uniqueIndex("candles_in_force").on(t.market, t.unit, t.start).where(sql`known_to is null`),
    index("candles_replaced").on(t.market, t.knownTo).where(sql`known_to is not null`),
  ],
);

export const holes = pgTable(
  "holes",
  {
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant().notNull(),
    state: text({ enum: ["unknown", "confirmed_empty", "filled"] }).notNull(),
    asked: integer().notNull().default(0),
    firstSeenAt: instant("first_seen_at").notNull(),
    askedAt: instant("asked_at").notNull(),
    settledAt: instant("settled_at"),
  },
  (t) => [primaryKey({ columns: [t.market, t.unit, t.start] })],
);

export const quarantine = pgTable(
  "quarantine",
  {
    id: identity("id").primaryKey(),
    market: text().notNull(),
    unit: integer().notNull(),
    start: instant(),
    reason: text().notNull(),
    detail: text().notNull(),
    raw: text().notNull(),
    /** sha256 of reason and raw, so that the same bad row met again is counted, not repeated. */
    digest: text().notNull(),
    seen: integer().notNull().default(1),
    firstSeenAt: instant("first_seen_at").notNull(),
    lastSeenAt: instant("last_seen_at").notNull(),
  },
  (t) => [
    uniqueIndex("quarantine_digest").on(t.market, t.digest),
    index("quarantine_recent").on(t.market, t.lastSeenAt),
  ],
);

// --- tracking (MLflow's shapes) ------------------------------------------------------------------

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
    startTime: ms("start_time").notNull(),
    endTime: ms("end_time"),
    artifactUri: text("artifact_uri").notNull(),
    lifecycleStage: text("lifecycle_stage", { enum: ["active", "deleted"] })
      .notNull()
      .default("active"),
    deletedTime: ms("deleted_time"),
    /** The pipeline run that trained it, or null for a run logged from outside. */
    pipelineRunId: text("pipeline_run_id"),
  },
  (t) => [
    index("runs_of_experiment").on(t.experimentId, t.startTime.desc(), t.runId),
    index("runs_of_pipeline_run").on(t.pipelineRunId),
  ],
);

const runId = () =>
  text("run_id")
    .notNull()
    .references(() => runs.runId, { onDelete: "cascade" });

export const params = pgTable(
  "params",
  { runId: runId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.key] })],
);

export const tags = pgTable(
  "tags",
  { runId: runId(), key: text().notNull(), value: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.key] })],
);

export const metrics = pgTable(
  "metrics",
  {
    runId: runId(),
    key: text().notNull(),
    value: doublePrecision().notNull(),
    isNan: boolean("is_nan").notNull().default(false),
    timestamp: ms("timestamp").notNull(),
    step: ms("step").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.runId, t.key, t.timestamp, t.step, t.value, t.isNan] })],
);

/** The metric point with the greatest (step, timestamp, value) a key: what searches read. */
export const latestMetrics = pgTable(
  "latest_metrics",
  {
    runId: runId(),
    key: text().notNull(),
    value: doublePrecision().notNull(),
    isNan: boolean("is_nan").notNull().default(false),
    timestamp: ms("timestamp").notNull(),
    step: ms("step").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.runId, t.key] }),
    index("latest_metrics_key").on(t.key, t.value),
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
  (t) => [primaryKey({ columns: [t.runId, t.datasetId] })],
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

// --- registry ------------------------------------------------------------------------------------

export const registeredModels = pgTable("registered_models", {
  name: text().primaryKey(),
  description: text(),
  creationTime: ms("creation_time").notNull(),
  lastUpdatedTime: ms("last_updated_time").notNull(),
});

export const registeredModelTags = pgTable(
  "registered_model_tags",
  {
    name: text()
      .notNull()
      .references(() => registeredModels.name, { onDelete: "cascade", onUpdate: "cascade" }),
    key: text().notNull(),
    value: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.name, t.key] })],
);

export const modelVersions = pgTable(
  "model_versions",
  {
    name: text()
      .notNull()
      .references(() => registeredModels.name, { onDelete: "cascade", onUpdate: "cascade" }),
    version: integer().notNull(),
    description: text(),
    userId: text("user_id"),
    currentStage: text("current_stage").notNull().default("None"),
    source: text().notNull(),
    runId: text("run_id").references(() => runs.runId),
    runLink: text("run_link"),
    status: text({ enum: ["PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"] }).notNull(),
    statusMessage: text("status_message"),
    creationTime: ms("creation_time").notNull(),
    lastUpdatedTime: ms("last_updated_time").notNull(),
    /** sha256 of the ONNX bytes, their size, and what they take and give. */
    digest: text(),
    size: ms("size"),
    signature: jsonb().$type<Record<string, unknown>>(),
    /** Results of the gates that were tried, newest first. */
    gates: jsonb().$type<readonly Record<string, unknown>[]>(),
  },
  (t) => [
    primaryKey({ columns: [t.name, t.version] }),
    index("model_versions_run").on(t.runId),
    uniqueIndex("model_versions_pipeline_run").on(t.name, t.runId).where(sql`digest is not null`),
  ],
);

export const modelVersionTags = pgTable(
  "model_version_tags",
  {
    name: text().notNull(),
    version: integer().notNull(),
    key: text().notNull(),
    value: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.name, t.version, t.key] }),
    foreignKey({
      columns: [t.name, t.version],
      foreignColumns: [modelVersions.name, modelVersions.version],
    })
      .onDelete("cascade")
      .onUpdate("cascade"),
  ],
);

/** One row an alias: the primary key is what makes two champions impossible. */
export const aliases = pgTable(
  "aliases",
  {
    name: text().notNull(),
    alias: text().notNull(),
    version: integer().notNull(),
    since: instant().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.name, t.alias] }),
    foreignKey({
      columns: [t.name, t.version],
      foreignColumns: [modelVersions.name, modelVersions.version],
    })
      .onDelete("cascade")
      .onUpdate("cascade"),
  ],
);

export const aliasHistory = pgTable(
  "alias_history",
  {
    id: identity("id").primaryKey(),
    name: text().notNull(),
    alias: text().notNull(),
    fromVersion: integer("from_version"),
    toVersion: integer("to_version"),
    at: instant().notNull(),
    /** Who or what moved it: `pipeline:<run id>`, `admin:<token name>`, `mlflow:<user>`. */
    actor: text().notNull(),
    reason: text().notNull(),
    forced: boolean().notNull().default(false),
  },
  (t) => [index("alias_history_of").on(t.name, t.alias, t.id)],
);

// --- flow ----------------------------------------------------------------------------------------

export const pipelines = pgTable("pipelines", {
  pipeline: text().primaryKey(),
  pausedAt: instant("paused_at"),
});

export const pipelineRuns = pgTable(
  "pipeline_runs",
  {
    id: text().primaryKey(),
    pipeline: text().notNull(),
    slot: instant().notNull(),
    kind: text({ enum: ["slot", "retrain", "backfill"] }).notNull(),
    options: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    status: text({
      enum: ["queued", "running", "succeeded", "failed", "skipped", "crashed"],
    }).notNull(),
    attempts: integer().notNull().default(0),
    leaseToken: text("lease_token"),
    leaseHolder: text("lease_holder"),
    leaseUntil: instant("lease_until"),
    createdAt: instant("created_at").notNull(),
    startedAt: instant("started_at"),
    endedAt: instant("ended_at"),
    reason: text(),
    detail: text(),
  },
  (t) => [
    uniqueIndex("pipeline_runs_one_a_slot")
      .on(t.pipeline, t.slot)
      .where(sql`kind = 'slot' and status not in ('failed', 'crashed')`),
    uniqueIndex("pipeline_runs_one_running").on(t.pipeline).where(sql`status = 'running'`),
    index("pipeline_runs_newest").on(t.pipeline, t.slot.desc(), t.id.desc()),
    index("pipeline_runs_open").on(t.status).where(sql`status in ('queued', 'running')`),
  ],
);

export const steps = pgTable(
  "steps",
  {
    runId: text("run_id")
      .notNull()
      .references(() => pipelineRuns.id, { onDelete: "cascade" }),
    step: text().notNull(),
    position: integer().notNull(),
    status: text({
      enum: ["waiting", "running", "succeeded", "failed", "skipped", "crashed"],
    }).notNull(),
    attempts: integer().notNull().default(0),
    startedAt: instant("started_at"),
    endedAt: instant("ended_at"),
    /** Real time that the last attempt took: the times above may be those of a replayed clock. */
    elapsedMs: integer("elapsed_ms"),
    /** What the step hands to later steps and to the reader. */
    result: jsonb().$type<Record<string, unknown>>(),
    log: text().array().notNull().default([]),
  },
  (t) => [primaryKey({ columns: [t.runId, t.step] })],
);

// --- forecasts -----------------------------------------------------------------------------------

export const forecasts = pgTable(
  "forecasts",
  {
    id: text().primaryKey(),
    model: text().notNull(),
    version: integer().notNull(),
    modelDigest: text("model_digest").notNull(),
    inputsDigest: text("inputs_digest").notNull(),
    market: text().notNull(),
    targetStart: instant("target_start").notNull(),
    madeAt: instant("made_at").notNull(),
    /** The whole answer as it was given. */
    answer: jsonb().$type<Record<string, unknown>>().notNull(),
    up: doublePrecision(),
    /** Probability of up by each baseline, fitted on what the version was trained on. */
    baselines: jsonb().$type<Record<string, number>>().notNull().default({}),
    /** Filled when the target candle closes; `no_candle` where nothing traded. */
    outcome: text({ enum: ["up", "down", "unchanged", "no_candle"] }),
    outcomeReturn: doublePrecision("outcome_return"),
    outcomeAt: instant("outcome_at"),
  },
  (t) => [
    uniqueIndex("forecasts_same").on(t.model, t.targetStart, t.modelDigest, t.inputsDigest),
    index("forecasts_newest").on(t.model, t.targetStart.desc(), t.madeAt.desc()),
    index("forecasts_open").on(t.market, t.targetStart).where(sql`outcome is null`),
  ],
);

// --- access ----------------------------------------------------------------------------------------

export const tokens = pgTable("tokens", {
  name: text().primaryKey(),
  /** sha256 of the token; the token itself is shown once and never stored. */
  digest: text().notNull().unique(),
  scopes: text().array().notNull(),
  createdAt: instant("created_at").notNull(),
  revokedAt: instant("revoked_at"),
});
