import { describe, expect, test } from "bun:test";
import { logLoss } from "./metrics.ts";
import { lossSlicesOf, type Slice, sliceGates, sliceRows, slicesOf } from "./slices.ts";
import { categories, frameOf, numbers } from "./testing.ts";

const frame = frameOf(
  numbers("age", [20, 25, 34.9, 35, Number.NaN, 80]),
  categories("sex", ["f", "m", "f", null, "m", "m"]),
);

test("rows by level and by band; the lower edge is within", () => {
  const rules = [
    { column: "sex", bands: null },
    { column: "age", bands: [25, 35, 90] },
  ];
  const found = sliceRows(frame, rules).map(({ column, slice, rows }) => [
    column,
    slice,
    [...rows],
  ]);
  expect(found).toEqual([
    ["sex", "f", [0, 2]],
    ["sex", "m", [1, 4, 5]],
    ["sex", "missing", [3]],
    ["age", "below 25", [0]],
    ["age", "25 to 35", [1, 2]],
    ["age", "35 to 90", [3, 5]],
    ["age", "missing", [4]],
  ]);
  expect(sliceRows(frame, [{ column: "height", bands: null }])).toEqual([]);
});

test("figures of a slice are those of its rows", () => {
  const probability = Float64Array.of(0.9, 0.8, 0.4, 0.5, 0.2, 0.6);
  const target = Float64Array.of(1, 1, 1, 0, 0, 0);
  const [f, m, missing] = slicesOf(
    frame,
    [{ column: "sex", bands: null }],
    probability,
    target,
    0.5,
  );
  expect(f).toMatchObject({ rows: 2, positiveRate: 1, calledRate: 0.5, recall: 0.5, auc: null });
  expect(m).toMatchObject({ rows: 3, recall: 1, precision: 0.5, auc: 1 });
  expect(m!.calledRate).toBeCloseTo(2 / 3, 12);
  expect(m!.logLoss).toBeCloseTo(
    logLoss(Float64Array.of(0.8, 0.2, 0.6), Float64Array.of(1, 0, 0))!,
    12,
  );
  expect(m!.calibrationGap).toBeCloseTo(1.6 / 3 - 1 / 3, 12);
  expect(missing).toMatchObject({ rows: 1, recall: null, calledRate: 1 });
});

test("slices of a number have its loss and its means", () => {
  const losses = Float64Array.of(1, 2, 3, 4, 5, 6);
  const numbersOf = { forecast: losses, target: losses.map((v) => 2 * v) };
  expect(lossSlicesOf(frame, [{ column: "sex", bands: null }], losses, numbersOf)[0]).toEqual({
    column: "sex",
    slice: "f",
    rows: 2,
    loss: 2,
    meanForecast: 2,
    meanTarget: 4,
  });
});

describe("gates", () => {
  const slice = (column: string, name: string, recall: number | null, ones = 50): Slice => ({
    column,
    slice: name,
    rows: 100,
    positiveRate: ones / 100,
    calledRate: 0.5,
    recall,
    precision: 0.5,
    accuracy: 0.5,
    auc: 0.5,
    logLoss: 0.5,
    calibrationGap: 0,
    calibrationSlope: 1,
  });
  const slices = [
    slice("sex", "f", 0.6),
    slice("sex", "m", 0.75),
    slice("sex", "few", 0.1, 19),
    slice("race", "one", 0.9),
  ];
  const verdicts = (requirement: {
    column: string;
    minRecall?: number;
    maxGap?: number;
    minRows?: number;
  }) => sliceGates(slices, [requirement]).map(({ rule, passed, value }) => [rule, passed, value]);

  test("the lowest recall is held to the bound, the bound itself passing", () => {
    expect(verdicts({ column: "sex", minRecall: 0.6 })).toEqual([["min_recall", true, 0.6]]);
    expect(verdicts({ column: "sex", minRecall: 0.61 })).toEqual([["min_recall", false, 0.6]]);
    expect(sliceGates(slices, [{ column: "sex", minRecall: 0.61 }])[0]!.detail).toBe(
      "The lowest recall of sex is 0.6000 (f).",
    );
  });

  test("the gap is between the highest and the lowest", () => {
    const [gap] = sliceGates(slices, [{ column: "sex", maxGap: 0.1 }]);
    expect(gap).toMatchObject({ rule: "max_gap", passed: false });
    expect(gap!.value).toBeCloseTo(0.15, 12);
    expect(verdicts({ column: "sex", maxGap: 0.16 })[0]![1]).toBe(true);
    expect(verdicts({ column: "race", maxGap: 0 })).toEqual([["max_gap", true, 0]]);
  });

  test("slices of few positive rows are not held to it, unless asked", () => {
    expect(verdicts({ column: "sex", minRecall: 0.5, minRows: 19 })[0]).toEqual([
      "min_recall",
      false,
      0.1,
    ]);
  });

  test("nothing to show fails the bound on recall, and has no gap", () => {
    expect(verdicts({ column: "age", minRecall: 0.1, maxGap: 0.1 })).toEqual([
      ["min_recall", false, null],
      ["max_gap", true, null],
    ]);
  });
});
