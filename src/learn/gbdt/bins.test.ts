import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { categories, frameOf, numbers } from "../testing.ts";
import { binFrame, type CategoryBins, edgesOf, midpoint, type NumberBins } from "./bins.ts";

const binNumbers = (values: ArrayLike<number>, most = 255) =>
  binFrame(frameOf(numbers("x", values)), most).columns[0] as NumberBins;
const binTexts = (values: (string | null)[], most = 255) =>
  binFrame(frameOf(categories("t", values)), most).columns[0] as CategoryBins;

/** Float32 values, few enough apart that ties and neighbours come up, with NaN and infinities. */
const cells = fc.array(
  fc.oneof(
    fc.float(),
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0),
  ),
  { minLength: 1, maxLength: 60 },
);

describe("midpoint", () => {
  test("is a float32, at or above the left and strictly below the right value", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (x, y) => {
        fc.pre(x !== y);
        const [low, high] = x < y ? [x, y] : [y, x];
        const t = midpoint(low, high);
        expect(Math.fround(t)).toBe(t);
        expect(t >= low && t < high).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("of neighbouring float32 numbers is the left one", () => {
    expect(midpoint(1, 1 + 2 ** -23)).toBe(1);
    expect(midpoint(148601000, 148601008)).toBe(148601000);
    expect(midpoint(0, 2 ** -149)).toBe(0);
  });

  test("is halfway where there is room", () => {
    expect(midpoint(1, 2)).toBe(1.5);
    expect(midpoint(-4, 2)).toBe(-1);
  });
});

describe("number columns", () => {
  test("a bin's edge says the same as x <= edge, for every value and edge", () => {
    fc.assert(
      fc.property(cells, fc.integer({ min: 2, max: 12 }), (values, most) => {
        const { bins, edges, size } = binNumbers(values, most);
        expect(size).toBe(edges.length + 1);
        expect(edges.length).toBeLessThanOrEqual(most);
        for (const [i, value] of values.entries()) {
          const x = Math.fround(value);
          if (Number.isNaN(x)) expect(bins[i]).toBe(0);
          else {
            for (let b = 1; b < size; b++) expect(bins[i]! <= b).toBe(x <= edges[b - 1]!);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("edges ascend strictly", () => {
    fc.assert(
      fc.property(cells, (values) => {
        const edges = edgesOf(Float32Array.from(values), 8);
        for (let e = 1; e < edges.length; e++) expect(edges[e]!).toBeGreaterThan(edges[e - 1]!);
      }),
    );
  });

  test("distinct values have a bin each while they fit", () => {
    expect([...binNumbers([5, 1, 3, 3, Number.NaN, 1]).bins]).toEqual([3, 1, 2, 2, 0, 1]);
    expect(binNumbers(Array.from({ length: 255 }, (_, i) => i)).size).toBe(256);
  });

  test("0 and -0 are one value", () => {
    const { bins } = binNumbers([0, -0, 1, -1]);
    expect([...bins]).toEqual([2, 2, 3, 1]);
  });

  test("many values share bins of about equal rows", () => {
    const { bins, size } = binNumbers(
      Array.from({ length: 10_000 }, (_, i) => i * i),
      20,
    );
    const counts = new Array<number>(size).fill(0);
    for (const b of bins) counts[b]! += 1;
    expect(size).toBe(21);
    for (const count of counts.slice(1)) expect(count).toBe(500);
  });

  test("a value that most rows have keeps a bin of its own", () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i < 900 ? 0 : i < 950 ? i : -i));
    const { bins } = binNumbers(values, 10);
    const ofZero = bins[0]!;
    expect(bins.filter((b) => b === ofZero)).toHaveLength(900);
  });

  test("all missing has no bin but the missing one; a constant has one more", () => {
    expect(binNumbers([Number.NaN, Number.NaN]).size).toBe(1);
    expect(binNumbers([7, 7]).size).toBe(2);
  });

  test("more rows than are looked at still all get a bin", () => {
    const { bins } = binNumbers(
      Array.from({ length: 450_000 }, (_, i) => (i * 7919) % 1000),
      50,
    );
    const counts = new Array<number>(51).fill(0);
    for (const b of bins) counts[b]! += 1;
    expect(counts[0]).toBe(0);
    for (const count of counts.slice(1)) expect(Math.abs(count - 9000)).toBeLessThan(1500);
  });
});

describe("category columns", () => {
  const texts = (n: number, rows: number) =>
    binTexts([...times(n, "few"), ...times(rows - n, "many")]);
  const times = (n: number, text: string | null) => new Array<string | null>(n).fill(text);

  test("frequent levels come first, missing and rare ones share bin 0", () => {
    const { bins, codes, size } = binTexts([
      ...times(6, "b"),
      ...times(9, "c"),
      ...times(4, "rare"),
      ...times(2, null),
      ...times(6, "a"),
    ]);
    // Codes are a 0, b 1, c 2, rare 3; a and b tie and keep the order of their codes.
    expect([...codes]).toEqual([-1, 2, 0, 1]);
    expect(size).toBe(4);
    expect([...bins]).toEqual([
      ...new Array<number>(6).fill(3),
      ...new Array<number>(9).fill(1),
      ...new Array<number>(6).fill(0),
      ...new Array<number>(6).fill(2),
    ]);
  });

  test("more rows are asked of a level in a large table", () => {
    const rows = 30_000;
    const few = (n: number) => texts(n, rows).size - 1;
    expect([few(19), few(20)]).toEqual([1, 2]);
  });

  test("no more levels than allowed get a bin", () => {
    const texts = Array.from({ length: 3000 }, (_, i) => `level ${i % 300}`);
    expect(binTexts(texts, 255).size).toBe(256);
    expect(binTexts(texts, 10).size).toBe(11);
  });
});

test("more than one block of rows has its records", () => {
  const values = Array.from({ length: 5000 }, (_, i) => i % 7);
  const { records, stride, columns } = binFrame(frameOf(numbers("x", values)), 255);
  for (const row of [0, 2047, 2048, 4999]) {
    expect(records[row * stride]).toBe(columns[0]!.bins[row]!);
  }
});

test("a column that seems all missing where it is looked at stays so", () => {
  // Every second row is looked at; a bin for the others would lie in the next column's part.
  const values = Array.from({ length: 300_000 }, (_, i) => (i % 2 === 0 ? Number.NaN : 1));
  expect(binNumbers(values).size).toBe(1);
  expect(Math.max(...binNumbers(values).bins.subarray(0, 100))).toBe(0);
});

test("columns lie one behind another", () => {
  const frame = frameOf(numbers("x", [1, 2, 3]), numbers("y", [1, 1, 1]), numbers("z", [4, 4, 5]));
  const { starts, total, rows, records, stride } = binFrame(frame, 255);
  expect([...starts]).toEqual([0, 4, 6]);
  expect(total).toBe(9);
  expect(rows).toBe(3);
  // Row by row, eight bytes apart.
  expect(stride).toBe(8);
  expect([...records.subarray(8, 11)]).toEqual([2, 1, 1]);
  expect([...records.subarray(16, 19)]).toEqual([3, 1, 2]);
});
