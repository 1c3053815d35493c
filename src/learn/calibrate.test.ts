import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  calibrated,
  calibrationSlope,
  fitCalibration,
  fitShrinkage,
  UNCALIBRATED,
} from "./calibrate.ts";
import { sigmoid } from "./math.ts";
import { logLoss } from "./metrics.ts";
import { makeRandom } from "./random.ts";
import { normals } from "./testing.ts";

/** True margins and outcomes drawn by them. */
const draw = (n: number, seed: number) => {
  const margin = normals(n, seed);
  const random = makeRandom(seed + 100);
  return { margin, target: margin.map((m) => (random.next() < sigmoid(m) ? 1 : 0)) };
};

describe("fitCalibration", () => {
  test("undoes a margin that is three times too sure and shifted", () => {
    const { margin, target } = draw(20_000, 1);
    const { slope, intercept } = fitCalibration(
      margin.map((m) => 3 * m + 1),
      target,
    );
    expect(slope).toBeCloseTo(1 / 3, 1);
    expect(intercept).toBeCloseTo(-1 / 3, 1);
  });

  test("the derivatives of the loss against softened outcomes are 0", () => {
    const { margin, target } = draw(300, 2);
    const fitted = fitCalibration(margin, target);
    const ones = target.reduce((sum, y) => sum + y, 0);
    const softened = target.map((y) =>
      y === 1 ? (ones + 1) / (ones + 2) : 1 / (target.length - ones + 2),
    );
    const residual = margin.map((m, i) => softened[i]! - calibrated(fitted, m));
    expect(residual.reduce((sum, r) => sum + r, 0)).toBeCloseTo(0, 6);
    expect(residual.reduce((sum, r, i) => sum + r * margin[i]!, 0)).toBeCloseTo(0, 6);
  });

  test("never turns a model round: margins that point the wrong way give the base rate", () => {
    const { margin, target } = draw(2000, 3);
    const fitted = fitCalibration(
      margin.map((m) => -m),
      target,
    );
    const share = target.reduce((sum, y) => sum + y, 0) / target.length;
    expect(fitted.slope).toBe(0);
    expect(calibrated(fitted, 12)).toBeCloseTo(share, 2);
  });

  test("does not make the log-loss of its own rows worse", () => {
    for (const seed of [4, 5, 6]) {
      const { margin, target } = draw(1000, seed);
      const sure = margin.map((m) => 5 * m);
      const fitted = fitCalibration(sure, target);
      const after = logLoss(
        sure.map((m) => calibrated(fitted, m)),
        target,
      )!;
      expect(after).toBeLessThan(logLoss(sure.map(sigmoid), target)!);
    }
  });

  test("one class, equal margins, one row, no rows: finite", () => {
    const cases: [number[], number[]][] = [
      [
        [1, 2, 3],
        [1, 1, 1],
      ],
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
      [
        [2, 2, 2],
        [0, 1, 1],
      ],
      [[7], [1]],
      [[], []],
    ];
    for (const [margin, target] of cases) {
      const fitted = fitCalibration(Float64Array.from(margin), Float64Array.from(target));
      expect(Number.isFinite(fitted.slope) && fitted.slope >= 0).toBe(true);
      expect(Number.isFinite(fitted.intercept)).toBe(true);
    }
    const one = fitCalibration(Float64Array.of(1, 2, 3), Float64Array.of(1, 1, 1));
    expect(calibrated(one, 2)).toBeCloseTo(0.8, 6);
  });

  test("classes that the margin parts stay finite and keep their order", () => {
    const margin = Float64Array.from({ length: 50 }, (_, i) => i - 24.5);
    const fitted = fitCalibration(
      margin,
      margin.map((m) => (m > 0 ? 1 : 0)),
    );
    expect(fitted.slope).toBeGreaterThan(0);
    expect(Number.isFinite(fitted.slope)).toBe(true);
    expect(calibrated(fitted, 24)).toBeGreaterThan(0.9);
  });

  test("whatever the margins, the slope is finite and not below 0", () => {
    const rows = fc.array(
      fc.tuple(fc.double({ min: -50, max: 50, noNaN: true }), fc.constantFrom(0, 1)),
    );
    fc.assert(
      fc.property(rows, (pairs) => {
        const fitted = fitCalibration(
          Float64Array.from(pairs, ([m]) => m),
          Float64Array.from(pairs, ([, y]) => y),
        );
        expect(Number.isFinite(fitted.slope) && fitted.slope >= 0).toBe(true);
        expect(Number.isFinite(fitted.intercept)).toBe(true);
      }),
    );
  });
});

