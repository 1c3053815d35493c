import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { NumberColumn } from "../learn/types.ts";
import { UNIT_MS } from "../types.ts";
import { seriesOf } from "./candles.ts";
import { featureFrame, featureNames, featuresAt } from "./features.ts";
import { fullSpec, mapOf, T, walk } from "./fixtures.ts";
import { lookbackOf } from "./spec.ts";

const SPEC = fullSpec(["KRW-ETH", "KRW-ADA"]);
const LISTS = [walk(220, 21), walk(220, 22, "KRW-ETH"), walk(220, 23, "KRW-ADA")];
const SERIES = mapOf(...LISTS);

describe("featureFrame", () => {
  test("is the rows of featuresAt, one a slot, in the order of the slots", () => {
    const slots = Float64Array.of(T(150), T(90), T(3), T(219), T(221));
    const frame = featureFrame(SPEC, SERIES, "KRW-BTC", slots);
    expect(frame.rows).toBe(5);
    expect(frame.columns.map((column) => column.name)).toEqual([...featureNames(SPEC)]);
    slots.forEach((slot, row) => {
      const inFrame = frame.columns.map((column) => (column as NumberColumn).values[row]!);
      expect(inFrame).toEqual([...featuresAt(SPEC, SERIES, "KRW-BTC", slot)]);
    });
  });

  test("holds float32 values or NaN, never an infinity", () => {
    const frame = featureFrame(SPEC, SERIES, "KRW-ETH", Float64Array.of(T(0), T(1), T(100)));
    for (const column of frame.columns as readonly NumberColumn[]) {
      for (const value of column.values) expect(Math.abs(value)).not.toBe(Infinity);
      expect(column.values).toBeInstanceOf(Float32Array);
    }
  });

  test("of no slots has its columns and no rows", () => {
    const frame = featureFrame(SPEC, SERIES, "KRW-BTC", new Float64Array(0));
    expect([frame.rows, frame.columns.length]).toEqual([0, featureNames(SPEC).length]);
  });
});

test("nothing after a slot moves its features, whatever it is and wherever holes are", () => {
  const candle = fc.record({
    close: fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
    volume: fc.double({ min: 0, max: 1e9, noNaN: true }),
    kept: fc.boolean(),
  });
  const futures = fc.array(candle, { minLength: 1, maxLength: 12 });
  const holes = fc.uniqueArray(fc.integer({ min: 0, max: 219 }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 205 }), futures, holes, (n, future, lost) => {
      const past = LISTS.map((list) =>
        list.filter((one, at) => one.start < T(n) && (at === 0 || !lost.includes(at))),
      );
      const wild = past.map((list) => [
        ...list,
        ...future.flatMap(({ close, volume, kept }, ahead) =>
          kept ? [{ ...list[0]!, start: T(n + ahead), close, volume, high: close * 2 }] : [],
        ),
      ]);
      const row = (lists: typeof past) => [...featuresAt(SPEC, mapOf(...lists), "KRW-BTC", T(n))];
      expect(row(wild)).toEqual(row(past));
    }),
    { numRuns: 60 },
  );
});

test("serving from the last candles gives the row of the whole history, to the bit", () => {
  const slots = fc.integer({ min: 0, max: 220 });
  const holes = fc.uniqueArray(fc.integer({ min: 0, max: 219 }), { maxLength: 90 });
  fc.assert(
    fc.property(slots, holes, (n, lost) => {
      const whole = LISTS.map((list) => list.filter((_, at) => !lost.includes(at)));
      const reach = T(n) - lookbackOf(SPEC) * UNIT_MS;
      const series = (lists: typeof whole) =>
        new Map(
          lists.map((list, at) => [LISTS[at]![0]!.market, seriesOf(LISTS[at]![0]!.market, list)]),
        );
      const recent = whole.map((list) => list.filter((one) => one.start >= reach));
      const row = (lists: typeof whole) => [...featuresAt(SPEC, series(lists), "KRW-BTC", T(n))];
      expect(row(recent)).toEqual(row(whole));
    }),
    { numRuns: 60 },
  );
});

test("lookback is tight: the oldest candle it counts does matter", () => {
  const n = 150;
  const oldest = T(n) - (lookbackOf(SPEC) - SPEC.holes.within) * UNIT_MS;
  const changed = LISTS.map((list) =>
    list.map((one) => (one.start === oldest ? { ...one, close: one.close * 1.5 } : one)),
  );
  const row = (lists: typeof LISTS) => featuresAt(SPEC, mapOf(...lists), "KRW-BTC", T(n));
  expect(row(changed)).not.toEqual(row(LISTS));
});

describe("refusals", () => {
  test("a market or a peer without a series is named, with what was given", () => {
    const only = new Map([...SERIES].filter(([market]) => market !== "KRW-ADA"));
    const compute = () => featuresAt(SPEC, only, "KRW-BTC", T(100));
    expect(compute).toThrow(expect.objectContaining({ code: "unknown_market" }));
    expect(compute).toThrow(/KRW-ADA, only for KRW-BTC, KRW-ETH/);
  });

  test("an instant that is no slot is refused", () => {
    for (const slot of [T(100) + 1, T(100) + UNIT_MS / 4, Number.NaN]) {
      expect(() => featuresAt(SPEC, SERIES, "KRW-BTC", slot)).toThrow(/is not a slot/);
    }
  });

  test("an empty series of a peer is unknown, not an error", () => {
    const series = new Map([...SERIES, ["KRW-ADA", seriesOf("KRW-ADA", [])]]);
    const row = featuresAt(SPEC, series, "KRW-BTC", T(150));
    const unknown = featureNames(SPEC).filter((_, index) => Number.isNaN(row[index]!));
    expect(unknown).toEqual(["krw_ada_return_1", "krw_ada_return_6"]);
  });
});
