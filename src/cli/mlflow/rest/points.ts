/*
 * Metric histories of a running tracking server: of many runs by one call, where it has that and the
 * answer is whole, else run by run.
 */
import pLimit from "p-limit";
import type { GivenPoint, GivenRun } from "../../../registry/intake/given.ts";
import type { MlflowClient } from "../client.ts";
import { list, pointOf, text } from "../message.ts";
import type { Pages } from "./pages.ts";

/** Runs and points that one call for many histories gives at most. */
const BULK_RUNS = 100;
const BULK_POINTS = 25_000;
const HISTORY = 25_000;
const AT_ONCE = 8;
/** Points that are asked for together, as far as can be told: what is cut off was for nothing. */
const TOGETHER = BULK_POINTS / 2;

/** Every point of every metric of runs, in the order in which answers come. */
export function makeRestPoints(
  client: MlflowClient,
  pages: Pages,
): (runs: readonly GivenRun[]) => AsyncGenerator<GivenPoint[]> {
  /** All points of one metric of a run. */
  async function* history(runId: string, key: string): AsyncGenerator<GivenPoint[]> {
    const message = { run_id: runId, metric_key: key, max_results: HISTORY };
    for await (const page of pages("GET", "metrics/get-history", message)) {
      yield list(page["metrics"]).map((metric) => pointOf(runId, metric));
    }
  }

  /** Points of one metric of several runs; null where they are too many for one answer. */
  async function bulk(runIds: readonly string[], key: string): Promise<GivenPoint[] | null> {
    const query = new URLSearchParams({ metric_key: key, max_results: `${BULK_POINTS}` });
    for (const id of runIds) query.append("run_id", id);
    const path = `/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query}`;
    const answer = await client.json("GET", path).catch((thrown) => {
      // Not every server has it, and it has its faults; the one for each run is asked then.
      if (runIds.length > 1) return null;
      throw thrown;
    });
    const points = list(answer?.["metrics"]).map((one) => pointOf(text(one["run_id"]), one));
    const isWhole =
      answer !== null && points.length < BULK_POINTS && points.every(({ key: of }) => of === key);
    return isWhole ? points : null;
  }

  const limit = pLimit(AT_ONCE);

  /** Histories of a metric: of many runs at once, else run by run. */
  async function* pointsOf(key: string, runIds: readonly string[]): AsyncGenerator<GivenPoint[]> {
    const together = runIds.length === 1 ? null : await limit(() => bulk(runIds, key));
    if (together !== null) {
      const known = new Set(runIds);
      yield together.filter(({ runId }) => known.has(runId));
      return;
    }
    for (const runId of runIds) yield* history(runId, key);
  }

  /** How many points a metric has for each step that its latest one lets expect: learned. */
  const density = new Map<string, number>();
  const expected = (point: GivenPoint): number =>
    Math.max(1, stepsOf(point) * (density.get(point.key) ?? 1));

  async function* batch(latest: readonly GivenPoint[], key: string): AsyncGenerator<GivenPoint[]> {
    let many = 0;
    const runIds = latest.map(({ runId }) => runId);
    for await (const points of pointsOf(key, runIds)) {
      many += points.length;
      yield points;
    }
    density.set(key, many / latest.reduce((sum, point) => sum + stepsOf(point), 0));
  }

  return async function* (given) {
    const byKey = Map.groupBy(
      given.flatMap(({ latest }) => latest),
      ({ key }) => key,
    );
    const asked = [...byKey].flatMap(([key, latest]) =>
      batchesOf(latest, expected).map((some) => batch(some, key)),
    );
    yield* merged(asked, AT_ONCE);
  };
}

const stepsOf = ({ step }: GivenPoint): number => Math.max(1, Number(step) + 1);

/** Of one metric: what is asked for together. */
function batchesOf(
  latest: readonly GivenPoint[],
  expected: (point: GivenPoint) => number,
): GivenPoint[][] {
  const batches: GivenPoint[][] = [];
  let [batch, points]: [GivenPoint[], number] = [[], 0];
  for (const point of latest) {
    const many = expected(point);
    if (batch.length === BULK_RUNS || (batch.length > 0 && points + many > TOGETHER)) {
      batches.push(batch);
      [batch, points] = [[], 0];
    }
    batch.push(point);
    points += many;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

/** What several generators give, so many of them at once, in the order in which it comes. */
async function* merged<Item>(
  sources: readonly AsyncGenerator<Item>[],
  atOnce: number,
): AsyncGenerator<Item> {
  const waiting = [...sources];
  const under = new Map<
    AsyncGenerator<Item>,
    Promise<readonly [AsyncGenerator<Item>, IteratorResult<Item>]>
  >();
  const step = (source: AsyncGenerator<Item>) => {
    const next = source.next().then((result) => [source, result] as const);
    // Nobody may be there any more when it fails.
    next.catch(() => {});
    under.set(source, next);
  };
  for (;;) {
    while (under.size < atOnce && waiting.length > 0) step(waiting.shift()!);
    if (under.size === 0) return;
    const [source, result] = await Promise.race(under.values());
    under.delete(source);
    if (result.done === true) continue;
    step(source);
    yield result.value;
  }
}
