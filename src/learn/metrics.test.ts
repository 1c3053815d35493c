import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  accuracy,
  auc,
  balancedAccuracy,
  brier,
  coverage,
  logLoss,
  logLosses,
  mean,
  pinball,
} from "./metrics.ts";

const f = (...values: number[]) => Float64Array.from(values);
const none = new Float64Array(0);

/** Rows of a probability (often tied) and an outcome. */
const rows = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 10 }).map((n) => n / 10),
    fc.constantFrom(0, 1),
  ),
);
const split = (pairs: readonly (readonly [number, number])[]) => ({
  probability: Float64Array.from(pairs, ([p]) => p),
  target: Float64Array.from(pairs, ([, y]) => y),
});

describe("losses", () => {
  test("log-loss is the mean of -log of what was given to the outcome", () => {
    expect(logLoss(f(0.8, 0.4), f(1, 0))).toBeCloseTo(-(Math.log(0.8) + Math.log(0.6)) / 2, 12);
    expect(logLoss(f(0.5, 0.5), f(1, 0))).toBeCloseTo(Math.LN2, 15);
  });

  test("a wrong certainty costs much but not infinitely much", () => {
    expect(logLosses(f(0, 1), f(1, 0))[0]).toBeCloseTo(34.54, 2);
    expect(logLoss(f(0, 1), f(1, 0))).toBeLessThan(35);
    expect(logLoss(f(0, 1), f(0, 1))).toBe(0);
  });

  test("Brier is the mean squared distance", () => {
    expect(brier(f(0.8, 0.4), f(1, 0))).toBeCloseTo((0.04 + 0.16) / 2, 12);
  });

  test("pinball weighs what lies above and below by the quantile", () => {
    expect(pinball(f(10), f(14), 0.9)).toBeCloseTo(3.6, 12);
    expect(pinball(f(10), f(6), 0.9)).toBeCloseTo(0.4, 12);
    expect(pinball(f(10, 10), f(14, 6), 0.5)).toBeCloseTo(2, 12);
  });

  test("pinball is smallest at the quantile", () => {
    const target = Float64Array.from({ length: 99 }, (_, i) => i + 1);
    const at = (value: number) => pinball(new Float64Array(99).fill(value), target, 0.1)!;
    for (const other of [1, 5, 9, 11, 20, 60]) expect(at(10)).toBeLessThan(at(other));
  });
});

describe("directions", () => {
  test("0.5 counts as up", () => {
    expect(accuracy(f(0.5, 0.49), f(1, 0))).toBe(1);
    expect(accuracy(f(0.5, 0.49), f(0, 1))).toBe(0);
  });

  test("balanced accuracy does not reward naming the common class", () => {
    const probability = new Float64Array(500).fill(0.1);
    const target = Float64Array.from({ length: 500 }, (_, i) => (i === 0 ? 1 : 0));
    expect(accuracy(probability, target)).toBe(0.998);
    expect(balancedAccuracy(probability, target)).toBe(0.5);
  });
});

test("coverage counts ends as inside", () => {
  expect(coverage(f(0, 0, 0, 0), f(1, 1, 1, 1), f(0, 1, 1.1, -0.1))).toBe(0.5);
});

describe("auc", () => {
  test("orders: all right 1, all wrong 0, all tied a half", () => {
    expect(auc(f(0.1, 0.2, 0.8), f(0, 0, 1))).toBe(1);
    expect(auc(f(0.1, 0.2, 0.8), f(1, 1, 0))).toBe(0);
    expect(auc(f(0.3, 0.3, 0.3), f(0, 1, 0))).toBe(0.5);
  });

  test("is the share of pairs in order, ties counting half", () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const { probability, target } = split(pairs);
        const ones = pairs.filter(([, y]) => y === 1);
        const zeros = pairs.filter(([, y]) => y === 0);
        const won: number[] = ones.flatMap(([p]) =>
          zeros.map(([q]) => (p > q ? 1 : p === q ? 0.5 : 0)),
        );
        const expected = won.length === 0 ? null : won.reduce((a, b) => a + b, 0) / won.length;
        const found = auc(probability, target);
        if (expected === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(expected, 12);
      }),
    );
  });

  test("does not change when scores are stretched", () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const { probability, target } = split(pairs);
        expect(
          auc(
            probability.map((p) => p ** 3 * 100 - 7),
            target,
          ),
        ).toBe(auc(probability, target));
      }),
    );
  });
});

describe("null instead of NaN", () => {
  test("of no rows", () => {
    for (const metric of [logLoss, brier, accuracy, balancedAccuracy, auc]) {
      expect(metric(none, none)).toBeNull();
    }
    expect(pinball(none, none, 0.5)).toBeNull();
    expect(coverage(none, none, none)).toBeNull();
    expect(mean(none)).toBeNull();
  });

  test("of one class, where two are needed", () => {
    for (const y of [0, 1]) {
      expect(auc(f(0.1, 0.9), f(y, y))).toBeNull();
      expect(balancedAccuracy(f(0.1, 0.9), f(y, y))).toBeNull();
      expect(logLoss(f(0.1, 0.9), f(y, y))).not.toBeNull();
    }
  });

  test("of forecasts that are not numbers", () => {
    const nan = f(Number.NaN, 0.5);
    expect(logLoss(nan, f(0, 1))).toBeNull();
    expect(brier(nan, f(0, 1))).toBeNull();
    expect(auc(nan, f(0, 1))).toBeNull();
    expect(pinball(nan, f(0, 1), 0.5)).toBeNull();
  });

  test("of anything else they are finite numbers", () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const { probability, target } = split(pairs);
        for (const metric of [logLoss, brier, accuracy, balancedAccuracy, auc]) {
          const value = metric(probability, target);
          expect(value === null || Number.isFinite(value)).toBe(true);
          expect(
            value !== null || pairs.length === 0 || metric === auc || metric === balancedAccuracy,
          ).toBe(true);
        }
      }),
    );
  });
});
