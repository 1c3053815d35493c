import { describe, expect, test } from "bun:test";
import { GBDT_DEFAULTS } from "../gbdt/options.ts";
import { sigmoid } from "../math.ts";
import { logLoss } from "../metrics.ts";
import { makeRandom } from "../random.ts";
import { categories, frameOf, mixedSample, normals, numbers, sampleOf } from "../testing.ts";
import type { Sample } from "../types.ts";
import { answersOf, labelOf, lossesOf, meanLoss } from "./answers.ts";
import type { TableRecipe } from "./recipe.ts";
import { rowsOf } from "./split.ts";
import { trainTable } from "./train.ts";

const RECIPE: TableRecipe = {
  task: "binary",
  width: 1,
  seed: 7,
  test: "split",
  testShare: 0.25,
  validationShare: 0.2,
  trainers: ["gbdt", "logistic"],
  gbdt: { ...GBDT_DEFAULTS, rounds: 30, leaves: 7 },
  patience: 0,
  linear: { l2: 1, rounds: 25, indicators: true },
  quantiles: null,
  threshold: "accuracy",
  search: null,
};
const part = (sample: Sample) => new Uint8Array(sample.target.length);
const train = (sample: Sample, recipe: Partial<TableRecipe> = {}) =>
  trainTable(sample, part(sample), { ...RECIPE, ...recipe });

/** Numbers that are a step of x and an effect of the town, with noise. */
const stepped = (rows: number, ofMean: (mean: number, luck: number) => number): Sample => {
  const [x, luck] = [normals(rows, 1), normals(rows, 2)];
  const random = makeRandom(3);
  const towns = Array.from({ length: rows }, () => "abc"[random.integer(3)]!);
  const target = towns.map((town, i) =>
    ofMean((x[i]! > 0 ? 3 : 1) + (town === "c" ? 2 : 0), luck[i]!),
  );
  return sampleOf(frameOf(numbers("x", x), categories("town", towns)), target);
};

describe("trainTable", () => {
  const sample = mixedSample(3_000, 9);
  const { fit, judged } = train(sample);

  test("answers rows that it did not learn from, better than the base rate", () => {
    expect(fit.rows.test).toBe(judged.rows.length);
    expect(fit.rows.train + fit.rows.validation + fit.rows.test).toBe(3_000);
    const own = logLoss(judged.answers.values, judged.sample.target)!;
    const base = logLoss(judged.baseline.values, judged.sample.target)!;
    expect(own).toBeLessThan(base - 0.1);
  });

  test("what is answered is what the model says of those rows", () => {
    const again = answersOf(fit.model, fit.reading, rowsOf(sample, judged.rows).frame);
    expect([...again.values]).toEqual([...judged.answers.values]);
  });

  test("nothing that judges has a part in the model: other outcomes there change nothing", () => {
    const turned = { ...sample, target: sample.target.slice() };
    for (const row of judged.rows) turned.target[row] = 1 - turned.target[row]!;
    const other = trainTable(
      turned,
      Uint8Array.from(sample.target, (_, row) => (judged.rows.includes(row) ? 1 : 0)),
      { ...RECIPE, test: "part" },
    );
    const same = trainTable(
      sample,
      Uint8Array.from(sample.target, (_, row) => (judged.rows.includes(row) ? 1 : 0)),
      { ...RECIPE, test: "part" },
    );
    expect(other.fit).toEqual(same.fit);
  });

  test("takes the trainer with the least loss on the rows that choose", () => {
    const { gbdt = 0, logistic = 0 } = fit.tried;
    expect(fit.trainer).toBe(gbdt < logistic ? "gbdt" : "logistic");
    expect(fit.model.kind).toBe(gbdt < logistic ? "trees" : "linear");
    // A sum of many columns, which few trees cannot follow as well.
    const columns = Array.from({ length: 8 }, (_, c) => normals(2_000, 40 + c));
    const random = makeRandom(5);
    const straight = sampleOf(
      frameOf(...columns.map((x, c) => numbers(`x${c}`, x))),
      Float64Array.from({ length: 2_000 }, (_, row) =>
        random.next() < sigmoid(columns.reduce((sum, x) => sum + x[row]!, 0)) ? 1 : 0,
      ),
    );
    expect(train(straight).fit.trainer).toBe("logistic");
  });

  test("early stopping tells how many rounds are fitted on all rows", () => {
    const gbdt = { ...RECIPE.gbdt, rounds: 300, rate: 0.3 };
    const stopped = train(sample, { trainers: ["gbdt"], gbdt, patience: 10 }).fit;
    if (stopped.model.kind !== "trees") throw new Error("no trees");
    expect(stopped.gbdt.rounds).toBeLessThan(200);
    expect(stopped.model.trees).toHaveLength(stopped.gbdt.rounds);
    // What it stopped by: from no tree to ten beyond the best.
    const { validation, train: fitted, best } = stopped.curve!;
    expect(best.round).toBe(stopped.gbdt.rounds);
    expect(validation.at(-1)!.round).toBe(best.round + 10);
    expect(best.loss).toBeLessThan(validation[0]!.loss);
    // On rows that were fitted it falls; of so many rounds only some are looked at.
    expect(fitted.map(({ round }) => round % 8)).toEqual(fitted.map(() => 0));
    expect(fitted.at(-1)!.loss).toBeLessThan(best.loss);
  });

  test("without rows to choose by the first trainer is used as it is", () => {
    const { fit: plain } = train(sample, { validationShare: 0, trainers: ["logistic", "gbdt"] });
    expect([plain.trainer, plain.threshold, plain.tried, plain.rows.validation]).toEqual([
      "logistic",
      0.5,
      {},
      0,
    ]);
    expect(plain.curve).toBeNull();
  });

  test("a search is judged on the rows that choose, and its best options are fitted", () => {
    const search = {
      space: {
        leaves: { low: 2, high: 15, scale: "linear" as const, integer: true },
        rate: [0.05, 0.2],
      },
      method: "halving" as const,
      trials: 5,
    };
    const found = train(sample, { search, trainers: ["gbdt"] }).fit;
    expect(found.trials.length).toBeGreaterThan(5);
    expect(found.trials[0]!.options).toEqual({ leaves: 7, rate: 0.1 });
    const last = found.trials.filter((trial) => trial.budget === 1);
    const best = last.reduce((a, b) => (b.loss! < a.loss! ? b : a));
    expect(found.gbdt).toMatchObject(best.options);
    const again = train(sample, { search, trainers: ["gbdt"] }).fit;
    expect(again).toEqual(found);
    let asked = 0;
    const cut = trainTable(
      sample,
      part(sample),
      { ...RECIPE, search },
      { isOver: () => ++asked > 2 },
    );
    expect(cut.fit.trials).toHaveLength(3);
  });

  test("the same rows and seed give the same model", () => {
    expect(JSON.stringify(train(sample).fit)).toBe(JSON.stringify(fit));
  });

  for (const trainer of ["gbdt", "linear"] as const) {
    test(`learns a number (${trainer})`, () => {
      const sample = stepped(2_000, (mean, luck) => mean + 0.2 * luck);
      const { fit, judged } = train(sample, { task: "regression", trainers: [trainer] });
      const loss = (answers: typeof judged.answers) =>
        meanLoss(lossesOf("squared_error", answers, judged.sample.target, 0.5), null);
      expect(fit.threshold).toBe(0.5);
      expect(loss(judged.answers)).toBeLessThan(loss(judged.baseline) / 3);
    });
  }
});

