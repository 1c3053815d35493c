import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { aucDifference, aucInterval, meanByTime, meanInterval, paired } from "./interval.ts";
import { auc } from "./metrics.ts";
import { normals } from "./testing.ts";

const f = (...values: number[]) => Float64Array.from(values);

/** A series in which each value keeps `keep` of the one before it. */
const alike = (n: number, keep: number, seed: number): Float64Array => {
  const values = normals(n, seed);
  for (let i = 1; i < n; i++) values[i]! += keep * values[i - 1]!;
  return values;
};

describe("meanInterval", () => {
  test("without lag is the usual standard error", () => {
    const found = meanInterval(f(1, 2, 3, 4, 5, 6), 0)!;
    expect(found.mean).toBe(3.5);
    expect(found.se).toBeCloseTo(Math.sqrt(3.5 / 6), 12);
    expect(found.high - found.low).toBeCloseTo(2 * 1.959963984540054 * found.se, 12);
    expect(found.n).toBe(6);
  });

  test("with lag 1 adds the neighbours' covariance at weight one half, twice", () => {
    // Deviations -1.5, -0.5, 0.5, 1.5: variance 5/4, neighbours' covariance (0.75 - 0.25 + 0.75) / 4.
    expect(meanInterval(f(1, 2, 3, 4), 1)!.se).toBeCloseTo(Math.sqrt((1.25 + 0.3125) / 3), 12);
  });

  test("is wider for values that are alike their neighbours", () => {
    const values = alike(3000, 0.6, 1);
    expect(meanInterval(values)!.se).toBeGreaterThan(1.4 * meanInterval(values, 0)!.se);
  });

  test("covers the true mean about 95 times in 100, although neighbours are alike", () => {
    let covered = 0;
    for (let seed = 0; seed < 300; seed++) {
      const { low, high } = meanInterval(alike(400, 0.3, seed))!;
      if (low <= 0 && 0 <= high) covered += 1;
    }
    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.99);
  });

  test("is null where there is no spread to tell, and never NaN", () => {
    expect(meanInterval(f())).toBeNull();
    expect(meanInterval(f(3))).toBeNull();
    expect(meanInterval(f(1, Number.NaN))).toBeNull();
    expect(meanInterval(f(2, 2, 2))).toEqual({ mean: 2, se: 0, low: 2, high: 2, n: 3 });
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2 }),
        (v) => {
          const { mean, se, low, high } = meanInterval(Float64Array.from(v))!;
          for (const x of [mean, se, low, high]) expect(Number.isFinite(x)).toBe(true);
          expect(low).toBeLessThanOrEqual(mean);
          expect(high).toBeGreaterThanOrEqual(mean);
        },
      ),
    );
  });
});

describe("paired", () => {
  test("is about the differences, not the losses", () => {
    const luck = normals(500, 2);
    const b = luck.map((x) => 10 + 5 * x);
    const a = b.map((x, i) => x - 0.1 + 0.01 * luck[(i * 7) % 500]!);
    const found = paired(a, b)!;
    expect(found.mean).toBeCloseTo(-0.1, 2);
    expect(found.high).toBeLessThan(0);
    expect(found.t).toBeLessThan(-10);
  });

  test("turns its sign when the two are exchanged", () => {
    const [a, b] = [normals(100, 3), normals(100, 4)];
    const [there, back] = [paired(a, b)!, paired(b, a)!];
    expect(back.mean).toBeCloseTo(-there.mean, 12);
    expect(back.se).toBeCloseTo(there.se, 12);
    expect(back.low).toBeCloseTo(-there.high, 12);
    expect(back.t).toBeCloseTo(-there.t!, 9);
  });

  test("equal losses differ by 0, without a t", () => {
    const a = normals(50, 5);
    expect(paired(a, a)).toEqual({ mean: 0, se: 0, low: 0, high: 0, n: 50, t: null });
  });

  test("null below two rows; refuses rows that do not pair", () => {
    expect(paired(f(1), f(2))).toBeNull();
    expect(() => paired(f(1, 2), f(1))).toThrow("2 and 1 rows");
  });
});

describe("meanByTime", () => {
  test("averages rows of one instant", () => {
    const times = f(1, 1, 1, 2, 5, 5);
    expect([...meanByTime(f(1, 2, 6, 4, 0, 1), times)]).toEqual([3, 4, 0.5]);
    expect(meanByTime(f(), f())).toHaveLength(0);
  });

  test("markets that move as one count once", () => {
    const one = normals(300, 6);
    const three = Float64Array.from({ length: 900 }, (_, i) => one[Math.floor(i / 3)]!);
    const times = Float64Array.from({ length: 900 }, (_, i) => Math.floor(i / 3));
    expect(meanInterval(meanByTime(three, times), 0)!.se).toBeCloseTo(meanInterval(one, 0)!.se, 12);
  });
});

