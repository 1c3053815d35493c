import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { linearMargins, logistic, poisson, ridge } from "./linear.ts";
import { sigmoid } from "./math.ts";
import { categories, frameOf, mixedSample, normals, numbers, sampleOf } from "./testing.ts";
import type { CategoryColumn, LinearModel, Sample } from "./types.ts";

const fitLogistic = (sample: Sample, options = logistic.defaults) =>
  logistic.fit(sample, options, 0) as LinearModel;
const fitRidge = (sample: Sample, l2: number) =>
  ridge.fit(sample, { l2, rounds: 1 }, 0) as LinearModel;

/** Outcomes by chance with log-odds 0.5 + 2 a - b. */
const sample = (rows: number): Sample => {
  const [a, b, luck] = [normals(rows, 1), normals(rows, 2), normals(rows, 3)];
  const target = Array.from(luck, (_, i) => {
    const p = sigmoid(0.5 + 2 * a[i]! - b[i]!);
    return (i * 0.6180339887498949) % 1 < p ? 1 : 0;
  });
  return sampleOf(
    frameOf(
      numbers("a", a),
      numbers(
        "b",
        b.map((x) => 100 + 20 * x),
      ),
    ),
    target,
  );
};

describe("logistic", () => {
  test("finds the odds that made the outcomes, in standard units", () => {
    const model = fitLogistic(sample(8000));
    expect(model.weights[0]! / model.scales[0]!).toBeCloseTo(2, 0);
    expect((model.weights[1]! / model.scales[1]!) * 20).toBeCloseTo(-1, 0);
    expect(model.means[1]).toBeCloseTo(100, 0);
    expect(model.scales[1]).toBeCloseTo(20, 0);
  });

  test("the gradient of the penalised loss is 0 at the answer", () => {
    const { frame, target } = sample(500);
    const weight = Float64Array.from(target, (_, i) => 0.5 + (i % 3));
    const model = fitLogistic({ frame, target, weight }, { l2: 3, rounds: 50 });
    const margins = linearMargins(model, frame);
    const residual = margins.map((m, i) => weight[i]! * (target[i]! - sigmoid(m)));
    expect(residual.reduce((sum, r) => sum + r, 0)).toBeCloseTo(0, 4);
    for (const [c, column] of frame.columns.entries()) {
      if (column.kind !== "number") continue;
      const pull = residual.reduce(
        (sum, r, i) => sum + (r * (column.values[i]! - model.means[c]!)) / model.scales[c]!,
        0,
      );
      expect(pull - 3 * model.weights[c]!).toBeCloseTo(0, 4);
    }
  });

  test("an integer weight is so many equal rows", () => {
    const a = [1, 2, 3, 4, 5, 6];
    const y = [0, 1, 0, 1, 0, 1];
    const w = [1, 2, 3, 1, 2, 4];
    const repeat = (values: number[]) => values.flatMap((v, i) => new Array<number>(w[i]!).fill(v));
    const weighted = fitLogistic(sampleOf(frameOf(numbers("a", a)), y, w));
    const repeated = fitLogistic(sampleOf(frameOf(numbers("a", repeat(a))), repeat(y)));
    expect(weighted.bias).toBeCloseTo(repeated.bias, 8);
    expect(weighted.weights[0]).toBeCloseTo(repeated.weights[0]!, 8);
  });

  test("classes that a column parts keep finite weights, with and without a penalty", () => {
    const parted = sampleOf(frameOf(numbers("a", [-2, -1, 1, 2])), [0, 0, 1, 1]);
    for (const l2 of [0, 1]) {
      const model = fitLogistic(parted, { l2, rounds: 200 });
      expect(Number.isFinite(model.weights[0])).toBe(true);
      expect(model.weights[0]).toBeGreaterThan(0);
    }
  });

  test("more penalty, smaller weights", () => {
    const size = (l2: number) => Math.abs(fitLogistic(sample(300), { l2, rounds: 50 }).weights[0]!);
    expect(size(1)).toBeGreaterThan(size(100));
    expect(size(100)).toBeGreaterThan(size(10_000));
  });

  test("one class, one row, constant and wholly missing columns: finite, weights 0", () => {
    const nan = Number.NaN;
    const cases = [
      sampleOf(frameOf(numbers("a", [1, 2, 3])), [1, 1, 1]),
      sampleOf(frameOf(numbers("a", [1])), [0]),
      sampleOf(frameOf(numbers("a", [0.1, 0.1, 0.1])), [0, 1, 1]),
      sampleOf(frameOf(numbers("a", [nan, nan, nan])), [0, 1, 1]),
      sampleOf(frameOf(numbers("a", [Number.POSITIVE_INFINITY, nan, nan])), [0, 1, 1]),
    ];
    for (const each of cases) {
      const model = fitLogistic(each);
      expect(model.weights[0]).toBe(0);
      expect(Number.isFinite(model.bias)).toBe(true);
      expect(linearMargins(model, each.frame).every((m) => m === model.bias)).toBe(true);
    }
  });

  test("columns that repeat each other share the weight", () => {
    const { frame, target } = sample(400);
    const twice = { rows: frame.rows, columns: [frame.columns[0]!, frame.columns[0]!] };
    const model = fitLogistic({ frame: twice, target, weight: null });
    expect(model.weights[0]).toBeCloseTo(model.weights[1]!, 6);
  });

  test("whatever the values, nothing is NaN", () => {
    const rows = fc.array(fc.tuple(fc.float(), fc.float(), fc.constantFrom(0, 1)), {
      minLength: 1,
    });
    fc.assert(
      fc.property(rows, (cells) => {
        const frame = frameOf(
          numbers(
            "a",
            Float32Array.from(cells, ([a]) => a),
          ),
          numbers(
            "b",
            Float32Array.from(cells, ([, b]) => b),
          ),
        );
        const model = fitLogistic(
          sampleOf(
            frame,
            Float64Array.from(cells, ([, , y]) => y),
          ),
        );
        for (const w of [model.bias, ...model.weights]) expect(Number.isFinite(w)).toBe(true);
      }),
    );
  });

  test("the same sample gives the same bytes", () => {
    expect(JSON.stringify(fitLogistic(sample(300)))).toBe(JSON.stringify(fitLogistic(sample(300))));
  });

  test("refuses options out of range", () => {
    expect(() => fitLogistic(sample(10), { l2: -1, rounds: 3 })).toThrow("l2 -1");
    expect(() => fitLogistic(sample(10), { l2: 1, rounds: 0.5 })).toThrow("rounds 0.5");
  });

  test("tells each round and can be stopped from there", () => {
    const told: number[] = [];
    logistic.fit(sample(300), logistic.defaults, 0, (round) => told.push(round));
    expect(told.slice(0, 3)).toEqual([0, 1, 2]);
    const stop = () => {
      throw new Error("stop");
    };
    expect(() => logistic.fit(sample(300), logistic.defaults, 0, stop)).toThrow("stop");
  });
});

