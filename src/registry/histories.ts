/*
 * Every point of a metric, in order of time.
 */
import * as v from "valibot";
import type { Database } from "../store/database.ts";
import { numbersOf } from "../store/text.ts";
import { compareWholes, type Whole, wholeOf } from "../store/whole.ts";
import { keysIn, type Page, pageOf, wholeKey } from "./page.ts";

export interface HistoryPoint {
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole;
}

export interface RunPoint extends HistoryPoint {
  readonly runId: string;
}

export interface Interval {
  readonly runIds: readonly string[];
  readonly key: string;
  /** First and last step, both within; null: all. */
  readonly steps: readonly [first: Whole, last: Whole] | null;
  /** How many different steps at most, beside each run's first and last. */
  readonly most: number;
}

/** The value as text: JSON has no NaN. */
const pointKeys = v.strictTuple([
  wholeKey,
  wholeKey,
  v.pipe(v.string(), v.maxLength(40)),
  v.boolean(),
]);

interface Row {
  readonly value: number;
  readonly isNan: boolean;
  /** Whole numbers as text. */
  readonly timestamp: string;
  readonly step: string;
}

const POINT = `value, is_nan as "isNan", timestamp::text as timestamp, step::text as step`;
const MOST = 2 ** 31 - 1;
/** Points of one run at one step, where they are sampled: some log everything at step 0. */
const AT_ONE_STEP = 2_500;

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
  const steps = database.prepared<{ runId: string; steps: string[] }>(`
    select run_id as "runId", array_agg(distinct step order by step)::text[] as steps
    from metrics where run_id = any($1::text[]) and key = $2
      and ($3::bigint is null or step between $3::bigint and $4::bigint)
    group by run_id`);
  // Where a step has more than it may: of so many equal parts the first, and of the last the last.
  const atSteps = database.prepared<Row & { runId: string }>(`
    select run_id as "runId", ${POINT} from (
      select *, count(*) over (partition by run_id, step) as many, row_number() over (
        partition by run_id, step order by timestamp, value, is_nan) - 1 as place
      from metrics where run_id = any($1::text[]) and key = $2 and step = any($3::bigint[])) points
    where many <= ${AT_ONE_STEP} or place = many - 1
      or (place * ${AT_ONE_STEP} / many < ${AT_ONE_STEP - 1} and (place = 0
        or place * ${AT_ONE_STEP} / many > (place - 1) * ${AT_ONE_STEP} / many))
    order by array_position($1::text[], run_id), points.step, place`);

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
      (await bulk([runIds, key, most])).map(ofRun),

    /**
     * The points of several runs at steps that are spread evenly over all that they have: run after
     * run as they are given, step after step.
     */
    sampled: async ({ runIds, key, steps: within, most }: Interval): Promise<RunPoint[]> => {
      const rows = await steps([runIds, key, ...(within ?? [null, null])]);
      if (rows.length === 0) return [];
      const each = rows.map((row) => row.steps.map(wholeOf));
      const all = [...new Set(each.flat())].sort(compareWholes);
      const ends = each.flatMap((of) => [of[0]!, of.at(-1)!]);
      const chosen = new Set([...spread(all, most), ...ends]);
      return (await atSteps([runIds, key, numbersOf([...chosen])])).map(ofRun);
    },
  };
}

const ofRun = (row: Row & { runId: string }): RunPoint => ({ runId: row.runId, ...pointOf(row) });

const pointOf = ({ value, isNan, timestamp, step }: Row): HistoryPoint => ({
  value: isNan ? Number.NaN : value,
  timestamp: wholeOf(timestamp),
  step: wholeOf(step),
});

/** At most so many of sorted items from the first on, evenly, as MLflow's own server has them. */
function spread(sorted: readonly Whole[], most: number): Whole[] {
  if (sorted.length <= most) return [...sorted];
  const gap = sorted.length / most;
  return Array.from({ length: most }, (_, i) => sorted[Math.floor(i * gap)]!);
}
