/*
 * `bun bench/tracking/search.ts`: how long searches of runs take as these grow to 100,000, each with
 * 50 metrics, 10 params and 6 tags. It asks a server of the protocol that is there, MLflow's own or
 * this one, and fills its Postgres beside it, since logging five million metrics takes hours.
 *
 * --url URL         of the server; its token in MLFLOW_TRACKING_TOKEN
 * --database URL    the server's own database
 * --tables NAME     whose tables it has: sluice or mlflow
 * --runs N,N        1000,10000,100000, each greater than the one before
 */
import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";

/** Where the two have different names. */
const TABLES = {
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

/** Milliseconds of the search, the median of some; throws where the server refuses it. */
export async function timeOf(url: string, experiment: string, search: Searched): Promise<number> {
  const token = process.env["MLFLOW_TRACKING_TOKEN"];
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const begun = performance.now();
    const response = await fetch(`${url}/api/2.0/mlflow/runs/search`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ experiment_ids: [experiment], ...search }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 300)}`);
    // The first of them warms up.
    if (i > 0) times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

if (import.meta.main) {
  const { values: options } = parseArgs({
    options: {
      url: { type: "string" },
      database: { type: "string" },
      tables: { type: "string", default: "sluice" },
      runs: { type: "string", default: "1000,10000,100000" },
    },
  });
  const { url, database, tables } = options;
  if (url === undefined || database === undefined) throw new Error("Give --url and --database.");
  if (tables !== "sluice" && tables !== "mlflow") throw new Error("--tables is sluice or mlflow.");
  const client = postgres(database, { max: 1, onnotice: () => {} });
  try {
    // Experiment 0 is there on both.
    let from = 0;
    for (const to of options.runs.split(",").map(Number)) {
      await fill(client, tables, { experiment: "0", from, to });
      from = to;
      for (const [name, search] of Object.entries(SEARCHES)) {
        const ms = await timeOf(url.replace(/\/$/, ""), "0", search);
        console.log(`${to} runs | ${name} | ${ms.toFixed(1)} ms`);
      }
    }
  } finally {
    await client.end();
  }
}
