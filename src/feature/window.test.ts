import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BAR_FIELDS, seriesOf } from "./candles.ts";
import { candleAt, T, walk } from "./fixtures.ts";
import { fillWindow, makeWindow } from "./window.ts";

const closes = (present: readonly number[], slot: number, depth: number, within: number) => {
  const window = makeWindow(depth);
  fillWindow(
    window,
    seriesOf(
      "KRW-BTC",
      present.map((n) => candleAt(n, 100 + n)),
    ),
    T(slot),
    within,
  );
  return window;
};

describe("fillWindow", () => {
  test("index 0 is the newest candle that is closed at the slot, never the slot's own", () => {
    expect([...closes([0, 1, 2, 3, 4, 5], 4, 2, 3).close]).toEqual([103, 102, 101]);
  });

  test("a hole is a flat candle at the last close with nothing traded", () => {
    const window = closes([0, 1, 3], 4, 3, 3);
    expect([...window.close]).toEqual([103, 101, 101, 100]);
    for (const field of ["open", "high", "low"] as const) expect(window[field][1]).toBe(101);
    expect([window.volume[1], window.turnover[1]]).toEqual([0, 0]);
    expect(window.high[0]).toBeGreaterThan(103);
  });

  test("a close is carried over three candles and not over a fourth", () => {
    const three = closes([0, 4], 5, 4, 3);
    expect([...three.close]).toEqual([104, 100, 100, 100, 100]);
    const four = closes([0, 5], 6, 5, 3);
    expect([...four.close]).toEqual([105, NaN, 100, 100, 100, 100]);
    expect([...four.volume.subarray(1, 3)]).toEqual([NaN, 0]);
  });

  test("a close from before the window is carried into its oldest candle", () => {
    expect([...closes([0, 3], 4, 1, 3).close]).toEqual([103, 100]);
    expect([...closes([0, 5], 5, 1, 3).close]).toEqual([NaN, 100]);
    expect([...closes([0, 3], 4, 1, 0).close]).toEqual([103, NaN]);
  });

  test("what was in the window before leaves no trace", () => {
    const candles = walk(60, 5);
    const series = seriesOf(
      "KRW-BTC",
      candles.filter((_, n) => n % 5 !== 0),
    );
    const used = makeWindow(12);
    const slots = fc.array(fc.integer({ min: -3, max: 70 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(slots, (picked) => {
        const fresh = makeWindow(12);
        for (const n of picked) fillWindow(used, series, T(n), 3);
        fillWindow(fresh, series, T(picked.at(-1)!), 3);
        for (const field of BAR_FIELDS) expect([...used[field]]).toEqual([...fresh[field]]);
      }),
    );
  });
});
