import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { conformalOffset, widened } from "./conformal.ts";
import { coverage } from "./metrics.ts";
import { normals } from "./testing.ts";

const constantOf = (n: number, value: number) => new Float64Array(n).fill(value);

describe("conformalOffset", () => {
  test("is the rank-th smallest miss", () => {
    // Misses of [0, 10]: -1, 0, 2, 4, 5 for the targets 1, 10, 12, -4, 15.
    const target = Float64Array.of(12, 1, 15, 10, -4);
    const [low, high] = [constantOf(5, 0), constantOf(5, 10)];
    expect(conformalOffset(low, high, target, 0.5)).toBe(2); // ceil(6 x 0.5) = 3rd
    expect(conformalOffset(low, high, target, 0.8)).toBe(5); // ceil(4.8) = 5th
    expect(conformalOffset(low, high, target, 0.99)).toBe(5); // beyond: the largest
    expect(conformalOffset(low, high, target, 0.01)).toBe(-1);
  });

  test("narrows intervals that are too wide", () => {
    const target = normals(999, 1);
    const offset = conformalOffset(constantOf(999, -10), constantOf(999, 10), target, 0.8)!;
    expect(offset).toBeCloseTo(1.2816 - 10, 0);
  });

  test("covers its share of rows that it was not fitted on", () => {
    const target = normals(40_000, 2);
    const [fitted, later] = [target.slice(0, 20_000), target.slice(20_000)];
    const forecast = [constantOf(20_000, -0.3), constantOf(20_000, 0.1)] as const;
    const offset = conformalOffset(...forecast, fitted, 0.8)!;
    const [low, high] = widened(-0.3, 0.1, offset);
    const covered = coverage(constantOf(20_000, low), constantOf(20_000, high), later)!;
    expect(Math.abs(covered - 0.8)).toBeLessThan(0.015);
  });

  test("covers at least its share of the rows it was fitted on", () => {
    const row = fc.tuple(
      fc.integer({ min: -20, max: 20 }),
      fc.nat(9),
      fc.integer({ min: -40, max: 40 }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (rows) => {
        const low = Float64Array.from(rows, ([l]) => l);
        const high = Float64Array.from(rows, ([l, width]) => l + width);
        const target = Float64Array.from(rows, ([, , y]) => y);
        const offset = conformalOffset(low, high, target, 0.8)!;
        const inside = rows.filter(([l, w, y]) => y >= l - offset && y <= l + w + offset).length;
        expect(inside / rows.length).toBeGreaterThanOrEqual(0.8);
      }),
    );
  });

  test("is null without rows", () => {
    const none = new Float64Array(0);
    expect(conformalOffset(none, none, none, 0.8)).toBeNull();
  });
});

test("widened moves both ends and never lets them cross", () => {
  expect(widened(1, 3, 0.5)).toEqual([0.5, 3.5]);
  expect(widened(1, 3, -0.5)).toEqual([1.5, 2.5]);
  expect(widened(1, 3, -4)).toEqual([2, 2]);
  expect(widened(3, 1, 0)).toEqual([2, 2]);
});
