import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { sigmoid } from "../math.ts";
import { accuracy, auc, coverage, logLoss, pinball } from "../metrics.ts";
import { marginsOf } from "../predict.ts";
import { makeRandom } from "../random.ts";
import { walkForward } from "../split.ts";
import { categories, frameOf, mixedSample, normals, numbers, sampleOf } from "../testing.ts";
import type { Frame, Sample, TreeModel } from "../types.ts";
import { boost, gbdt } from "./fit.ts";
import { GBDT_DEFAULTS, type GbdtOptions } from "./options.ts";

const SMALL: GbdtOptions = { ...gbdt.defaults, rounds: 30, leaves: 8 };

const fit = (sample: Sample, change: Partial<GbdtOptions> = {}, seed = 1) =>
  gbdt.fit(sample, { ...SMALL, ...change }, seed) as TreeModel;
const textOf = (model: TreeModel) =>
  JSON.stringify(model, (_, v) => (ArrayBuffer.isView(v) ? [...(v as Float64Array)] : v));
const probabilities = (model: TreeModel, frame: Frame) => marginsOf(model, frame).map(sigmoid);

describe("learning", () => {
  const train = mixedSample(3000, 1);
  const later = mixedSample(3000, 50);

  test("forecasts rows it has not seen, far better than the base rate", () => {
    const p = probabilities(fit(train), later.frame);
    expect(auc(p, later.target)).toBeGreaterThan(0.85);
    expect(logLoss(p, later.target)).toBeLessThan(0.5);
  });

  test("every round lowers the loss on the rows it learns from", () => {
    const { losses } = boost(train, SMALL, 1, { validation: train, patience: 1000 });
    expect(losses).toHaveLength(31);
    for (let i = 1; i < losses.length; i++) expect(losses[i]!).toBeLessThan(losses[i - 1]!);
  });

  test("learns an interaction that no single column shows", () => {
    const [a, b] = [normals(2000, 5), normals(2000, 6)];
    const target = a.map((x, i) => (x > 0 === b[i]! > 0 ? 1 : 0));
    const sample = sampleOf(frameOf(numbers("a", a), numbers("b", b)), target);
    expect(
      accuracy(probabilities(fit(sample, { rounds: 60 }), sample.frame), target),
    ).toBeGreaterThan(0.95);
  });

  test("learns from categories and from what is missing", () => {
    const random = makeRandom(7);
    const texts = Array.from({ length: 3000 }, () => "abcdefghij"[random.integer(10)]!);
    const x = Array.from(texts, () => (random.next() < 0.5 ? Number.NaN : random.next()));
    const target = texts.map((t, i) => ("acegi".includes(t) !== Number.isNaN(x[i]!) ? 1 : 0));
    const sample = sampleOf(frameOf(categories("t", texts), numbers("x", x)), target);
    expect(accuracy(probabilities(fit(sample), sample.frame), sample.target)).toBe(1);
  });

  test("squared error comes close to a curve", () => {
    const x = normals(3000, 8);
    const target = x.map((v) => v * v);
    const sample = sampleOf(frameOf(numbers("x", x)), target);
    const margins = marginsOf(
      fit(sample, { objective: "squared_error", rounds: 100 }),
      sample.frame,
    );
    const mse = margins.reduce((s, m, i) => s + (m - target[i]!) ** 2, 0) / 3000;
    expect(mse).toBeLessThan(0.05); // of a variance of 2
  });

  test("weights count as repeated rows", () => {
    const frame = frameOf(numbers("x", [1, 1, 1, 1, 2, 2, 2, 2]));
    const target = [0, 0, 0, 1, 0, 1, 1, 1];
    const options = { rounds: 200, minRows: 1, minHessian: 0, l2: 0, rate: 0.3 };
    const plain = probabilities(fit(sampleOf(frame, target), options), frame);
    expect(plain[0]).toBeCloseTo(0.25, 3);
    expect(plain[4]).toBeCloseTo(0.75, 3);
    const weight = [1, 1, 1, 9, 1, 1, 1, 1];
    const heavy = probabilities(fit(sampleOf(frame, target, weight), options), frame);
    expect(heavy[0]).toBeCloseTo(0.75, 3);
    expect(heavy[4]).toBeCloseTo(0.75, 3);
  });

  test("rows of weight 0 change nothing but what minRows counts", () => {
    const { frame, target } = mixedSample(400, 9);
    const weight = target.map((_, i) => (i < 300 ? 1 : 0));
    const flipped = target.map((y, i) => (i < 300 ? y : 1 - y));
    const first = fit(sampleOf(frame, target, weight));
    expect(textOf(fit(sampleOf(frame, flipped, weight)))).toBe(textOf(first));
  });
});

