import { treeMargins } from "./gbdt/predict.ts";
import { linearMargins } from "./linear.ts";
import { checkColumns } from "./sample.ts";
import type { Frame, Model } from "./types.ts";

/**
 * The margins of any model over a frame, one a row: log-odds for log_loss, the forecast itself
 * otherwise. Throws `column_mismatch` unless the frame's columns are the model's, in its order.
 */
export const marginsOf = (model: Model, frame: Frame): Float64Array => {
  checkColumns(model.columns, frame);
  if (model.kind === "trees") return treeMargins(model, frame);
  if (model.kind === "linear") return linearMargins(model, frame);
  return new Float64Array(frame.rows).fill(model.bias);
};
