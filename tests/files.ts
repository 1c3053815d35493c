/*
 * Files from outside for stories, each of which answers so that one sees which it was.
 */
import { encodeTableModel } from "../src/onnx/table.ts";

/** A file that answers x + number. */
export const plus = (number: number): Uint8Array =>
  encodeTableModel(
    {
      task: "regression",
      model: {
        ...{ kind: "linear", objective: "squared_error", bias: number },
        ...{ weights: Float64Array.of(1), means: Float64Array.of(0), scales: Float64Array.of(1) },
        columns: [{ name: "x", kind: "number" }],
      },
      calibration: { slope: 1, intercept: 0 },
    },
    {},
  );
