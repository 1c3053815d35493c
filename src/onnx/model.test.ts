import { describe, expect, test } from "bun:test";
import type { ConstantModel, Model, TreeModel } from "../learn/types.ts";
import { columnsOf, distanceOf, hardFrame, randomTrees, runOnnx, walkTrees } from "./fixtures.ts";
import type { MarketModel } from "./model.ts";
import { encodeMarketModel } from "./model.ts";

const COLUMNS = columnsOf(39);
const constant = (bias: number): ConstantModel => ({
  kind: "constant",
  objective: "quantile",
  bias,
  columns: COLUMNS,
});
const TREES = {
  probability: randomTrees(COLUMNS, 100, 1),
  p10: { ...randomTrees(COLUMNS, 40, 2, 0.002), base: -0.01 },
  p50: { ...randomTrees(COLUMNS, 40, 3, 0.002), base: 0 },
  p90: { ...randomTrees(COLUMNS, 40, 4, 0.002), base: 0.01 },
};
const MARKET: MarketModel = {
  probability: TREES.probability,
  calibration: { a: 0.8, b: -0.05 },
  quantiles: { p10: TREES.p10, p50: TREES.p50, p90: TREES.p90 },
  offsets: { p10: -0.001, p90: 0.002 },
  metadata: { market: "KRW-BTC", dataset: "ab".repeat(32) },
};
const quantilesOf = (p10: Model, p50: Model, p90: Model): MarketModel => ({
  ...MARKET,
  quantiles: { p10, p50, p90 },
  offsets: { p10: 0, p90: 0 },
});

describe("encodeMarketModel", () => {
  for (const rows of [1, 1_000]) {
    test(`answers ${rows} hard rows as a walk of the trees does`, async () => {
      const frame = hardFrame(Object.values(TREES), rows, 9);
      const found = await runOnnx(encodeMarketModel(MARKET), frame);
      const walk = (model: TreeModel, row: number) => walkTrees(model, frame, row);
      const probability: number[] = [];
      const quantiles: number[] = [];
      for (let row = 0; row < rows; row += 1) {
        const middle = walk(TREES.p50, row);
        probability.push(1 / (1 + Math.exp(-(0.8 * walk(TREES.probability, row) - 0.05))));
        quantiles.push(Math.min(walk(TREES.p10, row) - 0.001, middle), middle);
        quantiles.push(Math.max(walk(TREES.p90, row) + 0.002, middle));
      }
      expect(distanceOf(found["probability"]!, probability)).toBeLessThanOrEqual(1e-6);
      expect(distanceOf(found["quantiles"]!, quantiles)).toBeLessThanOrEqual(1e-6);
    });
  }

  test("quantiles that would cross are bounded by the middle one", async () => {
    const frame = hardFrame([TREES.p50], 3, 1);
    const model = quantilesOf(constant(0.5), constant(0.25), constant(-0.5));
    const { quantiles } = await runOnnx(encodeMarketModel(model), frame);
    expect([...quantiles!]).toEqual(Array.from({ length: 9 }, () => 0.25));
    const wide = quantilesOf(randomTrees(COLUMNS, 20, 5), TREES.p50, randomTrees(COLUMNS, 20, 6));
    const many = hardFrame([TREES.p50], 500, 2);
    const found = (await runOnnx(encodeMarketModel(wide), many))["quantiles"]!;
    for (let row = 0; row < many.rows; row += 1) {
      const [low, middle, high] = found.subarray(row * 3, row * 3 + 3);
      expect(low! <= middle! && middle! <= high!).toBe(true);
    }
  });

  test("models of every kind go together", async () => {
    const linear: Model = {
      kind: "linear",
      objective: "squared_error",
      bias: 0.03125,
      weights: new Float64Array(39),
      means: new Float64Array(39),
      scales: new Float64Array(39).fill(1),
      columns: COLUMNS,
    };
    const empty: TreeModel = { ...TREES.p50, base: -0.0625, trees: [] };
    const model = { ...quantilesOf(empty, linear, constant(0.5)), probability: constant(0) };
    const columns = COLUMNS.map(({ name }) => ({
      name,
      kind: "number" as const,
      values: Float32Array.of(Number.NaN, 7),
    }));
    const frame = { rows: 2, columns };
    const found = await runOnnx(encodeMarketModel(model), frame);
    expect([...found["quantiles"]!]).toEqual([-0.0625, 0.03125, 0.5, -0.0625, 0.03125, 0.5]);
    expect(found["probability"]![0]).toBeCloseTo(1 / (1 + Math.exp(0.05)), 6);
  });

  test("the same parts give the same bytes, also from another process", () => {
    const bytes = encodeMarketModel(MARKET);
    const { market, dataset } = MARKET.metadata as Record<string, string>;
    const again = encodeMarketModel({
      ...MARKET,
      metadata: { dataset: dataset!, market: market! },
    });
    expect(Buffer.compare(bytes, again)).toBe(0);
    const file = JSON.stringify(new URL("./model.ts", import.meta.url).href);
    const script = `const { encodeMarketModel } = await import(${file});
      const constant = (bias) => ({ kind: "constant", objective: "quantile", bias,
        columns: [{ name: "x0", kind: "number" }] });
      const model = { probability: constant(0.5), calibration: { a: 1, b: 0 },
        quantiles: { p10: constant(-1), p50: constant(0), p90: constant(1) },
        offsets: { p10: 0, p90: 0 }, metadata: { b: "2", a: "1" } };
      console.log(Buffer.from(encodeMarketModel(model)).toString("hex"));`;
    const [first, second] = ["UTC", "Asia/Seoul"].map((TZ) => {
      const env = { ...process.env, TZ, LANG: TZ === "UTC" ? "C" : "tr_TR.UTF-8" };
      return Bun.spawnSync([process.execPath, "-e", script], { env }).stdout.toString();
    });
    expect(first).toMatch(/^[0-9a-f]{200,}\n$/);
    expect(second).toBe(first!);
  });

  test("another leaf, offset, calibration or metadata gives other bytes", () => {
    const same = Buffer.from(encodeMarketModel(MARKET)).toString("hex");
    const others: readonly MarketModel[] = [
      { ...MARKET, probability: { ...TREES.probability, base: TREES.probability.base + 0.01 } },
      { ...MARKET, offsets: { p10: -0.001, p90: 0.003 } },
      { ...MARKET, calibration: { a: 0.8, b: 0 } },
      { ...MARKET, metadata: { ...MARKET.metadata, seed: "1" } },
    ];
    for (const other of others) {
      expect(Buffer.from(encodeMarketModel(other)).toString("hex")).not.toBe(same);
    }
  });

  test("parts of other columns, of another order, or without columns are refused", () => {
    const code = "model_mismatch";
    const turned = { ...TREES.p50, columns: COLUMNS.toReversed() };
    expect(() => encodeMarketModel(quantilesOf(TREES.p10, turned, TREES.p90))).toThrow(
      expect.objectContaining({ code }),
    );
    const bare = { ...constant(0), columns: [] };
    const none = { ...quantilesOf(bare, bare, bare), probability: bare };
    expect(() => encodeMarketModel(none)).toThrow(/no columns/);
  });

  test("numbers that float32 cannot hold are refused by name", () => {
    const calibration = { a: Number.NaN, b: 0 };
    expect(() => encodeMarketModel({ ...MARKET, calibration })).toThrow(/calibration a/);
    const offsets = { p10: -Infinity, p90: 0 };
    expect(() => encodeMarketModel({ ...MARKET, offsets })).toThrow(/offset p10/);
  });
});
