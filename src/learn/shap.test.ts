import { describe, expect, test } from "bun:test";
import { boost } from "./gbdt/fit.ts";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { linearTerms, logistic, ridge } from "./linear.ts";
import { marginsOf } from "./predict.ts";
import { gaussLegendre } from "./quadrature.ts";
import { contributions, explainerOf } from "./shap.ts";
import { categories, frameOf, mixedSample, numbers } from "./testing.ts";
import type { Column, Frame, Model, SumModel, Tree, TreeModel } from "./types.ts";

/** The mean of a tree's leaves for a row of which the columns in `known` alone are known. */
const worthOf = (tree: Tree, columns: readonly Column[], row: number, known: number): number => {
  const at = (node: number): number => {
    const c = tree.feature[node]!;
    if (c < 0) return tree.value[node]!;
    const [left, right] = [tree.left[node]!, tree.right[node]!];
    if ((known >> c) & 1) {
      const column = columns[c]!;
      const x = column.kind === "number" ? column.values[row]! : column.codes[row]!;
      const isMissing = column.kind === "number" ? Number.isNaN(x) : x < 0;
      const fits =
        column.kind === "number"
          ? x <= tree.threshold[node]!
          : (tree.categories[node] ?? []).includes(x);
      return at((isMissing ? tree.missingLeft[node] === 1 : fits) ? left : right);
    }
    const [a, b] = [tree.cover[left]!, tree.cover[right]!];
    return (a * at(left) + b * at(right)) / (a + b);
  };
  return at(0);
};

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

/** What a model says of a row of which the columns in `known` alone are known. */
const saysOf = (model: Model | SumModel, frame: Frame, row: number, known: number): number => {
  if (model.kind === "sum") {
    return model.parts.reduce((s, p) => s + p.weight * saysOf(p.model, frame, row, known), 0);
  }
  if (model.kind === "constant") return model.bias;
  if (model.kind === "trees") {
    return model.trees.reduce(
      (s, tree) => s + worthOf(tree, frame.columns, row, known),
      model.base,
    );
  }
  const terms = linearTerms(model, frame).slice(row * frame.columns.length);
  return frame.columns.reduce((s, _, c) => s + ((known >> c) & 1) * terms[c]!, model.bias);
};

/** Shapley values by their definition: all subsets of columns, for few columns. */
const shapley = (model: Model | SumModel, frame: Frame, row: number): Float64Array => {
  const m = frame.columns.length;
  const worth = Array.from({ length: 1 << m }, (_, known) => saysOf(model, frame, row, known));
  return Float64Array.from({ length: m }, (_, c) => {
    let total = 0;
    for (let known = 0; known < 1 << m; known++) {
      if ((known >> c) & 1) continue;
      const size = known.toString(2).replaceAll("0", "").length;
      const weight = (factorial(size) * factorial(m - 1 - size)) / factorial(m);
      total += weight * (worth[known | (1 << c)]! - worth[known]!);
    }
    return total;
  });
};

const fitted = (options: Partial<typeof GBDT_DEFAULTS> = {}, rows = 800): TreeModel =>
  boost(mixedSample(rows, 3), { ...GBDT_DEFAULTS, rounds: 20, ...options }, 1).model;

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

test("the quadrature is exact to the degree that it claims, and not beyond", () => {
  for (let n = 1; n <= 24; n++) {
    const { points, weights } = gaussLegendre(n);
    const integral = (power: number) =>
      points.reduce((sum, t, i) => sum + weights[i]! * t ** power, 0);
    for (let power = 0; power < 2 * n; power++) {
      expect(integral(power)).toBeCloseTo(1 / (power + 1), 13);
    }
    if (n <= 8) expect(Math.abs(integral(2 * n) - 1 / (2 * n + 1))).toBeGreaterThan(1e-12);
  }
});

