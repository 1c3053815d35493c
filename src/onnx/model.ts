/*
 * A market model -> ONNX bytes: one input `features` [N, F]; outputs `probability` [N, 1] that the
 * candle closes up, and `quantiles` [N, 3] of its log return (10, 50 and 90 per cent).
 */
import { SluiceError } from "../errors.ts";
import type { ColumnShape, Model, SumModel } from "../learn/types.ts";
import type { Graph, Value } from "./graph.ts";
import { intOf, makeGraph } from "./graph.ts";
import { addConstant, addLinear } from "./linear.ts";
import { addTrees, finite } from "./trees.ts";

/** The models and numbers that a market version is made of; all models have the same columns. */
export interface MarketParts {
  /** Gives the margin (log-odds) of "up". */
  readonly probability: Model | SumModel;
  /** Platt's calibration: probability = sigmoid(a * margin + b). */
  readonly calibration: { readonly a: number; readonly b: number };
  /** Give the quantiles of the candle's log return. */
  readonly quantiles: { readonly p10: Model; readonly p50: Model; readonly p90: Model };
  /** Added to the outer quantiles, so that they hold what they promise (conformal correction). */
  readonly offsets: { readonly p10: number; readonly p90: number };
}

/** The parts, and what is written beside them: dataset and feature digests, names, seed. */
export interface MarketModel extends MarketParts {
  readonly metadata: Readonly<Record<string, string>>;
}

/** Names of the input and the outputs of a market model. */
export const FEATURES = "features";
export const PROBABILITY = "probability";
export const QUANTILES = "quantiles";

/**
 * Encodes a market model. Equal parts and metadata give equal bytes: there is no time stamp in
 * them, and metadata is sorted by key. Quantiles never cross, because the graph itself bounds the
 * outer ones by the middle. Throws `model_mismatch` when the models differ in their columns,
 * `model_not_finite` for numbers that float32 cannot hold.
 */
export const encodeMarketModel = (model: MarketModel): Uint8Array => {
  const columns = columnsOf(model);
  const graph = makeGraph("market");
  const features = graph.input(FEATURES, "float32", ["N", columns.length]);
  addProbability(graph, model, features);
  addQuantiles(graph, model, features);
  graph.output(PROBABILITY, "float32", ["N", 1]);
  graph.output(QUANTILES, "float32", ["N", 3]);
  return graph.encode(model.metadata);
};

/** Adds any model: [N, F] float32 in, its margin [N, 1] out. */
export const addModel = (graph: Graph, model: Model | SumModel, features: Value): Value => {
  if (model.kind === "sum") return addSum(graph, model, features);
  if (model.kind === "trees") return addTrees(graph, model, features);
  if (model.kind === "linear") return addLinear(graph, model, features);
  return addConstant(graph, model, features);
};

/** Each part on its own, weighted and added in the order of the parts. */
const addSum = (graph: Graph, { parts }: SumModel, features: Value): Value => {
  const weighted = parts.map(({ weight, model }, at) =>
    graph.node("Mul", [
      addModel(graph, model, features),
      graph.constant([finite(weight, `weight of part ${at}`)]),
    ]),
  );
  return weighted.reduce((sum, part) => graph.node("Add", [sum, part]));
};

/** Plain operators after the trees: the calibration is part of the artifact, not of the server. */
function addProbability(graph: Graph, model: MarketParts, features: Value): void {
  const { a, b } = model.calibration;
  const margin = addModel(graph, model.probability, features);
  const scaled = graph.node("Mul", [margin, graph.constant([finite(a, "calibration a")])]);
  const moved = graph.node("Add", [scaled, graph.constant([finite(b, "calibration b")])]);
  graph.node("Sigmoid", [moved], { as: PROBABILITY });
}

/** Shifts the outer quantiles first and bounds them after, so that no offset can cross them. */
function addQuantiles(graph: Graph, model: MarketParts, features: Value): void {
  const { quantiles, offsets } = model;
  const shifted = (part: Model, offset: number): Value =>
    graph.node("Add", [addModel(graph, part, features), graph.constant([offset])]);
  const middle = addModel(graph, quantiles.p50, features);
  const low = shifted(quantiles.p10, finite(offsets.p10, "offset p10"));
  const high = shifted(quantiles.p90, finite(offsets.p90, "offset p90"));
  const ordered = [graph.node("Min", [low, middle]), middle, graph.node("Max", [high, middle])];
  graph.node("Concat", ordered, { attributes: { axis: intOf(1) }, as: QUANTILES });
}

/** The columns that all parts agree on. */
function columnsOf({ probability, quantiles }: MarketParts): readonly ColumnShape[] {
  const columns = probability.columns;
  const wanted = columns.map((column) => column.name).join(", ");
  const parts = probability.kind === "sum" ? probability.parts : [];
  const summed = parts.map(({ model }, at) => [`part ${at}`, model] as const);
  if (probability.kind === "sum" && parts.length === 0) throw mismatch("a sum without parts");
  for (const [name, part] of [...summed, ...Object.entries(quantiles)]) {
    const found = part.columns.map((column: ColumnShape) => column.name).join(", ");
    if (found !== wanted) throw mismatch(`${name} has the columns ${found}; probability ${wanted}`);
  }
  if (columns.length === 0) throw mismatch("the models have no columns");
  return columns;
}

function mismatch(what: string): SluiceError {
  return new SluiceError({
    code: "model_mismatch",
    detail: `market model: ${what}`,
    fix: "Fit all parts of a version on one frame, with at least one column.",
  });
}
