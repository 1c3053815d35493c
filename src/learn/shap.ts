/*
 * How much each column moved a row's margin: SHAP values (Lundberg and Lee 2017). For trees they
 * are exact and path-dependent (treeshap.ts): a column that is not known sends a row down both
 * sides of its splits, in the shares of the nodes' `cover`. Our trees' cover is the sum of hessian
 * of their training rows, as XGBoost's is; for log-loss rows of which the model was sure then count
 * less. LightGBM counts rows instead, so a tree that carries counts as its cover gives the values
 * of its pred_contrib.
 */
import { linearTerms } from "./linear.ts";
import { checkColumns } from "./sample.ts";
import { addTreeShap, expectedOf, planOf, scratchFor } from "./treeshap.ts";
import type { Frame, LinearModel, Model, SumModel, TreeModel } from "./types.ts";

/**
 * The expected margin `base`, one for all rows, and `values`, rows x columns, row by row, in units
 * of the margin (log-odds for log_loss, before any calibration). For each row base + the sum of its
 * values = its margin, within 1e-9.
 */
export interface Contributions {
  readonly base: number;
  readonly values: Float64Array;
}

/** Explains the rows of a frame; throws `column_mismatch` as `marginsOf` does. */
export type Explainer = (frame: Frame) => Contributions;

/** The contribution of every column to every row's margin; keep an `explainerOf` to ask often. */
export const contributions = (model: Model | SumModel, frame: Frame): Contributions =>
  explainerOf(model)(frame);

/**
 * An explainer that has worked out what does not depend on rows; a model that serves keeps one.
 * Trees are explained as told above. A linear model's number gives weight x (value - mean) / scale,
 * its SHAP value where columns are independent, and a category the weight of its level; a constant
 * model gives zeros. Shapley values are linear in the model, so those of a sum are the weighted sum
 * of its parts'.
 */
export const explainerOf = (model: Model | SumModel): Explainer => {
  const explain = kindOf(model);
  return (frame) => {
    checkColumns(model.columns, frame);
    return explain(frame);
  };
};

const kindOf = (model: Model | SumModel): Explainer => {
  if (model.kind === "sum") return explainSum(model);
  if (model.kind === "trees") return explainTrees(model);
  if (model.kind === "linear") return (frame) => explainLinear(model, frame);
  return (frame) => zeros(model.bias, frame);
};

const zeros = (base: number, frame: Frame): Contributions => ({
  base,
  values: new Float64Array(frame.rows * frame.columns.length),
});

const explainSum = ({ parts }: SumModel): Explainer => {
  const explainers = parts.map(({ weight, model }) => ({ weight, explain: explainerOf(model) }));
  return (frame) => {
    const { values } = zeros(0, frame);
    let base = 0;
    for (const { weight, explain } of explainers) {
      const part = explain(frame);
      base += weight * part.base;
      for (let i = 0; i < values.length; i++) values[i]! += weight * part.values[i]!;
    }
    return { base, values };
  };
};

const explainLinear = (model: LinearModel, frame: Frame): Contributions => ({
  base: model.bias,
  values: linearTerms(model, frame),
});

const explainTrees = (model: TreeModel): Explainer => {
  const plans = model.trees.filter((tree) => tree.feature[0]! >= 0).map(planOf);
  const base = model.trees.reduce((sum, tree) => sum + expectedOf(tree), model.base);
  const scratch = scratchFor(plans);
  return (frame) => {
    const { values } = zeros(base, frame);
    const width = frame.columns.length;
    for (let row = 0; row < frame.rows; row++) {
      for (const plan of plans) addTreeShap(plan, frame.columns, row, scratch, values, row * width);
    }
    return { base, values };
  };
};
