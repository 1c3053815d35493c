import { expect, test } from "bun:test";
import { evaluateClasses } from "./classes.ts";
import { histogramOf, verdictOf } from "./figures.ts";
import { evaluateNumbers } from "./numbers.ts";

test("several classes: known rows, a champion that is worse, matrix by class and call", () => {
  const n = 300;
  const target = Int32Array.from({ length: n }, (_, i) => i % 3);
  const said = (sure: number) =>
    Float64Array.from({ length: n * 3 }, (_, i) => {
      const [row, k] = [Math.floor(i / 3), i % 3];
      // One row in ten is taken for the next class.
      const called = row % 10 === 0 ? (target[row]! + 1) % 3 : target[row]!;
      return k === called ? sure : (1 - sure) / 2;
    });
  const { metrics, matrix, classes, champion } = evaluateClasses({
    probability: said(0.8),
    target,
    baseRates: [0.5, 0.3, 0.2],
    champion: said(0.4),
    seed: 1,
    draws: 50,
  });
  expect(metrics["accuracy"]).toBeCloseTo(0.9, 12);
  expect(metrics["log_loss"]).toBeCloseTo(-(0.9 * Math.log(0.8) + 0.1 * Math.log(0.1)), 12);
  expect(metrics["base_rate_accuracy"]).toBeCloseTo(1 / 3, 12);
  expect(matrix).toEqual([
    [90, 10, 0],
    [0, 90, 10],
    [10, 0, 90],
  ]);
  expect(classes[1]).toMatchObject({ rows: 100, called: 100, precision: 0.9, recall: 0.9 });
  expect(champion!.verdict).toBe("better");
});

test("numbers: known rows, an interval, groups of like forecast", () => {
  const forecast = Float64Array.from({ length: 100 }, (_, i) => i);
  const target = forecast.map((f, i) => f + (i % 2 === 0 ? 1 : -3));
  const { metrics, bins, residuals, champion } = evaluateNumbers({
    forecast,
    target,
    kind: "regression",
    baseMean: 49,
    interval: { low: forecast.map((f) => f - 2), high: forecast.map((f) => f + 2), coverage: 0.5 },
    champion: forecast.map((f) => f - 1),
    seed: 1,
    draws: 50,
  });
  expect(metrics["rmse"]).toBeCloseTo(Math.sqrt(5), 12);
  expect(metrics["mae"]).toBe(2);
  expect(metrics["coverage_50"]).toBe(0.5);
  expect(metrics["interval_width"]).toBe(4);
  expect(metrics["against_champion"]).toBeCloseTo(5 - 4, 12);
  expect(champion!.verdict).toBe("worse"); // by 1, with a standard error of 4 / 10
  expect(bins).toHaveLength(10);
  expect(bins[0]).toEqual({ rows: 10, meanForecast: 4.5, meanTarget: 3.5 });
  expect(residuals).toMatchObject({ low: -1, high: 3 });
  expect(residuals.counts.reduce((sum, n) => sum + n, 0)).toBe(100);
});

test("quantiles: pinball loss beside that of no column, and the share of rows below", () => {
  const target = Float64Array.of(0, 1, 2, 3);
  const given = { target, forecast: target, kind: "regression", baseMean: 1.5 } as const;
  const { metrics } = evaluateNumbers({
    ...{ ...given, champion: null, seed: 1 },
    quantiles: {
      levels: [0.025, 0.5],
      values: Float64Array.of(-1, 0, 0, 1, 3, 1, 2, 5),
      base: [0, 1],
    },
  });
  // Of 1, 1, -1 (above) and 1 at 0.025; of 0, 0, 1 and -2 at a half.
  expect(metrics["pinball_p2.5"]).toBeCloseTo((0.025 * 3 + 0.975) / 4, 12);
  expect(metrics["pinball_p50"]).toBeCloseTo((0.5 * 3) / 4, 12);
  expect(metrics["base_pinball_p2.5"]).toBeCloseTo((0.025 * 6) / 4, 12);
  expect(metrics["base_pinball_p50"]).toBeCloseTo((0.5 * 4) / 4, 12);
  expect([metrics["share_below_p2.5"], metrics["share_below_p50"]]).toEqual([0.25, 0.75]);
});

test("counts are judged by Poisson's deviance", () => {
  const target = Float64Array.of(0, 2, 5);
  const given = { target, kind: "count", baseMean: 2, champion: null, seed: 1 } as const;
  const { metrics } = evaluateNumbers({ ...given, forecast: Float64Array.of(0.5, 2, 4) });
  const last = 2 * (5 * Math.log(5 / 4) - 1);
  expect(metrics["deviance"]).toBeCloseTo((1 + 0 + last) / 3, 12);
});

test("what lies beyond a histogram's ends is in its end bins, NaN in none", () => {
  expect(histogramOf(Float64Array.of(-5, 0, 0.5, 1, 9, Number.NaN), 0, 1, 2)).toEqual([2, 3]);
  expect(histogramOf(Float64Array.of(3, 3), 3, 3, 2)).toEqual([2, 0]);
});

test("a verdict needs the whole interval on one side", () => {
  const of = (low: number, high: number) => verdictOf({ mean: 0, se: 1, n: 9, t: 0, low, high });
  expect(of(-2, -1)).toBe("better");
  expect(of(1, 2)).toBe("worse");
  expect(of(-1, 1)).toBe("no difference shown");
  expect(verdictOf(null)).toBe("too few rows");
});
