import { describe, expect, test } from "bun:test";
import type { ColumnShape, ConstantModel, LinearModel, Model, SumModel } from "../learn/types.ts";
import { columnsOf, distanceOf, hardFrame, randomOf, randomTrees, runOnnx } from "./fixtures.ts";
import type { MarketParts } from "./model.ts";
import { encodeMarketModel } from "./model.ts";
import { referencePredict } from "./reference.ts";

const COLUMNS = columnsOf(20);
const PARTS: MarketParts = {
  probability: randomTrees(COLUMNS, 150, 21),
  calibration: { a: 1.2, b: 0.1 },
  quantiles: {
    p10: { ...randomTrees(COLUMNS, 50, 22, 0.002), base: -0.01 },
    p50: { ...randomTrees(COLUMNS, 50, 23, 0.002), base: 0 },
    p90: { ...randomTrees(COLUMNS, 50, 24, 0.002), base: 0.01 },
  },
  offsets: { p10: -0.002, p90: 0.001 },
};

describe("referencePredict", () => {
  test("and the runtime say the same of trees, on 2,000 hard rows", async () => {
    const frame = hardFrame(Object.values(PARTS.quantiles), 2_000, 25);
    const wanted = referencePredict(PARTS, frame);
    const found = await runOnnx(encodeMarketModel({ ...PARTS, metadata: {} }), frame);
    expect(distanceOf(found["probability"]!, wanted.probability)).toBeLessThanOrEqual(1e-6);
    expect(distanceOf(found["quantiles"]!, wanted.quantiles)).toBeLessThanOrEqual(1e-6);
  });

  test("and the runtime say the same of a linear model beside constants", async () => {
    const random = randomOf(26);
    const spread = (least: number) => Float64Array.from(COLUMNS, () => least + random());
    const probability: LinearModel = {
      kind: "linear",
      objective: "log_loss",
      bias: -0.2,
      weights: spread(-0.5),
      means: spread(-0.5),
      scales: spread(0.5),
      columns: COLUMNS,
    };
    const constant = (bias: number): ConstantModel => ({
      kind: "constant",
      objective: "quantile",
      bias,
      columns: COLUMNS,
    });
    const quantiles = { p10: constant(-0.02), p50: constant(0.001), p90: constant(0.02) };
    const parts = { ...PARTS, probability, quantiles };
    const columns = COLUMNS.map(({ name }) => ({
      name,
      kind: "number" as const,
      values: Float32Array.from({ length: 200 }, () => (random() < 0.1 ? NaN : random() - 0.5)),
    }));
    const frame = { rows: 200, columns };
    const wanted = referencePredict(parts, frame);
    const found = await runOnnx(encodeMarketModel({ ...parts, metadata: {} }), frame);
    expect(distanceOf(found["probability"]!, wanted.probability)).toBeLessThanOrEqual(1e-6);
    expect(distanceOf(found["quantiles"]!, wanted.quantiles)).toBeLessThanOrEqual(1e-6);
  });

  test("and the runtime say the same of a weighted sum of all kinds", async () => {
    const random = randomOf(28);
    const spread = (least: number) => Float64Array.from(COLUMNS, () => least + random());
    const linear: LinearModel = {
      kind: "linear",
      objective: "log_loss",
      bias: 0.1,
      weights: spread(-0.5),
      means: spread(-0.5),
      scales: spread(0.5),
      columns: COLUMNS,
    };
    const constant: ConstantModel = {
      kind: "constant",
      objective: "log_loss",
      bias: -0.4,
      columns: COLUMNS,
    };
    const trees = randomTrees(COLUMNS, 40, 29);
    const summed = (...parts: { weight: number; model: Model }[]): MarketParts => ({
      ...PARTS,
      probability: { kind: "sum", parts, columns: COLUMNS },
    });
    const parts = summed(
      { weight: 1, model: constant },
      { weight: 0.4, model: linear },
      { weight: -0.7, model: trees },
    );
    const frame = hardFrame([trees], 1_000, 30);
    const held = {
      ...frame,
      // The hard rows hold infinities, of which a linear model makes no sense.
      columns: frame.columns.map((column) =>
        column.kind === "number"
          ? { ...column, values: column.values.map((x) => (Math.abs(x) < 9 ? x : Number.NaN)) }
          : column,
      ),
    };
    const wanted = referencePredict(parts, held);
    const found = await runOnnx(encodeMarketModel({ ...parts, metadata: {} }), held);
    expect(distanceOf(found["probability"]!, wanted.probability)).toBeLessThanOrEqual(1e-6);
    const { probability } = referencePredict(summed({ weight: 0.4, model: linear }), held);
    expect(distanceOf(Float32Array.from(probability), wanted.probability)).toBeGreaterThan(0.01);
  });

  test("a sum without parts, or with parts of other columns, is refused", () => {
    const sum = (columns: readonly ColumnShape[], count: number): SumModel => ({
      kind: "sum",
      parts: Array.from({ length: count }, () => ({
        weight: 1,
        model: { kind: "constant", objective: "log_loss", bias: 0, columns },
      })),
      columns: COLUMNS,
    });
    const encode = (probability: SumModel) =>
      encodeMarketModel({ ...PARTS, probability, metadata: {} });
    expect(() => encode(sum(COLUMNS, 0))).toThrow(/a sum without parts/);
    expect(() => encode(sum(COLUMNS.toReversed(), 2))).toThrow(/part 0 has the columns/);
  });

  test("sees a thousandth in the calibration", async () => {
    const frame = hardFrame(Object.values(PARTS.quantiles), 500, 27);
    const changed = { ...PARTS, calibration: { a: 1.2, b: 0.101 } };
    const found = await runOnnx(encodeMarketModel({ ...changed, metadata: {} }), frame);
    const wanted = referencePredict(PARTS, frame);
    expect(distanceOf(found["probability"]!, wanted.probability)).toBeGreaterThan(1e-5);
  });
});
