import { describe, expect, test } from "bun:test";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { trainMarket } from "./market.ts";
import { marginsOf } from "./predict.ts";
import { makeRandom } from "./random.ts";
import type { MarketRecipe, MarketRows } from "./recipe.ts";
import { marketReport } from "./report.ts";
import { frameOf, normals, numbers } from "./testing.ts";

const SLOT_MS = 4 * 3_600_000;
const START = Date.parse("2023-01-01T00:00:00Z");
const FEATURES = 10;

const trees = { ...GBDT_DEFAULTS, rounds: 25, rate: 0.05, leaves: 7, depth: 3, minRows: 40 };

const COLUMNS = Array.from({ length: FEATURES }, (_, c) => `x${c}`);
const recipe: MarketRecipe = {
  seed: 7,
  trainers: ["gbdt", "logistic", "ridge"],
  gbdt: { ...trees, columnShare: 0.6, rowShare: 0.8 },
  logistic: { l2: 100, rounds: 25 },
  ridge: { l2: 400, rounds: 1 },
  spread: { l2: 50, rounds: 1 },
  halfLifeMs: 365 * 86_400_000,
  othersWeight: 0.3,
  baseRows: 500,
  direction: COLUMNS,
  range: COLUMNS,
  volatility: null,
  step: null,
  horizonMs: SLOT_MS,
  foldMs: 200 * SLOT_MS,
  minTrainRows: 500,
  evaluateMs: 1_200 * SLOT_MS,
};
const alone = (own: MarketRows) => ({ own, others: [] });

/** Rows whose returns are given by noise and the first feature; the others say nothing. */
function rowsOf(rows: number, seed: number, returnOf: (noise: number, x: number) => number) {
  const columns = Array.from({ length: FEATURES }, (_, c) =>
    numbers(`x${c}`, normals(rows, seed * 100 + c)),
  );
  const noise = normals(rows, seed * 100 + 99);
  const returns = noise.map((e, i) => 0.01 * returnOf(e, columns[0]!.values[i]!));
  const up = returns.map((r) => (r > 0 ? 1 : 0));
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => START + i * SLOT_MS),
    frame: frameOf(...columns),
    up,
    returns,
    lastUp: Uint8Array.from({ length: rows }, (_, i) => (i > 0 ? up[i - 1]! : 0)),
  } satisfies MarketRows;
}

const walkOf = (rows: number, seed: number) => rowsOf(rows, seed, (noise) => noise);

const json = (value: unknown) =>
  JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? [...(v as Float64Array)] : v));

describe("on a random walk", () => {
  const rows = walkOf(2_400, 3);
  const { fit, outOfFold, rounds } = trainMarket(alone(rows), recipe);
  const report = marketReport(outOfFold);

  test("accuracy is that of a coin, and no skill is claimed", () => {
    expect(outOfFold.up.length).toBeGreaterThan(1_200);
    expect(report.metrics["accuracy"]).toBeGreaterThan(0.47);
    expect(report.metrics["accuracy"]).toBeLessThan(0.53);
    expect(report.metrics["auc"]).toBeGreaterThan(0.46);
    expect(report.metrics["auc"]).toBeLessThan(0.54);
    expect(report.summary).not.toStartWith("Better");
    expect(report.metrics["against_baseline_high"]).toBeGreaterThan(0);
    // Calibration on earlier folds keeps the loss near that of a coin.
    expect(report.metrics["log_loss"]).toBeGreaterThan(0.68);
    expect(report.metrics["log_loss"]).toBeLessThan(0.705);
  });

  test("other walks say the same", () => {
    const one = { ...recipe, trainers: ["logistic"] as const };
    const claims = [11, 12, 13, 14].map((seed) => {
      const { metrics, summary } = marketReport(
        trainMarket(alone(walkOf(2_000, seed)), one).outOfFold,
      );
      expect(Math.abs(metrics["accuracy"]! - 0.5)).toBeLessThan(0.04);
      return summary.startsWith("Better");
    });
    expect(claims.filter(Boolean).length).toBeLessThanOrEqual(1);
  });

  test("the interval covers near the share that it is for", () => {
    expect(report.metrics["coverage_80"]).toBeGreaterThan(0.76);
    expect(report.metrics["coverage_80"]).toBeLessThan(0.84);
    for (let i = 0; i < outOfFold.low.length; i++) {
      expect(outOfFold.low[i]!).toBeLessThanOrEqual(outOfFold.middle[i]!);
      expect(outOfFold.middle[i]!).toBeLessThanOrEqual(outOfFold.high[i]!);
    }
  });

  test("answers are for the newest rows, each once, in time order", () => {
    const { slots, folds, up, returns, probability } = outOfFold;
    const from = rows.slots.length - slots.length;
    expect([...slots]).toEqual([...rows.slots.subarray(from)]);
    expect([...up]).toEqual([...rows.up.subarray(from)]);
    expect([...returns]).toEqual([...rows.returns.subarray(from)]);
    for (let i = 0; i < slots.length; i++) {
      expect(slots[i]! - folds[i]!).toBeGreaterThanOrEqual(0);
      expect(slots[i]! - folds[i]!).toBeLessThan(recipe.foldMs);
      expect(probability[i]!).toBeGreaterThan(0);
      expect(probability[i]!).toBeLessThan(1);
    }
    // The judged span, to the fold's boundary before it.
    expect(slots[0]!).toBeLessThanOrEqual(rows.slots.at(-1)! - recipe.evaluateMs);
    expect(slots[0]!).toBeGreaterThan(rows.slots.at(-1)! - recipe.evaluateMs - recipe.foldMs);
  });

  test("the same rows and seed give the same to the last bit", () => {
    expect(json(trainMarket(alone(rows), recipe))).toBe(json({ fit, outOfFold, rounds }));
  });

  test("the loss by round is that of the judged rows, and trees bring nothing here", () => {
    const { validation, best } = rounds!;
    expect(validation.map(({ round }) => round)).toEqual(
      Array.from({ length: recipe.gbdt.rounds + 1 }, (_, round) => round),
    );
    // Before calibration, so near to the loss that is reported and not equal to it.
    expect(Math.abs(validation.at(-1)!.loss - report.metrics["log_loss"]!)).toBeLessThan(0.02);
    expect(best.loss).toBe(Math.min(...validation.map(({ loss }) => loss)));
    expect(validation[0]!.loss - best.loss).toBeLessThan(0.002);
    expect(trainMarket(alone(rows), { ...recipe, trainers: ["logistic"] }).rounds).toBeNull();
  });

  test("another seed draws other rows and columns", () => {
    const other = trainMarket(alone(walkOf(1_200, 3)), { ...recipe, seed: 8, trainers: ["gbdt"] });
    const same = trainMarket(alone(walkOf(1_200, 3)), { ...recipe, trainers: ["gbdt"] });
    expect(json(other.fit.probability)).not.toBe(json(same.fit.probability));
  });

  test("progress goes from 0 up to 1 and names the fold", () => {
    const shares: number[] = [];
    const texts: string[] = [];
    trainMarket(alone(walkOf(1_500, 5)), { ...recipe, trainers: ["logistic"] }, (share, text) => {
      shares.push(share);
      texts.push(text);
    });
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[0]).toBe(0);
    expect(shares.at(-1)).toBeLessThan(1);
    expect(texts[0]).toStartWith("fold 1 of ");
    expect(texts.at(-1)).toBe("fitting on all rows");
  });
});

