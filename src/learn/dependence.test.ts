import { expect, test } from "bun:test";
import { partialDependence } from "./dependence.ts";
import { categories, frameOf, numbers } from "./testing.ts";
import type { Frame } from "./types.ts";

const x = Array.from({ length: 101 }, (_, i) => (i === 50 ? Number.NaN : i));
const town = Array.from({ length: 101 }, (_, i) => (i === 0 ? null : i % 4 === 0 ? "b" : "a"));
const frame = frameOf(numbers("x", x), categories("town", town));

/** x + 1000 where the town is a; -7 where x is missing. */
const answer = ({ rows, columns }: Frame): Float64Array => {
  const [first, second] = columns;
  if (first?.kind !== "number" || second?.kind !== "category") throw new Error("other columns");
  return Float64Array.from({ length: rows }, (_, i) => {
    const value = first.values[i]!;
    const base = Number.isNaN(value) ? -7 : value;
    return base + (second.levels[second.codes[i]!] === "a" ? 1000 : 0);
  });
};

test("a column that is mostly 0 is shown where it is not", () => {
  const gain = Array.from({ length: 200 }, (_, i) => (i < 180 ? 0 : i));
  const skewed = frameOf(numbers("x", gain), categories("town", new Array<string>(200).fill("a")));
  const { points } = partialDependence(skewed, 0, answer, { points: 12 });
  expect(points.filter(({ value }) => Number(value) > 0).length).toBeGreaterThanOrEqual(5);
  expect(points.length).toBeLessThanOrEqual(12);
  expect(points.reduce((sum, { rows }) => sum + rows, 0)).toBe(200);
});

test("numbers: at quantiles, missing last, the mean over all rows", () => {
  const { name, kind, points } = partialDependence(frame, 0, answer, { points: 10 });
  expect({ name, kind }).toEqual({ name: "x", kind: "number" });
  const asA = 1000 * (75 / 101);
  expect(points.map(({ value }) => value)).toEqual([0, 25, 51, 75, 100, null]);
  for (const { value, mean } of points)
    expect(mean).toBeCloseTo(((value as number) ?? -7) + asA, 9);
  expect(points.reduce((sum, { rows }) => sum + rows, 0)).toBe(101);
});

test("categories: by level, the most frequent first", () => {
  const { points } = partialDependence(frame, 1, answer, {});
  const asX = (5050 - 50 - 7) / 101;
  expect(points).toEqual([
    { value: "a", mean: expect.closeTo(asX + 1000, 9), rows: 75 },
    { value: "b", mean: expect.closeTo(asX, 9), rows: 25 },
    { value: null, mean: expect.closeTo(asX, 9), rows: 1 },
  ]);
  expect(partialDependence(frame, 1, answer, { levels: 1 }).points).toHaveLength(2);
});

test("asks of at most so many rows, and refuses a column that is not there", () => {
  let most = 0;
  const counting = (asked: Frame) => {
    most = Math.max(
      most,
      asked.rows,
      ...asked.columns.map((c) => (c.kind === "number" ? c.values : c.codes).length),
    );
    return answer(asked);
  };
  partialDependence(frame, 0, counting, { rows: 20 });
  expect(most).toBeLessThanOrEqual(20);
  expect(most).toBeGreaterThan(10);
  expect(() => partialDependence(frame, 9, answer)).toThrow(RangeError);
});

test("few values are points once each; a column of none has missing alone", () => {
  const few = frameOf(numbers("x", [1, 1, 2, 2, 2]), categories("town", ["a", "a", "a", "a", "a"]));
  expect(partialDependence(few, 0, answer).points.map(({ value, rows }) => [value, rows])).toEqual([
    [1, 2],
    [2, 3],
  ]);
  const none = frameOf(numbers("x", [Number.NaN]), categories("town", ["a"]));
  expect(partialDependence(none, 0, answer).points).toEqual([{ value: null, mean: 993, rows: 1 }]);
});
