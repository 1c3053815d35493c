import { describe, expect, test } from "bun:test";
import { seriesOf } from "./candles.ts";
import { candleAt, T } from "./fixtures.ts";
import { labelAt } from "./labels.ts";

const closes = [100, 110, 110, 99, Number.NaN, 99, 120];
const series = seriesOf(
  "KRW-ADA",
  closes.flatMap((close, n) => (Number.isNaN(close) ? [] : [candleAt(n, close, "KRW-ADA")])),
);

describe("labelAt", () => {
  test("is the log return of the slot's own candle against the one before", () => {
    expect(labelAt(series, T(1))).toMatchObject({ up: true, unchanged: false });
    expect(labelAt(series, T(1))?.return).toBeCloseTo(Math.log(1.1), 14);
    expect(labelAt(series, T(3))).toMatchObject({ up: false, unchanged: false });
    expect(labelAt(series, T(3))?.return).toBeCloseTo(Math.log(0.9), 14);
  });

  test("an unchanged price is not up, and is its own state", () => {
    expect(labelAt(series, T(2))).toEqual({ return: 0, up: false, unchanged: true });
  });

  test("a hole has no label, nor has the candle after it: nothing is carried", () => {
    expect(labelAt(series, T(4))).toBeNull();
    expect(labelAt(series, T(5))).toBeNull();
    expect(labelAt(series, T(6))?.up).toBe(true);
  });

  test("outside of the series there is no label", () => {
    expect([T(-1), T(0), T(7)].map((slot) => labelAt(series, slot))).toEqual([null, null, null]);
  });

  test("a move of one last place of a double is a move", () => {
    const close = 148_601_001;
    const next = close + 2 ** -25;
    const tiny = seriesOf("KRW-BTC", [candleAt(0, close), candleAt(1, next)]);
    expect(labelAt(tiny, T(1))).toMatchObject({ up: true, unchanged: false });
  });
});
