import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { readModels } from "../models.ts";
import type { Database } from "../store/database.ts";
import { makePipelineRuns, type PipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { CLOSE_GRACE_MS, iso, UNIT_MS } from "../types.ts";
import { type Control, makeControl, marketsOf } from "./control.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;
const models = readModels(null);

test("the markets are those that any model names, each once", () => {
  expect(marketsOf(models).sort()).toEqual(["KRW-ADA", "KRW-BTC", "KRW-ETH"]);
  expect(marketsOf(new Map())).toEqual([]);
});

describe.each(testDatabases())("control on $name", ({ open }) => {
  let database: Database;
  let runs: PipelineRuns;
  let control: Control;
  let now = 0;
  let wakes = 0;
  beforeAll(async () => {
    database = await open();
    const clock = { now: () => now };
    const wake = () => void wakes++;
    runs = makePipelineRuns(database, clock);
    control = makeControl({
      ...{ models, clock, runs, stepNames: () => ["train", "promote"], wake },
      assertImported: async () => {},
    });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now = T(5) + CLOSE_GRACE_MS;
    wakes = 0;
    await database.orm.execute(sql`truncate pipeline_runs, steps, pipelines`);
  });

  test("a slot by hand is the one that is due, or an earlier one on a boundary", async () => {
    now = T(5) + 4_999;
    expect((await control.run("btc", null)).slot).toBe(T(4));
    now = T(5) + CLOSE_GRACE_MS;
    const { id, slot } = await control.run("btc", null);
    expect(slot).toBe(T(5));
    expect((await control.run("btc", T(5))).id).toBe(id);
    expect((await control.run("btc", T(2))).slot).toBe(T(2));
    expect(wakes).toBe(4);
    for (const bad of [T(6), T(5) + 1]) {
      const thrown = await control.run("btc", bad).catch((reason: unknown) => reason);
      expect(thrown).toMatchObject({ code: "bad_slot", status: 422 });
      expect((thrown as Error).message).toContain(iso(bad));
    }
    expect(await runs.list("btc", 10, null)).toHaveLength(3);
  });

  test("fifty requests for one slot at once are one run", async () => {
    const asked = await Promise.all(Array.from({ length: 50 }, () => control.run("btc", null)));
    expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
  });

  test("every retrain is a run of its own, for what is known now", async () => {
    const two = [await control.retrain("btc"), await control.retrain("btc")];
    expect(two[0]!.id).not.toBe(two[1]!.id);
    for (const run of two) {
      expect(run).toMatchObject({ kind: "retrain", slot: T(5), status: "queued" });
      expect((await runs.stepsOf(run.id)).map(({ step }) => step)).toEqual(["train", "promote"]);
    }
    expect(wakes).toBe(2);
  });

  test("a backfill is cut to closed candles and runs beside the market's pipeline", async () => {
    const run = await control.backfill("KRW-BTC", T(0), T(1_000));
    expect(run).toMatchObject({ kind: "backfill", pipeline: "backfill-krw-btc" });
    expect(run.options).toEqual({ market: "KRW-BTC", from: T(0), to: T(5) });
    expect((await runs.stepsOf(run.id)).map(({ step }) => step)).toEqual(["backfill"]);
    for (const [from, to] of [
      [T(3), T(3)],
      [T(4), T(3)],
      [T(5), T(9)],
    ] as const) {
      await expect(control.backfill("KRW-BTC", from, to)).rejects.toMatchObject({
        ...{ code: "bad_range", status: 422 },
      });
    }
  });

  test("a pause is kept, and lifting it wakes the schedule", async () => {
    await control.pause("btc");
    expect(await runs.paused()).toEqual(new Set(["btc"]));
    expect(wakes).toBe(0);
    await control.resume("btc");
    expect(await runs.paused()).toEqual(new Set());
    expect(wakes).toBe(1);
  });

  test("what is not here is refused, naming what is", async () => {
    const refused: [Promise<unknown>, string][] = [
      [control.run("doge", null), "unknown_pipeline"],
      [control.retrain("doge"), "unknown_pipeline"],
      [control.pause("doge"), "unknown_pipeline"],
      [control.resume("doge"), "unknown_pipeline"],
      [control.backfill("KRW-DOGE", T(0), T(1)), "unknown_market"],
    ];
    for (const [work, code] of refused) {
      const thrown = await work.catch((reason: unknown) => reason);
      expect(thrown).toMatchObject({ code, status: 404 });
      expect((thrown as { fix: string }).fix).toMatch(/btc|KRW-BTC/);
    }
    expect(wakes).toBe(0);
  });

  test("before the exchange has told the time nothing can be asked for", async () => {
    now = 0;
    const works = [
      () => control.run("btc", null),
      () => control.retrain("btc"),
      () => control.backfill("KRW-BTC", T(0), T(1)),
    ];
    for (const work of works) {
      const thrown = await work().catch((reason: unknown) => reason);
      expect(thrown).toMatchObject({ code: "exchange_unreachable", status: 503 });
      expect((thrown as { retryAfter: number }).retryAfter).toBeGreaterThan(0);
    }
  });
});
