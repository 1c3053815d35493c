/*
 * The history of a metric, as a client reads all of it: page after page of 25,000 points, over a
 * connection that stays open.
 */
import type { Sql } from "postgres";
import { openConnection } from "../serve/connection.ts";
import { TABLES } from "./search.ts";
import type { Running } from "./sides.ts";
import { makeRun } from "./writes.ts";

const PAGE = 25_000;
const KEY = "loss";

/** A run with so many points of a metric, written into the server's own database. */
export async function fillHistory(
  client: Sql,
  server: Running,
  experiment: string,
  points: number,
): Promise<string> {
  const { tables } = server.side;
  const run = await makeRun(server, experiment);
  await client.unsafe(`
    insert into metrics (${TABLES[tables].runId}, key, value, is_nan, timestamp, step)
    select '${run}', '${KEY}', 1.0 / i, false, 1700000000000 + i, i
    from generate_series(1, ${points}) i`);
  await client.unsafe("vacuum analyze metrics");
  return run;
}

/** Milliseconds of reading all of it; throws unless it is all there, in order. */
export async function readHistory(server: Running, run: string, points: number): Promise<number> {
  const connection = await openConnection(server.url);
  const ask = (path: string) =>
    new Promise<Buffer>((resolve, reject) => {
      connection.ask(server.bytes({ method: "GET", path }), (answer) =>
        typeof answer === "string" ? reject(new Error(answer.slice(0, 500))) : resolve(answer),
      );
    });
  try {
    const pages: Buffer[] = [];
    const begun = performance.now();
    for (let token = ""; ; ) {
      const query = new URLSearchParams({
        ...{ run_id: run, run_uuid: run, metric_key: KEY, max_results: `${PAGE}` },
        ...(token === "" ? {} : { page_token: token }),
      });
      const page = await ask(`/api/2.0/mlflow/metrics/get-history?${query}`);
      pages.push(page);
      // The token alone is looked for: to read JSON is the client's work.
      const from = page.lastIndexOf('"next_page_token"');
      token = from === -1 ? "" : (/:\s*"([^"]*)"/.exec(page.toString("latin1", from))?.[1] ?? "");
      if (token === "") break;
    }
    const took = performance.now() - begun;
    const steps = pages.flatMap((page) => {
      const { metrics } = JSON.parse(page.toString()) as { metrics: { step: number }[] };
      return metrics.map(({ step }) => Number(step));
    });
    if (steps.length !== points || steps.some((step, i) => step !== i + 1)) {
      throw new Error(`${server.side.title} gave ${steps.length} of ${points} points.`);
    }
    return took;
  } finally {
    connection.end();
  }
}
