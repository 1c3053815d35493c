/* What a model must keep to, whatever the rows: signs, penalties, and the model it goes on from. */
import { describe, expect, test } from "bun:test";
import { exp } from "../math.ts";
import { marginsOf } from "../predict.ts";
import { makeRandom } from "../random.ts";
import { categories, frameOf, mixedSample, normals, numbers, sampleOf } from "../testing.ts";
import type { Sample, TreeModel } from "../types.ts";
import { boost } from "./fit.ts";
import { GBDT_DEFAULTS, type GbdtOptions } from "./options.ts";

const SMALL: GbdtOptions = { ...GBDT_DEFAULTS, rounds: 40, leaves: 15 };
const fit = (sample: Sample, change: Partial<GbdtOptions> = {}): TreeModel =>
  boost(sample, { ...SMALL, ...change }, 1).model;

/** Outcomes that rise with `x` in part, fall in part, and hang on `y` and a town as well. */
const bent = (rows: number, seed: number): Sample => {
  const [x, y, random] = [normals(rows, seed), normals(rows, seed + 1), makeRandom(seed)];
  const towns = Array.from({ length: rows }, () => "abcdefg"[random.integer(7)]!);
  const margin = x.map(
    (v, i) => Math.sin(2 * v) + v / 2 + y[i]! * (towns[i]! < "d" ? 1 : -1) * Math.sign(v),
  );
  const target = margin.map((m) => (random.next() < 1 / (1 + Math.exp(-2 * m)) ? 1 : 0));
  const holed = x.map((v, i) => (i % 20 === 3 ? Number.NaN : v));
  const frame = frameOf(numbers("x", holed), numbers("y", y), categories("town", towns));
  return sampleOf(frame, target);
};

/** The answers along one column from low to high, the other columns those of some row. */
const sweep = (model: TreeModel, sample: Sample, column: number, row: number): Float64Array => {
  const steps = 400;
  const columns = sample.frame.columns.map((c, at) => {
    if (c.kind === "category") {
      return { ...c, codes: new Int32Array(steps).fill(c.codes[row]!) };
    }
    const one = new Float32Array(steps).fill(c.values[row]!);
    return { ...c, values: at === column ? one.map((_, i) => -4 + i / 50) : one };
  });
  return marginsOf(model, { rows: steps, columns });
};

const fallsSomewhere = (values: Float64Array): boolean =>
  values.some((v, i) => i > 0 && v < values[i - 1]!);
const risesSomewhere = (values: Float64Array): boolean =>
  values.some((v, i) => i > 0 && v > values[i - 1]!);

describe("monotone columns", () => {
  const sample = bent(3000, 5);
  const rows = [0, 17, 333, 1200, 2999];

  test("without a sign, the answer rises and falls: the test can fail", () => {
    const model = fit(sample);
    expect(rows.some((row) => fallsSomewhere(sweep(model, sample, 0, row)))).toBe(true);
    expect(rows.some((row) => risesSomewhere(sweep(model, sample, 1, row)))).toBe(true);
  });

  for (const [name, change] of Object.entries<Partial<GbdtOptions>>({
    "log-loss": {},
    "many leaves": { leaves: 60, minRows: 5 },
    "squared error with l1": { objective: "squared_error", l1: 3 },
    quantile: { objective: "quantile", quantile: 0.7 },
    poisson: { objective: "poisson" },
    "rows and columns drawn": { rowShare: 0.6, columnShare: 0.7 },
  })) {
    test(`keep their signs everywhere: ${name}`, () => {
      const isReal = change.objective === "quantile" || change.objective === "squared_error";
      const noise = normals(3000, 77);
      const target = isReal ? sample.target.map((y, i) => y + noise[i]! / 3) : sample.target;
      const model = fit({ ...sample, target }, { ...change, monotone: { x: 1, y: -1 } });
      expect(model.trees.some(({ feature }) => feature.includes(0))).toBe(true);
      for (const row of rows) {
        expect(fallsSomewhere(sweep(model, sample, 0, row))).toBe(false);
        expect(risesSomewhere(sweep(model, sample, 1, row))).toBe(false);
      }
    });
  }

  test("a sign of 0 is none", () => {
    expect(fit(sample, { monotone: { x: 0 } })).toEqual(fit(sample));
  });

  test("are number columns of the frame, with signs", () => {
    for (const [monotone, told] of [
      [{ z: 1 }, "monotone.z is 1, the column absent"],
      [{ town: 1 }, "monotone.town is 1, the column category"],
      [{ x: 2 }, "monotone.x is 2, the column number"],
    ] as const) {
      expect(() => fit(sample, { monotone })).toThrow(told);
    }
  });
});

