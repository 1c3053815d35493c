/*
 * Searches of runs, each with 50 metrics, 10 params and 6 tags, on either side: made by SQL in the
 * server's own Postgres, since logging five million metrics takes hours.
 */
import type { Sql } from "postgres";
import { median } from "../serve/table.ts";

/** Where the two have different names. */
export const TABLES = {
  sluice: { runId: "run_id" },
  mlflow: { runId: "run_uuid" },
} as const;

export type Tables = keyof typeof TABLES;

const AT_ONCE = 10_000;

/** Makes the runs numbered `from` + 1 to `to` of an experiment, and tells the planner of them. */
export async function fill(
  client: Sql,
  tables: Tables,
  { experiment, from, to }: { experiment: string; from: number; to: number },
): Promise<void> {
  const { runId } = TABLES[tables];
  for (let at = from; at < to; at += AT_ONCE) {
    const i = `generate_series(${at + 1}, ${Math.min(to, at + AT_ONCE)}) i`;
    const id = `md5('${experiment}/' || i)`;
    await client.unsafe(`
      insert into runs (${runId}, name, experiment_id, user_id, status, start_time, end_time,
        artifact_uri, lifecycle_stage)
      select ${id}, 'run-' || i, ${experiment}, 'u' || i % 7, 'FINISHED',
        1700000000000 + i * 1000, 1700000000500 + i * 1000, 'x', 'active' from ${i}`);
    await client.unsafe(`
      insert into latest_metrics (${runId}, key, value, is_nan, timestamp, step)
      select ${id}, 'm' || k, (hashint8(i * 50 + k)::bigint + 2147483648) / 4294967296.0, false,
        1700000000000 + i, 10 from ${i}, generate_series(1, 50) k order by i, k`);
    await client.unsafe(`
      insert into params (${runId}, key, value)
      select ${id}, 'p' || k, 'v' || i * k % (case when k = 1 then 1000 else 17 end)
      from ${i}, generate_series(1, 10) k order by i, k`);
    await client.unsafe(`
      insert into tags (${runId}, key, value)
      select ${id}, 't' || k, (array['x', 'y'])[1 + i % 2] || i % 500
      from ${i}, generate_series(1, 6) k order by i, k`);
  }
  for (const table of ["runs", "latest_metrics", "params", "tags"]) {
    await client.unsafe(`vacuum analyze ${table}`);
  }
}

interface Searched {
  readonly filter?: string;
  readonly order_by?: readonly string[];
  readonly max_results: number;
}

/** What people ask: the newest, the best, the best of some, a few by what they were made with. */
export const SEARCHES: Readonly<Record<string, Searched>> = {
  "newest 100": { max_results: 100 },
  "best 100 of a metric": {
    ...{ filter: "metrics.m1 > 0.5", order_by: ["metrics.m1 DESC"], max_results: 100 },
  },
  "best 1,000 of a metric": {
    ...{ filter: "metrics.m1 > 0.5", order_by: ["metrics.m1 DESC"], max_results: 1_000 },
  },
  "a handful by a metric": { filter: "metrics.m2 > 0.9999", max_results: 100 },
  "by param and tag": { filter: "params.p1 = 'v7' AND tags.t1 LIKE 'y%'", max_results: 100 },
  "by a common param, best first": {
    ...{ filter: "params.p2 = 'v4'", order_by: ["metrics.m3"], max_results: 100 },
  },
};

const TIMES = 7;
/** When this has gone by, what was timed is enough. */
const ENOUGH_MS = 3_000;

export interface TimedSearch {
  /** Milliseconds, the median of some. */
  readonly ms: number;
  /** How many runs it found, on the page. */
  readonly found: number;
}

/** How long a search takes; throws where the server refuses it. */
export async function timeOf(
  url: string,
  headers: Readonly<Record<string, string>>,
  experiment: string,
  search: Searched,
): Promise<TimedSearch> {
  const times: number[] = [];
  const since = performance.now();
  let text = "";
  for (let i = 0; i < TIMES; i++) {
    const begun = performance.now();
    const response = await fetch(`${url}/api/2.0/mlflow/runs/search`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ experiment_ids: [experiment], ...search }),
      // A connection that rested meanwhile may be closed as it is used again.
      keepalive: false,
    });
    text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 300)}`);
    // The first of them warms up.
    if (i > 0) times.push(performance.now() - begun);
    if (i > 0 && performance.now() - since > ENOUGH_MS) break;
  }
  const { runs = [] } = JSON.parse(text) as { runs?: unknown[] };
  return { ms: median(times), found: runs.length };
}
