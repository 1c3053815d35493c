import { describe, expect, test } from "bun:test";
import { marginsOf } from "./predict.ts";
import { categories, frameOf, numbers } from "./testing.ts";
import type { LinearModel, Tree, TreeModel } from "./types.ts";

/** One split: x <= 1 (or missing) gives -1, else the towns a and c give 2 and others 3. */
const tree: Tree = {
  feature: Int32Array.of(0, -1, 1, -1, -1),
  threshold: Float32Array.of(1, 0, 0, 0, 0),
  categories: [null, null, [0, 2], null, null],
  missingLeft: Uint8Array.of(1, 0, 0, 0, 0),
  left: Int32Array.of(1, -1, 3, -1, -1),
  right: Int32Array.of(2, -1, 4, -1, -1),
  value: Float64Array.of(0, -1, 0, 2, 3),
  gain: new Float64Array(5),
  cover: new Float64Array(5),
};
const trees: TreeModel = {
  kind: "trees",
  objective: "squared_error",
  base: 10,
  trees: [tree, tree],
  columns: [
    { name: "x", kind: "number" },
    { name: "town", kind: "category", levels: ["a", "b", "c"] },
  ],
};
const line: LinearModel = {
  kind: "linear",
  objective: "squared_error",
  bias: 5,
  weights: Float64Array.of(3, 0),
  means: Float64Array.of(2, 0),
  scales: Float64Array.of(4, 1),
  columns: [
    { name: "x", kind: "number" },
    { name: "y", kind: "number" },
  ],
};

const withTowns = (x: number[], towns: (string | null)[]) => {
  // All levels are named first, so that codes are those of the model.
  const column = categories("town", [...towns, "a", "b", "c"]);
  return frameOf(numbers("x", x), { ...column, codes: column.codes.slice(0, towns.length) });
};

describe("marginsOf", () => {
  test("walks trees: equal goes left, categories by set, missing by its own side", () => {
    const nan = Number.NaN;
    const inf = Number.POSITIVE_INFINITY;
    const frame = withTowns(
      [1, 1.0000001, 2, 2, nan, inf, -inf, 2],
      ["b", "a", "b", "c", "a", "a", "a", null],
    );
    const leaf = [-1, 2, 3, 2, -1, 2, -1, 3];
    expect([...marginsOf(trees, frame)]).toEqual(leaf.map((value) => 10 + 2 * value));
  });

  test("missing goes right where the split says so", () => {
    const right = { ...tree, missingLeft: Uint8Array.of(0, 0, 1, 0, 0) };
    const frame = withTowns([Number.NaN, 5], ["b", null]);
    expect([...marginsOf({ ...trees, trees: [right] }, frame)]).toEqual([13, 12]);
  });

  test("compares float32: a threshold is the float32 value and nothing between", () => {
    const third = Math.fround(1 / 3);
    const at = { ...tree, threshold: Float32Array.of(third, 0, 0, 0, 0) };
    const frame = withTowns([1 / 3, third, third + 3e-8], ["b", "b", "b"]);
    expect([...marginsOf({ ...trees, trees: [at] }, frame)]).toEqual([9, 9, 13]);
  });

  test("adds up a linear model, a missing value and an unused column counting nothing", () => {
    const frame = frameOf(
      numbers("x", [2, 6, Number.NaN]),
      numbers("y", [9, Number.NaN, Infinity]),
    );
    expect([...marginsOf(line, frame)]).toEqual([5, 8, 5]);
  });

  test("repeats a constant", () => {
    const model = { kind: "constant", objective: "quantile", bias: -2, columns: [] } as const;
    expect([...marginsOf(model, { rows: 3, columns: [] })]).toEqual([-2, -2, -2]);
  });

  test("gives no margins for no rows", () => {
    expect(marginsOf(line, frameOf(numbers("x", []), numbers("y", [])))).toHaveLength(0);
  });

  test("refuses another frame's columns, whatever the model", () => {
    const frame = frameOf(numbers("y", [1]), numbers("x", [1]));
    expect(() => marginsOf(line, frame)).toThrow("column 0 is y (number)");
    expect(() => marginsOf(trees, frame)).toThrow("trained on x (number)");
  });
});