describe("quantiles", () => {
  const x = normals(6000, 20);
  const noise = normals(6000, 21);
  const target = x.map((v, i) => v + noise[i]! * (v > 0 ? 2 : 0.5));
  const half = (part: Float64Array, second: boolean) =>
    second ? part.slice(3000) : part.slice(0, 3000);
  const [train, later] = [false, true].map((second) =>
    sampleOf(frameOf(numbers("x", half(x, second))), half(target, second)),
  ) as [Sample, Sample];
  const forecast = (quantile: number) =>
    marginsOf(fit(train, { objective: "quantile", quantile, minRows: 50 }), later.frame);

  test("lie above their share of outcomes", () => {
    for (const q of [0.1, 0.5, 0.9]) {
      const floor = new Float64Array(3000).fill(Number.NEGATIVE_INFINITY);
      expect(Math.abs(coverage(floor, forecast(q), later.target)! - q)).toBeLessThan(0.04);
    }
  });

  test("are wider where outcomes spread more", () => {
    const low = forecast(0.1);
    const width = forecast(0.9).map((high, i) => high - low[i]!);
    const mean = (isUp: boolean) => {
      const part = width.filter((_, i) => x[3000 + i]! > 0.3 === isUp);
      return part.reduce((s, w) => s + w, 0) / part.length;
    };
    expect(mean(true)).toBeGreaterThan(2 * mean(false));
  });

  test("beat the quantile without columns", () => {
    const base = fit(train, { objective: "quantile", quantile: 0.9, rounds: 0 });
    const without = pinball(marginsOf(base, later.frame), later.target, 0.9)!;
    expect(pinball(forecast(0.9), later.target, 0.9)!).toBeLessThan(0.8 * without);
  });
});

describe("stopping early", () => {
  const train = mixedSample(300, 30);
  const validation = mixedSample(2000, 31);

  test("keeps the round of lowest validation loss", () => {
    const options = { ...SMALL, rounds: 400, rate: 0.3, minRows: 5 };
    const { model, losses } = boost(train, options, 1, { validation, patience: 20 });
    const best = losses.indexOf(Math.min(...losses));
    expect(model.trees).toHaveLength(best);
    expect(losses).toHaveLength(best + 1 + 20);
    const p = marginsOf(model, validation.frame).map(sigmoid);
    expect(logLoss(p, validation.target)).toBeCloseTo(losses[best]!, 10);
  });

  test("is the same model as one of that many rounds", () => {
    const options = { ...SMALL, rounds: 200, rate: 0.3, rowShare: 0.7 };
    const { model } = boost(train, options, 3, { validation, patience: 5 });
    const plain = fit(train, { ...options, rounds: model.trees.length }, 3);
    expect(textOf(model)).toBe(textOf(plain));
  });

  test("refuses a validation sample of other columns", () => {
    const other = sampleOf(frameOf(numbers("z", [1])), [1]);
    expect(() => boost(train, SMALL, 1, { validation: other })).toThrow("column 0 is z");
  });
});

describe("the same sample, options and seed give the same bytes", () => {
  const sample = mixedSample(600, 40);
  const sampled = { rowShare: 0.6, columnShare: 0.5 };

  test("twice in one process, and another seed draws otherwise", () => {
    expect(textOf(fit(sample, sampled, 5))).toBe(textOf(fit(sample, sampled, 5)));
    expect(textOf(fit(sample, sampled, 6))).not.toBe(textOf(fit(sample, sampled, 5)));
    expect(textOf(fit(sample, {}, 5))).toBe(textOf(fit(sample, {}, 6)));
  });

  test("in other processes, time zones and languages", () => {
    const here = import.meta.dir;
    const code = `
      const { gbdt } = await import("${here}/fit.ts");
      const { logistic } = await import("${here}/../linear.ts");
      const { mixedSample } = await import("${here}/../testing.ts");
      const sample = mixedSample(600, 40);
      const options = { ...gbdt.defaults, rounds: 30, leaves: 8, rowShare: 0.6, columnShare: 0.5 };
      const trees = gbdt.fit(sample, options, 5);
      const frame = { rows: 600, columns: sample.frame.columns.slice(0, 3) };
      const line = logistic.fit({ ...sample, frame }, logistic.defaults, 0);
      process.stdout.write(Bun.hash(JSON.stringify([trees, line])).toString(16));
    `;
    const digests = ["UTC C", "Asia/Seoul tr_TR.UTF-8", "America/New_York de_DE.UTF-8"].map(
      (place) => {
        const [TZ, LANG] = place.split(" ");
        const env = { ...process.env, TZ, LANG, LC_ALL: LANG };
        return Bun.spawnSync([process.execPath, "-e", code], { env }).stdout.toString();
      },
    );
    expect(digests[0]).toMatch(/^[0-9a-f]{10,16}$/);
    expect(new Set(digests).size).toBe(1);
  }, 60_000);
});

