/*
 * Every point of a metric, in order of time.
 */
import * as v from "valibot";
import type { Database } from "../store/database.ts";
import type { Instant } from "../types.ts";
import { keysIn, type Page, pageOf } from "./page.ts";

export interface HistoryPoint {
  readonly value: number;
  readonly timestamp: Instant;
  readonly step: number;
}

export interface RunPoint extends HistoryPoint {
  readonly runId: string;
}

export interface Interval {
  readonly runIds: readonly string[];
  readonly key: string;
  /** First and last step, both within; null: all. */
  readonly steps: readonly [first: number, last: number] | null;
  /** How many different steps at most, beside each run's first and last. */
  readonly most: number;
}

const whole = v.pipe(v.number(), v.safeInteger());
/** The value as text: JSON has no NaN. */
const pointKeys = v.strictTuple([whole, whole, v.pipe(v.string(), v.maxLength(40)), v.boolean()]);

interface Row {
  readonly value: number;
  readonly isNan: boolean;
  readonly timestamp: Instant;
  readonly step: number;
}

const POINT = `value, is_nan as "isNan", timestamp::float8 as timestamp, step::float8 as step`;
const MOST = 2 ** 31 - 1;

/** The SQL of histories. */
export function makeHistories({ database }: { database: Database }) {
  const first = database.prepared<Row>(`
    select ${POINT} from metrics where run_id = $1 and key = $2
    order by metrics.timestamp, metrics.step, value, is_nan limit $3::bigint`);
  const after = database.prepared<Row>(`
    select ${POINT} from metrics where run_id = $1 and key = $2
      and (metrics.timestamp, metrics.step, value, is_nan)
        > ($4::bigint, $5::bigint, $6::float8, $7::text::boolean)
    order by metrics.timestamp, metrics.step, value, is_nan limit $3::bigint`);
  const bulk = database.prepared<Row & { runId: string }>(`
    select run_id as "runId", ${POINT} from metrics where run_id = any($1::text[]) and key = $2
    order by run_id, metrics.timestamp, metrics.step, value limit $3::bigint`);
  const steps = database.prepared<{ runId: string; steps: number[] }>(`
    select run_id as "runId", array_agg(distinct step::float8 order by step::float8) as steps
    from metrics where run_id = any($1::text[]) and key = $2
      and ($3::bigint is null or step between $3::bigint and $4::bigint)
    group by run_id`);
  const atSteps = database.prepared<Row & { runId: string }>(`
    select run_id as "runId", ${POINT} from metrics
    where run_id = any($1::text[]) and key = $2 and step = any($3::bigint[])
    order by array_position($1::text[], run_id), metrics.step, metrics.timestamp, value`);

  return {
    /** A page of a run's points; all without a limit. None for what was never logged. */
    history: async (
      runId: string,
      key: string,
      limit: number | null,
      token: string | undefined,
    ): Promise<Page<HistoryPoint>> => {
      const keys = keysIn(token, pointKeys);
      const given = [runId, key, limit === null ? MOST : limit + 1];
      const [timestamp, step, value, isNan] = keys ?? [];
      const rows =
        keys === null
          ? await first(given)
          : await after([...given, timestamp, step, value, String(isNan)]);
      const { items, next } = pageOf(rows, limit ?? rows.length, (row) => [
        ...[row.timestamp, row.step, String(row.value), row.isNan],
      ]);
      return { items: items.map(pointOf), next };
    },

    /** The points of several runs, run after run, at most so many. */
    histories: async (runIds: readonly string[], key: string, most: number): Promise<RunPoint[]> =>
      (await bulk([runIds, key, most])).map((row) => ({ runId: row.runId, ...pointOf(row) })),

    /**
     * The points of several runs at steps that are spread evenly over all that they have: run after
     * run as they are given, step after step.
     */
    sampled: async ({ runIds, key, steps: within, most }: Interval): Promise<RunPoint[]> => {
      const rows = await steps([runIds, key, within?.[0] ?? null, within?.[1] ?? null]);
      if (rows.length === 0) return [];
      const all = [...new Set(rows.flatMap((row) => row.steps))].sort((a, b) => a - b);
      const ends = rows.flatMap((row) => [row.steps[0]!, row.steps.at(-1)!]);
      const chosen = new Set([...spread(all, most), ...ends]);
      return (await atSteps([runIds, key, [...chosen]])).map((row) => ({
        runId: row.runId,
        ...pointOf(row),
      }));
    },
  };
}

const pointOf = ({ value, isNan, timestamp, step }: Row): HistoryPoint => ({
  value: isNan ? Number.NaN : value,
  timestamp,
  step,
});

/** At most so many of sorted items from the first on, evenly, as MLflow's own server has them. */
function spread(sorted: readonly number[], most: number): number[] {
  if (sorted.length <= most) return [...sorted];
  const gap = sorted.length / most;
  return Array.from({ length: most }, (_, i) => sorted[Math.floor(i * gap)]!);
}
