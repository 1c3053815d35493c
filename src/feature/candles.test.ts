import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { UNIT_MS } from "../types.ts";
import { closeAt, placeOf, seriesOf } from "./candles.ts";
import { candleAt, T, walk } from "./fixtures.ts";

describe("seriesOf", () => {
  test("looks a close up by its instant, and finds nothing in a hole", () => {
    const series = seriesOf(
      "KRW-BTC",
      [0, 1, 3, 4].map((n) => candleAt(n, 100 + n)),
    );
    expect([0, 1, 2, 3, 4].map((n) => closeAt(series, T(n)))).toEqual([100, 101, NaN, 103, 104]);
    expect(closeAt(series, T(-1))).toBeNaN();
    expect(closeAt(series, T(5))).toBeNaN();
  });

  test("an instant inside of a candle is not its start", () => {
    const series = seriesOf("KRW-BTC", [candleAt(0), candleAt(1)]);
    expect(closeAt(series, T(0) + 1)).toBeNaN();
    expect(placeOf(series, T(0) + UNIT_MS / 2)).toBe(0.5);
  });

  test("the order of the candles does not matter", () => {
    const candles = walk(40, 3);
    const shuffles = fc.shuffledSubarray([...candles], { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(shuffles, (mixed) => {
        expect(seriesOf("KRW-BTC", mixed)).toEqual(seriesOf("KRW-BTC", candles));
      }),
      { numRuns: 20 },
    );
  });

  test("a hole that is filled later closes, and nothing else moves", () => {
    const before = seriesOf("KRW-BTC", [candleAt(0), candleAt(1), candleAt(3)]);
    const after = seriesOf("KRW-BTC", [candleAt(0), candleAt(1), candleAt(3), candleAt(2, 7)]);
    expect(closeAt(before, T(2))).toBeNaN();
    expect(closeAt(after, T(2))).toBe(7);
    for (const n of [0, 1, 3]) expect(closeAt(after, T(n))).toBe(closeAt(before, T(n)));
  });

  test("no candles are a series in which all is a hole", () => {
    const series = seriesOf("KRW-BTC", []);
    expect(closeAt(series, T(0))).toBeNaN();
    expect(closeAt(series, 0)).toBeNaN();
  });

  test("a candle of another market, off the grid, or given twice is refused by name", () => {
    const code = "bad_candle";
    const other = [candleAt(0), candleAt(1, 105, "KRW-ETH")];
    expect(() => seriesOf("KRW-BTC", other)).toThrow(/KRW-BTC.*2025-07-01T04:00:00Z is of KRW-ETH/);
    const askew = { ...candleAt(0), start: T(0) + 9 * 3_600_000 };
    expect(() => seriesOf("KRW-BTC", [askew])).toThrow(expect.objectContaining({ code }));
    const unknown = { ...candleAt(0), start: Number.NaN };
    expect(() => seriesOf("KRW-BTC", [unknown])).toThrow(/NaN is off the grid/);
    const twice = [candleAt(0, 105), candleAt(0, 95)];
    expect(() => seriesOf("KRW-BTC", twice)).toThrow(expect.objectContaining({ code }));
  });
});
