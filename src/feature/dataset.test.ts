import { describe, expect, test } from "bun:test";
import type { NumberColumn } from "../learn/types.ts";
import type { Candle } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import { seriesOf } from "./candles.ts";
import { buildDataset } from "./dataset.ts";
import { featuresAt } from "./features.ts";
import { candleAt, fullSpec, mapOf, T, walk } from "./fixtures.ts";
import { depthOf } from "./spec.ts";

const SPEC = fullSpec([]);
const build = (candles: readonly Candle[], from: number, to: number) =>
  buildDataset({ spec: SPEC, series: mapOf(candles), market: "KRW-BTC", from: T(from), to: T(to) });

describe("buildDataset", () => {
  const candles = walk(300, 31);
  const data = build(candles, 0, 300);

  test("has a row for each slot with a label and enough history, in time order", () => {
    const least = Math.ceil(0.75 * (depthOf(SPEC) + 1));
    expect(data.slots[0]).toBe(T(least));
    expect(data.slots.at(-1)).toBe(T(299));
    expect(data.slots.every((slot, row) => row === 0 || slot > data.slots[row - 1]!)).toBe(true);
    expect(data.dropped).toEqual({
      no_candle: 0,
      no_candle_before: 1,
      short_history: least - 1,
    });
  });

  test("its arrays have one entry a row, and each column too", () => {
    const { rows } = data.frame;
    for (const part of [data.slots, data.up, data.returns, data.unchanged, data.lastUp]) {
      expect(part).toHaveLength(rows);
    }
    for (const column of data.frame.columns as readonly NumberColumn[]) {
      expect(column.values).toHaveLength(rows);
    }
  });

  test("labels and features meet at the slot: one after, one before", () => {
    const row = 100;
    const n = (data.slots[row]! - T(0)) / UNIT_MS;
    const moved = Math.log(candles[n]!.close / candles[n - 1]!.close);
    expect(data.returns[row]).toBeCloseTo(moved, 14);
    expect(data.up[row]).toBe(moved > 0 ? 1 : 0);
    expect(data.lastUp[row]).toBe(candles[n - 1]!.close > candles[n - 2]!.close ? 1 : 0);
    const features = featuresAt(SPEC, mapOf(candles), "KRW-BTC", T(n));
    const inFrame = data.frame.columns.map((column) => (column as NumberColumn).values[row]!);
    expect(inFrame).toEqual([...features]);
  });

  test("the last candle's direction of one row is the label of the row before", () => {
    for (let row = 1; row < data.slots.length; row += 1) {
      expect(data.lastUp[row]).toBe(data.up[row - 1]!);
    }
  });

  test("the range is from <= slot < to, and a bound between slots counts from the next", () => {
    const part = build(candles, 200, 210);
    expect([...part.slots]).toEqual(Array.from({ length: 10 }, (_, k) => T(200 + k)));
    const series = mapOf(candles);
    const askew = { from: T(200) + 1, to: T(202) + 1, spec: SPEC, series, market: "KRW-BTC" };
    expect([...buildDataset(askew).slots]).toEqual([T(201), T(202)]);
  });

  test("an unchanged candle is not up and is marked", () => {
    const flat = candles.map((candle, n) =>
      n === 250 ? { ...candle, close: candles[249]!.close } : candle,
    );
    const part = build(flat, 250, 252);
    expect([part.up[0], part.returns[0], part.unchanged[0]]).toEqual([0, 0, 1]);
    expect([part.lastUp[1], part.unchanged[1]]).toEqual([0, 0]);
  });

  test("the slot at the end of the series has no row yet: its candle is not there", () => {
    expect(build(candles, 295, 305).dropped.no_candle).toBe(5);
    expect(build(candles, 295, 305).slots.at(-1)).toBe(T(299));
  });
});

describe("holes", () => {
  const candles = walk(300, 32);

  test("a hole takes two rows, and later features are by time", () => {
    const holed = build(
      candles.filter((_, n) => n !== 200),
      190,
      210,
    );
    expect(holed.dropped).toEqual({ no_candle: 1, no_candle_before: 1, short_history: 0 });
    expect([...holed.slots]).not.toContain(T(200));
    expect([...holed.slots]).not.toContain(T(201));
    const row = holed.slots.indexOf(T(202));
    const returns = holed.frame.columns.map((c) => [c.name, (c as NumberColumn).values[row]]);
    const two = Math.log(candles[201]!.close / candles[199]!.close);
    expect(Object.fromEntries(returns)["return_2"]).toBeCloseTo(two, 6);
  });

  test("after an outage that empties the longest window, rows wait until it is known again", () => {
    const outage = candles.filter((_, n) => n < 100 || n >= 160);
    const data = build(outage, 100, 300);
    expect(data.dropped.no_candle).toBe(60);
    expect(data.dropped.short_history).toBeGreaterThan(30);
    expect(data.slots[0]!).toBeGreaterThan(T(160));
  });

  test("a market without candles gives no rows and says why", () => {
    const series = new Map([["KRW-BTC", seriesOf("KRW-BTC", [])]]);
    const data = buildDataset({ spec: SPEC, series, market: "KRW-BTC", from: T(0), to: T(10) });
    expect([data.frame.rows, data.dropped.no_candle]).toEqual([0, 10]);
  });
});

test("on a random walk no feature tells the next direction", () => {
  const data = build(walk(2_000, 33), 0, 2_000);
  for (const column of data.frame.columns as readonly NumberColumn[]) {
    const middle = column.values.toSorted()[data.frame.rows >> 1]!;
    let right = 0;
    column.values.forEach((value, row) => {
      if ((value > middle ? 1 : 0) === data.up[row]) right += 1;
    });
    expect(Math.abs(right / data.frame.rows - 0.5)).toBeLessThan(0.05);
  }
});

test("an impossible spec is refused before anything is computed", () => {
  const spec = { ...SPEC, groups: { ...SPEC.groups, returns: [1, 0] } };
  const series = mapOf([candleAt(0)]);
  expect(() => buildDataset({ spec, series, market: "KRW-BTC", from: T(0), to: T(9) })).toThrow(
    expect.objectContaining({ code: "leaking_feature" }),
  );
});
