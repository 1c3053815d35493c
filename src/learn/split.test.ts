import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { walkForward } from "./split.ts";

const CANDLE = 4 * 3_600_000;
const DAY = 24 * 3_600_000;
const FIRST = Date.UTC(2025, 6, 1);
/** The start of candle n. */
const at = (n: number): number => FIRST + n * CANDLE;
const candles = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => at(i));

describe("walkForward", () => {
  test("purges rows whose labels look into the fold", () => {
    // Horizon 6 and a split at row 1000: rows 995..999 see past it.
    const folds = walkForward({
      times: candles(1200),
      horizonMs: 6 * CANDLE,
      foldMs: 1000 * CANDLE,
      minTrainRows: 1,
      anchor: at(0),
    });
    expect(folds).toHaveLength(1);
    expect(folds[0]).toMatchObject({ train: [0, 995], test: [1000, 1200], purged: 5 });
    expect(folds[0]?.start).toBe(at(1000));
  });

  test("a label that looks one candle ahead purges nothing", () => {
    const [fold] = walkForward({
      times: candles(20),
      horizonMs: CANDLE,
      foldMs: 10 * CANDLE,
      minTrainRows: 1,
      anchor: at(0),
    });
    expect(fold).toMatchObject({ train: [0, 10], test: [10, 20], purged: 0 });
  });

  test("folds begin at multiples of their length since the epoch unless anchored", () => {
    const folds = walkForward({
      times: candles(100),
      horizonMs: CANDLE,
      foldMs: 7 * DAY,
      minTrainRows: 5,
    });
    for (const fold of folds) expect(fold.start % (7 * DAY)).toBe(0);
    expect(folds.length).toBeGreaterThan(1);
  });

  test("later candles change no earlier fold", () => {
    const foldsOf = (n: number) =>
      walkForward({ times: candles(n), horizonMs: CANDLE, foldMs: 5 * DAY, minTrainRows: 30 });
    const [few, many] = [foldsOf(301), foldsOf(420)];
    expect(many.slice(0, few.length - 1)).toEqual(few.slice(0, -1));
    // The unfinished last fold only grows.
    expect(many[few.length - 1]?.train).toEqual(few.at(-1)!.train);
    expect(many[few.length - 1]?.test[0]).toBe(few.at(-1)!.test[0]);
  });

  test("rows of several markets at one slot stay together", () => {
    const times = Float64Array.from({ length: 90 }, (_, i) => at(Math.floor(i / 3)));
    const folds = walkForward({
      times,
      horizonMs: 2 * CANDLE,
      foldMs: 10 * CANDLE,
      minTrainRows: 1,
      anchor: at(0),
    });
    expect(folds.map(({ train, test, purged }) => [...train, ...test, purged])).toEqual([
      [0, 27, 30, 60, 3],
      [0, 57, 60, 90, 3],
    ]);
  });

  test("trainFrom leaves old rows out, and folds that then lack rows too", () => {
    const folds = walkForward({
      times: candles(60),
      horizonMs: CANDLE,
      foldMs: 10 * CANDLE,
      minTrainRows: 10,
      trainFrom: at(15),
      anchor: at(0),
    });
    expect(folds.map(({ train, test }) => [...train, ...test])).toEqual([
      [15, 30, 30, 40],
      [15, 40, 40, 50],
      [15, 50, 50, 60],
    ]);
  });

  test("a hole as long as a fold leaves that fold out", () => {
    const times = candles(40).filter((t) => t < at(10) || t >= at(25));
    const folds = walkForward({
      times,
      horizonMs: CANDLE,
      foldMs: 10 * CANDLE,
      minTrainRows: 1,
      anchor: at(0),
    });
    expect(folds.map(({ start }) => start)).toEqual([at(20), at(30)]);
  });

  test("no rows, no folds", () => {
    const none = { times: candles(0), horizonMs: 1, foldMs: 1, minTrainRows: 1 };
    expect(walkForward(none)).toEqual([]);
  });

  test("refuses times out of order and lengths out of range, naming them", () => {
    const good = { times: candles(9), horizonMs: CANDLE, foldMs: DAY, minTrainRows: 1 };
    expect(() => walkForward({ ...good, times: Float64Array.of(5, 4) })).toThrow("time 4 of row 1");
    expect(() => walkForward({ ...good, times: Float64Array.of(Number.NaN) })).toThrow("time NaN");
    expect(() => walkForward({ ...good, foldMs: 0 })).toThrow("foldMs 0");
    expect(() => walkForward({ ...good, horizonMs: -1 })).toThrow("horizonMs -1");
  });

  test("always: nothing trained on reaches into its test, folds are disjoint and in order", () => {
    const options = fc.record({
      gaps: fc.array(fc.nat(5), { minLength: 1, maxLength: 120 }),
      horizon: fc.nat(12),
      fold: fc.integer({ min: 1, max: 40 }),
      minTrainRows: fc.nat(20),
      anchor: fc.integer({ min: -50, max: 50 }),
      from: fc.option(fc.nat(80), { nil: undefined }),
    });
    fc.assert(
      fc.property(options, ({ gaps, horizon, fold, minTrainRows, anchor, from }) => {
        let clock = 0;
        const times = Float64Array.from(gaps, (gap) => {
          clock += gap;
          return at(clock);
        });
        const folds = walkForward({
          times,
          horizonMs: horizon * CANDLE,
          foldMs: fold * CANDLE,
          minTrainRows,
          anchor: at(anchor),
          ...(from === undefined ? {} : { trainFrom: at(from) }),
        });
        let end = 0;
        for (const { train, test, purged, start, end: until } of folds) {
          expect(train[1] - train[0]).toBeGreaterThanOrEqual(Math.max(minTrainRows, 1));
          expect(times[train[1] - 1]! + horizon * CANDLE).toBeLessThanOrEqual(times[test[0]]!);
          expect(train[1] + purged).toBe(test[0]);
          expect(test[0]).toBeGreaterThanOrEqual(end);
          expect(test[1]).toBeGreaterThan(test[0]);
          expect(times[test[0]]!).toBeGreaterThanOrEqual(start);
          expect(times[test[1] - 1]!).toBeLessThan(until);
          expect((start - at(anchor)) % (fold * CANDLE)).toBeCloseTo(0, 10);
          // No more is purged than must be.
          if (purged > 0) expect(times[train[1]]! + horizon * CANDLE).toBeGreaterThan(start);
          end = test[1];
        }
      }),
      { numRuns: 400 },
    );
  });
});
