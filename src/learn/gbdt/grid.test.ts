import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeRandom } from "../random.ts";
import { gridOf } from "./grid.ts";
import { plain } from "./plain.ts";

describe("gridOf", () => {
  test("leaves room for every sum, in doubles and in 64 bits", () => {
    const any = fc.tuple(
      fc.integer({ min: 1, max: 1 << 26 }),
      fc.double({ min: 1e-30, max: 1e30, noNaN: true }).map(Math.fround),
      fc.double({ min: 1e-30, max: 1e30, noNaN: true }).map(Math.fround),
    );
    fc.assert(
      fc.property(any, ([rows, gradient, hessian]) => {
        const grid = gridOf(rows, gradient, hessian);
        expect(Number.isInteger(Math.log2(grid.gradient))).toBe(true);
        expect(rows * gradient * grid.gradient).toBeLessThan(2 ** 52);
        expect(rows * hessian * grid.hessian).toBeLessThan(2 ** Math.min(53, grid.shift));
        expect(rows).toBeLessThan(2 ** (63 - grid.shift));
      }),
    );
  });

  test("is fine: a millionth of the largest number is told from two of them, at a million rows", () => {
    const grid = gridOf(1_000_000, 1, 0.25);
    expect(grid.gradient).toBeGreaterThan(1e9);
    expect(grid.hessian).toBeGreaterThan(8e6);
    expect(gridOf(30_000, 1, 0.25).hessian).toBeGreaterThan(1e10);
  });

  test("sums of numbers on it are the same in every order", () => {
    const n = 2000;
    const random = makeRandom(2);
    const pairs = Float32Array.from({ length: 2 * n }, () => random.next() ** 9);
    const sum = (from: number, by: number) => {
      let total = 0;
      for (let i = 0, at = from; i < n; i++, at = (at + by) % n) total += pairs[2 * at]!;
      return total;
    };
    const orders = [1, 3, 7, 1999];
    const sums = () => new Set(orders.map((by) => sum(by, by))).size;
    expect(sums()).toBeGreaterThan(1); // as they come, they are not
    plain.snap(pairs, gridOf(n, 1, 1));
    expect(sums()).toBe(1);
  });

  test("0 and the smallest number have a grid too, infinite ones have none", () => {
    for (const x of [0, 2 ** -149]) {
      const { gradient, hessian } = gridOf(1000, x, x);
      expect(gradient > 0 && gradient < Number.POSITIVE_INFINITY).toBe(true);
      expect(hessian > 0 && hessian < Number.POSITIVE_INFINITY).toBe(true);
    }
    expect(() => gridOf(10, Number.POSITIVE_INFINITY, 1)).toThrow(
      expect.objectContaining({ code: "bad_sample", status: 422 }),
    );
  });
});
