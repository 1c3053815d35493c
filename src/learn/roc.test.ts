import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { auc } from "./metrics.ts";
import { makeRandom } from "./random.ts";
import { averagePrecision, type CurvePoint, cutsOf, prCurve, rocCurve } from "./roc.ts";

const of = (...values: number[]) => Float64Array.from(values);

const areaOf = (curve: readonly CurvePoint[]): number =>
  curve.slice(1).reduce((sum, p, i) => sum + ((p.x - curve[i]!.x) * (p.y + curve[i]!.y)) / 2, 0);

/** Scores on a coarse grid, so that many tie. */
const rowsOf = (n: number, seed: number) => {
  const random = makeRandom(seed);
  const target = Float64Array.from({ length: n }, () => (random.next() < 0.3 ? 1 : 0));
  const score = target.map((y) => Math.round(20 * (0.3 * y + 0.7 * random.next())) / 20);
  return { score, target };
};

test("cuts by hand, ties moving together", () => {
  expect(cutsOf(of(0.9, 0.5, 0.5, 0.1), of(1, 0, 1, 0))).toEqual([
    { threshold: 0.9, ones: 1, zeros: 0 },
    { threshold: 0.5, ones: 2, zeros: 1 },
    { threshold: 0.1, ones: 2, zeros: 2 },
  ]);
});

describe("the ROC curve", () => {
  test("by hand", () => {
    expect(rocCurve(of(0.9, 0.5, 0.5, 0.1), of(1, 0, 1, 0))).toEqual([
      { x: 0, y: 0, threshold: null },
      { x: 0, y: 0.5, threshold: 0.9 },
      { x: 0.5, y: 1, threshold: 0.5 },
      { x: 1, y: 1, threshold: 0.1 },
    ]);
  });

  test("has the area that the ranks give", () => {
    for (const seed of [1, 2, 3]) {
      const { score, target } = rowsOf(500, seed);
      expect(areaOf(rocCurve(score, target))).toBeCloseTo(auc(score, target)!, 12);
    }
  });

  test("keeps its ends and its area when it is thinned", () => {
    const random = makeRandom(4);
    const target = Float64Array.from({ length: 20_000 }, () => (random.next() < 0.3 ? 1 : 0));
    const score = target.map((y) => 0.3 * y + random.next());
    const curve = rocCurve(score, target, 100);
    expect(curve.length).toBeLessThanOrEqual(100);
    expect(curve.length).toBeGreaterThan(90);
    expect(curve[0]).toMatchObject({ x: 0, y: 0 });
    expect(curve.at(-1)).toMatchObject({ x: 1, y: 1 });
    expect(areaOf(curve)).toBeCloseTo(auc(score, target)!, 3);
  });

  test("does not exist for one class, no rows, or a score that is NaN", () => {
    expect(rocCurve(of(0.2, 0.4), of(1, 1))).toEqual([]);
    expect(rocCurve(of(), of())).toEqual([]);
    expect(rocCurve(of(Number.NaN, 0.4), of(1, 0))).toEqual([]);
  });

  test("never falls", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 0, max: 1e6 }), (n, seed) => {
        const { score, target } = rowsOf(n, seed);
        const curve = rocCurve(score, target, 15);
        expect(curve.length).toBeLessThanOrEqual(15);
        for (let i = 1; i < curve.length; i++) {
          expect(curve[i]!.x).toBeGreaterThanOrEqual(curve[i - 1]!.x);
          expect(curve[i]!.y).toBeGreaterThanOrEqual(curve[i - 1]!.y);
        }
      }),
    );
  });
});

describe("precision and recall", () => {
  test("by hand", () => {
    // scikit-learn: average_precision_score([1, 0, 1, 0], [.9, .5, .5, .1]) = 0.8333…
    const [score, target] = [of(0.9, 0.5, 0.5, 0.1), of(1, 0, 1, 0)];
    expect(prCurve(score, target).map(({ x, y }) => [x, y])).toEqual([
      [0.5, 1],
      [1, 2 / 3],
      [1, 0.5],
    ]);
    expect(averagePrecision(score, target)).toBeCloseTo(5 / 6, 12);
  });

  test("a perfect score has 1, a constant one the share of ones", () => {
    expect(averagePrecision(of(1, 2, 3), of(0, 1, 1))).toBe(1);
    expect(averagePrecision(of(5, 5, 5, 5), of(0, 1, 0, 0))).toBe(0.25);
    expect(averagePrecision(of(1, 2), of(0, 0))).toBeNull();
  });
});
