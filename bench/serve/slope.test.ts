import { expect, test } from "bun:test";
import { floorsOf, type Point, slopeOf } from "./slope.ts";

/** A saw: up by 60 within 20 seconds and down again, on ground that rises by `rise` a second. */
const saw = (rise: number): Point[] =>
  Array.from({ length: 600 }, (_, at) => [at, 200 + rise * at + 3 * (at % 20)]);

test("the slope of a line is its own", () => {
  expect(slopeOf([0, 1, 2, 5].map((x) => [x, 7 - 2 * x]))).toBeCloseTo(-2, 12);
});

test("floors are the least of each whole window, and rise as the ground does", () => {
  const floors = floorsOf(saw(0));
  expect(floors).toHaveLength(19);
  expect(floors.every(([, value]) => value === 200)).toBe(true);
  expect(slopeOf(floors)).toBe(0);
  expect(slopeOf(floorsOf(saw(0.1)))).toBeCloseTo(0.1, 3);
});
