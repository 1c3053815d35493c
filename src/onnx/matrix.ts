/*
 * A frame as the one tensor that a market model takes.
 */
import type { Frame } from "../learn/types.ts";

/**
 * The values of a frame row by row: float32, [rows x columns], the data of the input `features`.
 * A category is its code; a missing one is NaN, as a missing number is.
 */
export const matrixOf = (frame: Frame): Float32Array => {
  const width = frame.columns.length;
  const matrix = new Float32Array(frame.rows * width);
  frame.columns.forEach((column, index) => {
    for (let row = 0; row < frame.rows; row += 1) {
      matrix[row * width + index] =
        column.kind === "number" ? column.values[row]! : numberOf(column.codes[row]!);
    }
  });
  return matrix;
};

const numberOf = (code: number): number => (code === -1 ? Number.NaN : code);
