import { describe, expect, test } from "bun:test";
import type { Frame, TreeModel } from "../learn/types.ts";
import type { Branch } from "./fixtures.ts";
import {
  columnsOf,
  distanceOf,
  hardFrame,
  randomTrees,
  runOnnx,
  treeOf,
  walkTrees,
} from "./fixtures.ts";
import { makeGraph } from "./graph.ts";
import { addTrees } from "./trees.ts";

/** A graph of one tree model: its margin, and the sigmoid of it. */
const encode = (model: TreeModel): Uint8Array => {
  const graph = makeGraph("trees");
  const features = graph.input("features", "float32", ["N", model.columns.length]);
  const margin = addTrees(graph, model, features);
  graph.node("Identity", [margin], { as: "margin" });
  graph.node("Sigmoid", [margin], { as: "probability" });
  graph.output("margin", "float32", ["N", 1]);
  graph.output("probability", "float32", ["N", 1]);
  return graph.encode({});
};
const modelOf = (branches: readonly Branch[], base = 0, numbers = 1, sets = 0): TreeModel => ({
  kind: "trees",
  objective: "log_loss",
  base,
  trees: branches.map(treeOf),
  columns: columnsOf(numbers, sets),
});
const numbers = (...values: readonly number[]): Frame => ({
  rows: values.length,
  columns: [{ name: "x0", kind: "number", values: Float32Array.from(values) }],
});
const codes = (...values: readonly number[]): Frame => ({
  rows: values.length,
  columns: [{ name: "c0", kind: "category", levels: [], codes: Int32Array.from(values) }],
});
const walked = (model: TreeModel, frame: Frame): Float64Array =>
  Float64Array.from({ length: frame.rows }, (_, row) => walkTrees(model, frame, row));
const logit = (p: number): number => Math.log(p / (1 - p));

describe("parity with a plain walk", () => {
  for (const [numeric, sets, trees] of [
    [39, 0, 120],
    [3, 0, 40],
    [6, 8, 100],
    [0, 2, 30],
    [1, 1, 1],
  ] as const) {
    test(`${trees} trees of ${numeric} number and ${sets} category columns`, async () => {
      const model = randomTrees(columnsOf(numeric, sets), trees, numeric * 100 + sets + 7);
      const frame = hardFrame([model], 1_000, trees);
      const { margin } = await runOnnx(encode(model), frame);
      expect(distanceOf(margin!, walked(model, frame))).toBeLessThanOrEqual(1e-6);
    });
  }

  test("a row alone is answered as in its batch", async () => {
    const model = randomTrees(columnsOf(4, 2), 60, 5);
    const bytes = encode(model);
    const frame = hardFrame([model], 25, 6);
    const { margin } = await runOnnx(bytes, frame);
    for (let row = 0; row < frame.rows; row += 1) {
      const columns = frame.columns.map((column) =>
        column.kind === "number"
          ? { ...column, values: column.values.slice(row, row + 1) }
          : { ...column, codes: column.codes.slice(row, row + 1) },
      );
      const alone = await runOnnx(bytes, { rows: 1, columns });
      expect(alone["margin"]![0]).toBe(margin![row]!);
    }
  });
});

describe("splits", () => {
  test("the threshold itself goes left, the next float32 above it right", async () => {
    const edge = Math.fround(0.1);
    const model = modelOf([{ feature: 0, threshold: edge, left: 1, right: 2 }]);
    const above = Math.fround(edge + 2 ** -27);
    const { margin } = await runOnnx(encode(model), numbers(edge, above, -Infinity, Infinity, 0));
    expect([...margin!]).toEqual([1, 2, 1, 2, 1]);
  });

  test("a missing value takes the way that the node says, number or category", async () => {
    for (const missingLeft of [true, false]) {
      const number = modelOf([{ feature: 0, threshold: 0, missingLeft, left: 1, right: 2 }]);
      const found = await runOnnx(encode(number), numbers(Number.NaN, -1, 1));
      expect([...found["margin"]!]).toEqual([missingLeft ? 1 : 2, 1, 2]);
      const set = modelOf([{ feature: 0, set: [0, 3], missingLeft, left: 1, right: 2 }], 0, 0, 1);
      const coded = await runOnnx(encode(set), codes(-1, 0, 1, 2, 3, 44));
      expect([...coded["margin"]!]).toEqual([missingLeft ? 1 : 2, 1, 2, 2, 1, 2]);
    }
  });

  test("sets keep to their own node, also an empty one and one of all levels", async () => {
    const all = Array.from({ length: 45 }, (_, code) => code);
    const model = modelOf(
      [
        { feature: 0, set: [], left: 1, right: { feature: 0, set: [40, 2], left: 2, right: 3 } },
        { feature: 0, set: all, missingLeft: true, left: 10, right: 20 },
      ],
      0,
      0,
      1,
    );
    const { margin } = await runOnnx(encode(model), codes(...all, -1));
    const wanted = all.map((code) => 10 + (code === 2 || code === 40 ? 2 : 3));
    expect([...margin!]).toEqual([...wanted, 13]);
  });
});

