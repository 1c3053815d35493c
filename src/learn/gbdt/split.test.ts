import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { categories, frameOf, numbers } from "../testing.ts";
import type { Frame } from "../types.ts";
import { binFrame } from "./bins.ts";
import { FREE, type SplitRules } from "./gain.ts";
import { gridOf } from "./grid.ts";
import { plain } from "./plain.ts";
import { makeSplitFinder } from "./split.ts";

const RULES: SplitRules = { l1: 0, l2: 0, minGain: 0, minRows: 1, minHessian: 0, signs: null };

/** The best split of all the frame's rows. */
const splitOf = (
  frame: Frame,
  gradients: ArrayLike<number>,
  rules: Partial<SplitRules> = {},
  hessians: ArrayLike<number> = new Float64Array(frame.rows).fill(1),
) => {
  const binned = binFrame(frame, 255);
  const rows = Int32Array.from({ length: frame.rows }, (_, i) => i);
  const columns = Int32Array.from(frame.columns, (_, c) => c);
  const pairs = Float32Array.from({ length: 2 * frame.rows }, (_, i) =>
    i % 2 === 0 ? gradients[i >> 1]! : hessians[i >> 1]!,
  );
  const grid = gridOf(frame.rows, ...plain.largest(pairs));
  plain.snap(pairs, grid);
  const cells = new Float64Array(binned.total * plain.cell);
  const drawn = { columns, groups: new Uint8Array(1).fill(1) };
  plain.addRows(cells, binned, drawn, rows, 0, frame.rows, pairs, grid);
  const sum = (at: number) => pairs.reduce((total, x, i) => total + (i % 2 === at ? x : 0), 0);
  const sums = { gradient: sum(0), hessian: sum(1), rows: frame.rows };
  return makeSplitFinder(binned, { ...RULES, ...rules })(cells, columns, sums, FREE);
};

const X = (...values: number[]) => frameOf(numbers("x", values));
const NAN = Number.NaN;