describe("ridge", () => {
  test("without penalty is least squares", () => {
    const a = normals(50, 4);
    const b = normals(50, 5);
    const target = a.map((x, i) => 3 + 2 * x - 0.5 * b[i]!);
    const frame = frameOf(numbers("a", a), numbers("b", b));
    const model = fitRidge(sampleOf(frame, target), 0);
    const margins = linearMargins(model, frame);
    for (let i = 0; i < 50; i++) expect(margins[i]).toBeCloseTo(target[i]!, 5);
  });

  test("a penalty of as many rows as there are halves a lone weight", () => {
    const a = normals(100, 6);
    const sampled = sampleOf(frameOf(numbers("a", a)), a);
    expect(fitRidge(sampled, 100).weights[0]! / fitRidge(sampled, 0).weights[0]!).toBeCloseTo(
      0.5,
      6,
    );
  });

  test("a missing value counts as the mean", () => {
    const model = fitRidge(sampleOf(frameOf(numbers("a", [1, 2, 3, 4])), [1, 2, 3, 4]), 0);
    const [atMissing, atMean] = linearMargins(model, frameOf(numbers("a", [Number.NaN, 2.5])));
    expect(atMissing).toBe(model.bias);
    expect(atMean).toBeCloseTo(model.bias, 12);
  });
});