describe("shapes that gave wrong labels elsewhere", () => {
  const probability = async (model: TreeModel, frame: Frame): Promise<number[]> => [
    ...(await runOnnx(encode(model), frame))["probability"]!,
  ];

  test("one split with leaves of p = 0.1 and 0.8", async () => {
    const split = { feature: 0, threshold: 0, left: logit(0.1), right: logit(0.8) };
    const [low, high] = await probability(modelOf([split]), numbers(-1, 1));
    expect(low).toBeCloseTo(0.1, 6);
    expect(high).toBeCloseTo(0.8, 6);
  });

  test("a single leaf with logit 0.4", async () => {
    const found = await probability(modelOf([0.4]), numbers(-1, Number.NaN, Infinity));
    for (const p of found) expect(p).toBeCloseTo(1 / (1 + Math.exp(-0.4)), 6);
    expect(found).toHaveLength(3);
  });

  test("small leaves, all above zero: p > 0.5 for both", async () => {
    const split = { feature: 0, threshold: 0, left: 0.1, right: 0.3 };
    const [low, high] = await probability(modelOf([split]), numbers(-1, 1));
    expect(low).toBeCloseTo(0.52498, 5);
    expect(high).toBeCloseTo(0.57444, 5);
  });
});

describe("few trees", () => {
  test("no trees at all are the base, for each row", async () => {
    const { margin } = await runOnnx(encode(modelOf([], -0.25)), numbers(1, Number.NaN, -Infinity));
    expect([...margin!]).toEqual([-0.25, -0.25, -0.25]);
  });

  test("the base counts once, in whatever shape the first tree is", async () => {
    const split: Branch = { feature: 0, threshold: 0, left: -1, right: 1 };
    const first = await runOnnx(encode(modelOf([0.5, split, split], 10)), numbers(-1, 1));
    expect([...first["margin"]!]).toEqual([8.5, 12.5]);
    const last = await runOnnx(encode(modelOf([split, split, 0.5], 10)), numbers(-1, 1));
    expect([...last["margin"]!]).toEqual([8.5, 12.5]);
  });
});

test("children may stand before their parent in the arrays", async () => {
  const tree = treeOf({
    feature: 0,
    threshold: 0,
    left: 1,
    right: { feature: 0, threshold: 5, left: 2, right: 3 },
  });
  // The same tree with nodes 1..4 in reverse order: the inner split is last, its leaves before it.
  const order = [0, 4, 3, 2, 1];
  const moved = (ids: Int32Array) => Int32Array.from(order, (from) => order.indexOf(ids[from]!));
  const reversed = {
    ...tree,
    feature: Int32Array.from(order, (from) => tree.feature[from]!),
    threshold: Float32Array.from(order, (from) => tree.threshold[from]!),
    value: Float64Array.from(order, (from) => tree.value[from]!),
    left: moved(tree.left),
    right: moved(tree.right),
  };
  const { margin } = await runOnnx(
    encode({ ...modelOf([]), trees: [reversed] }),
    numbers(-1, 3, 9),
  );
  expect([...margin!]).toEqual([1, 2, 3]);
});

test("a leaf that is no float32 number is refused with its place", () => {
  const split = (right: number): Branch => ({ feature: 0, threshold: 0, left: 0, right });
  for (const bad of [Number.NaN, Infinity, 1e39]) {
    expect(() => encode(modelOf([0, split(bad)]))).toThrow(
      expect.objectContaining({ code: "model_not_finite" }),
    );
    expect(() => encode(modelOf([0, split(bad)]))).toThrow(/tree 1, leaf 2/);
    expect(() => encode(modelOf([], bad))).toThrow(/base/);
  }
});
