import { expect, test } from "bun:test";
import fc from "fast-check";
import { CURVE_POINTS, curveOf, lowest } from "./curve.ts";

test("a short curve is whole", () => {
  expect(curveOf([0.7, 0.5, 0.6])).toEqual([
    { round: 0, loss: 0.7 },
    { round: 1, loss: 0.5 },
    { round: 2, loss: 0.6 },
  ]);
  expect(curveOf([])).toEqual([]);
});

test("of any length there are so many points, with the first, the lowest and the last", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9_000 }),
      fc.integer({ min: 3, max: 1_200 }),
      (n, most) => {
        const losses = Float64Array.from({ length: n }, (_, i) => Math.cos(i * 12.9898) * 43);
        const points = curveOf(losses, most);
        const rounds = points.map(({ round }) => round);
        expect(points.length).toBeLessThanOrEqual(most);
        expect(points.length).toBeGreaterThanOrEqual(Math.min(n, most - 1));
        expect(rounds).toEqual([...new Set(rounds)].sort((a, b) => a - b));
        expect([rounds[0], rounds.at(-1)]).toEqual([0, n - 1]);
        expect(rounds).toContain(lowest(losses));
        expect(points.every(({ round, loss }) => loss === losses[round])).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test("a hundred thousand rounds are a thousand points, evenly", () => {
  const points = curveOf(Float64Array.from({ length: 100_001 }, (_, i) => Math.abs(i - 777)));
  expect(points.length).toBe(CURVE_POINTS);
  expect(points.find(({ loss }) => loss === 0)?.round).toBe(777);
  const gaps = points.slice(1).map(({ round }, i) => round - points[i]!.round);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(102);
});
