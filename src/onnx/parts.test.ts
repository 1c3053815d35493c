import { describe, expect, test } from "bun:test";
import { marginsOf } from "../learn/predict.ts";
import { contributions } from "../learn/shap.ts";
import type { ConstantModel, Frame, LinearModel, SumModel } from "../learn/types.ts";
import { columnsOf, covered, distanceOf, hardFrame, randomTrees, runOnnx } from "./fixtures.ts";
import { encodeMarketModel, type MarketParts } from "./model.ts";
import { partsMetadata, readProbability } from "./parts.ts";

const COLUMNS = columnsOf(6);
const constant = (bias: number): ConstantModel => ({
  kind: "constant",
  objective: "log_loss",
  bias,
  columns: COLUMNS,
});
const linear: LinearModel = {
  kind: "linear",
  objective: "squared_error",
  bias: 0.125,
  weights: Float64Array.of(0.1, -0.2, 0.3, 0, 0.05, -0.01),
  means: Float64Array.of(0.1, 0.2, -0.3, 0, 0, 1),
  scales: Float64Array.of(1, 2, 3, 1, 0.5, 4),
  columns: COLUMNS,
};
const trees = covered(randomTrees(COLUMNS, 12, 1, 0.2), 2);
const sum: SumModel = {
  kind: "sum",
  parts: [
    { weight: 1, model: constant(-0.4) },
    { weight: 0.5, model: trees },
    { weight: 1.6 / 3, model: linear },
    { weight: -0.25, model: covered(randomTrees(COLUMNS, 7, 3, 0.2), 4) },
  ],
  columns: COLUMNS,
};
const partsOf = (probability: MarketParts["probability"]): MarketParts => ({
  probability,
  calibration: { a: 0.7, b: 0.03 },
  quantiles: { p10: randomTrees(COLUMNS, 3, 5), p50: constant(0), p90: linear },
  offsets: { p10: 0, p90: 0 },
});
const encoded = (parts: MarketParts) =>
  encodeMarketModel({ ...parts, metadata: partsMetadata(parts) });
const hard = hardFrame([trees], 300, 6);
/** Without infinities, of which a linear model makes margins that cannot be compared. */
const frame: Frame = {
  ...hard,
  columns: hard.columns.map((column) =>
    column.kind === "number"
      ? { ...column, values: column.values.map((x) => (Math.abs(x) > 1e6 ? Number.NaN : x)) }
      : column,
  ),
};

describe("the probability of a market artifact", () => {
  for (const [name, model] of Object.entries({ sum, trees, linear, constant: constant(0.2) })) {
    test(`is read back and explained as it was: ${name}`, async () => {
      const bytes = encoded(partsOf(model));
      const { model: back, calibration } = readProbability(bytes, COLUMNS)!;
      expect(distanceOf(marginsOf(back, frame), marginsOf(model, frame))).toBeLessThan(1e-6);
      const [found, wanted] = [contributions(back, frame), contributions(model, frame)];
      expect(found.base).toBeCloseTo(wanted.base, 6);
      expect(distanceOf(found.values, wanted.values)).toBeLessThan(1e-6);

      const answers = (await runOnnx(bytes, frame))["probability"]!;
      const width = COLUMNS.length;
      const said = Array.from(answers, (_, row) => {
        const own = found.values.subarray(row * width, (row + 1) * width);
        const margin = own.reduce((s, v) => s + v, found.base);
        return 1 / (1 + Math.exp(-(calibration.slope * margin + calibration.intercept)));
      });
      expect(distanceOf(said, answers)).toBeLessThan(1e-6);
    });
  }

  test("is not there where it was not written down", () => {
    const bytes = encodeMarketModel({ ...partsOf(sum), metadata: { market: "KRW-BTC" } });
    expect(readProbability(bytes, COLUMNS)).toBeNull();
  });

  test("that is short of trees is refused", () => {
    const metadata = partsMetadata(partsOf(sum));
    const bare = { ...partsOf(linear), quantiles: { p10: linear, p50: linear, p90: linear } };
    const bytes = encodeMarketModel({ ...bare, metadata });
    expect(() => readProbability(bytes, COLUMNS)).toThrow("cannot be read back");
  });
});
