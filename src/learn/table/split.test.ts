import { describe, expect, test } from "bun:test";
import { makeRandom } from "../random.ts";
import { mixedSample } from "../testing.ts";
import { rowsOf, type SplitOptions, splitRows } from "./split.ts";

const OPTIONS: SplitOptions = {
  task: "binary",
  seed: 7,
  test: "split",
  testShare: 0.25,
  validationShare: 0.2,
};
const ROWS = 1_000;
const target = Float64Array.from({ length: ROWS }, (_, row) => (row % 100 < 3 ? 1 : 0));
const none = new Uint8Array(ROWS);
const ones = (rows: Int32Array, of = target) => rows.reduce((sum, row) => sum + of[row]!, 0);
const features = mixedSample(ROWS, 4);
const split = (options: Partial<SplitOptions> = {}, of = target, part = none) =>
  splitRows({ ...features, target: of }, part, { ...OPTIONS, ...options });

describe("splitRows", () => {
  test("no row is lost, none is in two parts, and all are in order", () => {
    const { train, validation, test: judging } = split();
    const all = [...train, ...validation, ...judging];
    expect(new Set(all).size).toBe(ROWS);
    expect(all).toHaveLength(ROWS);
    for (const rows of [train, validation, judging]) {
      expect([...rows]).toEqual([...rows].sort((a, b) => a - b));
    }
  });

  test("each class is drawn in its proportion, the rarest too", () => {
    const { train, validation, test: judging } = split();
    expect(judging.length).toBeGreaterThan(210);
    expect(judging.length).toBeLessThan(290);
    const rest = ones(train) + ones(validation);
    expect(ones(validation)).toBe(Math.round(0.2 * rest));
    const kinds = Float64Array.from(target, (_, row) => (row < 10 ? 2 : row % 2));
    const part = Uint8Array.from(none, (_, row) => (row === 999 ? 1 : 0));
    const many = split({ task: "multiclass", test: "part" }, kinds, part);
    expect([...many.validation].filter((row) => row < 10)).toHaveLength(2);
  });

  test("a class of two rows or more judges by one at least, and learns by one at least", () => {
    for (const testShare of [0.01, 0.9]) {
      for (let seed = 0; seed < 20; seed++) {
        const rare = Float64Array.from(target, (_, row) => (row < 2 ? 1 : 0));
        const { test: judging, train } = split({ testShare, seed, validationShare: 0 }, rare);
        expect([ones(judging, rare), ones(train, rare)]).toEqual([1, 1]);
      }
    }
  });

  test("a row stays on its side when rows come before it and levels change their places", () => {
    const sides = new Set(split().test);
    const later = Int32Array.from({ length: 900 }, (_, row) => row + 100);
    const moved = rowsOf({ ...features, target }, later);
    const columns = moved.frame.columns.map((column) =>
      column.kind === "number"
        ? column
        : {
            ...column,
            levels: column.levels.toReversed(),
            codes: column.codes.map((code) => (code < 0 ? code : column.levels.length - 1 - code)),
          },
    );
    const again = splitRows({ ...moved, frame: { rows: 900, columns } }, none, OPTIONS);
    expect([...again.test].map((row) => row + 100)).toEqual([...sides].filter((row) => row >= 100));
  });

  test("equal rows are on one side", () => {
    const twice = Int32Array.from({ length: 200 }, (_, row) => row % 100);
    const { test: judging } = splitRows(rowsOf({ ...features, target }, twice), none, OPTIONS);
    const on = new Set(judging);
    for (let row = 0; row < 100; row++) expect(on.has(row)).toBe(on.has(row + 100));
  });

  test("the parts of the table are kept where they judge", () => {
    const part = Uint8Array.from(none, (_, row) => (row >= 700 ? 1 : 0));
    const { train, validation, test: judging } = split({ test: "part" }, target, part);
    expect([judging[0], judging.length]).toEqual([700, 300]);
    expect(train.length + validation.length).toBe(700);
    expect(Math.max(...train, ...validation)).toBe(699);
  });

  test("of rows in order of time the last judge, and those before them choose", () => {
    const { train, validation, test: judging } = split({ test: "last" });
    expect([train.at(-1), validation[0], validation.at(-1), judging[0]]).toEqual([
      599, 600, 749, 750,
    ]);
  });

  test("the seed decides, and the two draws have nothing to do with each other", () => {
    const first = split();
    expect(split()).toEqual(first);
    expect([...split({ seed: 8 }).test]).not.toEqual([...first.test]);
    const other = split({ validationShare: 0.3 });
    expect([...other.test]).toEqual([...first.test]);
  });

  test("a class of one row stays with those who learn", () => {
    const alone = Float64Array.from(target, (_, row) => (row === 500 ? 1 : 0));
    const { train } = split({ testShare: 0.9 }, alone);
    expect(ones(train, alone)).toBe(1);
  });

  test("nothing to learn from, or nothing to judge by, is told", () => {
    const code = "too_few_rows";
    for (const part of [none, new Uint8Array(ROWS).fill(1)]) {
      expect(() => split({ test: "part" }, target, part)).toThrow(
        expect.objectContaining({ code }),
      );
    }
  });
});

test("rowsOf takes rows of every column, the target and the weights", () => {
  const sample = {
    ...mixedSample(50, 1),
    weight: Float64Array.from({ length: 50 }, makeRandom(2).next),
  };
  const rows = Int32Array.of(49, 3);
  const taken = rowsOf(sample, rows);
  expect(taken.frame.rows).toBe(2);
  for (const [at, row] of rows.entries()) {
    expect(taken.target[at]).toBe(sample.target[row]!);
    expect(taken.weight![at]).toBe(sample.weight[row]!);
    for (const [c, column] of sample.frame.columns.entries()) {
      const found = taken.frame.columns[c]!;
      const of = (one: typeof column, i: number) =>
        one.kind === "number" ? one.values[i]! : one.codes[i]!;
      expect(of(found, at)).toBe(of(column, row));
    }
  }
});
