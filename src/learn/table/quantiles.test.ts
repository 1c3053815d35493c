import { describe, expect, test } from "bun:test";
import { GBDT_DEFAULTS } from "../gbdt/options.ts";
import { coverage } from "../metrics.ts";
import { categories, frameOf, normals, numbers, sampleOf } from "../testing.ts";
import type { Sample } from "../types.ts";
import {
  baseQuantiles,
  fitQuantiles,
  middleOf,
  type QuantileFit,
  quantileName,
  quantilesOf,
} from "./quantiles.ts";
import { rowsOf } from "./split.ts";

/** Numbers whose spread grows with x, a column of towns, and holes. */
const spread = (rows: number, seed: number): Sample => {
  const [x, luck] = [normals(rows, seed), normals(rows, seed + 1)];
  const towns = Array.from(x, (_, i) => (i % 11 === 0 ? null : ["a", "b", "c"][i % 3]!));
  const target = luck.map(
    (l, i) => 10 + 3 * x[i]! + (towns[i] === "c" ? 5 : 0) + l * (1 + Math.abs(x[i]!)),
  );
  const holed = x.map((value, i) => (i % 13 === 5 ? Number.NaN : value));
  return sampleOf(frameOf(numbers("x", holed), categories("town", towns)), target);
};

const SAMPLE = spread(3_000, 5);
const span = (from: number, to: number) =>
  rowsOf(
    SAMPLE,
    Int32Array.from({ length: to - from }, (_, i) => from + i),
  );
const ROWS = { fitted: span(0, 1_500), choosing: span(1_500, 2_000), whole: span(0, 2_000) };
const OPTIONS = { ...GBDT_DEFAULTS, rounds: 80, leaves: 6 };
const TEN = [0.1, 0.5, 0.9];
const fitOf = (levels: readonly number[], patience = 0, gbdt = {}): QuantileFit =>
  fitQuantiles(ROWS, OPTIONS, { levels, gbdt, patience }, 7);
const columnOf = (values: Float64Array, k: number, width: number): Float64Array =>
  values.filter((_, at) => at % width === k);

describe("fitQuantiles", () => {
  const later = span(2_000, 3_000);
  const fit = fitOf(TEN);

  test("covers on later rows what it claims, and each quantile lies where it should", () => {
    const values = quantilesOf(fit, later.frame);
    const [low, middle, high] = [0, 1, 2].map((k) => columnOf(values, k, 3)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    expect(coverage(low, high, later.target)!).toBeCloseTo(0.8, 1);
    const below = middle.filter((m, i) => later.target[i]! <= m).length / 1_000;
    expect(Math.abs(below - 0.5)).toBeLessThan(0.06);
  });

  test("the offset mends an interval that is too narrow, or too wide", () => {
    // Leaves of two rows know the rows that they were fitted on far too well.
    const narrow = fitOf(TEN, 0, { minRows: 2, leaves: 60, rounds: 150 });
    expect(narrow.offset).toBeGreaterThan(0.3);
    const plain = (offset: number) => {
      const values = quantilesOf({ ...narrow, offset }, later.frame);
      return coverage(columnOf(values, 0, 3), columnOf(values, 2, 3), later.target)!;
    };
    expect(plain(0)).toBeLessThan(0.7);
    expect(Math.abs(plain(narrow.offset) - 0.8)).toBeLessThan(0.06);
  });

  test("patience tells each quantile how many trees are enough", () => {
    const stopped = fitQuantiles(
      ROWS,
      { ...OPTIONS, rounds: 400, rate: 0.3 },
      { levels: TEN, gbdt: {}, patience: 5 },
      7,
    );
    for (const { trees } of stopped.models) expect(trees.length).toBeLessThan(200);
    expect(fit.models.map(({ trees }) => trees.length)).toEqual([80, 80, 80]);
  });

  test("options of its own take the place of the others, and monotone columns do not bind", () => {
    const own = fitOf([0.5], 0, { rounds: 3 });
    expect(own.models.map(({ trees }) => trees.length)).toEqual([3]);
    const turned = fitQuantiles(
      ROWS,
      { ...OPTIONS, monotone: { x: -1 } },
      { levels: [0.5], gbdt: {}, patience: 0 },
      7,
    );
    expect(turned).toEqual(fitOf([0.5]));
  });

  test("one quantile, or an interval that leaves the middle out, is not moved", () => {
    expect(fitOf([0.9]).offset).toBe(0);
    expect(fitOf([0.5, 0.9]).offset).toBe(0);
    const none = { ...ROWS, choosing: span(0, 0) };
    const recipe = { levels: TEN, gbdt: {}, patience: 5 };
    expect(fitQuantiles(none, OPTIONS, recipe, 7).offset).toBe(0);
  });
  test("the same rows give the same models", () => {
    expect(fitOf(TEN)).toEqual(fit);
  });
});

test("no quantile is above the next, however far the offset narrows", () => {
  const five = fitOf([0.05, 0.25, 0.5, 0.75, 0.95]);
  for (const offset of [five.offset, -100, 0]) {
    const values = quantilesOf({ ...five, offset }, SAMPLE.frame);
    for (let at = 0; at < values.length; at += 5) {
      for (let k = 1; k < 5; k++)
        expect(values[at + k]!).toBeGreaterThanOrEqual(values[at + k - 1]!);
    }
  }
});

test("the middle is the level nearest to a half; names are per cent", () => {
  expect([TEN, [0.9], [0.1, 0.2], [0.4, 0.6]].map(middleOf)).toEqual([1, 0, 1, 0]);
  expect([0.1, 0.025, 0.5, 0.999, 0.29].map(quantileName)).toEqual([
    ...["p10", "p2.5", "p50", "p99.9", "p29"],
  ]);
});

test("without columns it is the target's own quantile", () => {
  const sample = sampleOf(frameOf(numbers("x", [0, 0, 0, 0])), [4, 1, 3, 2]);
  expect(baseQuantiles(sample, [0.25, 0.5, 1])).toEqual([1, 2, 4]);
});
