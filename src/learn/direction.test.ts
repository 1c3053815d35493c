import { describe, expect, test } from "bun:test";
import { fitDirection, recencyOf } from "./direction.ts";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { sigmoid } from "./math.ts";
import { marginsOf } from "./predict.ts";
import { makeRandom } from "./random.ts";
import type { MarketRecipe, MarketRows } from "./recipe.ts";
import { frameOf, normals, numbers } from "./testing.ts";

const SLOT_MS = 4 * 3_600_000;
const recipe: MarketRecipe = {
  seed: 7,
  trainers: ["logistic", "ridge"],
  gbdt: { ...GBDT_DEFAULTS, rounds: 20, rate: 0.05, leaves: 4, minRows: 40 },
  logistic: { l2: 10, rounds: 25 },
  ridge: { l2: 40, rounds: 1 },
  spread: { l2: 50, rounds: 1 },
  halfLifeMs: 1e15,
  othersWeight: 0.3,
  baseRows: 0,
  direction: ["x"],
  range: ["x"],
  volatility: null,
  step: null,
  horizonMs: SLOT_MS,
  foldMs: 200 * SLOT_MS,
  minTrainRows: 100,
  evaluateMs: 500 * SLOT_MS,
};

/** Rows of a market whose returns follow `x` by a factor, rounded to a price step. */
function rowsOf(rows: number, seed: number, factor: number, step = 0, drift = 0): MarketRows {
  const [x, noise] = [normals(rows, seed), normals(rows, seed + 1000)];
  const steps = normals(rows, seed + 2000).map((s) => (step === 0 ? 0 : step * Math.abs(s)));
  const returns = noise.map((e, i) => {
    const moved = e + drift + factor * x[i]!;
    return steps[i] === 0 ? 0.01 * moved : 0.01 * steps[i]! * Math.round(moved / steps[i]!);
  });
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => i * SLOT_MS),
    frame: frameOf(numbers("x", x), numbers("step", steps), numbers("noise", normals(rows, 5))),
    up: returns.map((r) => (r > 0 ? 1 : 0)),
    returns,
    lastUp: new Uint8Array(rows),
  };
}

const at = (own: MarketRows, others: MarketRows[], changed: Partial<MarketRecipe>, x: number) => {
  const model = fitDirection({ own, others }, { ...recipe, ...changed });
  const row = frameOf(numbers("x", [x]), numbers("step", [0.2]), numbers("noise", [0]));
  return marginsOf(model, row)[0]!;
};

describe("fitDirection", () => {
  test.each(["gbdt", "logistic", "gbdt_return", "ridge"] as const)(
    "%s alone follows the column that says something",
    (name) => {
      const own = rowsOf(3_000, 1, 0.3);
      expect(at(own, [], { trainers: [name] }, 1.5)).toBeGreaterThan(0.25);
      expect(at(own, [], { trainers: [name] }, -1.5)).toBeLessThan(-0.25);
    },
  );

  test("logistic and ridge put a mean return of a tenth of the spread at the same odds", () => {
    const own = rowsOf(20_000, 2, 0.1);
    const slope = (name: "logistic" | "ridge") =>
      at(own, [], { trainers: [name] }, 1) - at(own, [], { trainers: [name] }, 0);
    // The true one is 4 x 0.399 x 0.1.
    expect(slope("logistic")).toBeCloseTo(0.16, 1);
    expect(slope("ridge")).toBeCloseTo(0.16, 1);
  });

  test("the answer is the mean of the trainers'", () => {
    const own = rowsOf(1_000, 3, 0.2);
    const of = (...trainers: MarketRecipe["trainers"]) => at(own, [], { trainers }, 0.7);
    expect(of("logistic", "ridge")).toBeCloseTo((of("logistic") + of("ridge")) / 2, 10);
  });

  test("other markets are learned from, by their weight", () => {
    const own = rowsOf(400, 4, 0);
    const others = [rowsOf(4_000, 5, 0.4)];
    const slope = (othersWeight: number) =>
      at(own, others, { othersWeight }, 1) - at(own, others, { othersWeight }, -1);
    expect(slope(1)).toBeGreaterThan(slope(0.1));
    expect(slope(0.1)).toBeGreaterThan(slope(0) + 0.1);
    expect(slope(0)).toBeCloseTo(at(own, [], {}, 1) - at(own, [], {}, -1), 10);
  });

  test("another market's own rate of up is not learned", () => {
    const own = rowsOf(3_000, 6, 0.2);
    const risen = rowsOf(3_000, 7, 0.2, 0, 0.8);
    expect(at(own, [risen], { othersWeight: 1 }, 0)).toBeCloseTo(at(own, [], {}, 0), 1);
  });

  test("the rate of up is the market's own, drawn to even odds by base rows", () => {
    const own = rowsOf(2_000, 8, 0, 0, 0.3);
    const rate = own.up.reduce((sum, u) => sum + u, 0) / 2_000;
    const p = (baseRows: number) => sigmoid(at(own, [], { baseRows }, 0));
    expect(p(0)).toBeCloseTo(rate, 1);
    expect(p(2_000)).toBeCloseTo((rate + 0.5) / 2, 1);
    expect(p(1e9)).toBeCloseTo(0.5, 1);
  });

  test("standing still takes from up as often as it happened at such a step", () => {
    const own = rowsOf(6_000, 9, 0, 0.5);
    const known = { step: "step" };
    const model = fitDirection({ own, others: [] }, { ...recipe, ...known });
    const steps = [0, 0.2, 0.6];
    const frame = frameOf(
      numbers("x", [0, 0, 0]),
      numbers("step", steps),
      numbers("noise", [0, 0, 0]),
    );
    const [none, some, much] = [...marginsOf(model, frame)].map(sigmoid);
    expect(none!).toBeCloseTo(0.5, 1);
    // A normal return rounded to a step s is 0 with a chance of about 0.399 s.
    expect(some!).toBeCloseTo((1 - 0.399 * 0.2) / 2, 1);
    expect(much!).toBeCloseTo((1 - 0.399 * 0.6) / 2, 1);
    expect(none! - much!).toBeGreaterThan(0.09);
  });

  test("rows of one class, or none that moved, leave the rate alone", () => {
    const rows = rowsOf(300, 10, 0.2);
    const rising = { ...rows, up: rows.up.map(() => 1), returns: rows.returns.map(Math.abs) };
    expect(Number.isFinite(at(rising, [], {}, 1))).toBe(true);
    const still = { ...rows, up: rows.up.map(() => 0), returns: rows.returns.map(() => 0) };
    expect(at(still, [], { baseRows: 10 }, 1)).toBeCloseTo(0, 10);
    const empty = rowsOf(0, 1, 0);
    expect(Number.isFinite(at(rows, [empty, rising], {}, 1))).toBe(true);
  });

  test("columns that are not the direction's change nothing", () => {
    const own = rowsOf(800, 11, 0.2);
    const random = makeRandom(3);
    const noisy = numbers(
      "noise",
      Float32Array.from({ length: 800 }, () => random.next()),
    );
    const columns = [...own.frame.columns.slice(0, 2), noisy];
    const other = { ...own, frame: { rows: 800, columns } };
    expect(at(other, [], {}, 0.3)).toBe(at(own, [], {}, 0.3));
  });
});

test("recencyOf halves with every half-life", () => {
  const weights = recencyOf(Float64Array.of(0, 50, 100), 100, 50);
  expect(weights[2]).toBe(1);
  expect(weights[1]).toBeCloseTo(0.5, 12);
  expect(weights[0]).toBeCloseTo(0.25, 12);
});
