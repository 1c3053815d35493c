/*
 * A table model -> ONNX bytes that take raw columns: an input [N, 1] a column, named as in the
 * model file, float32 for a number (NaN is missing) and string for a category ("" is missing, and
 * so is a level that was not there to learn from). Encoding the columns is part of the artifact, so
 * nothing that calls it can do that otherwise than the training did.
 */
import { SluiceError } from "../errors.ts";
import type { Calibration } from "../learn/calibrate.ts";
import type { TableModel, TableTask } from "../learn/table/answers.ts";
import { middleOf, type QuantileFit, shiftOf } from "../learn/table/quantiles.ts";
import type { ConstantModel, LinearModel, SoftmaxModel, TreeModel } from "../learn/types.ts";
import type { Graph, Value } from "./graph.ts";
import { floatOf, intOf, listOf, makeGraph, stringsOf } from "./graph.ts";
import { addConstant } from "./linear.ts";
import { addTrees, finite } from "./trees.ts";

/** What an artifact of a table model is made of. */
export interface TableParts {
  readonly task: TableTask;
  /** Gives margins: log-odds, the number itself, or the logarithm of a count. */
  readonly model: TableModel;
  /** Binary: probability = sigmoid(slope x margin + intercept). */
  readonly calibration: Calibration;
  /** Regression: foretell quantiles from the same columns. */
  readonly quantiles?: QuantileFit | null;
}

/** Names of the outputs: classes have a probability, numbers a value, and quantiles if asked. */
export const PROBABILITY = "probability";
export const VALUE = "value";
export const QUANTILES = "quantiles";

/** The name of a task's output. */
export const outputOf = (task: TableTask): string =>
  task === "binary" || task === "multiclass" ? PROBABILITY : VALUE;

/**
 * Encodes a table model: `probability` [N, 1] of the positive class, or [N, K] of K classes, or
 * `value` [N, 1] with `quantiles` [N, K] where it has any. Equal parts and metadata give equal bytes. Throws `model_mismatch` without
 * columns, `onnx_name` for a column that is called as the output is, `model_not_finite`.
 */
export const encodeTableModel = (
  parts: TableParts,
  metadata: Readonly<Record<string, string>>,
): Uint8Array => {
  const { task, model, quantiles = null } = parts;
  if (model.columns.length === 0) throw noColumns();
  const graph = makeGraph("table");
  const inputs = model.columns.map(({ name, kind }) =>
    graph.input(name, kind === "number" ? "float32" : "string", ["N", 1]),
  );
  let matrix: Value | null = null;
  const read = (): Value => {
    matrix ??= addMatrix(graph, model, inputs);
    return matrix;
  };
  const margin =
    model.kind === "linear"
      ? addLinearColumns(graph, model, inputs)
      : addMargins(graph, model, read());
  addAnswer(graph, parts, margin);
  const width = model.kind === "softmax" ? model.models.length : 1;
  graph.output(outputOf(task), "float32", ["N", width]);
  if (quantiles !== null) {
    // After the model's own trees, which are read back as the first of the graph.
    addQuantiles(graph, quantiles, read());
    graph.output(QUANTILES, "float32", ["N", quantiles.levels.length]);
  }
  return graph.encode(metadata);
};

/** Trees read one matrix: numbers as they are, categories as the code of their level. */
function addMatrix(graph: Graph, { columns }: TableModel, inputs: readonly Value[]): Value {
  const codes = inputs.map((input, c) => {
    const { kind, levels = [] } = columns[c]!;
    if (kind === "number") return input;
    return addLevels(graph, input, levels, [...levels.keys()], Number.NaN);
  });
  return graph.node("Concat", codes, { attributes: { axis: intOf(1) } });
}

/** The margins of a matrix, one a class side by side. */
function addMargins(
  graph: Graph,
  model: TreeModel | ConstantModel | SoftmaxModel,
  matrix: Value,
): Value {
  if (model.kind === "trees") return addTrees(graph, model, matrix);
  if (model.kind === "constant") return addConstant(graph, model, matrix);
  const margins = model.models.map((one) => addTrees(graph, one, matrix));
  return graph.node("Concat", margins, { attributes: { axis: intOf(1) } });
}