describe("penalties", () => {
  const sample = mixedSample(1500, 9);

  test("l1 gives the value -S / (H + l2) of gradients drawn towards 0", () => {
    const frame = frameOf(numbers("x", [1, 1, 1, 2, 2, 2]));
    const target = [0, 0, 3, 9, 12, 15]; // base 6.5: the sums of gradients are 16.5 and -16.5
    const options = { objective: "squared_error", rounds: 1, rate: 1, minRows: 1 } as const;
    const { trees } = fit(sampleOf(frame, target), { ...options, l1: 4, l2: 2 });
    expect([...trees[0]!.value.slice(1)]).toEqual([-12.5 / 5, 12.5 / 5]);
    expect(fit(sampleOf(frame, target), { ...options, l1: 17 }).trees).toEqual([]);
  });

  test("more of either draws answers together", () => {
    const spread = (change: Partial<GbdtOptions>) => {
      const margins = marginsOf(fit(sample, change), sample.frame);
      return Math.max(...margins) - Math.min(...margins);
    };
    expect(spread({ l1: 20 })).toBeLessThan(spread({}) * 0.9);
    expect(spread({ l2: 200 })).toBeLessThan(spread({}) * 0.9);
  });

  test("a constraint that never binds changes nothing but rounding", () => {
    const x = normals(2000, 3);
    const target = x.map((v) => v + 0.001 * Math.sin(v));
    const rising = sampleOf(frameOf(numbers("x", x)), target);
    const of = (monotone: Record<string, number>) =>
      marginsOf(fit(rising, { objective: "squared_error", monotone }), rising.frame);
    const [held, free] = [of({ x: 1 }), of({})];
    const apart = Math.max(...held.map((m, i) => Math.abs(m - free[i]!)));
    expect(apart).toBeLessThan(0.1); // of a range of some 6
  });
});

describe("counts", () => {
  test("poisson finds the rate of each group, and nothing below 0", () => {
    const random = makeRandom(4);
    const group = Array.from({ length: 6000 }, () => random.integer(3));
    const rates = [0.2, 1, 5];
    const draw = (rate: number): number => {
      let [count, left] = [0, Math.exp(-rate)];
      for (let u = random.next(); u > left; u *= random.next()) count++;
      left = 0;
      return count;
    };
    const target = group.map((g) => draw(rates[g]!));
    const sample = sampleOf(frameOf(numbers("g", group)), target);
    const model = fit(sample, { objective: "poisson", rounds: 150 });
    const answers = marginsOf(model, sample.frame).map(exp);
    for (const [g, rate] of rates.entries()) {
      const mine = target.filter((_, i) => group[i] === g);
      const mean = mine.reduce((a, b) => a + b, 0) / mine.length;
      expect(Math.abs(mean - rate)).toBeLessThan(0.15);
      expect(answers[group.indexOf(g)]!).toBeCloseTo(mean, 2);
    }
  });

  test("negative ones are refused, all zero is answered by next to nothing", () => {
    const frame = frameOf(numbers("x", [1, 2]));
    expect(() => fit(sampleOf(frame, [1, -1]), { objective: "poisson" })).toThrow(
      "target -1 in row 1",
    );
    const { base, trees } = fit(sampleOf(frame, [0, 0]), { objective: "poisson" });
    expect([exp(base) < 1e-6, trees.length]).toEqual([true, 0]);
  });
});

describe("going on from a model", () => {
  const sample = mixedSample(1200, 30);

  for (const objective of ["log_loss", "squared_error", "quantile", "poisson"] as const) {
    test(`is one fit of all rounds: ${objective}`, () => {
      const options = { ...SMALL, objective, quantile: 0.4, minRows: 5 };
      const whole = boost(sample, { ...options, rounds: 30 }, 1).model;
      const from = boost(sample, { ...options, rounds: 12 }, 1).model;
      expect(boost(sample, { ...options, rounds: 18 }, 1, { from }).model).toEqual(whole);
    });
  }

  test("stops early by what the old trees and the new ones lose together", () => {
    const validation = mixedSample(1000, 31);
    const from = fit(sample, { rounds: 10 });
    const { losses } = boost(sample, SMALL, 1, { from, validation });
    const { losses: all } = boost(sample, { ...SMALL, rounds: 50 }, 1, { validation });
    expect(losses).toEqual(all.slice(10, 10 + losses.length));
  });

  test("needs its columns and its objective", () => {
    const from = fit(sample);
    const other = sampleOf(frameOf(numbers("z", [1, 2])), [0, 1]);
    expect(() => boost(other, SMALL, 1, { from })).toThrow("column 0 is z");
    expect(() => boost(sample, { ...SMALL, objective: "poisson" }, 1, { from })).toThrow(
      "the model to go on from has log_loss",
    );
  });
});

test("targets whose gradients float32 cannot hold are refused", () => {
  const sample = sampleOf(frameOf(numbers("x", [1, 2])), [-1e39, 1e39]);
  expect(() => fit(sample, { objective: "squared_error" })).toThrow("more than float32 holds");
});
