import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { solve } from "./solve.ts";

/** B B' + I, which is always positive definite. */
const definite = (entries: readonly number[], n: number): Float64Array => {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < n; k++) sum += entries[i * n + k]! * entries[j * n + k]!;
      matrix[i * n + j] = sum;
    }
  }
  return matrix;
};

describe("solve", () => {
  test("finds the x that was multiplied", () => {
    const entry = fc.double({ min: -3, max: 3, noNaN: true });
    const problem = fc
      .integer({ min: 1, max: 6 })
      .chain((n) =>
        fc.tuple(
          fc.constant(n),
          fc.array(entry, { minLength: n * n, maxLength: n * n }),
          fc.array(entry, { minLength: n, maxLength: n }),
        ),
      );
    fc.assert(
      fc.property(problem, ([n, entries, x]) => {
        const matrix = definite(entries, n);
        const right = Float64Array.from(x, (_, i) =>
          x.reduce((sum, v, j) => sum + matrix[i * n + j]! * v, 0),
        );
        const found = solve(matrix, right)!;
        for (let i = 0; i < n; i++) expect(found[i]).toBeCloseTo(x[i]!, 8);
      }),
    );
  });

  test("reads the lower triangle only and changes nothing it was given", () => {
    const matrix = Float64Array.of(4, Number.NaN, 2, 3);
    const right = Float64Array.of(2, 5);
    const x = solve(matrix, right)!;
    expect(x[0]).toBeCloseTo(-0.5, 12);
    expect(x[1]).toBeCloseTo(2, 12);
    expect([...right]).toEqual([2, 5]);
  });

  test("is null where there is no one answer", () => {
    expect(solve(Float64Array.of(1, 1, 1, 1), Float64Array.of(1, 1))).toBeNull();
    expect(solve(Float64Array.of(0), Float64Array.of(1))).toBeNull();
    expect(solve(Float64Array.of(-1), Float64Array.of(1))).toBeNull();
    expect(solve(Float64Array.of(Number.NaN), Float64Array.of(1))).toBeNull();
  });
});