describe("with a weak signal planted", () => {
  const rows = rowsOf(2_600, 5, (noise, x) => noise + 0.35 * x);
  const { fit, outOfFold } = trainMarket(alone(rows), recipe);
  const report = marketReport(outOfFold);

  test("skill is found, and said", () => {
    expect(report.better).toBe(true);
    expect(report.summary).toStartWith("Better than every baseline");
    expect(report.metrics["auc_low"]).toBeGreaterThan(0.5);
    expect(report.metrics["accuracy_low"]).toBeGreaterThan(0.5);
    expect(report.metrics["against_baseline_t"]).toBeLessThan(-2);
    expect(report.metrics["calibration_slope"]).toBeGreaterThan(0.5);
    expect(report.metrics["calibration_slope"]).toBeLessThan(2);
  });

  test("the model that is kept follows the column that says something", () => {
    const two = frameOf(
      ...Array.from({ length: FEATURES }, (_, c) => numbers(`x${c}`, c === 0 ? [-2, 2] : [0, 0])),
    );
    const [low, high] = marginsOf(fit.probability, two);
    expect(high! - low!).toBeGreaterThan(0.3);
    expect(fit.calibration.slope).toBeGreaterThan(0);
  });
});

describe("nothing is learned from what comes later", () => {
  /** The same rows until `slot`; from there on outcomes are turned round and features are noise. */
  function changedFrom(rows: MarketRows, slot: number): MarketRows {
    const random = makeRandom(99);
    const later = (i: number) => rows.slots[i]! >= slot;
    const up = rows.up.map((u, i) => (later(i) ? 1 - u : u));
    const columns = rows.frame.columns.map((column) =>
      column.kind === "number"
        ? { ...column, values: column.values.map((v, i) => (later(i) ? random.next() * 9 : v)) }
        : column,
    );
    return {
      ...rows,
      frame: { ...rows.frame, columns },
      up,
      returns: rows.returns.map((r, i) => (later(i) ? 3 - r : r)),
      lastUp: rows.lastUp.map((u, i) => (later(i) && i > 0 && later(i - 1) ? 1 - u : u)),
    };
  }

  const rows = rowsOf(1_900, 8, (noise, x) => noise + 0.3 * x);
  const short = { ...recipe, foldMs: 300 * SLOT_MS, evaluateMs: 800 * SLOT_MS };
  const { outOfFold } = trainMarket(alone(rows), short);
  const starts = [...new Set(outOfFold.folds)];
  // Answers that depend on features of their own row are compared before the change only.
  const before = (answers: typeof outOfFold, slot: number) => {
    const to = answers.slots.findIndex((s) => s >= slot);
    const cut = (values: Float64Array) => [...values.subarray(0, to === -1 ? undefined : to)];
    const { probability, low, middle, high, baselines } = answers;
    return [probability, low, middle, high, ...Object.values(baselines)].map(cut);
  };

  test.each(starts.slice(1).map((start, i) => [i + 2, start]))(
    "a change from fold %p on moves no answer before it",
    (_fold, start) => {
      const changed = trainMarket(alone(changedFrom(rows, start!)), short).outOfFold;
      expect(before(changed, start!)).toEqual(before(outOfFold, start!));
    },
  );

  test("outcomes of a fold do not move that fold's own answers", () => {
    for (const start of starts) {
      const inFold = (i: number) => outOfFold.folds[i] === start;
      const from = rows.slots.findIndex((s) => s >= start);
      const turned: MarketRows = {
        ...rows,
        up: rows.up.map((u, i) => (i >= from ? 1 - u : u)),
        returns: rows.returns.map((r, i) => (i >= from ? 3 - r : r)),
      };
      const { probability, low, high } = trainMarket(alone(turned), short).outOfFold;
      const of = (values: Float64Array) => [...values].filter((_, i) => inFold(i));
      expect(of(probability)).toEqual(of(outOfFold.probability));
      expect(of(low)).toEqual(of(outOfFold.low));
      expect(of(high)).toEqual(of(outOfFold.high));
    }
  });

  test("a row of which only the outcome betrays it cannot be answered better than by chance", () => {
    // The row's number as a feature: whoever trained on a row could look its outcome up.
    const many = 1_500;
    const base = walkOf(many, 21);
    const id = numbers(
      "id",
      Float32Array.from({ length: many }, (_, i) => i),
    );
    const spy: MarketRows = { ...base, frame: frameOf(id) };
    const memory = { ...trees, rounds: 60, rate: 0.5, leaves: 200, depth: 0, minRows: 1, l2: 0 };
    const greedy = {
      ...recipe,
      trainers: ["gbdt"] as const,
      gbdt: memory,
      direction: ["id"],
      range: ["id"],
    };
    const { fit, outOfFold: answers } = trainMarket(alone(spy), { ...greedy, minTrainRows: 500 });
    const rate = (p: (i: number) => number, up: Float64Array) =>
      up.reduce((n, u, i) => n + (p(i) >= 0.5 === (u === 1) ? 1 : 0), 0) / up.length;
    // It does remember what it was trained on (some rows share a bin), so the spy can bite.
    const remembered = marginsOf(fit.probability, spy.frame);
    const known = rate((i) => remembered[i]! + 0.5, base.up);
    expect(known).toBeGreaterThan(0.62);
    expect(rate((i) => answers.probability[i]!, answers.up)).toBeLessThan(0.55);
  });
});

