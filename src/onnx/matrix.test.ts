import { expect, test } from "bun:test";
import { matrixOf } from "./matrix.ts";

test("matrixOf lays rows one after another, categories as codes, missing as NaN", () => {
  const matrix = matrixOf({
    rows: 3,
    columns: [
      { name: "x", kind: "number", values: Float32Array.of(0.5, Number.NaN, -Infinity) },
      { name: "c", kind: "category", levels: ["a", "b"], codes: Int32Array.of(1, 0, -1) },
    ],
  });
  expect([...matrix]).toEqual([0.5, 1, Number.NaN, 0, -Infinity, Number.NaN]);
});

test("matrixOf of no rows, or of no columns, is empty", () => {
  expect(
    matrixOf({ rows: 0, columns: [{ name: "x", kind: "number", values: new Float32Array(0) }] }),
  ).toHaveLength(0);
  expect(matrixOf({ rows: 2, columns: [] })).toHaveLength(0);
});
