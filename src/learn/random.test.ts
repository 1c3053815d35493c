import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeRandom } from "./random.ts";

const take = (n: number, seed: number): number[] => {
  const random = makeRandom(seed);
  return Array.from({ length: n }, () => random.next());
};

describe("makeRandom", () => {
  test("gives the same stream for the same seed and another for another", () => {
    expect(take(50, 7)).toEqual(take(50, 7));
    expect(take(50, 7)).not.toEqual(take(50, 8));
  });

  test("near seeds are unrelated", () => {
    const [a, b] = [take(2000, 1), take(2000, 2)];
    const product = a.reduce((sum, x, i) => sum + (x - 0.5) * (b[i]! - 0.5), 0) / 2000;
    expect(Math.abs(product * 12)).toBeLessThan(0.08); // the correlation of two fair streams
  });

  test("is even over [0, 1): ten boxes, mean and variance", () => {
    const values = take(100_000, 3);
    const boxes = new Array<number>(10).fill(0);
    for (const x of values) boxes[Math.floor(x * 10)]! += 1;
    for (const count of boxes) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  test("seed 0 is as good as any", () => {
    expect(new Set(take(100, 0)).size).toBe(100);
  });

  test("integers stay below their bound and reach every value", () => {
    const random = makeRandom(5);
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

describe("choose", () => {
  test("takes exactly so many distinct integers, ascending", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.integer(), (a, b, seed) => {
        const [size, below] = [Math.min(a, b), Math.max(a, b)];
        const chosen = [...makeRandom(seed).choose(size, below)];
        expect(chosen).toHaveLength(size);
        expect(new Set(chosen).size).toBe(size);
        expect(chosen).toEqual([...chosen].sort((x, y) => x - y));
        for (const i of chosen) expect(i >= 0 && i < below).toBe(true);
      }),
    );
  });

  test("takes each equally often", () => {
    const random = makeRandom(11);
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8000; i++) for (const j of random.choose(3, 8)) counts[j]! += 1;
    for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(200);
  });
});