describe("few rows, or one class", () => {
  test("too few for a fold: a model without a record", () => {
    const { fit, outOfFold } = trainMarket(alone(walkOf(300, 1)), recipe);
    expect(outOfFold.up).toHaveLength(0);
    expect(fit.calibration).toEqual({ slope: 1, intercept: 0 });
    expect(fit.offset).toBe(0);
  });

  test("one fold is judged uncalibrated", () => {
    const { outOfFold } = trainMarket(alone(walkOf(720, 1)), { ...recipe, foldMs: 300 * SLOT_MS });
    expect(outOfFold.up.length).toBeGreaterThan(0);
    const report = marketReport(outOfFold);
    expect(report.metrics["rows"]).toBe(outOfFold.up.length);
    expect(Number.isFinite(report.metrics["log_loss"])).toBe(true);
  });

  test.each([0, 1])("all rows of class %p give finite answers and no claim", (only) => {
    const rows = walkOf(1_300, 2);
    const sign = only === 1 ? 1 : -1;
    const returns = rows.returns.map((r) => sign * Math.abs(r));
    const up = rows.up.map(() => only);
    const { outOfFold } = trainMarket(alone({ ...rows, up, returns }), recipe);
    for (const p of outOfFold.probability) expect(Number.isFinite(p)).toBe(true);
    const { metrics, summary } = marketReport(outOfFold);
    for (const value of Object.values(metrics)) expect(Number.isFinite(value)).toBe(true);
    expect(metrics["balanced_accuracy"]).toBeUndefined();
    expect(metrics["auc"]).toBeUndefined();
    expect(summary).not.toContain("NaN");
  });

  test("one row in 500 of the other class does not make skill", () => {
    const rows = walkOf(1_600, 4);
    const up = rows.up.map((_, i) => (i % 500 === 250 ? 1 : 0));
    const returns = rows.returns.map((r, i) => (up[i] === 1 ? Math.abs(r) : -Math.abs(r)));
    const { metrics, summary } = marketReport(
      trainMarket(alone({ ...rows, up, returns }), recipe).outOfFold,
    );
    expect(metrics["accuracy"]).toBeGreaterThan(0.95);
    expect(summary).not.toStartWith("Better");
  });
});
