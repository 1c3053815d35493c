import { describe, expect, test } from "bun:test";
import { backtestRows, monthStarts, verdictOf } from "./backtest.ts";
import { profitOf } from "./profit.ts";
import { makeRandom } from "./random.ts";
import type { OutOfFold } from "./recipe.ts";
import { marketReport } from "./report.ts";

const SLOT_MS = 4 * 3_600_000;
const START = Date.parse("2025-01-30T00:00:00Z");

/** Answers over some slots, right with a given chance. */
function answersOf(rows: number, right: number, seed = 1): OutOfFold {
  const random = makeRandom(seed);
  const up = Float64Array.from({ length: rows }, () => (random.next() < 0.5 ? 1 : 0));
  const half = new Float64Array(rows).fill(0.5);
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => START + i * SLOT_MS),
    up,
    returns: up.map((u) => (u === 1 ? 0.01 : -0.01)),
    probability: up.map((u) => {
      const sure = 0.5 + Math.abs(right - 0.5);
      return random.next() < right === (u === 1) ? sure : 1 - sure;
    }),
    low: up.map((_, i) => (i % 5 === 0 ? 0.5 : -1)),
    middle: new Float64Array(rows),
    high: new Float64Array(rows).fill(1),
    baselines: { base_rate: half, last_direction: half, contrarian: half },
    folds: new Float64Array(rows).fill(START),
  };
}

describe("backtestRows", () => {
  const answers = answersOf(200, 0.55);
  const rows = backtestRows(answers, profitOf(answers.probability, answers.returns, 0.0005));

  test("has a line a month in UTC, and one over all", () => {
    expect(rows.map((row) => row.month)).toEqual(["2025-01", "2025-02", "2025-03", "all"]);
    expect(rows.map((row) => row.rows)).toEqual([12, 168, 20, 200]);
  });

  test("the whole is the mean of its months by their rows, and profits compound", () => {
    const [all, months] = [rows.at(-1)!, rows.slice(0, -1)];
    for (const name of ["hit_rate", "log_loss", "brier", "coverage"] as const) {
      const sum = months.reduce((total, row) => total + row.rows * row[name], 0);
      expect(sum / 200).toBeCloseTo(all[name], 10);
    }
    for (const name of ["profit", "hold"] as const) {
      const product = months.reduce((total, row) => total * (1 + row[name]), 1);
      expect(product - 1).toBeCloseTo(all[name], 10);
    }
    expect(all.coverage).toBe(0.8);
    expect(all.baselines.contrarian).toBeCloseTo(Math.LN2, 10);
  });
});

test("monthStarts gives each row the first instant of its month", () => {
  const slots = Float64Array.of(START, Date.parse("2025-02-01T00:00:00Z"));
  expect([...monthStarts(slots)]).toEqual([Date.parse("2025-01-01"), Date.parse("2025-02-01")]);
});

describe("verdictOf", () => {
  const verdict = (rows: number, right: number) => verdictOf(marketReport(answersOf(rows, right)));

  test("right above 60 % is taken for a leak, whatever the loss says", () => {
    const { verdict: said, sentence } = verdict(2_000, 0.7);
    expect(said).toBe("leak");
    expect(sentence).toMatch(/^Looks like a leak: \d\d\.\d % .* look for the fault first\.$/);
  });

  test("skill is said when the interval lies below 0, and else that there is none", () => {
    expect(verdict(3_000, 0.56)).toMatchObject({
      verdict: "skill",
      sentence: expect.stringMatching(/^Better than every baseline/),
    });
    const none = verdict(3_000, 0.501);
    expect(none.verdict).toBe("no_skill");
    expect(none.sentence).toMatch(/^No skill shown/);
  });

  test("worse than a baseline is said too", () => {
    const answers = answersOf(3_000, 0.5, 4);
    const sure = answers.probability.map((_, i) => (i % 2 === 0 ? 0.9 : 0.1));
    expect(verdictOf(marketReport({ ...answers, probability: sure })).verdict).toBe("worse");
  });

  test("few rows allow no verdict", () => {
    expect(verdict(60, 0.9)).toMatchObject({
      verdict: "too_few",
      sentence: expect.stringMatching(/^Too few candles to judge: 60\./),
    });
  });
});
