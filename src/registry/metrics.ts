/*
 * Metrics of runs: every point, and the latest a key.
 */
import { SluiceError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { Instant } from "../types.ts";
import { makeBatches, type Point } from "./batch.ts";
import { trackingKey } from "./names.ts";

/** A point to log: at step 0 and now where nothing else is said. NaN and infinities are kept. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  readonly step?: number;
  readonly timestamp?: Instant;
}

/** The SQL of metrics. */
export function makeMetrics({
  database,
  clock,
}: {
  database: Database;
  clock: { now(): Instant };
}) {
  const batches = makeBatches({ database });

  /**
   * Logs points, all or none; a point that is there already changes nothing. The latest of a key
   * is the one with the greatest (step, timestamp, value), whatever the order they come in.
   */
  async function logMetrics(runId: string, points: readonly MetricPoint[]): Promise<void> {
    const now = clock.now();
    await batches.write(runId, { metrics: points.map((point) => pointOf(point, now)) });
  }

  return { logMetrics };
}

function pointOf(point: MetricPoint, now: Instant): Point {
  const { value, step = 0, timestamp = now } = point;
  const key = trackingKey(point.key);
  if (!Number.isSafeInteger(step)) throw badPoint(point, "step", step, "a whole number");
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw badPoint(point, "timestamp", timestamp, "milliseconds since 1970, not negative");
  }
  return { key, value, timestamp, step };
}

const badPoint = (point: MetricPoint, field: string, value: number, accepted: string) =>
  new SluiceError({
    code: "bad_metric",
    status: 422,
    detail: `Metric ${JSON.stringify(point.key)} has the ${field} ${value}.`,
    fix: `Give ${accepted}, within 2^53.`,
  });
