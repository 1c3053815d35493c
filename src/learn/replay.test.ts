import { describe, expect, test } from "bun:test";
import { calibrated } from "./calibrate.ts";
import { poolBefore, sliceRows } from "./folds.ts";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { trainMarket } from "./market.ts";
import { marginsOf } from "./predict.ts";
import type { MarketRecipe, MarketRows, Pool } from "./recipe.ts";
import { replayMarket } from "./replay.ts";
import { frameOf, normals, numbers } from "./testing.ts";

const SLOT_MS = 4 * 3_600_000;
const START = Date.parse("2023-01-01T00:00:00Z");
const trees = { ...GBDT_DEFAULTS, rounds: 10, rate: 0.1, leaves: 4, minRows: 30, rowShare: 0.7 };
const recipe: MarketRecipe = {
  seed: 7,
  trainers: ["gbdt", "logistic", "ridge"],
  gbdt: trees,
  logistic: { l2: 50, rounds: 25 },
  ridge: { l2: 200, rounds: 1 },
  spread: { l2: 50, rounds: 1 },
  halfLifeMs: 200 * 86_400_000,
  othersWeight: 0.3,
  baseRows: 100,
  direction: ["x", "y"],
  range: ["y"],
  volatility: null,
  step: null,
  horizonMs: SLOT_MS,
  foldMs: 120 * SLOT_MS,
  minTrainRows: 300,
  evaluateMs: 400 * SLOT_MS,
};

function marketOf(rows: number, seed: number): MarketRows {
  const [x, y, noise] = [normals(rows, seed), normals(rows, seed + 1), normals(rows, seed + 2)];
  const returns = noise.map((e, i) => 0.01 * (e + 0.3 * x[i]!));
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => START + i * SLOT_MS),
    frame: frameOf(numbers("x", x), numbers("y", y)),
    up: returns.map((r) => (r > 0 ? 1 : 0)),
    returns,
    lastUp: Uint8Array.from({ length: rows }, (_, i) => (i > 0 && returns[i - 1]! > 0 ? 1 : 0)),
  };
}

const pool: Pool = { own: marketOf(1_400, 1), others: [marketOf(1_400, 50)] };
const slotAt = (row: number) => START + row * SLOT_MS;

/** What a pipeline answers to some rows that trained at `instant`, as it is live. */
function live(instant: number, rows: MarketRows) {
  const { fit } = trainMarket(poolBefore(pool, instant, SLOT_MS), recipe);
  const middle = marginsOf(fit.quantiles.p50, rows.frame);
  const { p10, p90 } = fit.quantiles;
  return {
    probability: [...marginsOf(fit.probability, rows.frame)].map((m) =>
      calibrated(fit.calibration, m),
    ),
    low: [...marginsOf(p10, rows.frame)].map((v, i) => Math.min(v - fit.offset, middle[i]!)),
    high: [...marginsOf(p90, rows.frame)].map((v, i) => Math.max(v + fit.offset, middle[i]!)),
    contrarian: [...rows.lastUp].map((up) => fit.baselines.contrarian(up)),
  };
}

describe("replayMarket", () => {
  const cases: [string, number, number, number][] = [
    ["as folds are", 120, 700, 1_250],
    ["more often than folds, off their bounds", 50, 905, 1_180],
    ["at every candle", 1, 1_000, 1_006],
    ["more rarely than folds", 300, 650, 1_400],
  ];
  test.each(cases)(
    "retrained %s gives the live pipeline's answers to the bit",
    (_, every, a, b) => {
      const span = { from: slotAt(a), to: slotAt(b), everyMs: every * SLOT_MS };
      const answers = replayMarket(pool, recipe, span);
      expect([...answers.slots]).toEqual([...pool.own.slots.subarray(a, b)]);
      const instants = [...new Set(answers.folds)];
      expect(instants.length).toBeGreaterThan(1);
      for (const instant of instants) {
        const mine = (values: Float64Array) =>
          [...values].filter((_, i) => answers.folds[i] === instant);
        const first = pool.own.slots.indexOf(mine(answers.slots)[0]!);
        const rows = sliceRows(pool.own, first, first + mine(answers.slots).length);
        expect(instant % span.everyMs).toBe(0);
        expect(instant).toBeLessThanOrEqual(rows.slots[0]!);
        expect(rows.slots.at(-1)! - instant).toBeLessThan(span.everyMs);
        const wanted = live(instant, rows);
        expect(mine(answers.probability)).toEqual(wanted.probability);
        expect(mine(answers.low)).toEqual(wanted.low);
        expect(mine(answers.high)).toEqual(wanted.high);
        expect(mine(answers.baselines.contrarian)).toEqual(wanted.contrarian);
      }
    },
  );

  test("nothing after an instant moves the answers of the training at it", () => {
    const span = { from: slotAt(800), to: slotAt(1_100), everyMs: recipe.foldMs };
    const before = replayMarket(pool, recipe, span);
    const instant = before.folds[150]!;
    const turn = (rows: MarketRows): MarketRows => ({
      ...rows,
      up: rows.up.map((u, i) => (rows.slots[i]! >= instant ? 1 - u : u)),
      returns: rows.returns.map((r, i) => (rows.slots[i]! >= instant ? 3 - r : r)),
    });
    const turned = { own: turn(pool.own), others: pool.others.map(turn) };
    const after = replayMarket(turned, recipe, span);
    const to = before.folds.lastIndexOf(instant) + 1;
    expect(to).toBeGreaterThan(150);
    expect([...after.probability.subarray(0, to)]).toEqual([...before.probability.subarray(0, to)]);
    expect([...after.low.subarray(0, to)]).toEqual([...before.low.subarray(0, to)]);
    expect([...after.probability.subarray(to)]).not.toEqual([...before.probability.subarray(to)]);
  });

  test("a span before there is enough to learn from has no answer", () => {
    const span = { from: slotAt(0), to: slotAt(420), everyMs: SLOT_MS * 60 };
    expect(replayMarket(pool, recipe, span).slots).toHaveLength(0);
  });

  test("progress goes up from 0 and stays below 1", () => {
    const shares: number[] = [];
    const span = { from: slotAt(700), to: slotAt(1_000), everyMs: recipe.foldMs };
    replayMarket(pool, recipe, span, (share) => shares.push(share));
    expect(shares[0]).toBe(0);
    expect(shares).toEqual([...shares].sort((x, y) => x - y));
    expect(shares.at(-1)).toBeLessThan(1);
  });
});