for (const trainer of ["gbdt", "linear"] as const) {
  test(`trainTable learns a count (${trainer})`, () => {
    const sample = stepped(2_000, (mean, luck) => Math.max(0, Math.round(3 * mean + luck)));
    const { fit, judged } = train(sample, { task: "count", trainers: [trainer] });
    const loss = (answers: typeof judged.answers) =>
      meanLoss(lossesOf("deviance", answers, judged.sample.target, 0.5), null);
    expect(judged.answers.values.every((value) => value > 0)).toBe(true);
    expect(fit.reading.calibration).toEqual({ slope: 1, intercept: 0 });
    expect(loss(judged.answers)).toBeLessThan(loss(judged.baseline) / 3);
  });
}

test("trainTable learns several classes, and early stopping counts rounds of all of them", () => {
  const sample = stepped(2_000, (mean) => [1, 3, 5].indexOf(mean));
  const { fit, judged } = train(sample, {
    ...{ task: "multiclass", width: 3, trainers: ["gbdt"], patience: 5 },
    gbdt: { ...RECIPE.gbdt, rounds: 60, rate: 0.3 },
  });
  const error = meanLoss(lossesOf("error", judged.answers, judged.sample.target, 0.5), null);
  expect(error).toBeLessThan(0.02);
  if (fit.model.kind !== "softmax") throw new Error(fit.model.kind);
  const counts = fit.model.models.map(({ trees }) => trees.length);
  expect(Math.max(...counts)).toBeLessThanOrEqual(fit.gbdt.rounds);
  expect(judged.baseline.values.subarray(0, 3).reduce((a, b) => a + b)).toBeCloseTo(1, 9);
});

describe("lossesOf", () => {
  const one = { width: 1, values: Float64Array.of(0.8, 0.25) };
  const three = { width: 3, values: Float64Array.of(0.5, 0.3, 0.2, 0.1, 0.1, 0.8) };

  test("by name", () => {
    const y = Float64Array.of(1, 0);
    expect(lossesOf("log_loss", one, y, 0.5)[0]).toBeCloseTo(-Math.log(0.8), 12);
    expect(lossesOf("log_loss", one, y, 0.5)[1]).toBeCloseTo(-Math.log(0.75), 12);
    expect([...lossesOf("error", one, y, 0.2)]).toEqual([0, 1]);
    expect(lossesOf("brier", one, y, 0.5)[0]).toBeCloseTo(0.04, 12);
    expect([...lossesOf("absolute_error", one, Float64Array.of(2, -1), 0.5)]).toEqual([1.2, 1.25]);
    expect(lossesOf("deviance", one, Float64Array.of(0.8, 0), 0.5)[0]).toBeCloseTo(0, 12);
    expect(lossesOf("deviance", one, Float64Array.of(0.8, 0), 0.5)[1]).toBeCloseTo(0.5, 12);
  });

  test("of several classes", () => {
    const y = Float64Array.of(1, 2);
    expect(lossesOf("log_loss", three, y, 0.5)[0]).toBeCloseTo(-Math.log(0.3), 12);
    expect([...lossesOf("error", three, y, 0.5)]).toEqual([1, 0]);
    expect([0, 1].map((row) => labelOf(three, row, 0.5))).toEqual([0, 2]);
  });

  test("means are weighted", () => {
    expect(meanLoss(Float64Array.of(1, 4), null)).toBe(2.5);
    expect(meanLoss(Float64Array.of(1, 4), Float64Array.of(3, 1))).toBe(1.75);
  });
});
