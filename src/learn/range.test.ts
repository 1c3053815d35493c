import { describe, expect, test } from "bun:test";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { coverage } from "./metrics.ts";
import { marginsOf } from "./predict.ts";
import { fitQuantiles } from "./range.ts";
import type { MarketRecipe, MarketRows } from "./recipe.ts";
import { frameOf, normals, numbers } from "./testing.ts";

const recipe: MarketRecipe = {
  seed: 7,
  trainers: ["logistic"],
  gbdt: GBDT_DEFAULTS,
  logistic: { l2: 1, rounds: 25 },
  ridge: { l2: 1, rounds: 1 },
  spread: { l2: 5, rounds: 1 },
  halfLifeMs: 1e15,
  othersWeight: 0,
  baseRows: 0,
  direction: ["noise"],
  range: ["volatility"],
  volatility: null,
  step: null,
  horizonMs: 1,
  foldMs: 100,
  minTrainRows: 10,
  evaluateMs: 100,
};

/** Returns that are wider where volatility is. */
function rowsOf(rows: number, seed: number): MarketRows {
  const volatility = normals(rows, seed).map((x) => 0.01 * (1 + 0.4 * Math.tanh(x)));
  const returns = normals(rows, seed + 1).map((e, i) => volatility[i]! * e);
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => i),
    frame: frameOf(numbers("noise", normals(rows, 9)), numbers("volatility", volatility)),
    up: returns.map((r) => (r > 0 ? 1 : 0)),
    returns,
    lastUp: new Uint8Array(rows),
  };
}

describe("fitQuantiles", () => {
  const fitted = fitQuantiles(rowsOf(4_000, 1), recipe);
  const [later] = [rowsOf(4_000, 20)];
  const [low, middle, high] = [fitted.p10, fitted.p50, fitted.p90].map((model) =>
    marginsOf(model, later.frame),
  ) as [Float64Array, Float64Array, Float64Array];

  test("holds eight in ten of later rows, in calm and in wild times", () => {
    expect(coverage(low, high, later.returns)).toBeCloseTo(0.8, 1);
    const volatility = marginsOf(fitted.p90, later.frame);
    const calm = volatility.map((v) => (v < 0.0128 ? 1 : 0));
    for (const wanted of [0, 1]) {
      const kept = (values: Float64Array) => values.filter((_, i) => calm[i] === wanted);
      expect(kept(low).length).toBeGreaterThan(500);
      const held = coverage(kept(low), kept(high), kept(later.returns));
      expect(held).toBeGreaterThan(0.76);
      expect(held).toBeLessThan(0.84);
    }
  });

  test("is wider where volatility is, and has one middle", () => {
    const width = (v: number) => {
      const row = frameOf(numbers("noise", [0]), numbers("volatility", [v]));
      return marginsOf(fitted.p90, row)[0]! - marginsOf(fitted.p10, row)[0]!;
    };
    expect(width(0.014) / width(0.007)).toBeGreaterThan(1.7);
    expect(new Set(middle).size).toBe(1);
  });

  test("returns that are all 0 give an interval of nothing, and finite numbers", () => {
    const rows = rowsOf(300, 3);
    const still = { ...rows, returns: rows.returns.map(() => 0) };
    for (const model of Object.values(fitQuantiles(still, recipe))) {
      for (const value of marginsOf(model, rows.frame)) expect(Math.abs(value)).toBe(0);
    }
  });
});