describe("calibrationSlope", () => {
  test("is 1 and 0 for honest forecasts, below 1 for overconfident ones", () => {
    const { margin, target } = draw(20_000, 7);
    const honest = calibrationSlope(margin.map(sigmoid), target)!;
    expect(honest.slope).toBeCloseTo(1, 1);
    expect(honest.intercept).toBeCloseTo(0, 1);
    const sure = calibrationSlope(
      margin.map((m) => sigmoid(2 * m)),
      target,
    )!;
    expect(sure.slope).toBeCloseTo(0.5, 1);
  });

  test("is below 0 where forecasts point the wrong way", () => {
    const { margin, target } = draw(1000, 8);
    expect(
      calibrationSlope(
        margin.map((m) => sigmoid(-m)),
        target,
      )!.slope,
    ).toBeLessThan(0);
  });

  test("takes certainties of 0 and 1", () => {
    const slope = calibrationSlope(Float64Array.of(0, 1, 1, 0), Float64Array.of(0, 1, 0, 1));
    expect(Number.isFinite(slope!.slope)).toBe(true);
  });

  test("is null where it cannot be told", () => {
    const half = Float64Array.of(0.5, 0.5, 0.5);
    expect(calibrationSlope(half, Float64Array.of(0, 1, 1))).toBeNull();
    expect(calibrationSlope(Float64Array.of(0.2, 0.6), Float64Array.of(1, 1))).toBeNull();
    expect(calibrationSlope(Float64Array.of(0.2, 0.6), Float64Array.of(0, 1))).toBeNull();
    expect(calibrationSlope(new Float64Array(0), new Float64Array(0))).toBeNull();
  });
});

test("UNCALIBRATED leaves margins as they are", () => {
  for (const m of [-3, 0, 0.25]) expect(calibrated(UNCALIBRATED, m)).toBe(sigmoid(m));
});

describe("fitShrinkage", () => {
  test("draws margins that are twice too sure to half, and leaves no intercept", () => {
    const { margin, target } = draw(20_000, 11);
    const { slope, intercept } = fitShrinkage(
      margin.map((m) => 2 * m),
      target,
      null,
      8,
    );
    expect(slope).toBeCloseTo(0.5, 1);
    expect(intercept).toBe(0);
  });

  test("never makes surer, and never turns round", () => {
    const { margin, target } = draw(5_000, 12);
    const half = margin.map((m) => m / 2);
    expect(fitShrinkage(half, target, null, 8).slope).toBe(1);
    const wrong = margin.map((m) => -m);
    expect(fitShrinkage(wrong, target, null, 8).slope).toBe(0);
  });

  test("few rows leave it near 1, and none at 1", () => {
    const { margin, target } = draw(8, 13);
    const sure = margin.map((m) => 3 * m);
    const slopes = [0.1, 8, 1e6].map(
      (precision) => fitShrinkage(sure, target, null, precision).slope,
    );
    expect(slopes).toEqual([...slopes].sort((a, b) => a - b));
    expect(slopes.at(-1)).toBeCloseTo(1, 4);
    expect(fitShrinkage(new Float64Array(0), new Float64Array(0), null, 8)).toEqual(UNCALIBRATED);
  });

  test("rows count by their weight", () => {
    const { margin, target } = draw(4_000, 14);
    const sure = margin.map((m, i) => (i < 2_000 ? 4 * m : m));
    const weights = (first: number) => margin.map((_, i) => (i < 2_000 ? first : 1 - first));
    const slope = (first: number) => fitShrinkage(sure, target, weights(first), 8).slope;
    expect(slope(1)).toBeCloseTo(0.25, 1);
    expect(slope(0)).toBeGreaterThan(0.85);
    expect(slope(0.5)).toBeGreaterThan(slope(1));
  });
});
