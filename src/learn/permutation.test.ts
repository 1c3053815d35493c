import { expect, test } from "bun:test";
import { permutationImportance } from "./permutation.ts";
import { categories, frameOf, normals, numbers } from "./testing.ts";
import type { Frame } from "./types.ts";

const n = 1200;
const [a, b, noise] = [normals(n, 1), normals(n, 2), normals(n, 3)];
const town = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? "x" : "y"));
const frame = frameOf(
  numbers("noise", noise),
  numbers("b", b),
  numbers("a", a),
  categories("town", town),
);

/** The squared error of 2 a + b + (town is y), which is exactly right. */
const losses = ({ columns }: Frame): Float64Array => {
  const [, second, third, fourth] = columns;
  if (second?.kind !== "number" || third?.kind !== "number" || fourth?.kind !== "category") {
    throw new Error("other columns");
  }
  return a.map((_, i) => {
    const said = 2 * third.values[i]! + second.values[i]! + fourth.codes[i]!;
    const was = 2 * Math.fround(a[i]!) + Math.fround(b[i]!) + (i % 2);
    return (said - was) ** 2;
  });
};

test("a column costs what the loss rises without it", () => {
  const found = permutationImportance(frame, losses, { seed: 1, repeats: 20 });
  expect(found.map(({ name }) => name)).toEqual(["a", "b", "town", "noise"]);
  // The squared difference of two draws: twice the variance, times the weight squared.
  const variance = (v: Float64Array) => {
    const mean = v.reduce((s, x) => s + x, 0) / n;
    return v.reduce((s, x) => s + (x - mean) ** 2, 0) / n;
  };
  expect(found[0]!.rise / (8 * variance(a))).toBeCloseTo(1, 1);
  expect(found[1]!.rise / (2 * variance(b))).toBeCloseTo(1, 1);
  expect(found[2]!.rise).toBeCloseTo(0.5, 1);
  expect(found[3]).toEqual({ name: "noise", rise: 0, low: 0, high: 0 });
  for (const { rise, low, high } of found) {
    expect(low).toBeLessThanOrEqual(rise);
    expect(high).toBeGreaterThanOrEqual(rise);
  }
});

test("the same for a seed; the frame is left as it was", () => {
  const before = JSON.stringify(frame);
  const run = (seed: number) => permutationImportance(frame, losses, { seed, repeats: 2 });
  expect(run(4)).toEqual(run(4));
  expect(run(4)).not.toEqual(run(5));
  expect(JSON.stringify(frame)).toBe(before);
});

test("one row tells nothing", () => {
  const one = frameOf(numbers("a", [1]));
  expect(permutationImportance(one, () => Float64Array.of(1), { seed: 1 })).toEqual([]);
});