describe("rows that cannot be told apart give a model of no trees", () => {
  const nan = Number.NaN;
  const column = (values: number[]) => frameOf(numbers("x", values));
  const cases: [string, Sample][] = [
    ["one class", sampleOf(column([1, 2, 3, 4]), [1, 1, 1, 1])],
    ["one row", sampleOf(column([1]), [0])],
    ["a constant column", sampleOf(column([7, 7, 7, 7]), [0, 1, 0, 1])],
    ["an all-missing column", sampleOf(column([nan, nan, nan, nan]), [0, 1, 0, 1])],
    ["no columns", sampleOf({ rows: 4, columns: [] }, [0, 1, 0, 1])],
    ["categories all missing", sampleOf(frameOf(categories("t", [null, null])), [0, 1])],
  ];
  for (const [name, sample] of cases) {
    test(name, () => {
      const model = fit(sample, { minRows: 1, minHessian: 0, l2: 0 });
      expect(model.trees).toHaveLength(0);
      expect(Number.isFinite(model.base)).toBe(true);
    });
  }

  test("fewer rows than two leaves need", () => {
    expect(fit(sampleOf(column([1, 2, 3, 4]), [0, 0, 1, 1]), { minRows: 3 }).trees).toHaveLength(0);
    expect(fit(sampleOf(column([1, 2, 3, 4]), [0, 0, 1, 1]), { minRows: 2 }).trees).toHaveLength(
      30,
    );
  });

  test("one row of the other class of 500 still gives finite margins near the base rate", () => {
    const target = Float64Array.from({ length: 500 }, (_, i) => (i === 250 ? 1 : 0));
    const sample = sampleOf(frameOf(numbers("x", normals(500, 60))), target);
    const p = probabilities(fit(sample), sample.frame);
    for (const each of p) expect(each > 0 && each < 0.2).toBe(true);
  });
});

