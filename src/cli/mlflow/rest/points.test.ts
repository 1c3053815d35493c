/*
 * How histories are asked for: as few calls as come whole, and none whose answer is cut off.
 */
import { expect, test } from "bun:test";
import type { GivenRun } from "../../../registry/intake/given.ts";
import type { Json, MlflowClient } from "../client.ts";
import { makePages } from "./pages.ts";
import { makeRestPoints } from "./points.ts";

/** A server with so many points of metrics by run; what it was asked, as runs by call. */
function serverOf(points: Readonly<Record<string, number>>) {
  const asked: string[][] = [];
  const metricsOf = (run_id: string, key: string) =>
    Array.from({ length: points[run_id] ?? 0 }, (_, step) => ({
      ...{ run_id, key, value: step, timestamp: step, step },
    }));
  const json = async (_: string, path: string): Promise<Json> => {
    const query = new URL(path, "http://host").searchParams;
    const [ids, key] = [query.getAll("run_id"), query.get("metric_key") ?? ""];
    asked.push(ids);
    return { metrics: ids.flatMap((id) => metricsOf(id, key)).slice(0, 25_000) };
  };
  const client = { json } as unknown as MlflowClient;
  return { asked, points: makeRestPoints(client, makePages(client)) };
}

const run = (id: string, step: number): GivenRun =>
  ({
    id,
    latest: [{ runId: id, key: "loss", value: 1, timestamp: 1, step }],
  }) as unknown as GivenRun;

const many = (length: number, step: number) =>
  Array.from({ length }, (_, at) => run(`${step}-${at}`, step));

/** How many runs each call was for, the most first. */
const sizesOf = (asked: readonly string[][]) =>
  asked.map(({ length }) => length).toSorted((a, b) => b - a);

test("so many runs are asked for together as have no more points than one answer holds", async () => {
  const runs = [...many(250, 0), ...many(40, 999)];
  const { asked, points } = serverOf(
    Object.fromEntries(runs.map(({ id, latest }) => [id, Number(latest[0]?.step ?? 0) + 1])),
  );
  const found = (await Array.fromAsync(points(runs))).flat();
  expect(found).toHaveLength(250 + 40_000);
  expect(sizesOf(asked)).toEqual([100, 100, 62, 12, 12, 4]);
});

test("steps that lie far apart are learned of", async () => {
  const runs = many(100, 99_999);
  const { asked, points } = serverOf(Object.fromEntries(runs.map(({ id }) => [id, 10])));
  expect((await Array.fromAsync(points(runs.slice(0, 5)))).flat()).toHaveLength(50);
  expect(sizesOf(asked.splice(0))).toEqual([1, 1, 1, 1, 1]);
  expect((await Array.fromAsync(points(runs))).flat()).toHaveLength(1_000);
  expect(sizesOf(asked)).toEqual([100]);
});

test("an answer that was cut off is asked for run by run, and nothing twice", async () => {
  // The steps told of no such number.
  const runs = many(4, 0);
  const { asked, points } = serverOf(Object.fromEntries(runs.map(({ id }) => [id, 8_000])));
  const found = (await Array.fromAsync(points(runs))).flat();
  expect(found).toHaveLength(32_000);
  expect(asked.map(({ length }) => length)).toEqual([4, 1, 1, 1, 1]);
});