describe("number splits", () => {
  test("parts the gradients where it gains most, halfway between the values", () => {
    const split = splitOf(X(1, 2, 3, 4), [-1, -1, 1, 1])!;
    expect(split.threshold).toBe(2.5);
    expect(split.gain).toBe(4); // 2^2/2 + 2^2/2 - 0
    expect(split.left).toEqual({ gradient: -2, hessian: 2, rows: 2 });
    expect([...split.goesLeft.slice(0, 5)]).toEqual([0, 1, 1, 0, 0]);
  });

  test("is the split that trying every threshold finds", () => {
    const row = fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constant(NAN)),
      fc.integer({ min: -5, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
    );
    const rules = fc.record({
      l2: fc.constantFrom(0, 1, 10),
      minRows: fc.constantFrom(1, 2, 5),
      minHessian: fc.constantFrom(0, 4),
    });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 2, maxLength: 40 }),
        rules,
        (rows, { l2, ...least }) => {
          const sums = (side: typeof rows) => ({
            g: side.reduce((s, [, g]) => s + g, 0),
            h: side.reduce((s, [, , h]) => s + h, 0),
            n: side.length,
          });
          const score = ({ g, h }: { g: number; h: number }) =>
            h + l2 > 0 ? (g * g) / (h + l2) : 0;
          let best = 0;
          for (let t = -0.5; t <= 8.5; t++) {
            for (const missingLeft of [true, false]) {
              const isLeft = (x: number) => (Number.isNaN(x) ? missingLeft : x <= t);
              const [left, right] = [
                sums(rows.filter(([x]) => isLeft(x))),
                sums(rows.filter(([x]) => !isLeft(x))),
              ];
              if (Math.min(left.n, right.n) < least.minRows) continue;
              if (Math.min(left.h, right.h) < least.minHessian) continue;
              best = Math.max(best, score(left) + score(right) - score(sums(rows)));
            }
          }
          const found = splitOf(
            X(...rows.map(([x]) => x)),
            rows.map(([, g]) => g),
            { l2, ...least },
            rows.map(([, , h]) => h),
          );
          expect(found?.gain ?? 0).toBeCloseTo(best, 8);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("learns the side of missing values", () => {
    const left = splitOf(X(1, NAN, 3, 4), [-1, -1, 1, 1])!;
    expect([left.threshold, left.goesLeft[0]]).toEqual([2, 1]);
    const right = splitOf(X(1, 2, 3, NAN), [-1, -1, 1, 1])!;
    expect([right.threshold, right.goesLeft[0]]).toEqual([2.5, 0]);
  });

  test("without missing values they will go with the heavier side", () => {
    expect(splitOf(X(1, 2, 3, 4, 5), [-1, 1, 1, 1, 1])!.goesLeft[0]).toBe(0);
    expect(splitOf(X(1, 2, 3, 4, 5), [1, 1, 1, 1, -1])!.goesLeft[0]).toBe(1);
  });

  test("can part missing from present", () => {
    const split = splitOf(X(5, 5, NAN, NAN), [-1, -1, 1, 1])!;
    expect(split.gain).toBe(4);
    expect(split.goesLeft[0]).toBe(0);
    expect(split.threshold).toBe(Math.fround(3.4028234663852886e38));
  });

  test("keeps to its rules", () => {
    const [frame, gradient] = [X(1, 2, 3, 4, 5, 6), [-9, 1, 1, 1, 1, 1]];
    expect(splitOf(frame, gradient)!.left.rows).toBe(1);
    expect(splitOf(frame, gradient, { minRows: 2 })!.left.rows).toBe(2);
    expect(splitOf(frame, gradient, { minRows: 4 })).toBeNull();
    expect(splitOf(frame, gradient, { minHessian: 3 })!.left.rows).toBe(3);
    expect(splitOf(frame, gradient, { minHessian: 3.5 })).toBeNull();
    expect(splitOf(frame, gradient, { minGain: 1e6 })).toBeNull();
  });

  test("there is none among equal gradients or a constant column", () => {
    const tenths = new Array<number>(7).fill(0.1);
    expect(splitOf(X(1, 2, 3, 4, 5, 6, 7), tenths)).toBeNull();
    expect(splitOf(X(3, 3, 3, 3), [-1, 1, -1, 1])).toBeNull();
    expect(splitOf(X(NAN, NAN), [-1, 1])).toBeNull();
  });

  test("of equal columns the first is taken", () => {
    const frame = frameOf(numbers("x", [1, 2]), numbers("y", [1, 2]));
    expect(splitOf(frame, [-1, 1])!.column).toBe(0);
    expect(splitOf(frameOf(numbers("x", [1, 1]), numbers("y", [1, 2])), [-1, 1])!.column).toBe(1);
  });
});

describe("category splits", () => {
  /** A frame of one column with so many rows of each text. */
  const texts = (counts: Record<string, number>) =>
    frameOf(
      categories(
        "t",
        Object.entries(counts).flatMap(([text, n]) =>
          new Array<string | null>(n).fill(text === "null" ? null : text),
        ),
      ),
    );

  test("up to four are tried one by one", () => {
    const split = splitOf(texts({ a: 5, b: 5, c: 5 }), [
      ...new Array<number>(5).fill(-1),
      ...new Array<number>(5).fill(2),
      ...new Array<number>(5).fill(-1),
    ])!;
    expect(split.categories).toEqual([1]);
    expect(split.left).toEqual({ gradient: 10, hessian: 5, rows: 5 });
  });

  test("more are parted by a set, found from either end of their order", () => {
    const counts = { a: 120, b: 120, c: 120, d: 120, e: 120, f: 120 };
    const gradientOf = [-1, 1, -1, 1, -1, 1];
    const gradient = gradientOf.flatMap((g) => new Array<number>(120).fill(g));
    const split = splitOf(texts(counts), gradient)!;
    expect(split.categories).toEqual([0, 2, 4]);
    expect(split.left.rows).toBe(360);
    // Of forty levels the last four are others: too many before them for a set from that end.
    const forty = Array.from({ length: 40 }, (_, i) => String(i).padStart(2, "0"));
    const skewed = forty.flatMap((_, i) => new Array<number>(50).fill(i < 36 ? -1 : 5));
    const wide = splitOf(texts(Object.fromEntries(forty.map((t) => [`t${t}`, 50]))), skewed)!;
    expect(wide.categories).toEqual([36, 37, 38, 39]);
  });

  test("sets are held to a group of rows", () => {
    const counts = { a: 40, b: 40, c: 40, d: 40, e: 40, f: 40 };
    const gradient = [-9, 1, 1, 1, 1, 1].flatMap((g) => new Array<number>(40).fill(g));
    // `a` alone would gain most, but has not the hundred rows that a set needs.
    const split = splitOf(texts(counts), gradient)!;
    expect(split.categories).toContain(0);
    expect(split.left.rows).toBeGreaterThanOrEqual(100);
    const few = { a: 20, b: 20, c: 20, d: 20, e: 20, f: 20 };
    const fewGradients = [-9, 1, 1, 1, 1, 1].flatMap((g) => new Array<number>(20).fill(g));
    expect(splitOf(texts(few), fewGradients)).toBeNull();
  });

  test("missing and rare levels never enter a set: they go right", () => {
    const counts = { a: 10, null: 10, rare: 3, b: 10 };
    const gradient = [
      ...new Array<number>(10).fill(1),
      ...new Array<number>(13).fill(-1),
      ...new Array<number>(10).fill(1),
    ];
    const split = splitOf(texts(counts), gradient)!;
    expect(split.categories).not.toContain(2);
    expect(split.goesLeft[0]).toBe(0);
  });
});
