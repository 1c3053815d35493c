import { describe, expect, test } from "bun:test";
import { makeRandom } from "./random.ts";
import type { OutOfFold } from "./recipe.ts";
import { marketReport } from "./report.ts";
import { normals } from "./testing.ts";

/** Answers of so many rows in folds of ten; `p` says the probability, given the outcome. */
function answersOf(rows: number, p: (up: number, i: number) => number, seed = 1): OutOfFold {
  const random = makeRandom(seed);
  const up = Float64Array.from({ length: rows }, () => (random.next() < 0.5 ? 1 : 0));
  const returns = normals(rows, seed).map((e, i) => 0.01 * Math.abs(e) * (up[i] === 1 ? 1 : -1));
  const all = (value: number) => new Float64Array(rows).fill(value);
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => i * 4),
    up,
    returns,
    probability: up.map(p),
    low: all(-0.0128),
    middle: all(0),
    high: all(0.0128),
    baselines: { base_rate: all(0.5), last_direction: all(0.52), contrarian: all(0.48) },
    folds: Float64Array.from({ length: rows }, (_, i) => Math.floor(i / 10) * 40),
  };
}

describe("figures", () => {
  const answers = answersOf(1_000, (up, i) => (i % 4 === 0 ? 0.5 : up === 1 ? 0.6 : 0.45));
  const { metrics, folds, baseline, better } = marketReport(answers);

  test("are those of the answers", () => {
    const losses = [...answers.probability].map((p, i) =>
      Math.log(1 / (answers.up[i] === 1 ? p : 1 - p)),
    );
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(metrics["rows"]).toBe(1_000);
    expect(metrics["log_loss"]).toBeCloseTo(mean(losses), 10);
    expect(metrics["up_rate"]).toBeCloseTo(mean([...answers.up]), 10);
    expect(metrics["base_rate_log_loss"]).toBeCloseTo(Math.LN2, 10);
    expect(metrics["unchanged_rate"]).toBe(0);
    const covered = [...answers.returns].map((r) => (Math.abs(r) <= 0.0128 ? 1 : 0));
    expect(metrics["coverage_80"]).toBeCloseTo(mean(covered), 10);
    const best = metrics[`${baseline}_log_loss`]!;
    expect(metrics["against_baseline"]).toBeCloseTo(mean(losses) - best, 10);
    expect(better).toBe(true);
  });

  test("stand in their intervals, and every one is a finite number", () => {
    for (const [name, value] of Object.entries(metrics)) {
      expect([name, Number.isFinite(value)]).toEqual([name, true]);
      const low = metrics[`${name}_low`];
      if (low === undefined) continue;
      expect(low).toBeLessThanOrEqual(value);
      expect(metrics[`${name}_high`]).toBeGreaterThanOrEqual(value);
    }
    for (const name of ["log_loss", "brier", "auc", "accuracy", "coverage_80"]) {
      expect(metrics[`${name}_low`]).toBeDefined();
    }
  });

  test("fold by fold add up to the whole", () => {
    expect(folds).toHaveLength(100);
    expect(folds.map((fold) => fold.start)).toEqual([...Array(100).keys()].map((n) => n * 40));
    const sum = (of: (fold: (typeof folds)[number]) => number) =>
      folds.reduce((total, fold) => total + fold.rows * of(fold), 0) / 1_000;
    expect(sum(() => 1)).toBe(1);
    expect(sum((fold) => fold.logLoss)).toBeCloseTo(metrics["log_loss"]!, 10);
    expect(sum((fold) => fold.baseline)).toBeCloseTo(metrics[`${baseline}_log_loss`]!, 10);
  });
});

describe("the sentence", () => {
  test("claims skill only where the difference is no chance", () => {
    const skilled = marketReport(answersOf(1_000, (up) => (up === 1 ? 0.6 : 0.4)));
    expect(skilled.summary).toStartWith("Better than every baseline");
    expect(skilled.summary).toContain("on 1000 candles");
    const coin = marketReport(answersOf(1_000, (_, i) => (i % 2 === 0 ? 0.52 : 0.48)));
    expect(coin.summary).toStartWith("No skill shown");
  });

  test("says when it is worse than a rule of thumb", () => {
    const wrong = marketReport(answersOf(1_000, (up) => (up === 1 ? 0.3 : 0.7)));
    expect(wrong.summary).toStartWith("Worse than a baseline");
    expect(wrong.better).toBe(false);
  });

  test("is held against the best baseline, which is named", () => {
    const answers = answersOf(400, () => 0.5);
    const best = answers.up.map((up) => (up === 1 ? 0.7 : 0.3));
    const report = marketReport({
      ...answers,
      baselines: { ...answers.baselines, contrarian: best },
    });
    expect(report.baseline).toBe("contrarian");
    expect(report.summary).toContain("(contrarian)");
    expect(report.summary).toStartWith("Worse");
  });
});

describe("little to judge by", () => {
  test("of one row it says so", () => {
    const report = marketReport(answersOf(1, () => 0.6));
    expect(report.summary).toStartWith("Too few candles to judge");
    expect(report.summary).not.toContain("NaN");
    expect(report.summary).not.toContain("unknown");
    expect(report.metrics["rows"]).toBe(1);
    for (const value of Object.values(report.metrics)) expect(Number.isFinite(value)).toBe(true);
  });

  test("of one class, figures that need two are left out", () => {
    const answers = answersOf(100, () => 0.6);
    const { metrics } = marketReport({ ...answers, up: new Float64Array(100).fill(1) });
    for (const name of ["auc", "balanced_accuracy", "calibration_slope"]) {
      expect([name, metrics[name]]).toEqual([name, undefined]);
    }
    expect(metrics["log_loss"]).toBeCloseTo(-Math.log(0.6), 10);
  });

  test("candles that stayed where they were are counted, and count as not up", () => {
    const answers = answersOf(100, () => 0.4);
    const { metrics } = marketReport({
      ...answers,
      up: new Float64Array(100),
      returns: new Float64Array(100),
    });
    expect(metrics["unchanged_rate"]).toBe(1);
    expect(metrics["accuracy"]).toBe(1);
  });
});

test("the same answers give the same report to the last bit", () => {
  const answers = answersOf(500, (up) => (up === 1 ? 0.55 : 0.5));
  expect(JSON.stringify(marketReport(answers))).toBe(JSON.stringify(marketReport(answers)));
});