describe("poisson", () => {
  test("the expected counts of each level and in all are what they were", () => {
    const towns = Array.from({ length: 600 }, (_, row) => "abc"[row % 3]!);
    const target = towns.map((town, row) => (town === "a" ? 0 : town === "b" ? row % 5 : 20));
    const sample = sampleOf(frameOf(categories("town", towns)), target);
    const fitted = poisson.fit(sample, { l2: 0, rounds: 50 }, 0) as LinearModel;
    const counts = linearMargins(fitted, sample.frame).map((m) => Math.exp(m));
    expect(counts[0]).toBeLessThan(1e-3);
    expect(counts[1]).toBeCloseTo(2, 3);
    expect(counts[2]).toBeCloseTo(20, 3);
  });

  test("nothing but zeros is a small finite rate", () => {
    const fitted = poisson.fit(
      sampleOf(frameOf(numbers("a", [1, 2])), [0, 0]),
      poisson.defaults,
      0,
    );
    expect(
      Math.exp(linearMargins(fitted as LinearModel, { rows: 1, columns: [numbers("a", [1])] })[0]!),
    ).toBeCloseTo(0.25, 6);
  });
});

describe("categories and missing values", () => {
  const mixed = mixedSample(3_000, 5);
  const model = fitLogistic(mixed, { l2: 2, rounds: 50, indicators: true });

  test("are what a frame of 0/1 columns would be", () => {
    const [a, b, noise, town] = mixed.frame.columns;
    if (town?.kind !== "category" || a?.kind !== "number") throw new Error("other columns");
    const flags = (is: (row: number) => boolean) =>
      Array.from({ length: 3_000 }, (_, row) => (is(row) ? 1 : 0));
    const wide = frameOf(
      a,
      b!,
      noise!,
      numbers(
        "a?",
        flags((row) => Number.isNaN(a.values[row])),
      ),
      ...[...town.levels.keys(), -1].map((code) =>
        numbers(
          `town ${code}`,
          flags((row) => town.codes[row] === code),
        ),
      ),
    );
    // The penalty is on weights of 0/1 cells there and of standard units here, so none is left.
    const loose = { l2: 0, rounds: 50, indicators: true };
    const found = linearMargins(fitLogistic(mixed, loose), mixed.frame);
    const wanted = linearMargins(fitLogistic({ ...mixed, frame: wide }, loose), wide);
    for (const [row, margin] of found.entries()) expect(margin).toBeCloseTo(wanted[row]!, 4);
  });

  test("the gradient of the penalised loss is 0 at every level, and at missing", () => {
    const margins = linearMargins(model, mixed.frame);
    const residual = margins.map((m, row) => mixed.target[row]! - sigmoid(m));
    const pull = (is: (row: number) => boolean) =>
      residual.reduce((sum, r, row) => sum + (is(row) ? r : 0), 0);
    const [a, , , town] = mixed.frame.columns;
    if (town?.kind !== "category" || a?.kind !== "number") throw new Error("other columns");
    for (const [code, weight] of model.levels![3]!.entries()) {
      expect(pull((row) => town.codes[row] === code) - 2 * weight).toBeCloseTo(0, 4);
    }
    expect(pull((row) => town.codes[row] === -1) - 2 * model.missing![3]!).toBeCloseTo(0, 4);
    expect(pull((row) => Number.isNaN(a.values[row])) - 2 * model.missing![0]!).toBeCloseTo(0, 4);
    expect(pull(() => true)).toBeCloseTo(0, 4);
  });

  test("rare levels beyond the 64 most frequent share the weight of the missing", () => {
    const names = Array.from({ length: 2_000 }, (_, row) =>
      row < 1_900 ? `often ${row % 64}` : `once ${row}`,
    );
    const target = names.map((name) => (name.startsWith("once") ? 1 : 0));
    const fitted = fitRidge(sampleOf(frameOf(categories("name", names)), target), 1);
    const levels = fitted.levels![0]!;
    expect(levels).toHaveLength(164);
    const own = fitted.columns[0]!.levels!.map((name) => !name.startsWith("once"));
    for (const [code, weight] of levels.entries()) {
      if (own[code]) expect(weight).not.toBe(fitted.missing![0]!);
      else expect(weight).toBe(fitted.missing![0]!);
    }
  });

  test("a code without a level, and a level that was never seen, are no reason to fail", () => {
    const frame = frameOf({
      name: "t",
      kind: "category",
      codes: Int32Array.of(0, 1),
      levels: ["a", "b", "c"],
    });
    const fitted = fitRidge(sampleOf(frame, [1, 3]), 1);
    const asked = frameOf({
      ...frame.columns[0]!,
      codes: Int32Array.of(2, -1, 7),
    } as CategoryColumn);
    expect([...linearMargins(fitted, asked)]).toEqual([2, 2, 2]);
  });
});
