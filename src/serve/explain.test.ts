import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GBDT_DEFAULTS } from "../learn/gbdt/options.ts";
import { trainMarket } from "../learn/market.ts";
import { logit } from "../learn/math.ts";
import type { MarketRecipe } from "../learn/recipe.ts";
import { frameOf, normals, numbers } from "../learn/testing.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { encodeMarketModel, type MarketParts } from "../onnx/model.ts";
import { partsMetadata } from "../onnx/parts.ts";
import { marketExplainer } from "./explain.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";
import { openSession } from "./session.ts";

const SLOT_MS = 4 * 3_600_000;
const NAMES = ["a", "b", "c", "d", "volatility", "step"];
const RECIPE: MarketRecipe = {
  seed: 7,
  trainers: ["gbdt", "logistic", "gbdt_return", "ridge"],
  gbdt: { ...GBDT_DEFAULTS, rounds: 20, rate: 0.1, leaves: 7, depth: 3, minRows: 20 },
  logistic: { l2: 10, rounds: 25 },
  ridge: { l2: 10, rounds: 1 },
  spread: { l2: 10, rounds: 1 },
  halfLifeMs: 365 * 86_400_000,
  othersWeight: 0.3,
  baseRows: 100,
  direction: ["a", "b", "c", "d"],
  range: ["c", "volatility"],
  volatility: "volatility",
  step: "step",
  horizonMs: SLOT_MS,
  foldMs: 200 * SLOT_MS,
  minTrainRows: 500,
  evaluateMs: 400 * SLOT_MS,
};

/** Candles of which the first column tells something, and of which some stand still. */
function rowsOf(rows: number) {
  const columns = NAMES.map((name, c) => {
    const values = normals(rows, 40 + c);
    const isSize = name === "volatility" || name === "step";
    return numbers(name, isSize ? values.map((x) => 0.01 + 0.002 * Math.abs(x)) : values);
  });
  const noise = normals(rows, 99);
  const returns = noise.map((e, i) =>
    i % 40 === 0 ? 0 : 0.01 * (e + 0.8 * (columns[0]!.values[i]! > 0.2 ? 1 : -0.5)),
  );
  const up = returns.map((r) => (r > 0 ? 1 : 0));
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => 1.6e12 + i * SLOT_MS),
    frame: frameOf(...columns),
    ...{ up, returns },
    lastUp: Uint8Array.from({ length: rows }, (_, i) => (i > 0 ? up[i - 1]! : 0)),
  };
}

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-explain-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a trained market model", () => {
  const rows = rowsOf(1_300);
  const { fit } = trainMarket({ own: rows, others: [] }, RECIPE);
  const parts: MarketParts = {
    probability: fit.probability,
    calibration: { a: 0.8, b: -0.05 },
    quantiles: fit.quantiles,
    offsets: { p10: 0, p90: 0 },
  };
  const bytes = encodeMarketModel({ ...parts, metadata: partsMetadata(parts) });
  const features = Float32Array.from(matrixOf(rows.frame));
  // Missing cells are explained too.
  features.fill(Number.NaN, 0, 4);

  test("is made of all kinds of models", () => {
    const kinds = fit.probability.parts.map(({ model }) => model.kind);
    expect(new Set(kinds)).toEqual(new Set(["constant", "linear", "trees"] as const));
  });

  test("base and contributions are the log-odds of what its session says", async () => {
    const session = await openSession(runtime, bytes, NAMES.length);
    const { probability } = await session.run(features, rows.slots.length);
    await session.release();
    const explained = marketExplainer(bytes, NAMES)(features, rows.slots.length);
    const missed = explained.map(({ base, contributions }, row) => {
      expect(Object.keys(contributions)).toEqual(NAMES);
      const margin = Object.values(contributions).reduce((sum, x) => sum + x, base);
      return Math.abs(margin - logit(probability[row]!));
    });
    expect(missed).toHaveLength(1_300);
    expect(Math.max(...missed)).toBeLessThan(2e-6);
    expect(new Set(explained.map(({ base }) => base)).size).toBe(1);
    // The column that tells something moves the answers most.
    const sizeOf = (name: string) =>
      explained.reduce((sum, { contributions }) => sum + Math.abs(contributions[name]!), 0);
    expect(sizeOf("a")).toBeGreaterThan(2 * sizeOf("b"));
  });

  test("a row is explained alone as among others", () => {
    const explain = marketExplainer(bytes, NAMES);
    const all = explain(features, rows.slots.length);
    for (const row of [0, 1, 700]) {
      const one = features.subarray(row * NAMES.length, (row + 1) * NAMES.length);
      expect(explain(one, 1)).toEqual([all[row]!]);
    }
    expect(explain(new Float32Array(), 0)).toEqual([]);
  });

  test("an artifact that was made before says that it cannot be explained", () => {
    const old = encodeMarketModel({ ...parts, metadata: {} });
    expect(() => marketExplainer(old, NAMES)).toThrow(
      expect.objectContaining({ code: "not_explainable", status: 422 }),
    );
  });
});
