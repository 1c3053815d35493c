/*
 * Linear and constant models -> plain ONNX operators.
 */
import type { ConstantModel, LinearModel } from "../learn/types.ts";
import type { Graph, Value } from "./graph.ts";
import { addTrees, finite } from "./trees.ts";

/**
 * Adds a linear model: [N, F] float32 in, its margin [N, 1] out. A missing value counts as the
 * column's mean: NaN outlives the scaling and is then replaced by 0.
 */
export const addLinear = (graph: Graph, model: LinearModel, features: Value): Value => {
  const check = (values: Float64Array, what: string): Float64Array =>
    values.map((value, column) => finite(value, `${what} of ${model.columns[column]?.name}`));
  const means = graph.constant(check(model.means, "mean"));
  const scales = graph.constant(check(model.scales, "scale"));
  const weights = graph.constant(check(model.weights, "weight"), [model.weights.length, 1]);
  const bias = graph.constant([finite(model.bias, "bias")]);
  const scaled = graph.node("Div", [graph.node("Sub", [features, means]), scales]);
  const missing = graph.node("IsNaN", [scaled]);
  const filled = graph.node("Where", [missing, graph.constant([0]), scaled]);
  return graph.node("Add", [graph.node("MatMul", [filled, weights]), bias]);
};

/** Adds a constant model: its margin [N, 1], as many rows as came in. */
export const addConstant = (graph: Graph, model: ConstantModel, features: Value): Value =>
  // An ensemble without trees is just this, and takes its number of rows from its input.
  addTrees(
    graph,
    { kind: "trees", objective: "squared_error", base: model.bias, trees: [], columns: [] },
    features,
  );
