/*
 * Models, versions and aliases, in MLflow's shapes.
 */
import { sql } from "drizzle-orm";
import {
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { identity, instant, ms } from "./columns.ts";

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
    /** Where its files are, where the source names another version or a logged model. */
    storageLocation: text("storage_location"),
    /** Of a run that is known here or not: clients register what other servers tracked. */
    runId: text("run_id"),
    runLink: text("run_link"),
    /** The logged model it was registered from, or null. */
    modelId: text("model_id"),
    /** True for the one version that a training here registered from its run. */
    trained: boolean().notNull().default(false),
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
    uniqueIndex("model_versions_trained").on(t.name, t.runId).where(sql`trained`),
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