describe("aucInterval", () => {
  const draw = (n: number, seed: number, apart: number) => {
    const target = Float64Array.from({ length: n }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const score = normals(n, seed).map((x, i) => x + apart * target[i]!);
    return { score, target };
  };

  test("is centred on the area", () => {
    const { score, target } = draw(500, 7, 1);
    const tied = score.map((s) => Math.round(s * 2));
    expect(aucInterval(score, target)!.mean).toBeCloseTo(auc(score, target)!, 12);
    expect(aucInterval(tied, target)!.mean).toBeCloseTo(auc(tied, target)!, 12);
  });

  test("is the textbook's for a small case", () => {
    // Ones 3, 1 and zeros 2, 0: ones are above 1 and 1/2 of zeros, zeros below 1/2 and 1 of ones.
    const found = aucInterval(f(3, 1, 2, 0), f(1, 1, 0, 0))!;
    expect(found.mean).toBe(0.75);
    expect(found.se).toBeCloseTo(Math.sqrt(0.125 / 2 + 0.125 / 2), 12);
    expect(found.high).toBe(1);
  });

  test("covers the true area about 95 times in 100", () => {
    let covered = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { score, target } = draw(300, 1000 + seed, 1);
      const { low, high } = aucInterval(score, target)!;
      if (low <= 0.76025 && 0.76025 <= high) covered += 1; // Phi(1 / sqrt 2)
    }
    expect(covered / 200).toBeGreaterThan(0.9);
  });

  test("is null for one class, one row of a class or NaN", () => {
    expect(aucInterval(f(1, 2, 3), f(1, 1, 1))).toBeNull();
    expect(aucInterval(f(1, 2, 3), f(1, 0, 0))).toBeNull();
    expect(aucInterval(f(1, Number.NaN, 3, 4), f(1, 0, 0, 1))).toBeNull();
  });
});

describe("aucDifference", () => {
  const target = Float64Array.from({ length: 400 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const noise = normals(400, 1);
  const score = noise.map((x, i) => x + target[i]!);
  const blurred = score.map((s, i) => Math.round(s + 0.3 * normals(400, 2)[i]!));

  test("is the difference of the two areas, and turns with them", () => {
    const found = aucDifference(score, blurred, target)!;
    expect(found.mean).toBeCloseTo(auc(score, target)! - auc(blurred, target)!, 12);
    const turned = aucDifference(blurred, score, target)!;
    expect(turned.mean).toBeCloseTo(-found.mean, 12);
    expect(turned.se).toBeCloseTo(found.se, 12);
    expect(turned.low).toBeCloseTo(-found.high, 12);
  });

  test("against a score that says nothing is the interval of the one alone", () => {
    const flat = new Float64Array(400);
    const [found, alone] = [aucDifference(score, flat, target)!, aucInterval(score, target)!];
    expect(found.mean).toBeCloseTo(alone.mean - 0.5, 12);
    expect(found.se).toBeCloseTo(alone.se, 12);
  });

  test("is far narrower for scores that are alike than for the areas apart", () => {
    const near = score.map((s, i) => s + (i % 7) / 1000);
    expect(aucDifference(score, near, target)!.se).toBeLessThan(
      aucInterval(score, target)!.se / 20,
    );
  });

  test("covers no difference about 95 times in 100", () => {
    let covered = 0;
    for (let seed = 0; seed < 200; seed++) {
      const shared = normals(200, 3 * seed);
      const y = shared.map((_, i) => i % 2);
      const of = (own: number) => normals(200, own).map((x, i) => x + shared[i]! + y[i]!);
      const found = aucDifference(of(3 * seed + 1), of(3 * seed + 2), y)!;
      if (found.low <= 0 && 0 <= found.high) covered += 1;
    }
    expect(covered / 200).toBeGreaterThan(0.9);
    expect(covered / 200).toBeLessThan(0.99);
  });

  test("is nothing for a score and itself, null where there is none, and wants the same rows", () => {
    expect(aucDifference(score, score, target)).toMatchObject({ mean: 0, se: 0, t: null });
    expect(aucDifference(f(1, 2, 3), f(1, 2, 3), f(1, 1, 1))).toBeNull();
    expect(aucDifference(f(1, 2, 3, 4), f(1, Number.NaN, 3, 4), f(1, 1, 0, 0))).toBeNull();
    expect(() => aucDifference(f(1), f(1, 2), f(1, 0))).toThrow("scores of 1 and 2 rows");
  });
});
