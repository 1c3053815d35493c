import { describe, expect, test } from "bun:test";
import { makeRandom } from "../random.ts";
import { frameOf, normals, numbers } from "../testing.ts";
import { binFrame } from "./bins.ts";
import { addRows, makeHistogramPool, subtract, WIDTH } from "./histogram.ts";

const N = 400;
const gradient = normals(N, 1);
const hessian = normals(N, 2).map((x) => x * x);

/** A frame of so many columns of small integers. */
const binnedOf = (columns: number) =>
  binFrame(
    frameOf(
      ...Array.from({ length: columns }, (_, c) =>
        numbers(
          `c${c}`,
          normals(N, 10 + c).map((x) => Math.round(x * 2)),
        ),
      ),
    ),
    255,
  );

const histogramOf = (binned: ReturnType<typeof binnedOf>, columns: number[], rows: Int32Array) => {
  const histogram = new Float64Array(binned.total * WIDTH);
  const list = Int32Array.from(columns);
  const scratch = new Float64Array(2 * N);
  addRows(histogram, binned, list, rows, 0, rows.length, gradient, hessian, scratch);
  return histogram;
};

const someRows = makeRandom(3).choose(150, N);
const allRows = Int32Array.from({ length: N }, (_, i) => i);

describe("addRows", () => {
  // Columns go four at a time and the rest one by one: try every remainder.
  for (const count of [1, 2, 3, 4, 5, 7, 8]) {
    test(`sums gradients, hessians and rows a bin, ${count} columns`, () => {
      const binned = binnedOf(count);
      const columns = Array.from({ length: count }, (_, c) => c);
      const expected = new Float64Array(binned.total * WIDTH);
      for (const c of columns) {
        for (const row of someRows) {
          const at = (binned.offsets[c]! + binned.columns[c]!.bins[row]!) * WIDTH;
          expected[at]! += gradient[row]!;
          expected[at + 1]! += hessian[row]!;
          expected[at + 2]! += 1;
        }
      }
      expect(histogramOf(binned, columns, someRows)).toEqual(expected);
    });
  }

  test("leaves columns alone that it was not given", () => {
    const binned = binnedOf(6);
    const histogram = histogramOf(binned, [1, 4], someRows);
    for (const c of [0, 2, 3, 5]) {
      const start = binned.offsets[c]! * WIDTH;
      const part = histogram.slice(start, start + binned.columns[c]!.size * WIDTH);
      expect(part.every((x) => x === 0)).toBe(true);
    }
  });

  test("takes only the rows from..to", () => {
    const binned = binnedOf(1);
    const histogram = new Float64Array(binned.total * WIDTH);
    const scratch = new Float64Array(2 * N);
    addRows(histogram, binned, Int32Array.of(0), allRows, 10, 30, gradient, hessian, scratch);
    expect(histogram).toEqual(histogramOf(binned, [0], allRows.slice(10, 30)));
  });
});

test("parent minus one child is the other: counts exactly, sums but for rounding", () => {
  const binned = binnedOf(5);
  const columns = [0, 1, 2, 3, 4];
  const chosen = new Set(someRows);
  const parent = histogramOf(binned, columns, allRows);
  subtract(parent, histogramOf(binned, columns, someRows));
  const other = histogramOf(
    binned,
    columns,
    allRows.filter((row) => !chosen.has(row)),
  );
  for (let i = 0; i < parent.length; i++) {
    if (i % WIDTH === 2) expect(parent[i]).toBe(other[i]!);
    else expect(parent[i]).toBeCloseTo(other[i]!, 10);
  }
});

test("the pool gives zeros, also where a histogram was used before", () => {
  const pool = makeHistogramPool(4);
  const first = pool.take();
  expect(first).toEqual(new Float64Array(4 * WIDTH));
  first.fill(7);
  pool.give(first);
  const again = pool.take();
  expect(again).toBe(first);
  expect(again).toEqual(new Float64Array(4 * WIDTH));
  expect(pool.take()).not.toBe(first);
});
