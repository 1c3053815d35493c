import { treeMargins } from "./gbdt/predict.ts";
import { linearMargins } from "./linear.ts";
import { checkColumns } from "./sample.ts";
import type { Frame, Model, SumModel } from "./types.ts";

/**
 * The margins of any model over a frame, one a row: log-odds for log_loss, the forecast itself
 * otherwise. Throws `column_mismatch` unless the frame's columns are the model's, in its order.
 */
export const marginsOf = (model: Model | SumModel, frame: Frame): Float64Array => {
  checkColumns(model.columns, frame);
  if (model.kind === "sum") {
    const sum = new Float64Array(frame.rows);
    for (const part of model.parts) {
      const margins = marginsOf(part.model, frame);
      for (let row = 0; row < sum.length; row++) sum[row]! += part.weight * margins[row]!;
    }
    return sum;
  }
  if (model.kind === "trees") return treeMargins(model, frame);
  if (model.kind === "linear") return linearMargins(model, frame);
  return new Float64Array(frame.rows).fill(model.bias);
};