test("whatever the rows, options and objective, nothing is NaN", () => {
  const cell = fc.oneof(fc.float(), fc.constantFrom(0, 1, Number.NaN));
  const rows = fc.array(
    fc.tuple(cell, cell, fc.integer({ min: -1, max: 3 }), fc.nat(1), fc.nat(2)),
    {
      minLength: 1,
      maxLength: 60,
    },
  );
  const options = fc.record({
    objective: fc.constantFrom("log_loss", "squared_error", "quantile"),
    leaves: fc.integer({ min: 1, max: 6 }),
    depth: fc.nat(3),
    minRows: fc.integer({ min: 1, max: 5 }),
    minHessian: fc.constantFrom(0, 1),
    l2: fc.constantFrom(0, 1),
    rowShare: fc.constantFrom(0.3, 1),
    columnShare: fc.constantFrom(0.4, 1),
    bins: fc.integer({ min: 2, max: 9 }),
  });
  fc.assert(
    fc.property(rows, options, (cells, change) => {
      const levels = ["a", "b", "c", "d"];
      const frame = frameOf(
        numbers(
          "x",
          cells.map(([x]) => x),
        ),
        numbers(
          "y",
          cells.map(([, y]) => y),
        ),
        { name: "t", kind: "category", codes: Int32Array.from(cells, ([, , c]) => c), levels },
      );
      const weight = cells.map(([, , , , w]) => w);
      fc.pre(weight.some((w) => w > 0));
      const target = cells.map(([, , , y]) => y);
      const all = { ...SMALL, rounds: 5, quantile: 0.3, ...change } as GbdtOptions;
      const model = gbdt.fit(sampleOf(frame, target, weight), all, 1) as TreeModel;
      for (const margin of marginsOf(model, frame)) expect(Number.isFinite(margin)).toBe(true);
      for (const tree of model.trees) {
        for (const part of [tree.value, tree.gain, tree.cover, tree.threshold]) {
          for (const v of part) expect(Number.isNaN(v)).toBe(false);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("rows that are only looked at change nothing, whatever their loss does", () => {
  const sample = mixedSample(500, 8);
  const options = { ...GBDT_DEFAULTS, objective: "log_loss", rounds: 60, rate: 0.5 } as const;
  const validation = mixedSample(200, 9);
  const looked = boost(sample, options, 1, { validation, keepAll: true, follow: true });
  expect(looked.model).toEqual(boost(sample, options, 1).model);
  expect(looked.losses).toHaveLength(61);
  expect(looked.followed.map(({ round }) => round)).toEqual(
    Array.from({ length: 31 }, (_, i) => 2 * i),
  );
  // With so long a step it is past its best long before the end.
  const least = Math.min(...looked.losses);
  expect(looked.losses.at(-1)!).toBeGreaterThan(least);
  // What was followed is the loss of the model on its own rows.
  const again = boost(sample, options, 1, { validation: sample, keepAll: true });
  for (const { round, loss } of looked.followed) expect(loss).toBeCloseTo(again.losses[round]!, 12);
  expect(boost(sample, { ...options, rounds: 0 }, 1, { follow: true }).followed).toHaveLength(1);
  const long = boost(sample, { ...options, rounds: 250, rate: 0.01 }, 1, { follow: true });
  expect(long.followed).toHaveLength(36);
});

test("tells each round before it, and stops where that throws", () => {
  const told: string[] = [];
  const sample = mixedSample(200, 70);
  gbdt.fit(sample, { ...SMALL, rounds: 3 }, 1, (round, rounds) => told.push(`${round}/${rounds}`));
  expect(told).toEqual(["0/3", "1/3", "2/3"]);
  const stop = (round: number) => {
    if (round === 2) throw new Error("stopped");
  };
  expect(() => gbdt.fit(sample, SMALL, 1, stop)).toThrow("stopped");
});

test("a random walk cannot be forecast, if rows keep their order in time", () => {
  // 24-candle features and shuffled rows would seem to forecast it; folds in time do not.
  const steps = normals(2000, 80);
  const walk = steps.map((_, i) => steps.slice(0, i + 1).reduce((s, x) => s + x, 0));
  const [from, to] = [24, 1999];
  const feature = (of: (i: number) => number) =>
    Float32Array.from({ length: to - from }, (_, i) => of(from + i));
  const frame = frameOf(
    numbers(
      "change",
      feature((i) => walk[i]! - walk[i - 24]!),
    ),
    numbers(
      "mean",
      feature((i) => walk.slice(i - 23, i + 1).reduce((s, x) => s + x, 0) / 24),
    ),
    numbers(
      "last",
      feature((i) => steps[i]!),
    ),
  );
  const target = Float64Array.from(feature((i) => (steps[i + 1]! > 0 ? 1 : 0)));
  const times = Float64Array.from({ length: to - from }, (_, i) => i);
  const forecasts: number[] = [];
  const outcomes: number[] = [];
  const part = (a: number, b: number): Frame => ({
    rows: b - a,
    columns: frame.columns.map((column) =>
      column.kind === "number" ? { ...column, values: column.values.slice(a, b) } : column,
    ),
  });
  for (const { train, test } of walkForward({
    times,
    horizonMs: 1,
    foldMs: 250,
    minTrainRows: 400,
  })) {
    const model = fit(sampleOf(part(...train), target.slice(...train)));
    forecasts.push(...marginsOf(model, part(...test)).map(sigmoid));
    outcomes.push(...target.slice(...test));
  }
  expect(forecasts.length).toBeGreaterThan(1400);
  const hit = accuracy(Float64Array.from(forecasts), Float64Array.from(outcomes))!;
  expect(Math.abs(hit - 0.5)).toBeLessThan(0.04);
});

describe("the census income table", () => {
  const folder = `${import.meta.dir}/../../../../shared/data/adult`;
  const isThere = existsSync(`${folder}/adult.data.gz`);
  if (!isThere) console.log("skipped: 1 test, no ../shared");

  test.skipIf(!isThere)("is learnt as well as by the libraries of the trade", () => {
    const read = (name: string) =>
      new TextDecoder()
        .decode(Bun.gunzipSync(readFileSync(`${folder}/${name}`)))
        .split("\n")
        .filter((line) => line.includes(","))
        .map((line) => line.split(",").map((cell) => cell.trim()));
    const [train, later] = [read("adult.data.gz"), read("adult.test.gz")];
    const isNumber = [0, 2, 4, 10, 11, 12];
    const levels = train[0]!.map((_, c) =>
      [...new Set(train.map((row) => row[c]!))].filter((t) => t !== "?"),
    );
    const tableOf = (rows: string[][]): Sample => ({
      frame: {
        rows: rows.length,
        columns: levels.slice(0, 14).map((names, c) =>
          isNumber.includes(c)
            ? numbers(
                `c${c}`,
                rows.map((row) => Number(row[c])),
              )
            : {
                name: `c${c}`,
                kind: "category" as const,
                codes: Int32Array.from(rows, (row) => names.indexOf(row[c]!)),
                levels: names,
              },
        ),
      },
      target: Float64Array.from(rows, (row) => (row[14]!.startsWith(">50K") ? 1 : 0)),
      weight: null,
    });
    const model = gbdt.fit(tableOf(train), gbdt.defaults, 1) as TreeModel;
    const test = tableOf(later);
    const p = probabilities(model, test.frame);
    expect(test.frame.rows).toBe(16_281);
    expect(auc(p, test.target)).toBeGreaterThan(0.9274);
    expect(logLoss(p, test.target)).toBeLessThan(0.277);
    expect(accuracy(p, test.target)).toBeGreaterThan(0.87);
  });
});
