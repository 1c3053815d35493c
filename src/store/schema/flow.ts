/*
 * Pipelines, their runs and steps.
 */
import { sql } from "drizzle-orm";
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

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
    index("pipeline_runs_newest").on(
      t.pipeline,
      t.slot.desc().nullsFirst(),
      t.id.desc().nullsFirst(),
    ),
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
