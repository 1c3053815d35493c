import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { UNIT_MS } from "../types.ts";
import { type CandleStore, makeCandleStore } from "./candles.ts";
import type { Database } from "./database.ts";
import { type Forecasts, makeForecasts, type NewForecast } from "./forecasts.ts";
import { testDatabases } from "./testing.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;

describe.each(testDatabases())("forecasts on $name", ({ open }) => {
  let database: Database;
  let forecasts: Forecasts;
  let candles: CandleStore;
  let now = T(100);
  beforeAll(async () => {
    database = await open();
    forecasts = makeForecasts(database, { now: () => now });
    candles = makeCandleStore(database);
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now = T(100);
    await database.orm.execute(sql`truncate forecasts, candles, holes`);
  });

  let ids = 0;
  const forecast = (n: number, change: Partial<NewForecast> = {}): NewForecast => ({
    id: `f${String(++ids).padStart(6, "0")}`,
    model: "btc",
    version: 1,
    modelDigest: "m1",
    inputsDigest: `inputs of ${n}`,
    market: "KRW-BTC",
    targetStart: T(n),
    madeAt: T(n) + 10_000,
    answer: { up: 0.6 },
    up: 0.6,
    baselines: { base_rate: 0.51, last_direction: 0.4, contrarian: 0.6 },
    ...change,
  });

  /** Closes of the candles from T(0) on; null is no candle there. */
  async function trade(closes: readonly (number | null)[], market = "KRW-BTC"): Promise<void> {
    const fresh = closes.flatMap((close, n) => {
      if (close === null) return [];
      const prices = { open: 100, high: 200, low: 50, close, volume: 1, turnover: 100 };
      return [{ candle: { market, start: T(n), ...prices }, lastTradeAt: T(n) }];
    });
    const missing = closes.flatMap((close, n) => (close === null ? [T(n)] : []));
    const page = { fresh, revised: [], refused: [], missing, at: now };
    await candles.storePage(market, page);
  }

  const outcomes = async () =>
    (await forecasts.list("btc", 100, null))
      .reverse()
      .map((f) => [(f.targetStart - T(0)) / UNIT_MS, f.outcome]);

  test("is stored with all that was said", async () => {
    const row = forecast(3);
    const stored = await forecasts.store(row);
    expect(stored).toMatchObject({ ...row, outcome: null, outcomeAt: null, outcomeReturn: null });
    expect(await forecasts.list("btc", 10, null)).toEqual([stored]);
  });

  test("the same model on the same inputs gives the answer that is there", async () => {
    const first = await forecasts.store(forecast(3));
    const again = await forecasts.store(forecast(3, { madeAt: T(3) + 99_000, up: 0.9 }));
    expect(again).toEqual(first);
    const many = await Promise.all(Array.from({ length: 20 }, () => forecasts.store(forecast(4))));
    expect(new Set(many.map((f) => f.id)).size).toBe(1);
    expect(await forecasts.list("btc", 100, null)).toHaveLength(2);
  });

  test("another version, other inputs, another slot or another model is another forecast", async () => {
    await forecasts.store(forecast(3));
    await forecasts.store(forecast(3, { modelDigest: "m2", version: 2 }));
    await forecasts.store(forecast(3, { inputsDigest: "a revised candle" }));
    await forecasts.store(forecast(4, { inputsDigest: "inputs of 3" }));
    await forecasts.store(forecast(3, { model: "eth" }));
    expect(await forecasts.list("btc", 100, null)).toHaveLength(4);
    expect(await forecasts.list("eth", 100, null)).toHaveLength(1);
    expect(await forecasts.open()).toBe(5);
  });

  test("gets its outcome when its candle is there, and not before", async () => {
    for (const n of [1, 2, 3, 4]) await forecasts.store(forecast(n));
    await trade([100, 110, 105, 105]);
    now = T(101);
    expect(await forecasts.joinOutcomes()).toBe(3);
    expect(await outcomes()).toEqual([
      [1, "up"],
      [2, "down"],
      [3, "unchanged"],
      [4, null],
    ]);
    const [, third, second, first] = await forecasts.list("btc", 10, null);
    expect(first?.outcomeReturn).toBeCloseTo(Math.log(1.1), 12);
    expect(second?.outcomeReturn).toBeCloseTo(Math.log(105 / 110), 12);
    expect(third?.outcomeReturn).toBe(0);
    expect(first?.outcomeAt).toBe(T(101));
    expect(await forecasts.joinOutcomes()).toBe(0);
    expect(await forecasts.open()).toBe(1);
  });

  test("an outcome that was joined is not touched again", async () => {
    await forecasts.store(forecast(1));
    await trade([100, 110]);
    await forecasts.joinOutcomes();
    const [before] = await forecasts.list("btc", 1, null);
    now = T(150);
    await trade([100, 110, 120]);
    await forecasts.joinOutcomes();
    expect(await forecasts.list("btc", 1, null)).toEqual([before!]);
  });

  test("a slot in which nothing was traded has no outcome, once that is sure", async () => {
    await forecasts.store(forecast(2));
    await trade([100, 110, null, 120]);
    expect(await forecasts.joinOutcomes()).toBe(0);
    expect(await outcomes()).toEqual([[2, null]]);
    await candles.settleHoles("KRW-BTC", { empty: [T(2)], open: [] }, now);
    expect(await forecasts.joinOutcomes()).toBe(1);
    expect(await outcomes()).toEqual([[2, "no_candle"]]);
    const [row] = await forecasts.list("btc", 1, null);
    expect(row).toMatchObject({ outcomeReturn: null, outcomeAt: now });
  });

  test("after a slot without a candle the price before it is the one that moved", async () => {
    await forecasts.store(forecast(3));
    await trade([100, 110, null, 105]);
    await forecasts.joinOutcomes();
    expect(await outcomes()).toEqual([[3, "down"]]);
    const [row] = await forecasts.list("btc", 1, null);
    expect(row?.outcomeReturn).toBeCloseTo(Math.log(105 / 110), 12);
  });

  test("the candle and the price before it are the market's own, in force now", async () => {
    await forecasts.store(forecast(1));
    await trade([500, 1], "KRW-ETH");
    expect(await forecasts.joinOutcomes()).toBe(0);
    await trade([100, 90]);
    const [current] = await candles.inForce("KRW-BTC", { from: T(1), to: T(2) });
    const row = { candle: { ...current!.candle, close: 130 }, lastTradeAt: T(1) };
    const revised = [{ row, replaces: current!.knownFrom }];
    await candles.storePage("KRW-BTC", {
      ...{ fresh: [], revised, refused: [], missing: [] },
      at: now + 1,
    });
    expect(await forecasts.joinOutcomes()).toBe(1);
    expect(await outcomes()).toEqual([[1, "up"]]);
  });

  test("an outcome follows a late correction of its candle", async () => {
    await forecasts.store(forecast(1));
    await trade([100, 110]);
    await forecasts.joinOutcomes();
    const [current] = await candles.inForce("KRW-BTC", { from: T(1), to: T(2) });
    const row = { candle: { ...current!.candle, close: 90 }, lastTradeAt: T(1) };
    const revised = [{ row, replaces: current!.knownFrom }];
    await candles.storePage("KRW-BTC", {
      ...{ fresh: [], revised, refused: [], missing: [] },
      at: now + 1,
    });
    now += 2;
    expect(await forecasts.joinOutcomes()).toBe(1);
    expect(await outcomes()).toEqual([[1, "down"]]);
    expect(await forecasts.joinOutcomes()).toBe(0);
  });

  test("a hole that is filled late gives its forecast the outcome", async () => {
    await forecasts.store(forecast(2));
    await trade([100, 110, null, 120]);
    await candles.settleHoles("KRW-BTC", { empty: [T(2)], open: [] }, now);
    await forecasts.joinOutcomes();
    expect(await outcomes()).toEqual([[2, "no_candle"]]);
    now += 1;
    await trade([100, 110, 105, 120]);
    now += 1;
    expect(await forecasts.joinOutcomes()).toBe(1);
    expect(await outcomes()).toEqual([[2, "down"]]);
  });

  test("an outcome follows a corrected or a late price before it", async () => {
    for (const n of [1, 3]) await forecasts.store(forecast(n));
    await trade([100, 110, null, 120]);
    await forecasts.joinOutcomes();
    const [first] = await candles.inForce("KRW-BTC", { from: T(0), to: T(1) });
    const row = { candle: { ...first!.candle, close: 115 }, lastTradeAt: T(0) };
    const revised = [{ row, replaces: first!.knownFrom }];
    const page = { fresh: [], revised, refused: [], missing: [], at: now + 1 };
    await candles.storePage("KRW-BTC", page);
    now += 1;
    await trade([100, 110, 130, 120]);
    now += 1;
    expect(await forecasts.joinOutcomes()).toBe(2);
    expect(await outcomes()).toEqual([
      [1, "down"],
      [3, "down"],
    ]);
    expect(await forecasts.joinOutcomes()).toBe(0);
  });

  test("between two pages that are not both there the price before is not known yet", async () => {
    await forecasts.store(forecast(3));
    const at = async (n: number, close: number) => {
      const prices = { open: 100, high: 200, low: 50, close, volume: 1, turnover: 100 };
      const seen = { candle: { market: "KRW-BTC", start: T(n), ...prices }, lastTradeAt: T(n) };
      await candles.storePage("KRW-BTC", {
        ...{ fresh: [seen], revised: [], refused: [], missing: [], at: now },
      });
    };
    await at(0, 100);
    await at(3, 120);
    expect(await forecasts.joinOutcomes()).toBe(0);
    await at(2, 130);
    expect(await forecasts.joinOutcomes()).toBe(1);
    expect(await outcomes()).toEqual([[3, "down"]]);
  });

  test("the first candle of all has no price before it, and so no outcome", async () => {
    await forecasts.store(forecast(0));
    await trade([100]);
    expect(await forecasts.joinOutcomes()).toBe(0);
  });

  describe("the live record", () => {
    test("of a model that has said nothing", async () => {
      expect(await forecasts.record("btc")).toEqual({
        n: 0,
        hit_rate: null,
        log_loss: null,
        baselines: { base_rate: null, last_direction: null, contrarian: null },
      });
    });

    test("counts hits and log-loss beside each baseline's", async () => {
      // Outcomes: up, up, down, unchanged (which is not up).
      const ups = [0.6, 0.4, 0.3, 0.8];
      const baselines = (last: number) => ({
        base_rate: 0.51,
        last_direction: last,
        contrarian: 1 - last,
      });
      const lasts = [0.9, 0.9, 0.1, 0.1];
      for (const [i, up] of ups.entries()) {
        await forecasts.store(forecast(i + 1, { up, baselines: baselines(lasts[i]!) }));
      }
      await trade([100, 110, 120, 90, 90]);
      await forecasts.joinOutcomes();
      const record = await forecasts.record("btc");
      expect(record.n).toBe(4);
      expect(record.hit_rate).toBeCloseTo(2 / 4, 12);
      const loss = -(Math.log(0.6) + Math.log(0.4) + Math.log(0.7) + Math.log(0.2)) / 4;
      expect(record.log_loss).toBeCloseTo(loss, 12);
      expect(record.baselines).toEqual({ base_rate: 0.5, last_direction: 1, contrarian: 0 });
    });

    test("takes the first forecast of each candle, and none that waits or abstained", async () => {
      await forecasts.store(forecast(1, { up: 0.9, madeAt: T(1) + 20_000, modelDigest: "late" }));
      await forecasts.store(forecast(1, { up: 0.2, madeAt: T(1) + 10_000, modelDigest: "first" }));
      await forecasts.store(forecast(2, { up: null }));
      await forecasts.store(forecast(3));
      await forecasts.store(forecast(9));
      await trade([100, 110, 120, null]);
      await candles.settleHoles("KRW-BTC", { empty: [T(3)], open: [] }, now);
      await forecasts.joinOutcomes();
      const record = await forecasts.record("btc");
      expect(record).toMatchObject({ n: 1, hit_rate: 0 });
      expect(record.log_loss).toBeCloseTo(-Math.log(0.2), 12);
    });

    test("of two made at one instant the one with the smaller id counts", async () => {
      const at = { madeAt: T(1) + 10_000 };
      await forecasts.store(forecast(1, { ...at, up: 0.9, modelDigest: "a" }));
      await forecasts.store(forecast(1, { ...at, up: 0.1, modelDigest: "b" }));
      await trade([100, 110]);
      await forecasts.joinOutcomes();
      expect(await forecasts.record("btc")).toMatchObject({ n: 1, hit_rate: 1 });
    });

    test("an answer that was certain and wrong is a large loss, not an error", async () => {
      await forecasts.store(forecast(1, { up: 1 }));
      await forecasts.store(forecast(2, { up: 0 }));
      await trade([100, 90, 80]);
      await forecasts.joinOutcomes();
      const record = await forecasts.record("btc");
      expect(record).toMatchObject({ n: 2, hit_rate: 0.5 });
      expect(record.log_loss).toBeGreaterThan(10);
      expect(record.log_loss).toBeLessThan(1_000);
    });

    test("an answer of one half counts as up, as it does in a training's report", async () => {
      await forecasts.store(forecast(1, { up: 0.5 }));
      await trade([100, 110]);
      await forecasts.joinOutcomes();
      expect(await forecasts.record("btc")).toMatchObject({ n: 1, hit_rate: 1 });
    });

    test("is what was stored, also for a process that starts later", async () => {
      for (let n = 1; n <= 10; n++) await forecasts.store(forecast(n));
      await trade(Array.from({ length: 11 }, (_, n) => 100 + n));
      await makeForecasts(database, { now: () => T(12) }).joinOutcomes();
      const later = makeForecasts(database, { now: () => T(500) });
      expect(await later.record("btc")).toMatchObject({ n: 10, hit_rate: 1 });
      const rows = await later.list("btc", 100, null);
      expect(rows.map((f) => [f.version, f.inputsDigest, f.outcome])).toEqual(
        Array.from({ length: 10 }, (_, i) => [1, `inputs of ${10 - i}`, "up"]),
      );
    });
  });

  test("the list goes back page by page, newest target first, each row once", async () => {
    for (const n of [1, 2, 2, 3, 3, 3]) {
      await forecasts.store(forecast(n, { modelDigest: `m${ids}` }));
    }
    await forecasts.store(forecast(8, { model: "eth" }));
    const pages = [];
    for (let before: { targetStart: number; id: string } | null = null; ; ) {
      const page = await forecasts.list("btc", 2, before);
      if (page.length === 0) break;
      pages.push(page);
      before = page.at(-1)!;
    }
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
    const all = pages.flat();
    expect(all.map((f) => (f.targetStart - T(0)) / UNIT_MS)).toEqual([3, 3, 3, 2, 2, 1]);
    expect(new Set(all.map((f) => f.id)).size).toBe(6);
    expect(all).toEqual(await forecasts.list("btc", 100, null));
  });
});
