import { expect, test } from "bun:test";
import { makeRandom } from "./random.ts";
import { calibrationCurve, calibrationError, shareInterval } from "./reliability.ts";

const of = (...values: number[]) => Float64Array.from(values);

test("Wilson's interval is the known one", () => {
  // 8 of 10: 0.4902 to 0.9433 (statsmodels, proportion_confint(8, 10, method="wilson")).
  const { rate, low, high } = shareInterval(8, 10);
  expect(rate).toBe(0.8);
  expect(low).toBeCloseTo(0.4902, 4);
  expect(high).toBeCloseTo(0.9433, 4);
  expect(shareInterval(0, 10).low).toBe(0);
  expect(shareInterval(10, 10).high).toBeCloseTo(1, 12);
});

test("bins hold equally many rows, and what they say beside what came", () => {
  const p = of(0.4, 0.1, 0.3, 0.2);
  const curve = calibrationCurve(p, of(1, 0, 1, 1), 2);
  expect(curve).toMatchObject([
    { rows: 2, from: 0.1, to: 0.2, rate: 0.5 },
    { rows: 2, from: 0.3, to: 0.4, rate: 1 },
  ]);
  expect(curve[0]!.meanProbability).toBeCloseTo(0.15, 12);
  expect(calibrationError(curve)).toBeCloseTo((0.35 + 0.65) / 2, 12);
});

test("equal probabilities share a bin", () => {
  const curve = calibrationCurve(of(0.2, 0.2, 0.2, 0.2, 0.2, 0.9), of(0, 0, 0, 0, 1, 1), 3);
  expect(curve.map(({ rows }) => rows)).toEqual([5, 1]);
});

test("all rows are in, in at most as many bins, for any count", () => {
  const random = makeRandom(1);
  for (const n of [1, 2, 7, 10, 11, 99, 1000]) {
    const p = Float64Array.from({ length: n }, () => random.next());
    const curve = calibrationCurve(
      p,
      p.map(() => 0),
    );
    expect(curve.length).toBeLessThanOrEqual(10);
    expect(curve.reduce((sum, bin) => sum + bin.rows, 0)).toBe(n);
  }
  expect(calibrationCurve(of(), of())).toEqual([]);
  expect(calibrationCurve(of(Number.NaN), of(1))).toEqual([]);
  expect(calibrationError([])).toBeNull();
});
