/*
 * Points in the database of a tracking server: those of many runs by one statement where they are
 * few, those of a run with many metric by metric, in pages.
 */
import type { GivenPoint, GivenRun } from "../../registry/intake/given.ts";
import type { Json } from "./client.ts";
import { double, text, whole, whole64 } from "./message.ts";
import type { Rows } from "./rows.ts";

/** Points that are read at once. */
const POINTS = 20_000;

/** A row of `metrics`, or of `latest_metrics`. */
export const pointOf = (row: Json): GivenPoint => ({
  runId: text(row["run_uuid"]),
  key: text(row["key"]),
  value: Number(row["is_nan"]) === 1 ? Number.NaN : double(row["value"]),
  timestamp: whole64(row["timestamp"]),
  step: whole64(row["step"]),
});

/** Every point of every metric of the runs. */
export async function* pointsOf(
  ask: Rows["ask"],
  runs: readonly GivenRun[],
): AsyncGenerator<GivenPoint[]> {
  const counts = await ask(
    `select run_uuid, count(*) as n from metrics where run_uuid in (${listOf(runs)})
    group by run_uuid`,
    runs.map(({ id }) => id),
  );
  const byRun = new Map(counts.map((row) => [text(row["run_uuid"]), whole(row["n"])]));
  let few: GivenRun[] = [];
  let waiting = 0;
  for (const run of runs) {
    const many = byRun.get(run.id) ?? 0;
    if (many > POINTS) yield* pagesOf(ask, run);
    if (many === 0 || many > POINTS) continue;
    if (waiting + many > POINTS) {
      yield await allOf(ask, few);
      [few, waiting] = [[], 0];
    }
    few.push(run);
    waiting += many;
  }
  if (few.length > 0) yield allOf(ask, few);
}

const listOf = (items: readonly unknown[]): string => items.map((_, at) => `$${at + 1}`).join(",");

async function allOf(ask: Rows["ask"], runs: readonly GivenRun[]): Promise<GivenPoint[]> {
  const rows = await ask(
    `select * from metrics where run_uuid in (${listOf(runs)})`,
    runs.map(({ id }) => id),
  );
  return rows.map(pointOf);
}

/** A run's points, in the order of the table's key, so that each page begins behind the last. */
async function* pagesOf(ask: Rows["ask"], { id, latest }: GivenRun): AsyncGenerator<GivenPoint[]> {
  for (const { key } of latest) {
    let behind = "";
    let params: (string | number | bigint)[] = [id, key];
    for (;;) {
      const rows = await ask(
        `select * from metrics where run_uuid = $1 and key = $2 ${behind}
        order by timestamp, step, value limit ${POINTS}`,
        params,
      );
      const end = rows.at(-1);
      if (end === undefined) break;
      yield rows.map(pointOf);
      if (rows.length < POINTS) break;
      behind = `and (timestamp > $3 or (timestamp = $3 and (step > $4
        or (step = $4 and value >= $5))))`;
      params = [id, key, whole64(end["timestamp"]), whole64(end["step"]), double(end["value"])];
    }
  }
}
