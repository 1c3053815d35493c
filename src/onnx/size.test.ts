import { expect, test } from "bun:test";
import { columnsOf, randomTrees } from "./fixtures.ts";
import { makeGraph } from "./graph.ts";
import { sizeOf } from "./size.ts";
import { encodeTableModel } from "./table.ts";

const trees = encodeTableModel(
  {
    task: "binary",
    model: randomTrees(columnsOf(4, 2), 60, 1, 1),
    calibration: { slope: 1, intercept: 0 },
  },
  {},
);
const weights = () => {
  const graph = makeGraph("weights");
  graph.input("x", "float32", ["N", 40]);
  const w = graph.constant(new Array<number>(1_600).fill(0.5), [40, 40]);
  graph.node("MatMul", ["x", w], { as: "y" });
  graph.output("y", "float32", ["N", 40]);
  return graph.encode({});
};

test("trees are in the nodes, weights beside them", () => {
  const [ofTrees, ofWeights] = [sizeOf(trees), sizeOf(weights())];
  expect(ofTrees.nodes).toBeGreaterThan(0.9 * trees.length);
  expect(ofWeights.rest).toBeGreaterThanOrEqual(6_400);
  expect(ofWeights.nodes).toBeLessThan(100);
  for (const [size, { nodes, rest }] of [
    [trees.length, ofTrees],
    [weights().length, ofWeights],
  ] as const) {
    expect(nodes + rest).toBe(size);
  }
});

test("what is no file is told by its length alone", () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(255, 255, 255), trees.subarray(0, 500)]) {
    const { nodes, rest } = sizeOf(bytes);
    expect(nodes + rest).toBe(bytes.length);
  }
});
