/*
 * Metrics of runs: every point, and the latest a key.
 */
import { sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import { latestMetrics, metrics } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { trackingKey } from "./names.ts";
import { assertActive } from "./runs.ts";

/** A point to log: at step 0 and now where nothing else is said. NaN and infinities are kept. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  readonly step?: number;
  readonly timestamp?: Instant;
}

type MetricRow = typeof metrics.$inferSelect;

/** Rows a statement: far below the 65,535 parameters that the wire protocol can count. */
const CHUNK = 1_000;

/** The SQL of metrics. */
export function makeMetrics({
  database,
  clock,
}: {
  database: Database;
  clock: { now(): Instant };
}) {
  /**
   * Logs points, all or none; a point that is there already changes nothing. The latest of a key
   * is the one with the greatest (step, timestamp, value), whatever the order they come in.
   */
  async function logMetrics(runId: string, points: readonly MetricPoint[]): Promise<void> {
    const now = clock.now();
    const rows = points.map((point) => rowOf(runId, point, now));
    await database.orm.transaction(async (tx) => {
      await assertActive(tx, runId);
      for (let from = 0; from < rows.length; from += CHUNK) {
        await tx
          .insert(metrics)
          .values(rows.slice(from, from + CHUNK))
          .onConflictDoNothing();
      }
      const latest = latestOf(rows);
      for (let from = 0; from < latest.length; from += CHUNK) {
        await raiseLatest(tx, latest.slice(from, from + CHUNK));
      }
    });
  }

  return { logMetrics };
}

function rowOf(runId: string, point: MetricPoint, now: Instant): MetricRow {
  const { value, step = 0, timestamp = now } = point;
  const key = trackingKey(point.key);
  if (!Number.isSafeInteger(step)) throw badPoint(point, "step", step, "a whole number");
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw badPoint(point, "timestamp", timestamp, "milliseconds since 1970, not negative");
  }
  const isNan = Number.isNaN(value);
  // NaN has no order, so it stands as 0 with a mark, as in MLflow's own tables.
  return { runId, key, value: isNan ? 0 : value, isNan, timestamp, step };
}

/** The greatest point a key, in order of keys (writers in one order cannot deadlock). */
function latestOf(rows: readonly MetricRow[]): MetricRow[] {
  const latest = new Map<string, MetricRow>();
  for (const row of rows) {
    const other = latest.get(row.key);
    if (other === undefined || isGreater(row, other)) latest.set(row.key, row);
  }
  return [...latest.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The same order as in `raiseLatest`; the mark decides between NaN and 0 at one instant. */
function isGreater(a: MetricRow, b: MetricRow): boolean {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp;
  if (a.value !== b.value) return a.value > b.value;
  return a.isNan && !b.isNan;
}

async function raiseLatest(tx: Orm, rows: MetricRow[]): Promise<void> {
  await tx
    .insert(latestMetrics)
    .values(rows)
    .onConflictDoUpdate({
      target: [latestMetrics.runId, latestMetrics.key],
      set: {
        value: sql`excluded.value`,
        isNan: sql`excluded.is_nan`,
        timestamp: sql`excluded.timestamp`,
        step: sql`excluded.step`,
      },
      setWhere: sql`
        (excluded.step, excluded.timestamp, excluded.value, excluded.is_nan)
        > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value,
           latest_metrics.is_nan)`,
    });
}

const badPoint = (point: MetricPoint, field: string, value: number, accepted: string) =>
  new SluiceError({
    code: "bad_metric",
    status: 422,
    detail: `Metric ${JSON.stringify(point.key)} has the ${field} ${value}.`,
    fix: `Give ${accepted}, within 2^53.`,
  });