describe("trees", () => {
  const later = mixedSample(40, 77).frame;

  for (const [what, options] of Object.entries({
    stumps: { leaves: 2 },
    "31 leaves": {},
    "deep trees of few rows a leaf": { leaves: 200, minRows: 1, rounds: 5 },
    "no tree": { rounds: 0 },
  })) {
    test(`equal the definition of Shapley values: ${what}`, () => {
      const model = fitted(options);
      const { base, values } = contributions(model, later);
      for (let row = 0; row < later.rows; row++) {
        const slow = shapley(model, later, row);
        const quick = values.subarray(row * 4, row * 4 + 4);
        expect(largest(slow.map((v, c) => v - quick[c]!))).toBeLessThan(1e-11);
      }
      const unknown = model.trees.reduce((s, tree) => s + worthOf(tree, later.columns, 0, 0), 0);
      expect(base).toBeCloseTo(model.base + unknown, 11);
    });
  }

  test("add up to the margin", () => {
    const model = fitted({ rounds: 60, leaves: 63, minRows: 2 });
    const { frame } = mixedSample(200, 9);
    const { base, values } = contributions(model, frame);
    const margins = marginsOf(model, frame);
    const missed = margins.map((margin, row) => {
      const own = values.subarray(row * 4, row * 4 + 4);
      return own.reduce((sum, v) => sum + v, base) - margin;
    });
    expect(largest(missed)).toBeLessThan(1e-10);
  });

  test("a known tree by hand: two columns, the first split twice", () => {
    // a <= 0 ? (b <= 0 ? 1 : 2) : (a <= 5 ? 4 : 8), covers 4 | 3, 1 | 6 | 2, 4.
    const tree: Tree = {
      feature: Int32Array.of(0, 1, 0, -1, -1, -1, -1),
      threshold: Float32Array.of(0, 0, 5, 0, 0, 0, 0),
      categories: [null, null, null, null, null, null, null],
      missingLeft: new Uint8Array(7),
      left: Int32Array.of(1, 3, 5, -1, -1, -1, -1),
      right: Int32Array.of(2, 4, 6, -1, -1, -1, -1),
      value: Float64Array.of(0, 0, 0, 1, 2, 4, 8),
      gain: new Float64Array(7),
      cover: Float64Array.of(10, 4, 6, 3, 1, 2, 4),
    };
    const frame = frameOf(numbers("a", [-1]), numbers("b", [1]));
    const columns = [
      { name: "a", kind: "number" },
      { name: "b", kind: "number" },
    ] as const;
    const model: TreeModel = {
      kind: "trees",
      objective: "squared_error",
      base: 0,
      trees: [tree],
      columns,
    };
    const { base, values } = contributions(model, frame);
    // Nothing known: 0.4 x 1.25 + 0.6 x 20/3 = 4.5. a: 1.25. b: 0.4 x 2 + 4 = 4.8. Both: 2.
    expect(base).toBeCloseTo(4.5, 12);
    expect(values[0]).toBeCloseTo((1.25 - 4.5 + (2 - 4.8)) / 2, 12);
    expect(values[1]).toBeCloseTo((4.8 - 4.5 + (2 - 1.25)) / 2, 12);
  });

  test("a side that no training row took counts for nothing, and breaks nothing", () => {
    const model = fitted();
    const trees = model.trees.map((tree) => {
      const cover = tree.cover.slice();
      cover[tree.left[0]!] = 0;
      return { ...tree, cover };
    });
    const { base, values } = contributions({ ...model, trees }, later);
    const margins = marginsOf(model, later);
    for (let row = 0; row < later.rows; row++) {
      const own = values.subarray(row * 4, row * 4 + 4);
      const slow = shapley({ ...model, trees }, later, row);
      expect(own.reduce((sum, v) => sum + v, base)).toBeCloseTo(margins[row]!, 10);
      expect(largest(slow.map((v, c) => v - own[c]!))).toBeLessThan(1e-11);
    }
  });

  test("rows of one frame and one at a time are the same", () => {
    const explain = explainerOf(fitted());
    const { values } = explain(later);
    const one = (column: Column, row: number): Column =>
      column.kind === "number"
        ? { ...column, values: column.values.slice(row, row + 1) }
        : { ...column, codes: column.codes.slice(row, row + 1) };
    for (const row of [0, 3, 7, 39]) {
      const frame = { rows: 1, columns: later.columns.map((column) => one(column, row)) };
      expect(explain(frame).values).toEqual(values.slice(row * 4, row * 4 + 4));
    }
  });

  test("other columns are refused", () => {
    expect(() => contributions(fitted(), frameOf(numbers("a", [1])))).toThrow();
    expect(() => contributions(fitted(), frameOf(categories("a", ["x"])))).toThrow();
  });
});

test("a linear model's columns add up to the margin, missing ones with 0", () => {
  const sample = mixedSample(800, 5);
  const frame = { rows: 800, columns: sample.frame.columns.slice(0, 3) };
  const model = logistic.fit({ ...sample, frame }, logistic.defaults, 1);
  const { base, values } = contributions(model, frame);
  const margins = marginsOf(model, frame);
  for (let row = 0; row < 50; row++) {
    const own = values.subarray(row * 3, row * 3 + 3);
    expect(own.reduce((sum, v) => sum + v, base)).toBeCloseTo(margins[row]!, 10);
  }
  expect(values[3 * 3]).toBe(0); // row 3 misses column a
});

test("a linear model of categories and missing values adds up too", () => {
  const { frame, target, weight } = mixedSample(800, 5);
  const options = { ...logistic.defaults, indicators: true };
  const model = logistic.fit({ frame, target, weight }, options, 1);
  const { base, values } = contributions(model, frame);
  const margins = marginsOf(model, frame);
  for (let row = 0; row < 60; row++) {
    const own = values.subarray(row * 4, row * 4 + 4);
    expect(own.reduce((sum, v) => sum + v, base)).toBeCloseTo(margins[row]!, 10);
  }
});

test("a constant model is all base", () => {
  const { frame } = mixedSample(5, 1);
  const columns = [{ name: "a", kind: "number" }] as const;
  const few = { rows: 5, columns: frame.columns.slice(0, 1) };
  const model = { kind: "constant", objective: "log_loss", bias: 0.3, columns } as const;
  expect(contributions(model, few)).toEqual({ base: 0.3, values: new Float64Array(5) });
});

test("a weighted sum of models equals the definition, and adds up", () => {
  const sample = mixedSample(800, 5);
  const { frame } = mixedSample(30, 6);
  const { columns } = fitted();
  const parts = [
    { weight: 1, model: { kind: "constant", objective: "log_loss", bias: -0.2, columns } as const },
    { weight: 0.25, model: fitted() },
    { weight: 1.6 / 4, model: ridge.fit(sample, { ...ridge.defaults, indicators: true }, 1) },
    { weight: 0.25, model: logistic.fit(sample, logistic.defaults, 1) },
  ];
  const sum: SumModel = { kind: "sum", parts, columns };
  const { base, values } = contributions(sum, frame);
  const margins = marginsOf(sum, frame);
  for (let row = 0; row < frame.rows; row++) {
    const own = values.subarray(row * 4, row * 4 + 4);
    expect(largest(shapley(sum, frame, row).map((v, c) => v - own[c]!))).toBeLessThan(1e-11);
    expect(own.reduce((s, v) => s + v, base)).toBeCloseTo(margins[row]!, 10);
  }
  expect(base).toBeCloseTo(saysOf(sum, frame, 0, 0), 11);
});
