/*
 * What goes wrong with time, told as small stories: the open candle, the interval without trades,
 * the correction that comes late.
 */
import { describe, expect, test } from "bun:test";
import type { NumberColumn } from "../learn/types.ts";
import type { Candle } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Dataset } from "./dataset.ts";
import { buildDataset } from "./dataset.ts";
import { datasetDigest } from "./digest.ts";
import { featureNames, featuresAt } from "./features.ts";
import { candleAt, fullSpec, mapOf, OFF, T, walk } from "./fixtures.ts";
import type { FeatureSpec } from "./spec.ts";

/** Short windows, so that a story of few candles has features. */
const SPEC: FeatureSpec = {
  ...fullSpec([]),
  groups: {
    ...OFF,
    returns: [1, 2],
    lags: [1],
    shape: true,
    volatility: [2],
    volume: [2],
    rsi: [2],
    stochastic: [2],
    distance: [2],
  },
};
const rowOf = (candles: readonly Candle[], n: number) =>
  Object.fromEntries(
    [...featuresAt(SPEC, mapOf(candles), "KRW-BTC", T(n))].map(
      (value, index) => [featureNames(SPEC)[index]!, value] as const,
    ),
  );
const build = (candles: readonly Candle[], to: number): Dataset =>
  buildDataset({ spec: SPEC, series: mapOf(candles), market: "KRW-BTC", from: T(0), to: T(to) });

describe("the open candle", () => {
  const closed = [0, 1, 2, 3, 4].map((n) => candleAt(n, 100 + n * n));

  test("does not touch the forecast of its own slot, at whatever price it stands", () => {
    const alone = rowOf(closed, 5);
    for (const close of [105, 99, 101]) {
      expect(rowOf([...closed, candleAt(5, close)], 5)).toEqual(alone);
    }
  });

  test("makes no label while it is not given, and one from its final close after", () => {
    expect([...build(closed, 6).slots]).not.toContain(T(5));
    const after = build([...closed, candleAt(5, 101)], 6);
    expect(after.slots.at(-1)).toBe(T(5));
    expect(after.returns.at(-1)).toBeCloseTo(Math.log(101 / 116), 12);
  });
});

describe("an interval without trades", () => {
  const some = [0, 1, 3, 4].map((n) => candleAt(n, 100 + 10 * n));

  test("does not join its neighbours: returns are over instants, not over rows", () => {
    const row = rowOf(some, 5);
    // T(4) against T(3) and T(2); nothing traded at T(2), so its price is that of T(1).
    expect(row["return_1"]).toBeCloseTo(Math.log(140 / 130), 6);
    expect(row["return_2"]).toBeCloseTo(Math.log(140 / 110), 6);
    expect(row["lag_1"]).toBeCloseTo(Math.log(130 / 110), 6);
    const before = rowOf(some, 3);
    expect([before["return_1"], before["range"], before["body"]]).toEqual([0, 0, 0]);
  });

  test("has no label, nor has the candle after it", () => {
    expect([...build(some, 5).slots]).toEqual([T(4)]);
    expect(build(some, 5).dropped).toMatchObject({ no_candle: 1, no_candle_before: 2 });
  });

  test("is filled in time's order when its candle turns up, and the dataset is another one", () => {
    const late = [...some, candleAt(2, 200)];
    expect(rowOf(late, 5)["return_2"]).toBeCloseTo(Math.log(140 / 200), 6);
    expect([...build(late, 5).slots]).toContain(T(3));
    expect(datasetDigest(build(late, 5), SPEC)).not.toBe(datasetDigest(build(some, 5), SPEC));
  });
});

describe("a correction that comes late", () => {
  const known = walk(40, 61);
  const corrected = known.map((one, n) => (n === 7 ? { ...one, close: one.close * 0.9 } : one));

  test("as of before it and as of after it are two datasets, each the same every time", () => {
    const digests = [known, corrected, known, corrected].map((candles) =>
      datasetDigest(build(candles, 40), SPEC),
    );
    expect(digests[0]).not.toBe(digests[1]!);
    expect(digests.slice(2)).toEqual(digests.slice(0, 2));
  });

  test("moves rows only from the slot after the corrected candle on", () => {
    const [before, after] = [build(known, 40), build(corrected, 40)];
    before.slots.forEach((slot, row) => {
      const values = ({ frame }: Dataset) =>
        frame.columns.map((column) => (column as NumberColumn).values[row]!);
      if (slot <= T(7)) expect(values(after)).toEqual(values(before));
      if (slot === T(7) + UNIT_MS) expect(values(after)).not.toEqual(values(before));
    });
  });
});
