import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chooseThreshold, confusionAt } from "./confusion.ts";
import { makeRandom } from "./random.ts";

const of = (...values: number[]) => Float64Array.from(values);

test("decisions by hand; the threshold itself is positive", () => {
  const made = confusionAt(of(0.9, 0.5, 0.4, 0.1, 0.6), of(1, 1, 1, 0, 0), 0.5);
  expect(made).toEqual({
    threshold: 0.5,
    truePositive: 2,
    falsePositive: 1,
    trueNegative: 1,
    falseNegative: 1,
    accuracy: 0.6,
    precision: 2 / 3,
    recall: 2 / 3,
    specificity: 0.5,
    f1: 2 / 3,
  });
});

test("shares of nothing are null", () => {
  expect(confusionAt(of(0.1), of(0), 0.5)).toMatchObject({
    precision: null,
    recall: null,
    specificity: 1,
    f1: null,
  });
  expect(confusionAt(of(), of(), 0.5).accuracy).toBeNull();
});

describe("the threshold", () => {
  const repeated = (n: number, values: readonly number[]) =>
    Float64Array.from({ length: n * values.length }, (_, i) => values[i % values.length]!);

  test("of a score that parts the classes lies between them", () => {
    const [p, y] = [repeated(20, [0.1, 0.2, 0.3, 0.4]), repeated(20, [0, 0, 1, 1])];
    expect(chooseThreshold(p, y, "accuracy")).toBeCloseTo(0.25);
    expect(chooseThreshold(p, y, "f1")).toBeCloseTo(0.25);
  });

  test("is 0.5 where that is as good", () => {
    const [p, y] = [of(0.1, 0.2, 0.8, 0.9), of(0, 0, 1, 1)];
    expect(chooseThreshold(p, y, "accuracy")).toBe(0.5);
    expect(chooseThreshold(p, y, "f1")).toBe(0.5);
  });

  test("by accuracy leaves 0.5 only for what is beyond chance", () => {
    // Of the rows at 0.4, so many of 100 are of class 1: at 0.5 they are called 0.
    const threshold = (ones: number) => {
      const p = Float64Array.from({ length: 140 }, (_, i) => (i < 100 ? 0.4 : i < 120 ? 0.1 : 0.9));
      const y = p.map((_, i) => (i < ones || i >= 120 ? 1 : 0));
      return chooseThreshold(p, y, "accuracy");
    };
    expect(threshold(49)).toBe(0.5);
    // 65 - 35 = 30 is three standard errors of 100 rows that change sides.
    expect(threshold(65)).toBe(0.5);
    expect(threshold(66)).toBeCloseTo(0.25);
  });

  test("of calibrated probabilities by accuracy is 0.5, whatever the draw", () => {
    let moved = 0;
    for (let seed = 0; seed < 100; seed++) {
      const random = makeRandom(seed);
      const p = Float64Array.from({ length: 500 }, () => random.next());
      const y = p.map((share) => (random.next() < share ? 1 : 0));
      if (chooseThreshold(p, y, "accuracy") !== 0.5) moved += 1;
    }
    expect(moved).toBeLessThan(8);
  });

  test("by F1 is lower than by accuracy for a rare class", () => {
    const random = makeRandom(3);
    const target = Float64Array.from({ length: 4000 }, () => (random.next() < 0.1 ? 1 : 0));
    const p = target.map((y) => 0.2 * y + (random.next() + random.next() + random.next()) / 4);
    const [f1, accuracy] = [
      chooseThreshold(p, target, "f1"),
      chooseThreshold(p, target, "accuracy"),
    ];
    expect(f1).toBeLessThan(accuracy);
  });

  test("is what was given, and 0.5 where nothing can be told", () => {
    expect(chooseThreshold(of(0.1), of(1), 0.7)).toBe(0.7);
    expect(chooseThreshold(of(), of(), "f1")).toBe(0.5);
    expect(chooseThreshold(of(Number.NaN, 0.2), of(1, 0), "accuracy")).toBe(0.5);
  });

  const row = fc.record({
    p: fc.constantFrom(0, 0.1, 0.3, 0.5, 0.5001, 0.8, 1),
    y: fc.constantFrom(0, 1),
  });
  const OTHERS = [0, 0.05, 0.2, 0.4, 0.5, 0.50005, 0.6, 0.9, 1];

  test("by F1: no other is better on its rows", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const [p, y] = [of(...rows.map((r) => r.p)), of(...rows.map((r) => r.y))];
        const worth = (threshold: number) => confusionAt(p, y, threshold).f1 ?? 0;
        const chosen = chooseThreshold(p, y, "f1");
        expect(chosen).toBeGreaterThanOrEqual(0);
        expect(chosen).toBeLessThanOrEqual(1);
        for (const other of OTHERS)
          expect(worth(chosen)).toBeGreaterThanOrEqual(worth(other) - 1e-12);
      }),
    );
  });

  test("by accuracy: 0.5 is never better, and no other is better that beats 0.5 beyond chance", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), (rows) => {
        const [p, y] = [of(...rows.map((r) => r.p)), of(...rows.map((r) => r.y))];
        const right = (threshold: number) => {
          const { truePositive, trueNegative } = confusionAt(p, y, threshold);
          return truePositive + trueNegative;
        };
        const chosen = right(chooseThreshold(p, y, "accuracy"));
        expect(chosen).toBeGreaterThanOrEqual(right(0.5));
        for (const other of OTHERS) {
          const moved = p.filter((share) => share >= other !== share >= 0.5).length;
          const isBeyond = right(other) - right(0.5) > 3 * Math.sqrt(moved);
          if (isBeyond) expect(chosen).toBeGreaterThanOrEqual(right(other));
        }
      }),
    );
  });
});