/** A linear model adds one term a column: that of a category is the weight of its level. */
function addLinearColumns(graph: Graph, model: LinearModel, inputs: readonly Value[]): Value {
  const terms = inputs.map((input, c) => {
    const { name, kind, levels = [] } = model.columns[c]!;
    const missing = finite(model.missing?.[c] ?? 0, `missing of ${name}`);
    if (kind === "category") {
      const weights = Array.from(model.levels?.[c] ?? [], (weight, code) =>
        finite(weight, `level ${levels[code]} of ${name}`),
      );
      return addLevels(graph, input, levels, weights, missing);
    }
    const term = addTerm(graph, model, input, c);
    return graph.node("Where", [graph.node("IsNaN", [input]), graph.constant([missing]), term]);
  });
  const all = graph.node("Concat", terms, { attributes: { axis: intOf(1) } });
  const sum = graph.node("MatMul", [
    all,
    graph.constant(
      terms.map(() => 1),
      [terms.length, 1],
    ),
  ]);
  return graph.node("Add", [sum, graph.constant([finite(model.bias, "bias")])]);
}

/** What a number that is there adds. */
function addTerm(graph: Graph, model: LinearModel, input: Value, column: number): Value {
  const name = model.columns[column]!.name;
  const weight = finite(model.weights[column]!, `weight of ${name}`);
  // Not 0 x the value, which is no number where the value is infinite.
  if (weight === 0) return graph.constant([0]);
  const mean = graph.constant([finite(model.means[column]!, `mean of ${name}`)]);
  const scale = graph.constant([finite(model.scales[column]!, `scale of ${name}`)]);
  const scaled = graph.node("Div", [graph.node("Sub", [input, mean]), scale]);
  return graph.node("Mul", [scaled, graph.constant([weight])]);
}

/** The number that stands for a level; `other` for any text that is none. */
function addLevels(
  graph: Graph,
  input: Value,
  levels: readonly string[],
  numbers: readonly number[],
  other: number,
): Value {
  // A column that was wholly missing has no level; the operator wants one, and "" is missing too.
  const [keys, values] = levels.length === 0 ? [[""], [other]] : [levels, numbers];
  return graph.node("LabelEncoder", [input], {
    domain: "ai.onnx.ml",
    attributes: {
      keys_strings: stringsOf(keys),
      values_floats: listOf(values),
      default_float: floatOf(other),
    },
  });
}

/** From the margin to what is answered. */
function addAnswer(graph: Graph, { task, calibration }: TableParts, margin: Value): void {
  if (task === "regression") graph.node("Identity", [margin], { as: VALUE });
  else if (task === "count") graph.node("Exp", [margin], { as: VALUE });
  else if (task === "multiclass") {
    graph.node("Softmax", [margin], { attributes: { axis: intOf(1) }, as: PROBABILITY });
  } else {
    const slope = graph.constant([finite(calibration.slope, "calibration slope")]);
    const intercept = graph.constant([finite(calibration.intercept, "calibration intercept")]);
    const scaled = graph.node("Mul", [margin, slope]);
    graph.node("Sigmoid", [graph.node("Add", [scaled, intercept])], { as: PROBABILITY });
  }
}

/** Moves the outer two, then bounds each by its neighbour towards the middle: none can cross. */
function addQuantiles(graph: Graph, fit: QuantileFit, matrix: Value): void {
  const { levels, models, offset } = fit;
  const values = models.map((model, k) => {
    const margin = addTrees(graph, model, matrix);
    const moved = finite(shiftOf(k, levels.length, offset), "quantile offset");
    return moved === 0 ? margin : graph.node("Add", [margin, graph.constant([moved])]);
  });
  const middle = middleOf(levels);
  for (let k = middle - 1; k >= 0; k--) {
    values[k] = graph.node("Min", [values[k]!, values[k + 1]!]);
  }
  for (let k = middle + 1; k < values.length; k++) {
    values[k] = graph.node("Max", [values[k]!, values[k - 1]!]);
  }
  graph.node("Concat", values, { attributes: { axis: intOf(1) }, as: QUANTILES });
}

const noColumns = (): SluiceError =>
  new SluiceError({
    code: "model_mismatch",
    detail: "table model: the model has no columns",
    fix: "Give the model file at least one column that is learned from.",
  });
