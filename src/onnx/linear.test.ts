import { describe, expect, test } from "bun:test";
import type { ConstantModel, Frame, LinearModel } from "../learn/types.ts";
import { columnsOf, distanceOf, randomOf, runOnnx } from "./fixtures.ts";
import { makeGraph } from "./graph.ts";
import { addModel } from "./model.ts";

const WIDTH = 12;
const random = randomOf(77);
const around = () => Float64Array.from({ length: WIDTH }, () => random() - 0.5);
const LINEAR: LinearModel = {
  kind: "linear",
  objective: "log_loss",
  bias: 0.125,
  weights: around(),
  means: around(),
  scales: around().map((value) => 0.2 + Math.abs(value)),
  columns: columnsOf(WIDTH),
};

const encode = (model: LinearModel | ConstantModel): Uint8Array => {
  const graph = makeGraph("linear");
  const margin = addModel(graph, model, graph.input("features", "float32", ["N", WIDTH]));
  graph.node("Identity", [margin], { as: "margin" });
  graph.output("margin", "float32", ["N", 1]);
  return graph.encode({});
};
const frameOf = (rows: number, value: (row: number, column: number) => number): Frame => ({
  rows,
  columns: LINEAR.columns.map(({ name }, column) => ({
    name,
    kind: "number",
    values: Float32Array.from({ length: rows }, (_, row) => value(row, column)),
  })),
});
const marginOf = (frame: Frame, row: number): number =>
  frame.columns.reduce((sum, column, at) => {
    const value = column.kind === "number" ? column.values[row]! : Number.NaN;
    const scaled = (value - LINEAR.means[at]!) / LINEAR.scales[at]!;
    return sum + (Number.isNaN(scaled) ? 0 : LINEAR.weights[at]! * scaled);
  }, LINEAR.bias);

describe("a linear model", () => {
  for (const rows of [1, 1_000]) {
    test(`answers ${rows} rows as its definition does, missing values as the mean`, async () => {
      const frame = frameOf(rows, () => (random() < 0.2 ? Number.NaN : random() * 2 - 1));
      const { margin } = await runOnnx(encode(LINEAR), frame);
      const wanted = Float64Array.from({ length: rows }, (_, row) => marginOf(frame, row));
      expect(distanceOf(margin!, wanted)).toBeLessThanOrEqual(1e-6);
    });
  }

  test("a row of missing values only is the bias, and so is the row of the means", async () => {
    const frame = frameOf(2, (row, column) => (row === 0 ? Number.NaN : LINEAR.means[column]!));
    const { margin } = await runOnnx(encode(LINEAR), frame);
    expect([...margin!]).toEqual([0.125, 0.125]);
  });

  test("one column's weight acts on that column only", async () => {
    for (const wanted of [0, 5, WIDTH - 1]) {
      const frame = frameOf(1, (_, column) => (column === wanted ? 1 : Number.NaN));
      const { margin } = await runOnnx(encode(LINEAR), frame);
      const step = (1 - LINEAR.means[wanted]!) / LINEAR.scales[wanted]!;
      expect(margin![0]).toBeCloseTo(0.125 + LINEAR.weights[wanted]! * step, 6);
    }
  });

  test("a weight that is no number is refused by the column's name", () => {
    const spoiled = { ...LINEAR, weights: LINEAR.weights.with(3, Number.NaN) };
    expect(() => encode(spoiled)).toThrow(/NaN at weight of x3/);
  });
});

describe("a constant model", () => {
  const model: ConstantModel = {
    kind: "constant",
    objective: "log_loss",
    bias: -0.75,
    columns: columnsOf(WIDTH),
  };

  test("says the same for each row, whatever is in it", async () => {
    const odd = [0, Number.NaN, Infinity, -1];
    const { margin } = await runOnnx(
      encode(model),
      frameOf(4, (row) => odd[row]!),
    );
    expect([...margin!]).toEqual([-0.75, -0.75, -0.75, -0.75]);
  });

  test("refuses to be infinite", () => {
    expect(() => encode({ ...model, bias: -Infinity })).toThrow(
      expect.objectContaining({ code: "model_not_finite" }),
    );
  });
});
