/*
 * What a market model must answer, computed without a runtime: the other side of the parity check
 * that every version passes before it exists.
 */
import { sigmoid } from "../learn/math.ts";
import { marginsOf } from "../learn/predict.ts";
import type { Frame, Model, SumModel } from "../learn/types.ts";
import type { MarketParts } from "./model.ts";

/** Laid out as the outputs of the ONNX model are: [N] and, row by row, [N x 3]. */
export interface MarketAnswer {
  readonly probability: Float64Array;
  readonly quantiles: Float64Array;
}

/** The function of the exported graph in float64, from float32 features. */
export const referencePredict = (parts: MarketParts, frame: Frame): MarketAnswer => {
  const { calibration, offsets } = parts;
  const margins = (model: Model | SumModel): Float64Array => marginsOf(model, frame);
  const low = margins(parts.quantiles.p10);
  const middle = margins(parts.quantiles.p50);
  const high = margins(parts.quantiles.p90);
  const quantiles = new Float64Array(frame.rows * 3);
  for (let row = 0; row < frame.rows; row += 1) {
    const center = middle[row]!;
    quantiles[row * 3] = Math.min(low[row]! + offsets.p10, center);
    quantiles[row * 3 + 1] = center;
    quantiles[row * 3 + 2] = Math.max(high[row]! + offsets.p90, center);
  }
  const probability = margins(parts.probability).map((margin) =>
    sigmoid(calibration.a * margin + calibration.b),
  );
  return { probability, quantiles };
};
